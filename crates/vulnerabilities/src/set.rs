//! The advisories that are in force, as one set.

use std::sync::Arc;

use plura_advisories::{AdvisorySet, AdvisorySetBuilder};
use plura_meta::{Connection, advisory, advisory::Source};
use plura_oci::Digest;
use tokio::sync::{Mutex, mpsc};

use crate::{Error, Vulnerabilities, block};

/// What matches are made by counts for what they are of: raised where matching changes, so that everything
/// is matched again.
const ENGINE: u32 = 1;

/// Blocks that wait to be added to a set.
const AHEAD: usize = 4;

/// The sources that are in force, and what to call all of them together.
#[derive(Clone, Debug)]
pub(crate) struct InForce {
    /// What `package.matched` holds where the matches are of these.
    pub(crate) basis: String,
    pub(crate) sources: Vec<Source>,
}

impl InForce {
    pub(crate) async fn read(connection: &mut Connection) -> Result<Self, Error> {
        let sources = advisory::sources(connection).await?;
        let mut text = format!("{ENGINE}\n");
        for source in &sources {
            text.push_str(&source.digest);
            text.push('\n');
        }
        Ok(Self { basis: Digest::sha256(text.as_bytes()).hex(), sources })
    }

    /// When the advisory was changed that was changed last.
    pub(crate) fn newest(&self) -> Option<plura_meta::Timestamp> {
        self.sources.iter().filter_map(|source| source.newest).max()
    }
}

/// A set that was built, and what of.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) in_force: InForce,
    pub(crate) set: Arc<AdvisorySet>,
}

/// The set that was built last. Who wants another one meanwhile waits for it: it takes a processor, and
/// memory.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Option<Loaded>>);

impl Vulnerabilities {
    /// What is in force now, whichever process put it in force.
    pub(crate) async fn in_force(&self) -> Result<InForce, Error> {
        InForce::read(&mut self.db().read().await?).await
    }

    /// The set of what is in force now.
    pub(crate) async fn loaded(&self) -> Result<Loaded, Error> {
        let mut kept = self.shared.sets.0.lock().await;
        let mut in_force = self.in_force().await?;
        loop {
            if let Some(loaded) = &*kept
                && loaded.in_force.basis == in_force.basis
            {
                return Ok(loaded.clone());
            }
            let set = self.build(&in_force.sources).await?;
            // Blocks go when another import is in force; what was in force all the time was whole.
            let now = self.in_force().await?;
            if now.basis == in_force.basis {
                *kept = Some(Loaded { in_force: now, set: Arc::new(set) });
            } else {
                in_force = now;
            }
        }
    }

    async fn build(&self, sources: &[Source]) -> Result<AdvisorySet, Error> {
        let (sender, mut blocks) = mpsc::channel::<Vec<u8>>(AHEAD);
        let building = tokio::task::spawn_blocking(move || {
            let mut builder = AdvisorySetBuilder::default();
            while let Some(block) = blocks.blocking_recv() {
                block::add(&block, &mut builder)?;
            }
            Ok(builder.finish())
        });
        for source in sources {
            for position in 0.. {
                let mut connection = self.db().read().await?;
                let block = advisory::block(&mut connection, source.import_id, position).await?;
                drop(connection);
                let Some(block) = block else { break };
                if sender.send(block).await.is_err() {
                    // The builder has ended with an error, which it tells below.
                    break;
                }
            }
        }
        drop(sender);
        match building.await {
            Ok(built) => built,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(Error::Stopped),
        }
    }
}
