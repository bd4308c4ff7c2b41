//! The transparency log of an installation: what is decided is an entry, written in the transaction of the
//! decision; soon after, entries become part of the tree, whose head is signed and whose tiles anybody can
//! read and verify.
//!
//! Rows are the truth, and tiles follow from them: a process that dies anywhere is followed by one that
//! writes the same tiles again. A head is only signed when its tiles are written, and it only takes the
//! place of the one that it continues.

mod check;
mod entry;
mod error;
mod head;
mod integrate;
mod key;
mod list;
mod proof;
mod tiles;

use std::{path::PathBuf, sync::Arc};

use plura_meta::{Timestamp, log};
use plura_registry::Registry;
use plura_tlog::{Frontier, SigningKey};
use tokio::sync::{Mutex, Notify, OnceCell};

pub use check::{LogCheck, LogFinding, check};
pub use error::Error;
pub use head::Head;
pub use list::{EntryPage, EntryQuery, LogEntry};
pub use plura_tlog::{CHECKPOINT_TYPE, Hash, KeyName, Proof, Resource, TILE_TYPE};
pub use proof::Proofs;

use crate::tiles::Tiles;

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory of this process, which has its key.
    pub directory: PathBuf,
    /// The name of the log; without, the one that it has, or a default.
    pub origin: Option<KeyName>,
    /// What a new log is called where nothing else is said.
    pub default_origin: Option<KeyName>,
}

/// The transparency log of an installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Transparency {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    settings: Settings,
    tiles: Tiles,
    /// The key of this process, once it signs.
    key: OnceCell<SigningKey>,
    /// What this process integrated last.
    frontier: Mutex<Option<Frontier>>,
    /// Told when there is another head.
    integrated: Notify,
}

impl Transparency {
    /// The log of the installation that the registry has open.
    pub fn new(registry: Registry, settings: Settings) -> Self {
        let tiles = Tiles::new(registry.records());
        let shared = Shared {
            registry,
            settings,
            tiles,
            key: OnceCell::new(),
            frontier: Mutex::default(),
            integrated: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many entries there are, part of the tree or not yet.
    pub async fn size(&self) -> Result<u64, Error> {
        let mut connection = self.db().read().await?;
        Ok(unsigned(log::size(&mut connection).await?))
    }

    /// The head that was signed last; nothing before the first.
    pub async fn head(&self) -> Result<Option<Head>, Error> {
        let found = log::head(&mut self.db().read().await?).await?;
        found.as_ref().map(Head::read).transpose()
    }

    /// The keys that heads were ever signed with, as lines that verifiers read: those of the name that the
    /// log has now.
    pub async fn keys(&self) -> Result<Vec<String>, Error> {
        let mut connection = self.db().read().await?;
        let Some(head) = log::head(&mut connection).await? else { return Ok(Vec::new()) };
        let keys = log::keys(&mut connection).await?.into_iter().map(|key| key.verifier);
        let is_current = |key: &String| key.starts_with(&format!("{}+", head.origin));
        Ok(keys.filter(is_current).collect())
    }

    /// Lets new entries become part of the tree at once.
    pub fn ask(&self) {
        self.shared.registry.ask_for_log();
    }

    fn db(&self) -> &plura_meta::Db {
        self.shared.registry.database()
    }
}

/// Positions and sizes are never negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// There are never so many entries.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An instant as people and documents write it.
fn instant(timestamp: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(timestamp.0).unwrap_or(jiff::Timestamp::MAX)
}

/// Runs what takes a processor, or blocks, where nobody waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => Err(Error::Stopped),
    }
}
