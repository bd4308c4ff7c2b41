//! What was found, as rows, a transaction at a time.

use std::{collections::BTreeMap, sync::Arc};

use plura_adopt::{Finding, FindingKind, FoundBlob, FoundManifest, FoundTag, Item, Place};
use plura_blob::BlobKey;
use plura_meta::{
    RepositoryId, Timestamp, Tx,
    audit::{self, Origin},
    blob, check as queries, manifest, repository,
    review::{self, Kind},
    tag,
};
use plura_oci::{Digest, RepositoryName};

use super::{
    report::{AdoptReport, Committed, Counts},
    timestamp,
};
use crate::{Error, Settings, push::new_manifest};

/// Things in one transaction: few enough that it is short, many enough that its sync is worth it.
const ITEMS: usize = 256;
/// Bytes of manifests in one transaction.
const BYTES: usize = 4 << 20;

/// What will be committed together.
pub(super) struct Batch {
    root: u32,
    now: Timestamp,
    grace: std::time::Duration,
    untagged_review: Option<std::time::Duration>,
    origin: Arc<Origin>,
    items: Vec<Item>,
    bytes: usize,
}

impl Batch {
    pub(super) fn new(root: u32, settings: &Settings, origin: &Arc<Origin>) -> Self {
        Self {
            root,
            now: Timestamp::now(),
            grace: settings.grace,
            untagged_review: settings.untagged_review(),
            origin: Arc::clone(origin),
            items: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= ITEMS || self.bytes >= BYTES
    }

    /// Adds something, and counts it as found.
    pub(super) fn add(&mut self, item: Item, report: &mut AdoptReport) {
        let at = match &item {
            Item::Blob(blob) => {
                report.found.blobs += 1;
                if let Place::Here { size, .. } = blob.place {
                    report.found.bytes += size;
                }
                blob.at
            }
            Item::Manifest(found) => {
                report.manifest_of(&found.repository);
                self.bytes += found.bytes.len();
                found.at
            }
            Item::Tag(tag) => {
                report.found.tags += 1;
                tag.at
            }
            _ => None,
        };
        if let Some(at) = at {
            report.active(at);
        }
        self.items.push(item);
    }

    /// Writes everything.
    pub(super) async fn run(self, tx: &mut Tx) -> Result<Committed, Error> {
        let Self { root, now, grace, untagged_review, origin, items, .. } = self;
        let mut rows = Rows {
            root,
            now,
            grace,
            untagged_review,
            committed: Committed::default(),
            changed: BTreeMap::new(),
        };
        for item in items {
            match item {
                Item::Blob(found) => rows.blob(tx, found).await?,
                Item::Manifest(found) => rows.manifest(tx, *found).await?,
                Item::Tag(found) => rows.tag(tx, found).await?,
                Item::Damaged { digest, path } => rows.forget(tx, &digest, &path).await?,
                Item::Finding(_) | Item::Activity(_) | Item::Verified(_) => {}
            }
        }
        rows.audit(tx, &origin).await?;
        Ok(rows.committed)
    }
}

/// What a transaction writes.
struct Rows {
    root: u32,
    now: Timestamp,
    grace: std::time::Duration,
    untagged_review: Option<std::time::Duration>,
    committed: Committed,
    /// What was added to each repository.
    changed: BTreeMap<RepositoryName, Counts>,
}

impl Rows {
    async fn blob(&mut self, tx: &mut Tx, found: FoundBlob) -> Result<(), Error> {
        let known = blob::find(tx, &found.digest).await?;
        let row = match (known, &found.place) {
            (Some(known), _) => known,
            (None, Place::Here { path, size }) => {
                let Some(key) = BlobKey::in_adopted(self.root, path) else { return Ok(()) };
                self.committed.added.blobs += 1;
                self.committed.added.bytes += size;
                blob::find_or_create(tx, &found.digest, *size, key.as_str(), self.now).await?
            }
            (None, Place::Elsewhere { path } | Place::Alias { path, .. }) => {
                let detail = format!(
                    "{} of {} is an empty file, and no other repository has its bytes",
                    found.digest, found.repository
                );
                return self.find(Finding::lost(FindingKind::MissingBlob, path, detail));
            }
        };
        let id = self.repository(tx, &found.repository).await?;
        if blob::link(tx, id, row.id, timestamp(found.at, self.now)).await? {
            let due_at = self.now.after(self.grace);
            review::schedule_all(tx, Kind::Link, Some(id), [&found.digest], due_at).await?;
            self.changed.entry(found.repository).or_default().blobs += 1;
        }
        Ok(())
    }

    async fn manifest(&mut self, tx: &mut Tx, found: FoundManifest) -> Result<(), Error> {
        let id = self.repository(tx, &found.repository).await?;
        let new = new_manifest(found.digest, found.manifest, &found.bytes);
        if !manifest::insert(tx, id, &new, timestamp(found.at, self.now)).await? {
            return Ok(());
        }
        self.committed.added.manifests += 1;
        self.changed.entry(found.repository).or_default().manifests += 1;
        // As after a push by digest: without a tag, it stays for as long as untagged ones do.
        self.review_manifest(tx, id, &found.digest).await
    }

    async fn tag(&mut self, tx: &mut Tx, found: FoundTag) -> Result<(), Error> {
        let FoundTag { repository: name, tag, digest, at, path } = found;
        let (id, at) = (self.repository(tx, &name).await?, timestamp(at, self.now));
        if manifest::summary(tx, id, &digest).await?.is_none() {
            let detail = format!("{name}:{tag} points at {digest}, which is not there");
            return self.find(Finding::lost(FindingKind::DanglingTag, path, detail));
        }
        match tag::find_moved(tx, id, &tag).await? {
            Some((known, _)) if known == digest => return Ok(()),
            Some((known, moved_at)) if moved_at > at => {
                let detail = format!("{name}:{tag} was moved here since, to {known}, and stays");
                return self.find(Finding::mended(FindingKind::KeptTag, path, detail));
            }
            Some((known, _)) => {
                self.committed.tags_moved += 1;
                self.review_manifest(tx, id, &known).await?;
            }
            None => self.committed.added.tags += 1,
        }
        tag::set(tx, id, &tag, &digest, at).await?;
        self.changed.entry(name).or_default().tags += 1;
        Ok(())
    }

    /// Forgets a blob whose file in the tree is damaged. One that is kept elsewhere stays.
    async fn forget(&mut self, tx: &mut Tx, digest: &Digest, path: &str) -> Result<(), Error> {
        let key = BlobKey::in_adopted(self.root, path);
        let found = blob::find(tx, digest).await?;
        let is_it = |blob: &blob::Blob| {
            Some(blob.storage_key.as_str()) == key.as_ref().map(BlobKey::as_str)
        };
        if let Some(found) = found.filter(is_it) {
            queries::forget_blob(tx, &found).await?;
        }
        Ok(())
    }

    async fn repository(
        &mut self,
        tx: &mut Tx,
        name: &RepositoryName,
    ) -> Result<RepositoryId, Error> {
        if let Some(id) = repository::find(tx, name).await? {
            return Ok(id);
        }
        self.committed.added.repositories += 1;
        Ok(repository::find_or_create(tx, name, self.now).await?)
    }

    async fn review_manifest(
        &self,
        tx: &mut Tx,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<(), Error> {
        if let Some(keep) = self.untagged_review {
            let due_at = self.now.after(keep);
            review::schedule_all(tx, Kind::Manifest, Some(repository), [digest], due_at).await?;
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "ends a function that can fail")]
    fn find(&mut self, finding: Finding) -> Result<(), Error> {
        self.committed.findings.push(finding);
        Ok(())
    }

    /// One row for each repository that something was added to.
    async fn audit(&self, tx: &mut Tx, origin: &Origin) -> Result<(), Error> {
        for (name, counts) in &self.changed {
            let project = name.as_str().split('/').next().unwrap_or_default();
            let mut event = audit::Event::done("repository.adopt", name.as_str());
            event = event.of_project(project);
            event.detail = serde_json::json!({
                "blobs": counts.blobs, "manifests": counts.manifests, "tags": counts.tags,
            })
            .to_string();
            audit::record(tx, origin, &event, self.now).await?;
        }
        Ok(())
    }
}
