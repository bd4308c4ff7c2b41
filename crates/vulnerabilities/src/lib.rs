//! Which images have which vulnerabilities, now.
//!
//! Advisories are taken over from files, as blocks that the database keeps; a set of all of them is built
//! when it is needed first, and again when another is in force. What is matched with it are packages, each
//! once, however many images have them. Asking about an image first matches what was not matched with the
//! advisories in force: an answer is never older than they are. Exceptions and what vendors say are applied
//! when asked, so that what expires does so by itself.

mod adapter;
mod answer;
mod ask;
mod block;
mod error;
mod exceptions;
mod import;
mod matching;
mod package;
mod records;
mod reports;
mod scanners;
mod search;
mod set;
mod signed;
mod sources;
mod vex;
mod worker;
mod zip;

use std::{path::PathBuf, sync::Arc, time::Duration};

use plura_contents::Contents;
use plura_evidence::Evidence;
use plura_registry::Registry;
use tokio::sync::{Notify, Semaphore};

pub use answer::{
    ExceptionNotes, FoundVulnerability, ImageContents, ImageVulnerabilities, NotCovered,
    SeverityCounts, Suppression, SuppressionKind, VexNote, VulnerablePackage,
};
pub use error::{Error, ImportError};
pub use exceptions::{ExceptionState, ExceptionTerms, GrantedException, ImportedExceptions};
pub use import::{ImportRequest, Imported};
pub use plura_advisories::{
    Band, Glob, PackagePattern, Scope,
    report::{Scanner, harbor},
};
pub use plura_meta::{Timestamp, audit::Origin};
pub use records::Skipped;
pub use reports::{ReceivedReport, SecondOpinion};
pub use scanners::AddedScanner;
pub use search::{FoundImage, FoundPlace, PackageQuery, Search, SearchAnswer};
pub use sources::{AdvisoriesStatus, SourceStatus};
pub use vex::ReceivedVex;

/// How vulnerabilities are looked for and lived with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where what arrives is kept while it is read.
    pub directory: PathBuf,
    /// How long an exception may hold at most.
    pub longest_exception: Duration,
    /// How long before its end an exception is told of.
    pub expiry_warning: Duration,
}

/// What else is known of images.
#[derive(Clone, Debug)]
pub struct Sources {
    /// What is in them.
    pub contents: Contents,
    /// What is said about them, and by whom.
    pub evidence: Evidence,
}

/// The vulnerabilities of what a registry holds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Vulnerabilities {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    sources: Sources,
    settings: Settings,
    sets: set::Cache,
    /// Told when packages may be waiting.
    asked: Notify,
    /// Imports are read one at a time: each takes a processor, and disk.
    importing: Semaphore,
}

impl Vulnerabilities {
    /// The vulnerabilities of what the registry holds.
    pub fn new(registry: Registry, sources: Sources, settings: Settings) -> Self {
        let shared = Shared {
            registry,
            sources,
            settings,
            sets: set::Cache::default(),
            asked: Notify::new(),
            importing: Semaphore::new(1),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Lets packages be matched that nobody matched yet, soon.
    pub fn ask(&self) {
        self.shared.asked.notify_one();
    }

    fn db(&self) -> &plura_meta::Db {
        self.shared.registry.database()
    }
}

/// Runs what takes a processor where nobody waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => Err(Error::Stopped),
    }
}

/// An instant as people and documents write it.
fn instant(timestamp: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(timestamp.0).unwrap_or(jiff::Timestamp::MAX)
}

/// An instant as the database has it.
fn timestamp(instant: jiff::Timestamp) -> Timestamp {
    Timestamp(instant.as_millisecond())
}
