//! `check`: metadata against storage, and each against itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use plura_blob::{BlobKey, Directory};
use plura_meta::{
    Connection, Db, RepositoryId, Timestamp, Tx, blob, check as queries, manifest, removal,
    repository,
    review::{self, Kind, Review},
    total,
};
use plura_oci::{Digest, Manifest};
use serde::Serialize;

use crate::{
    Error, Settings, Sparse, blocking, database_path, lock,
    manifests::{self, Delete},
};

/// How thoroughly to look, and whether to mend.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// Read every blob and compare its digest.
    pub rehash: bool,
    /// Mend what can be mended. The installation must not be in use.
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
    let path = database_path(directory);
    if !path.is_file() {
        let source = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no installation");
        return Err(Error::Directory { path, source });
    }
    let _lock = if options.repair { Some(lock(directory)?) } else { None };
    let mut report = CheckReport::default();
    let checked = run(directory, settings, options, progress, &mut report).await;
    match checked {
        // The engine sees the structure of its file, not what is in it; what cannot be read is damage.
        Err(Error::Metadata(plura_meta::Error::Corrupt(detail))) => {
            report.add(FindingKind::Database, "plura.db", detail, false);
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
    let path = database_path(directory);
    let mut connection = Db::open_read_only(&path).await?;
    progress("the database");
    for problem in connection.integrity_problems().await? {
        report.add(FindingKind::Database, "plura.db", problem, false);
    }
    if !report.findings.is_empty() {
        // Anything read from a damaged file would be a guess, and anything written could make it worse.
        return Ok(());
    }
    for problem in queries::broken_foreign_keys(&mut connection).await? {
        report.add(FindingKind::Database, "plura.db", problem, false);
    }
    let blobs = Directory::existing(directory)?;
    let db = if options.repair { Some(Db::open(&path).await?) } else { None };
    let mut check = Check { blobs, connection, db, report, settings, root: directory };
    let checked = check.all(options.rehash, progress).await;
    if let Some(db) = check.db {
        db.close().await;
    }
    checked
}

struct Check<'a> {
    blobs: Directory,
    connection: Connection,
    /// Open for writing if this run repairs.
    db: Option<Db>,
    report: &'a mut CheckReport,
    settings: &'a Settings,
    root: &'a Path,
}

/// Rows read at a time.
const PAGE: u32 = 1000;

impl Check<'_> {
    async fn all(
        &mut self,
        rehash: bool,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Error> {
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

    async fn removals(&mut self) -> Result<(), Error> {
        let in_use = queries::removals_in_use(&mut self.connection).await?;
        for key in queries::removal_keys(&mut self.connection).await? {
            let detail = if in_use.contains(&key) {
                "queued for deletion although a blob needs it"
            } else if BlobKey::from_stored(key.clone()).is_none() {
                "queued for deletion although it is no place in the store"
            } else {
                continue;
            };
            let subject = key.clone();
            let repaired = self
                .repair(|tx| Box::pin(async move { Ok(queries::unqueue_removal(tx, &key).await?) }))
                .await?;
            self.report.add(FindingKind::WrongRemoval, &subject, detail.to_owned(), repaired);
        }
        Ok(())
    }

    /// Every blob's row against its file.
    async fn blobs(
        &mut self,
        rehash: bool,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Error> {
        let mut after: Option<Digest> = None;
        loop {
            let page = blob::scan(&mut self.connection, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.digest);
            for row in page {
                self.report.blobs += 1;
                self.report.bytes += row.size;
                if let Some((kind, detail)) = self.damage(&row, rehash).await? {
                    self.forget(row, kind, detail).await?;
                }
                if rehash && self.report.blobs.is_multiple_of(100) {
                    progress(&format!("blobs: {} read", self.report.blobs));
                }
            }
        }
    }

    async fn damage(
        &mut self,
        row: &blob::Blob,
        rehash: bool,
    ) -> Result<Option<(FindingKind, String)>, Error> {
        let Some(key) = BlobKey::from_stored(row.storage_key.clone()) else {
            let detail = format!("`{}` is no place in the store", row.storage_key);
            return Ok(Some((FindingKind::MissingBytes, detail)));
        };
        let blobs = self.blobs.clone();
        let (size, algorithm) = (row.size, row.digest.algorithm());
        let opened = blocking(move || {
            blobs.open_blob(&key, size)?;
            if rehash { blobs.rehash(&key, algorithm).map(Some) } else { Ok(None) }
        });
        match opened.await {
            Ok(None) => Ok(None),
            Ok(Some(found)) if found == row.digest => Ok(None),
            Ok(Some(found)) => {
                let detail = format!("{} holds content with the digest {found}", row.storage_key);
                Ok(Some((FindingKind::WrongDigest, detail)))
            }
            Err(plura_blob::Error::Corrupt { detail, .. }) => {
                let detail = format!("{}: {detail}", row.storage_key);
                Ok(Some((FindingKind::WrongSize, detail)))
            }
            Err(error) if error.is_missing() => {
                // A collection that runs meanwhile may have been faster.
                if blob::find(&mut self.connection, &row.digest).await?.as_ref() != Some(row) {
                    return Ok(None);
                }
                let detail = format!("{} does not exist", row.storage_key);
                Ok(Some((FindingKind::MissingBytes, detail)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets a damaged blob: as long as it is known, clients are told that it is there, and do not
    /// push it again.
    async fn forget(
        &mut self,
        row: blob::Blob,
        kind: FindingKind,
        detail: String,
    ) -> Result<(), Error> {
        let subject = row.digest.to_string();
        let key = row.storage_key.clone();
        let repaired = self
            .repair(move |tx| Box::pin(async move { Ok(queries::forget_blob(tx, &row).await?) }))
            .await?;
        if repaired && kind != FindingKind::MissingBytes {
            self.set_aside(&key)?;
        }
        let advice = if repaired { "; push it again" } else { "" };
        self.report.add(kind, &subject, format!("{detail}{advice}"), repaired);
        Ok(())
    }

    /// Damaged bytes may still be worth something to somebody.
    fn set_aside(&self, key: &str) -> Result<(), Error> {
        let target = self.root.join("damaged").join(key);
        let failed = |source| Error::Directory { path: target.clone(), source };
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        std::fs::rename(self.root.join("blobs").join(key), &target).map_err(failed)
    }

    /// Every file in the store against the rows.
    async fn files(&mut self) -> Result<(), Error> {
        let blobs = self.blobs.clone();
        let files = blocking(move || {
            let mut files = BTreeMap::new();
            blobs.walk(&mut |file| {
                files.insert(file.key, file.size);
            })?;
            Ok::<_, plura_blob::Error>(files)
        })
        .await?;
        for (key, size) in files {
            // What plura did not put there is not plura's to judge.
            if key.digest().is_none() || self.is_known(&key).await? || !self.is_orphan(&key).await?
            {
                continue;
            }
            let repaired = self.delete_file(&key).await?;
            let detail = format!("{size} bytes that no blob points at");
            self.report.add(FindingKind::OrphanFile, key.as_str(), detail, repaired);
        }
        Ok(())
    }

    async fn is_known(&mut self, key: &BlobKey) -> Result<bool, Error> {
        Ok(blob::is_key_known(&mut self.connection, key.as_str()).await?
            || removal::is_queued(&mut self.connection, key.as_str()).await?)
    }

    /// Whether a file is really nobody's, in an installation that is in use. In this order: between
    /// sealing and commit, the upload's own name stands beside the final one; once that is gone, a row
    /// is there; once the row is gone, a removal is queued; once that is done, the file is gone.
    async fn is_orphan(&mut self, key: &BlobKey) -> Result<bool, Error> {
        if self.db.is_some() {
            return Ok(true);
        }
        if let Some(Ok(upload)) = key.as_str().rsplit('.').next().map(str::parse) {
            let blobs = self.blobs.clone();
            if blocking(move || blobs.leftover(&upload)).await?.is_some() {
                return Ok(false);
            }
        }
        if self.is_known(key).await? {
            return Ok(false);
        }
        let (blobs, key) = (self.blobs.clone(), key.clone());
        Ok(blocking(move || blobs.contains(&key)).await?)
    }

    async fn delete_file(&self, key: &BlobKey) -> Result<bool, Error> {
        if self.db.is_none() {
            return Ok(false);
        }
        let (blobs, key) = (self.blobs.clone(), key.clone());
        blocking(move || blobs.delete(&[key])).await?;
        Ok(true)
    }

    async fn uploads(&mut self) -> Result<(), Error> {
        let blobs = self.blobs.clone();
        let files = blocking(move || blobs.leftovers()).await?;
        let sessions: BTreeMap<String, i64> =
            queries::uploads(&mut self.connection).await?.into_iter().collect();
        for file in &files {
            let id = file.upload.as_str();
            // In use, it may be a push without a session.
            if sessions.contains_key(id) || self.db.is_none() {
                continue;
            }
            let (blobs, upload) = (self.blobs.clone(), file.upload.clone());
            blocking(move || blobs.remove_upload(&upload)).await?;
            let detail = format!("{} bytes of an upload that has no session", file.size);
            self.report.add(FindingKind::OrphanUpload, id, detail, true);
        }
        for (id, _) in sessions {
            let Some((offset, size)) = self.shortfall(&id).await? else { continue };
            let upload = id.clone();
            let end = async move |tx: &mut Tx| Ok(queries::delete_upload(tx, &upload).await?);
            let repaired = self.repair(|tx| Box::pin(async move { end(tx).await })).await?;
            if let (true, Ok(upload)) = (repaired, id.parse()) {
                let blobs = self.blobs.clone();
                blocking(move || blobs.remove_upload(&upload)).await?;
            }
            let detail = format!("{offset} bytes were acknowledged, and the file has {size}");
            self.report.add(FindingKind::BrokenUpload, &id, detail, repaired);
        }
        Ok(())
    }

    /// How much of a session was acknowledged and how much is there, if that is less. Bytes come before
    /// their row, and go after it.
    async fn shortfall(&mut self, id: &str) -> Result<Option<(i64, i64)>, Error> {
        let offset = queries::upload_offset(&mut self.connection, id).await?.unwrap_or_default();
        let size = match id.parse() {
            Ok(upload) => {
                let blobs = self.blobs.clone();
                blocking(move || blobs.leftover(&upload)).await?.map_or(0, |file| file.size)
            }
            Err(_) => 0,
        };
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        if size >= offset || queries::upload_offset(&mut self.connection, id).await?.is_none() {
            return Ok(None);
        }
        Ok(Some((offset, size)))
    }

    /// Every manifest against what is recorded of it. In an installation that is in use, this takes one
    /// instant of it; repair sees what it has mended.
    async fn manifests(&mut self) -> Result<(), Error> {
        if self.db.is_some() {
            return self.every_manifest().await;
        }
        self.connection.begin_snapshot().await?;
        self.every_manifest().await?;
        Ok(self.connection.end_snapshot().await?)
    }

    async fn every_manifest(&mut self) -> Result<(), Error> {
        let mut after = 0;
        while let Some(row) = manifest::scan(&mut self.connection, after).await? {
            after = row.id;
            self.report.manifests += 1;
            let intact = row
                .digest
                .parse::<Digest>()
                .ok()
                .filter(|digest| Digest::of(digest.algorithm(), &row.bytes) == *digest)
                .and_then(|_| Manifest::parse(&row.bytes, None).ok());
            match intact {
                None => self.damaged_manifest(&row).await?,
                Some(parsed) => {
                    self.references(&row, &parsed).await?;
                    self.required_blobs(&row, &parsed).await?;
                }
            }
        }
        Ok(())
    }

    async fn damaged_manifest(&mut self, row: &manifest::Scanned) -> Result<(), Error> {
        let subject = row.clone();
        let delete = Delete {
            now: Timestamp::now(),
            grace: self.settings.grace,
            untagged_review: self.settings.untagged_review(),
        };
        let remove = async move |tx: &mut Tx| {
            if let Ok(digest) = subject.digest.parse() {
                delete.manifest(tx, subject.repository, &digest, None).await?;
                return Ok(());
            }
            Ok(queries::delete_manifest(tx, &subject).await?)
        };
        let name = self.name(row.repository).await?;
        let repaired = self.repair(|tx| Box::pin(async move { remove(tx).await })).await?;
        let detail = format!("the bytes in {name} are not those of the digest; push it again");
        self.report.add(FindingKind::DamagedManifest, &row.digest, detail, repaired);
        Ok(())
    }

    async fn references(
        &mut self,
        row: &manifest::Scanned,
        parsed: &Manifest,
    ) -> Result<(), Error> {
        let Ok(digest) = row.digest.parse() else { return Ok(()) };
        let mut wanted = manifests::new_manifest(digest, parsed.clone(), &row.bytes);
        // Bytes that name no media type were pushed with one, which only the row knows.
        if Manifest::parse(&row.bytes, Some(&row.media_type)).is_ok() {
            wanted.media_type.clone_from(&row.media_type);
        }
        let texts: BTreeSet<String> = wanted.references.iter().map(ToString::to_string).collect();
        let references = texts == row.references.iter().cloned().collect();
        let subject = wanted.subject.map(|subject| subject.to_string());
        let size = i64::try_from(wanted.bytes.len()).unwrap_or(i64::MAX);
        let rest = (&wanted.media_type, &wanted.artifact_type, &wanted.annotations, subject, size)
            == (
                &row.media_type,
                &row.artifact_type,
                &row.annotations,
                row.subject.clone(),
                row.size,
            );
        if references && rest {
            return Ok(());
        }
        let detail = if references {
            "its recorded media type, artifact type, annotations, subject or size are not its bytes'"
                .to_owned()
        } else {
            let (recorded, found) = (row.references.len(), texts.len());
            format!("recorded to reference {recorded} digests, and its bytes have {found}")
        };
        let recorded = row.clone();
        let record =
            async move |tx: &mut Tx| Ok(manifest::record_again(tx, &recorded, &wanted).await?);
        let repaired = self.repair(|tx| Box::pin(async move { record(tx).await })).await?;
        self.report.add(FindingKind::WrongReferences, &row.digest, detail, repaired);
        Ok(())
    }

    async fn required_blobs(
        &mut self,
        row: &manifest::Scanned,
        parsed: &Manifest,
    ) -> Result<(), Error> {
        if self.settings.sparse == Sparse::All {
            return Ok(());
        }
        let required: Vec<Digest> = parsed.required_blobs().map(|d| d.digest).collect();
        let missing = blob::missing(&mut self.connection, row.repository, &required).await?;
        for digest in missing {
            let found = blob::find(&mut self.connection, &digest).await?;
            let is_there = found.is_some();
            let (repository, now) = (row.repository, Timestamp::now());
            let relink = async move |tx: &mut Tx| {
                if let Some(found) = found {
                    blob::link(tx, repository, found.id, now).await?;
                }
                Ok(())
            };
            let repaired =
                is_there && self.repair(|tx| Box::pin(async move { relink(tx).await })).await?;
            let name = self.name(row.repository).await?;
            let advice = if is_there { "the store has it" } else { "push the image again" };
            let detail = format!("{name} does not link {digest}, which it references; {advice}");
            self.report.add(FindingKind::MissingReference, &row.digest, detail, repaired);
        }
        Ok(())
    }

    async fn tags(&mut self) -> Result<(), Error> {
        for dangling in queries::dangling_tags(&mut self.connection).await? {
            let (repository, name) = (dangling.repository_id, dangling.name.clone());
            let remove =
                async move |tx: &mut Tx| Ok(queries::delete_tag(tx, repository, &name).await?);
            let repaired = self.repair(|tx| Box::pin(async move { remove(tx).await })).await?;
            let subject = format!("{}:{}", dangling.repository, dangling.name);
            let detail = "the manifest that it points at does not exist".to_owned();
            self.report.add(FindingKind::DanglingTag, &subject, detail, repaired);
        }
        Ok(())
    }

    async fn garbage(&mut self) -> Result<(), Error> {
        let connection = &mut self.connection;
        let (now, grace) = (Timestamp::now(), self.settings.grace);
        if let Some(keep) = self.settings.untagged_review() {
            for found in queries::forgotten_manifests(connection).await? {
                let what = format!("nothing in {} needs it", found.repository);
                let repository = Some(found.repository_id);
                let due_at = now.after(keep);
                self.forgotten(Kind::Manifest, repository, found.name, what, due_at).await?;
            }
        }
        for found in queries::forgotten_links(&mut self.connection).await? {
            let what = format!("{} links it for nothing", found.repository);
            let repository = Some(found.repository_id);
            self.forgotten(Kind::Link, repository, found.name, what, now.after(grace)).await?;
        }
        for digest in queries::forgotten_blobs(&mut self.connection).await? {
            let what = "no repository links it".to_owned();
            self.forgotten(Kind::Blob, None, digest, what, now.after(grace)).await?;
        }
        Ok(())
    }

    async fn forgotten(
        &mut self,
        kind: Kind,
        repository: Option<RepositoryId>,
        digest: String,
        what: String,
        due_at: Timestamp,
    ) -> Result<(), Error> {
        // Rows whose digest is none were reported as damaged before.
        let Ok(parsed) = digest.parse() else { return Ok(()) };
        let review = Review { kind, repository, digest: parsed, due_at };
        let schedule = async move |tx: &mut Tx| Ok(review::schedule(tx, &review).await?);
        let repaired = self.repair(|tx| Box::pin(async move { schedule(tx).await })).await?;
        let detail = format!("{what}, and nobody would have collected it");
        self.report.add(FindingKind::ForgottenGarbage, &digest, detail, repaired);
        Ok(())
    }

    async fn totals(&mut self) -> Result<(), Error> {
        self.connection.begin_snapshot().await?;
        let recorded = total::read(&mut self.connection).await?;
        let (blobs, bytes) = total::count(&mut self.connection).await?;
        self.connection.end_snapshot().await?;
        if (recorded.blobs, recorded.blob_bytes) == (blobs, bytes) {
            return Ok(());
        }
        let (wrong, wrong_bytes) = (recorded.blobs, recorded.blob_bytes);
        let detail =
            format!("recorded {wrong} blobs of {wrong_bytes} bytes, counted {blobs} of {bytes}");
        let repaired =
            self.repair(|tx| Box::pin(async move { Ok(total::repair(tx).await?) })).await?;
        self.report.add(FindingKind::WrongTotal, "blobs", detail, repaired);
        Ok(())
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
