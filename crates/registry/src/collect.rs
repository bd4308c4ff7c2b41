//! Collection: everything that may have become garbage was queued for review when it did; a run looks
//! at the reviews that are due, decides again in the transaction that acts, and deletes bytes last.
//!
//! Nothing walks the store, nothing stops, and the cost follows what is due. Safety rests on three
//! rules: the decision and the deletion of rows are one transaction; a link lives for the grace time
//! after its last use, and being told that a blob is there counts as use; and bytes are deleted by a
//! key that no other content will ever have.

use std::collections::{HashSet, VecDeque};

use plura_blob::BlobKey;
use plura_meta::{
    Connection, RepositoryId, Timestamp, Tx, blob, manifest, removal, repository,
    review::{self, Kind, Review},
    tag,
};
use plura_oci::{Digest, RepositoryName, Tag};
use serde::Serialize;

use crate::{Error, KeepUntagged, Registry, blobs::stored_key, blocking, manifests::Delete};

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct CollectRequest {
    /// Only this repository, and the blobs that become free by it.
    pub repository: Option<RepositoryName>,
    /// Decide and report; change nothing.
    pub dry_run: bool,
    /// The instant that decides what is due.
    pub now: Timestamp,
}

/// What a run did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CollectReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Manifests deleted.
    pub manifests: u64,
    /// Blobs that a repository no longer links.
    pub links: u64,
    /// Blobs deleted.
    pub blobs: u64,
    /// Upload sessions ended for lack of progress.
    pub uploads: u64,
    /// Bytes given back.
    pub bytes: u64,
    /// What was looked at and stays.
    pub kept: u64,
    /// Reviews that are not due yet.
    pub waiting: u64,
    /// Each decision with its reason; the first [`CollectReport::ITEMS`] of them.
    pub items: Vec<CollectItem>,
    /// Whether there were more decisions than are listed.
    pub truncated: bool,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CollectItem {
    /// What was looked at.
    pub kind: Kind,
    /// In which repository; none for a blob, which several may share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryName>,
    /// Which one.
    pub digest: Digest,
    /// What becomes of it.
    pub decision: Decision,
    /// Why.
    pub reason: &'static str,
    /// How many bytes that gives back.
    pub bytes: u64,
}

/// What becomes of something that was reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is needed.
    Keep,
    /// Nothing needs it.
    Delete,
}

/// Reviews decided in one transaction: short enough that no push notices.
const BATCH: u32 = 32;
/// Files deleted between two transactions.
const REMOVALS: u32 = 64;

struct Judgement {
    decision: Decision,
    reason: &'static str,
    bytes: u64,
}

/// What a dry run has decided to delete and a run would have deleted by then.
#[derive(Default)]
struct Gone {
    manifests: HashSet<(RepositoryId, Digest)>,
    links: HashSet<(RepositoryId, Digest)>,
}

impl CollectReport {
    /// The most decisions that are listed one by one.
    pub const ITEMS: usize = 10_000;

    fn add(&mut self, item: CollectItem) {
        match (item.decision, item.kind) {
            (Decision::Keep, _) => self.kept += 1,
            (Decision::Delete, Kind::Manifest) => self.manifests += 1,
            (Decision::Delete, Kind::Link) => self.links += 1,
            (Decision::Delete, Kind::Blob) => self.blobs += 1,
        }
        self.bytes += item.bytes;
        if self.items.len() < Self::ITEMS { self.items.push(item) } else { self.truncated = true }
    }
}

impl Registry {
    /// Collects what is due, or reports what would be collected.
    pub async fn collect(&self, request: CollectRequest) -> Result<CollectReport, Error> {
        let repository = match &request.repository {
            None => None,
            Some(name) => {
                let found = repository::find(&mut self.db().read().await?, name).await?;
                Some(found.ok_or_else(|| Error::RepositoryUnknown(name.clone()))?)
            }
        };
        let mut report = if request.dry_run {
            self.rehearse(repository, request.now).await?
        } else {
            let _only_run = self.shared.collecting.lock().await;
            self.run(repository, request.now).await?
        };
        let mut connection = self.db().read().await?;
        report.waiting = review::count_waiting(&mut connection, request.now).await?;
        Ok(report)
    }

    async fn run(
        &self,
        repository: Option<RepositoryId>,
        now: Timestamp,
    ) -> Result<CollectReport, Error> {
        let mut report = CollectReport::default();
        if repository.is_none() {
            report.uploads = self.expire_uploads(now).await?;
        }
        // Blobs stand in no repository, so a run for one repository finds them by what led there; any
        // other finds their reviews among those that are due.
        let mut follow_up: Vec<Review> = Vec::new();
        loop {
            let mut connection = self.db().read().await?;
            let mut batch = review::due(&mut connection, now, repository, None, BATCH).await?;
            drop(connection);
            batch.append(&mut follow_up);
            if batch.is_empty() {
                break;
            }
            let decided = self.decide(batch, now).await?;
            if repository.is_some() {
                follow_up = decided.follow_up;
            }
            for item in decided.items {
                report.add(item);
            }
        }
        self.remove_queued().await?;
        Ok(report)
    }

    /// Decides a batch of reviews and acts on them, in one transaction.
    async fn decide(&self, batch: Vec<Review>, now: Timestamp) -> Result<Decided, Error> {
        let delete = Delete {
            now,
            grace: self.settings().grace,
            untagged_review: self.settings().untagged_review(),
        };
        let keep = self.settings().keep_untagged;
        let work = async move |tx: &mut Tx| {
            let mut decided = Decided::default();
            for review in batch {
                let judged = judge(tx, &review, keep, &Gone::default()).await?;
                review::delete(tx, &review).await?;
                let Some(judgement) = judged else { continue };
                decided.items.push(item(tx, &review, &judgement).await?);
                if judgement.decision == Decision::Delete {
                    decided.act(tx, &review, delete).await?;
                }
            }
            Ok::<_, Error>(decided)
        };
        let decided = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        for (name, tags, digest) in &decided.manifests {
            self.shared.caches.forget(name, tags, Some(*digest));
        }
        Ok(decided)
    }

    /// Deletes the bytes that no blob points at any more.
    async fn remove_queued(&self) -> Result<(), Error> {
        loop {
            let queued = removal::list(&mut self.db().read().await?, None, REMOVALS).await?;
            if queued.is_empty() {
                return Ok(());
            }
            let keys = queued.iter().map(|removal| stored_key(removal.storage_key.clone()));
            let keys: Vec<BlobKey> = keys.collect::<Result<_, _>>()?;
            for key in &keys {
                self.shared.caches.files.remove(key);
            }
            let blobs = self.blobs().clone();
            blocking(move || blobs.delete(&keys)).await?;
            let work = async move |tx: &mut Tx| {
                for removal in &queued {
                    removal::done(tx, removal).await?;
                }
                Ok::<_, Error>(())
            };
            self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        }
    }

    /// Decides as [`Registry::run`] does, and remembers what it would have deleted instead of
    /// deleting it.
    async fn rehearse(
        &self,
        repository: Option<RepositoryId>,
        now: Timestamp,
    ) -> Result<CollectReport, Error> {
        let mut report = CollectReport { dry_run: true, ..CollectReport::default() };
        let mut gone = Gone::default();
        let mut after: Option<Review> = None;
        let mut seen = HashSet::new();
        let mut connection = self.db().read().await?;
        loop {
            let page = review::due(&mut connection, now, repository, after.as_ref(), BATCH).await?;
            let Some(last) = page.last() else { return Ok(report) };
            after = Some(last.clone());
            let mut pending = VecDeque::from(page);
            while let Some(review) = pending.pop_front() {
                if !seen.insert((review.kind, review.repository, review.digest)) {
                    continue;
                }
                let keep = self.settings().keep_untagged;
                let Some(judgement) = judge(&mut connection, &review, keep, &gone).await? else {
                    continue;
                };
                report.add(item(&mut connection, &review, &judgement).await?);
                if judgement.decision == Decision::Delete {
                    gone.add(&review);
                    pending.extend(self.consequences(&mut connection, &review, now).await?);
                }
            }
        }
    }

    /// The reviews that a deletion would make due at once.
    async fn consequences(
        &self,
        connection: &mut Connection,
        review: &Review,
        now: Timestamp,
    ) -> Result<Vec<Review>, Error> {
        let follow = |kind, repository, digest| Review { kind, repository, digest, due_at: now };
        let Some(repository) = review.repository else { return Ok(Vec::new()) };
        match review.kind {
            Kind::Link => Ok(vec![follow(Kind::Blob, None, review.digest)]),
            // What a manifest kept has the grace time still before it.
            Kind::Manifest if self.settings().grace.is_zero() => {
                let references =
                    manifest::reference_digests(connection, repository, &review.digest).await?;
                let referrers =
                    manifest::referrer_digests(connection, repository, &review.digest).await?;
                let both = [Kind::Link, Kind::Manifest];
                let kept = references.iter().flat_map(|digest| both.map(|kind| (kind, *digest)));
                let about = referrers.iter().map(|digest| (Kind::Manifest, *digest));
                let all = kept.chain(about);
                Ok(all.map(|(kind, digest)| follow(kind, Some(repository), digest)).collect())
            }
            Kind::Manifest | Kind::Blob => Ok(Vec::new()),
        }
    }
}

/// What one transaction decided.
#[derive(Default)]
struct Decided {
    items: Vec<CollectItem>,
    follow_up: Vec<Review>,
    manifests: Vec<(RepositoryName, Vec<Tag>, Digest)>,
}

impl Decided {
    async fn act(&mut self, tx: &mut Tx, review: &Review, delete: Delete) -> Result<(), Error> {
        let digest = review.digest;
        match (review.kind, review.repository) {
            (Kind::Manifest, Some(repository)) => {
                let due_at = Some(delete.now.after(delete.grace));
                let name = repository::name(tx, repository).await?;
                let tags = delete.manifest(tx, repository, &digest, due_at).await?;
                self.manifests.extend(name.map(|name| (name, tags.unwrap_or_default(), digest)));
            }
            (Kind::Link, Some(repository)) => {
                blob::unlink(tx, repository, &digest).await?;
                let next =
                    Review { kind: Kind::Blob, repository: None, digest, due_at: delete.now };
                review::schedule(tx, &next).await?;
                self.follow_up.push(next);
                repository::delete_if_empty(tx, repository).await?;
            }
            (Kind::Blob, _) => {
                if let Some(found) = blob::find(tx, &digest).await? {
                    blob::delete(tx, &found).await?;
                    removal::queue(tx, &found, delete.now).await?;
                }
            }
            (Kind::Manifest | Kind::Link, None) => {}
        }
        Ok(())
    }
}

impl Gone {
    fn add(&mut self, review: &Review) {
        let Some(repository) = review.repository else { return };
        match review.kind {
            Kind::Manifest => self.manifests.insert((repository, review.digest)),
            Kind::Link => self.links.insert((repository, review.digest)),
            Kind::Blob => false,
        };
    }
}

/// Decides about one review; `None` if there is nothing left to decide about.
async fn judge(
    connection: &mut Connection,
    review: &Review,
    keep_untagged: KeepUntagged,
    gone: &Gone,
) -> Result<Option<Judgement>, Error> {
    match (review.kind, review.repository) {
        (Kind::Manifest, Some(repository)) => {
            judge_manifest(connection, repository, &review.digest, keep_untagged, gone).await
        }
        (Kind::Link, Some(repository)) => {
            judge_link(connection, repository, &review.digest, gone).await
        }
        (Kind::Blob, _) => judge_blob(connection, &review.digest, gone).await,
        (Kind::Manifest | Kind::Link, None) => Ok(None),
    }
}

async fn judge_manifest(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
    keep_untagged: KeepUntagged,
    gone: &Gone,
) -> Result<Option<Judgement>, Error> {
    let Some(found) = manifest::summary(connection, repository, digest).await? else {
        return Ok(None);
    };
    if keep_untagged == KeepUntagged::Forever {
        return Ok(keep("untagged manifests are kept (collection.keep_untagged)"));
    }
    if tag::points_at(connection, repository, digest).await? {
        return Ok(keep("a tag points at it"));
    }
    if is_referenced(connection, repository, digest, gone).await? {
        return Ok(keep("an index of the repository contains it"));
    }
    if let Some(subject) = found.subject {
        let exists = manifest::summary(connection, repository, &subject).await?.is_some();
        if exists && !gone.manifests.contains(&(repository, subject)) {
            return Ok(keep("it is about a manifest that is kept"));
        }
    }
    // Its bytes are in the metadata, which gives nothing back to the disk by one row.
    Ok(delete(
        "no tag, index or kept subject needs it, for longer than collection.keep_untagged",
        0,
    ))
}

async fn judge_link(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
    gone: &Gone,
) -> Result<Option<Judgement>, Error> {
    if !blob::missing(connection, repository, [digest]).await?.is_empty() {
        return Ok(None);
    }
    if is_referenced(connection, repository, digest, gone).await? {
        return Ok(keep("a manifest of the repository references it"));
    }
    Ok(delete("no manifest of the repository references it, for longer than collection.grace", 0))
}

async fn judge_blob(
    connection: &mut Connection,
    digest: &Digest,
    gone: &Gone,
) -> Result<Option<Judgement>, Error> {
    let Some(found) = blob::find(connection, digest).await? else { return Ok(None) };
    let limit = u32::try_from(gone.links.len()).unwrap_or(u32::MAX).saturating_add(1);
    let linked = blob::repositories(connection, found.id, limit).await?;
    if linked.iter().any(|repository| !gone.links.contains(&(*repository, *digest))) {
        return Ok(keep("a repository links it"));
    }
    Ok(delete("no repository links it", found.size))
}

async fn is_referenced(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
    gone: &Gone,
) -> Result<bool, Error> {
    let limit = u32::try_from(gone.manifests.len()).unwrap_or(u32::MAX).saturating_add(1);
    let by = manifest::referencing(connection, repository, digest, limit).await?;
    Ok(by.iter().any(|manifest| !gone.manifests.contains(&(repository, *manifest))))
}

#[expect(clippy::unnecessary_wraps, reason = "reads as the other answers of `judge`")]
fn keep(reason: &'static str) -> Option<Judgement> {
    Some(Judgement { decision: Decision::Keep, reason, bytes: 0 })
}

#[expect(clippy::unnecessary_wraps, reason = "reads as the other answers of `judge`")]
fn delete(reason: &'static str, bytes: u64) -> Option<Judgement> {
    Some(Judgement { decision: Decision::Delete, reason, bytes })
}

async fn item(
    connection: &mut Connection,
    review: &Review,
    judgement: &Judgement,
) -> Result<CollectItem, Error> {
    let repository = match review.repository {
        Some(id) => repository::name(connection, id).await?,
        None => None,
    };
    Ok(CollectItem {
        kind: review.kind,
        repository,
        digest: review.digest,
        decision: judgement.decision,
        reason: judgement.reason,
        bytes: judgement.bytes,
    })
}
