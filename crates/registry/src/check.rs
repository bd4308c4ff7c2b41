//! `check`: metadata against storage, and each against itself.

mod bytes;
mod rows;

use std::path::Path;

use plura_blob::Blobs;
use plura_meta::{Connection, Db, Location, RepositoryId, Tx, check as queries, repository};
use serde::Serialize;

use crate::{Error, Settings, adopt, lock};

/// How thoroughly to look, and whether to mend.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// Read every blob and compare its digest.
    pub rehash: bool,
    /// Mend what can be mended. The installation must not be in use, by no replica.
    pub repair: bool,
}

/// What was looked at and found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CheckReport {
    /// Blobs looked at.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Manifests looked at.
    pub manifests: u64,
    /// What is wrong, in the order it was found.
    pub findings: Vec<Finding>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of damage.
    pub kind: FindingKind,
    /// Of what: a digest, a key, a tag.
    pub subject: String,
    /// What exactly, and what it means.
    pub detail: String,
    /// Whether it was mended by this run.
    pub repaired: bool,
}

/// The kinds of damage that `check` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The database engine finds its own file damaged. Mended by restoring a backup.
    Database,
    /// A blob's bytes are not there. Repair forgets the blob, so that the next push brings it again.
    MissingBytes,
    /// A blob's file has another length than recorded. Repair moves the file to `damaged/` and forgets
    /// the blob.
    WrongSize,
    /// A blob's bytes have another digest. Repair as for [`FindingKind::WrongSize`].
    WrongDigest,
    /// A file in the store that no blob's row points at. Repair deletes it.
    OrphanFile,
    /// A file of an upload session that does not exist. Looked for by repair only, which deletes it:
    /// while the installation is in use, it may be a push that needs no session.
    OrphanUpload,
    /// An upload session whose bytes are missing. Repair ends it; the client starts again.
    BrokenUpload,
    /// A manifest's bytes are not those of its digest, or no manifest. Repair deletes it and its tags.
    DamagedManifest,
    /// What a manifest is recorded to reference, to be about or to be annotated with differs from its
    /// bytes. Repair records it again.
    WrongReferences,
    /// A tag that points at nothing. Repair deletes it.
    DanglingTag,
    /// A manifest references a blob that its repository does not link. Repair links it, if the store
    /// has it.
    MissingReference,
    /// Something is queued for deletion although a blob needs it, or although it is outside of the
    /// store. Repair keeps it.
    WrongRemoval,
    /// A manifest, link or blob that nothing needs and that nobody would collect, as after a change of
    /// `collection.keep_untagged`. Repair has it reviewed.
    ForgottenGarbage,
    /// A sum differs from what was counted. Repair corrects it.
    WrongTotal,
    /// An entry of the log, or its tree, is not what was signed. Repair leaves it as it is: it is evidence.
    WrongLog,
}

impl CheckReport {
    /// Whether something is wrong that was not mended.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.repaired)
    }
}

/// Compares metadata and storage of the installation in `directory`.
///
/// Without `repair` nothing is changed, and the installation may be in use: what a request is doing
/// meanwhile is not reported. With it, the installation is taken for this run alone.
pub async fn check(
    directory: &Path,
    settings: &Settings,
    options: CheckOptions,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<CheckReport, Error> {
    let database = settings.database_location(directory);
    if let Location::File(path) = &database
        && !path.is_file()
    {
        let path = path.clone();
        let source = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no installation");
        return Err(Error::Directory { path, source });
    }
    let _lock = if options.repair { Some(lock(directory)?) } else { None };
    let mut report = CheckReport::default();
    let checked = run(directory, settings, options, progress, &mut report).await;
    match checked {
        // The engine sees the structure of its file, not what is in it; what cannot be read is damage.
        Err(Error::Metadata(plura_meta::Error::Corrupt(detail))) => {
            report.add(FindingKind::Database, &database.to_string(), detail, false);
            Ok(report)
        }
        Err(error) => Err(error),
        Ok(()) => Ok(report),
    }
}

async fn run(
    directory: &Path,
    settings: &Settings,
    options: CheckOptions,
    progress: &mut (dyn FnMut(&str) + Send),
    report: &mut CheckReport,
) -> Result<(), Error> {
    let database = settings.database_location(directory);
    let name = database.to_string();
    let mut connection = Db::connect_read_only(&database).await?;
    progress("the database");
    for problem in connection.integrity_problems().await? {
        report.add(FindingKind::Database, &name, problem, false);
    }
    if !report.findings.is_empty() {
        // Anything read from a damaged file would be a guess, and anything written could make it worse.
        return Ok(());
    }
    // Whoever else serves from the same database would meet what is mended half way.
    let db = if options.repair { Some(Db::connect_alone(&database).await?) } else { None };
    for problem in queries::broken_foreign_keys(&mut connection).await? {
        report.add(FindingKind::Database, &name, problem, false);
    }
    let blobs = Blobs::existing(directory, &settings.storage)?;
    let mut away = adopt::register_roots(&mut connection, &blobs).await?;
    if away.is_none() && options.repair {
        away = adopt::absent_root(&mut connection, &blobs).await?;
    }
    if let (Some(db), Some(error)) = (&db, away) {
        // A tree that is not mounted is not an empty one: its blobs must not be forgotten.
        connection.close().await;
        db.clone().close().await;
        return Err(error.into());
    }
    let mut check = Check { blobs, connection, db, report, settings };
    let checked = check.all(options.rehash, progress).await;
    check.connection.close().await;
    if let Some(db) = check.db {
        db.close().await;
    }
    checked
}

struct Check<'a> {
    blobs: Blobs,
    connection: Connection,
    /// Open for writing if this run repairs.
    db: Option<Db>,
    report: &'a mut CheckReport,
    settings: &'a Settings,
}

impl Check<'_> {
    async fn all(
        &mut self,
        rehash: bool,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Error> {
        self.mounted().await?;
        progress("removals");
        self.removals().await?;
        progress("blobs");
        self.blobs(rehash, progress).await?;
        progress("files");
        self.files().await?;
        progress("uploads");
        self.uploads().await?;
        progress("manifests");
        self.manifests().await?;
        progress("tags");
        self.tags().await?;
        progress("garbage and sums");
        self.garbage().await?;
        self.totals().await
    }

    /// Runs `work` if this run repairs; whether it did.
    async fn repair<F>(&self, work: F) -> Result<bool, Error>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> futures_util::future::BoxFuture<'t, Result<(), Error>>
            + Send
            + 'static,
    {
        match &self.db {
            Some(db) => db.write(work).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn name(&mut self, id: RepositoryId) -> Result<String, Error> {
        let name = repository::name(&mut self.connection, id).await?;
        Ok(name.map_or_else(|| "a repository without a name".to_owned(), |name| name.to_string()))
    }
}

impl CheckReport {
    fn add(&mut self, kind: FindingKind, subject: &str, detail: String, repaired: bool) {
        self.findings.push(Finding { kind, subject: subject.to_owned(), detail, repaired });
    }
}
