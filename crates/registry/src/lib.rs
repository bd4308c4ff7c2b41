//! Use cases of the distribution API over blobs and metadata.
//!
//! One file per group of use cases, each an `impl Registry`. They take parsed values and return typed
//! outcomes; they know neither HTTP nor SQL.

mod active;
mod adopt;
mod background;
mod backup;
mod blobs;
mod cache;
mod channels;
mod check;
mod claims;
mod collect;
mod databases;
mod ending;
mod error;
mod export;
mod image;
mod lease;
mod limit;
mod lists;
mod manifests;
mod mount;
mod progress;
mod pulls;
mod push;
mod quota;
mod recover;
mod referrers;
mod retire;
mod rules;
mod settings;
mod uploads;

use std::{path::Path, sync::Arc};

use plura_blob::{Blobs, Records, of_same_request};
use plura_meta::{Db, Tx, audit};
use plura_oci::RepositoryName;

pub use adopt::{AdoptError, AdoptReport, AdoptRequest, Counts, HandOver};
pub use background::{work_at_least_every, work_when_asked};
pub use backup::{backup, restore};
pub use blobs::{BlobContent, SmallBlob};
pub use cache::CachedManifest;
pub use channels::{MoveError, Placement};
pub use check::{CheckOptions, CheckReport, Finding, FindingKind, check};
pub use collect::{CollectItem, CollectReport, CollectRequest, Decision};
pub use databases::copy_database;
pub use error::Error;
pub use export::{ExportReport, ExportRequest, Exported, ParseExportedError, export};
pub use image::{
    AttachedTag, Change, Child, Configuration, ConfigurationBlob, DiffSide, Image, ImageDiff,
    ImageError, ImageFile, ImageManifest, ImageQuery, ImageTree, Layer, ListChange, MapChange,
    ReferrerCount, Relation, Step, TreeNode,
};
pub use lists::{Names, Readable, TagHistory};
pub use mount::MountFrom;
pub use plura_blob::{
    AccessKeys, BucketOptions, Encryption, Fitness, ObjectStream, Opened, Requirement, Retries,
    Storage, on_request,
};
pub use plura_meta::{
    Error as DatabaseError, Location as DatabaseLocation, Server as DatabaseServer, Timestamp,
    audit::Origin,
    copy::Copied,
    migrations::{self, Migration},
    project::OverQuota,
    total::Totals,
};
pub use progress::{Progress, Told, Tuning, at_a_time, did, tell, telling, tuned};
pub use push::{PushedManifest, PutManifest};
pub use referrers::{ReferrerDescriptor, Referrers};
pub use retire::{Retired, Retirement};
pub use rules::PushRules;
pub use settings::{KeepUntagged, Settings, Sparse};
pub use uploads::{ByteStream, Chunk, Claim, StartedUpload};

use crate::{active::ActiveUploads, cache::Caches};

/// A registry: an installation that is open for use. Cheap to clone.
///
/// What is done through a handle is done on somebody's behalf: [`Registry::on_behalf_of`] makes a
/// handle for a request, and what that changes is audited in its name.
#[derive(Clone, Debug)]
pub struct Registry {
    shared: Arc<Shared>,
    origin: Arc<Origin>,
}

#[derive(Debug)]
struct Shared {
    blobs: Blobs,
    db: Db,
    settings: Settings,
    caches: Caches,
    uploads: ActiveUploads,
    /// Held by the collection that is running; there is one at a time.
    collecting: tokio::sync::Mutex<()>,
    /// Told when evidence may have been asked for.
    evidence_asked: tokio::sync::Notify,
    /// Told when images may have been asked to be read.
    contents_asked: tokio::sync::Notify,
    /// Told when there may be new entries of the log.
    log_asked: tokio::sync::Notify,
    /// Pulls that are not written down yet.
    pulls: pulls::Pulls,
    /// What other processes on the same database know this one by.
    process: String,
    /// Held as long as the installation is open: two processes on one directory would each believe
    /// their caches.
    _lock: Lock,
}

impl Registry {
    /// Opens the installation in `directory`, creates it if there is none, and clears away what a
    /// crash left behind.
    pub async fn open(directory: &Path, settings: Settings) -> Result<Self, Error> {
        std::fs::create_dir_all(directory)
            .map_err(|source| Error::Directory { path: directory.to_owned(), source })?;
        let lock = lock(directory)?;
        let blobs = Blobs::open(directory, &settings.storage)?;
        let db = Db::connect(&settings.database_location(directory)).await?;
        if let Some(error) = adopt::register_roots(&mut db.read().await?, &blobs).await? {
            // Everything else can be served meanwhile.
            tracing::error!(%error, "an adopted tree is not there; its blobs cannot be pulled");
        }
        let shared = Shared {
            blobs,
            db,
            settings,
            caches: Caches::default(),
            uploads: ActiveUploads::default(),
            collecting: tokio::sync::Mutex::default(),
            evidence_asked: tokio::sync::Notify::default(),
            contents_asked: tokio::sync::Notify::default(),
            log_asked: tokio::sync::Notify::default(),
            pulls: pulls::Pulls::default(),
            process: uuid::Uuid::now_v7().to_string(),
            _lock: lock,
        };
        let registry = Self { shared: Arc::new(shared), origin: Arc::new(Origin::system()) };
        registry.recover().await?;
        Ok(registry)
    }

    /// The same registry, for somebody.
    #[must_use]
    pub fn on_behalf_of(&self, origin: Arc<Origin>) -> Self {
        Self { shared: Arc::clone(&self.shared), origin }
    }

    /// The database, for the parts that keep their rows beside the registry's.
    pub fn database(&self) -> &Db {
        &self.shared.db
    }

    /// Closes the database once everything that was accepted is done.
    pub async fn close(self) {
        if let Err(error) = self.write_pulls().await {
            tracing::warn!(%error, "what was pulled in the last minute is not written down");
        }
        self.shared.db.clone().close().await;
    }

    /// Returns when this process may have asked for evidence to be gathered.
    pub async fn evidence_asked(&self) {
        self.shared.evidence_asked.notified().await;
    }

    /// Lets [`Registry::evidence_asked`] return.
    pub fn ask_for_evidence(&self) {
        self.shared.evidence_asked.notify_one();
    }

    /// Returns when this process may have asked for images to be read.
    pub async fn contents_asked(&self) {
        self.shared.contents_asked.notified().await;
    }

    /// Lets [`Registry::contents_asked`] return.
    pub fn ask_for_contents(&self) {
        self.shared.contents_asked.notify_one();
    }

    /// Returns when this process may have added entries to the log.
    pub async fn log_asked(&self) {
        self.shared.log_asked.notified().await;
    }

    /// Lets [`Registry::log_asked`] return.
    pub fn ask_for_log(&self) {
        self.shared.log_asked.notify_one();
    }

    /// Small records, kept where blobs are.
    pub fn records(&self) -> Records {
        self.blobs().records()
    }

    /// What other processes on the same database know this one by.
    pub fn process(&self) -> &str {
        &self.shared.process
    }

    /// The settings that the registry was opened with.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Whether bytes and metadata can be written and read now; the error says what cannot.
    pub async fn probe(&self) -> Result<(), Error> {
        self.blobs().probe().await?;
        plura_meta::total::read(&mut self.db().read().await?).await?;
        Ok(())
    }

    /// The sums of what is stored and of what was collected.
    pub async fn totals(&self) -> Result<Totals, Error> {
        Ok(plura_meta::total::read(&mut self.db().read().await?).await?)
    }

    /// Records in the name of whom this is done for, in the transaction that does it.
    fn audit(&self, action: &'static str, repository: &RepositoryName, reference: &str) -> Audit {
        let event = audit::Event::in_repository(action, repository.as_str(), reference);
        Audit { origin: Arc::clone(&self.origin), event }
    }

    fn blobs(&self) -> &Blobs {
        &self.shared.blobs
    }

    fn db(&self) -> &Db {
        &self.shared.db
    }
}

/// What the object store honours of what is needed; nothing is asked of a directory.
pub async fn examine(storage: &Storage) -> Result<Vec<Fitness>, Error> {
    match storage {
        Storage::Directory => Ok(Vec::new()),
        Storage::Bucket(options) => Ok(plura_blob::Bucket::open(options)?.examine().await),
    }
}

/// What will be recorded when it is done.
#[derive(Clone, Debug)]
struct Audit {
    origin: Arc<Origin>,
    event: audit::Event,
}

impl Audit {
    async fn record(&self, tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
        Ok(audit::record(tx, &self.origin, &self.event, now).await?)
    }
}

/// Refuses what takes the repository's project beyond its quota, in the transaction that would.
async fn check_quota(tx: &mut Tx, repository: plura_meta::RepositoryId) -> Result<(), Error> {
    match plura_meta::project::over_quota(tx, repository).await? {
        Some(over) => Err(Error::OverQuota(over.into())),
        None => Ok(()),
    }
}

/// The file in which an installation keeps its metadata, unless a server has them.
pub fn database_path(directory: &Path) -> std::path::PathBuf {
    directory.join("plura.db")
}

/// An installation that this process has for itself.
#[derive(Debug)]
struct Lock(std::fs::File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would do, were it not for a child of this process that was forked and is
        // about to run its own program: until then, it has the file open, too.
        let _ = rustix::fs::flock(&self.0, rustix::fs::FlockOperation::Unlock);
    }
}

/// Takes the installation for this process alone.
fn lock(directory: &Path) -> Result<Lock, Error> {
    use rustix::fs::{FlockOperation, flock};

    let path = directory.join("lock");
    let failed = |source| Error::Directory { path: path.clone(), source };
    let file = std::fs::File::create(&path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::InUse(directory.to_owned())),
        Err(errno) => Err(failed(errno.into())),
    }
}

/// Runs work that blocks on the disk where it does not hold up requests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

impl Registry {
    /// How much collection has to look at now.
    pub async fn collection_waiting(&self) -> Result<u64, Error> {
        Ok(plura_meta::review::count_due(&mut self.db().read().await?, Timestamp::now()).await?)
    }
}

/// Runs to its end also when the client goes away and nobody waits for the result any more.
async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(of_same_request(work)).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
