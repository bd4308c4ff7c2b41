//! Collection: everything that may have become garbage was queued for review when it did; a run looks
//! at the reviews that are due, decides again in the transaction that acts, and deletes bytes last.
//!
//! Nothing walks the store, nothing stops, and the cost follows what is due. Safety rests on three
//! rules: the decision and the deletion of rows are one transaction; a link lives for the grace time
//! after its last use, and being told that a blob is there counts as use; and bytes are deleted by a
//! key that no other content will ever have.

mod judge;
mod rehearse;

use std::collections::BTreeSet;

use plura_blob::BlobKey;
use plura_meta::{
    Connection, RepositoryId, Timestamp, Tx, adopted_root, blob, removal, repository,
    review::{self, Kind, Only, Review},
};
use plura_oci::{Digest, RepositoryName, Tag};
use serde::Serialize;

use self::judge::{Gone, Judgement, judge};
use crate::{Error, Registry, blobs::stored_key, detached, did, manifests::Delete};

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
        if request.dry_run {
            return self.rehearse(repository, request.now).await;
        }
        let _only_run = self.shared.collecting.lock().await;
        let lease = self.lease("collection").await?.ok_or(Error::CollectingElsewhere)?;
        let ran = self.run(repository, request.now).await;
        lease.give_back().await;
        let mut report = ran?;
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
            self.clear_leftovers().await?;
            self.finish_ended().await?;
        }
        // Blobs stand in no repository, so a run for one repository finds them by what led there.
        let mut only = repository.map(|repository| Only { repository, blobs: BTreeSet::new() });
        loop {
            let registry = self.clone();
            let subject = only.clone();
            let decided = detached(async move { registry.decide(subject, now).await }).await?;
            if !decided.any {
                break;
            }
            if let Some(only) = &mut only {
                only.blobs.extend(decided.unlinked);
            }
            let count = decided.items.len() as u64;
            for item in decided.items {
                report.add(item);
            }
            did(count).await;
        }
        self.remove_queued().await?;
        Ok(report)
    }

    /// Takes the next reviews that are due, decides and acts on them, in one transaction: what is
    /// told to a client before it (that a blob is there, say) is seen by it.
    async fn decide(&self, only: Option<Only>, now: Timestamp) -> Result<Decided, Error> {
        let delete = Delete {
            now,
            grace: self.settings().grace,
            untagged_review: self.settings().untagged_review(),
        };
        let keep = self.settings().keep_untagged;
        let work = async move |tx: &mut Tx| {
            let mut decided = Decided::default();
            for review in review::due(tx, now, only.as_ref(), None, BATCH).await? {
                decided.any = true;
                // What was decided before it in this batch may have given it a new grace time.
                let found =
                    review::find(tx, review.kind, review.repository, &review.digest).await?;
                // An index that has what its table has not would give it again and again.
                let due_at = found.ok_or_else(|| unordered("review"))?;
                if due_at > now {
                    continue;
                }
                review::delete(tx, &review).await?;
                if let Some(judgement) = judge(tx, &review, keep, &Gone::default()).await? {
                    decided.items.push(item(tx, &review, &judgement).await?);
                    if judgement.decision == Decision::Delete {
                        decided.act(tx, &review, delete).await?;
                    }
                }
                if let Some(repository) = review.repository {
                    repository::delete_if_empty(tx, repository).await?;
                }
            }
            Ok::<_, Error>(decided)
        };
        let decided =
            self.change_manifests(move |tx| Box::pin(async move { work(tx).await })).await?;
        for (name, tags, digest) in &decided.manifests {
            self.shared.caches.forget(name, tags, Some(*digest));
        }
        plura_fault::point("collect.decided").map_err(Error::fault)?;
        Ok(decided)
    }

    /// Deletes the bytes that no blob points at any more. One file that cannot be deleted does not
    /// hold up the others; it is tried again by the next run.
    async fn remove_queued(&self) -> Result<(), Error> {
        let mut after: Option<String> = None;
        let mut failed = Ok(());
        loop {
            let mut connection = self.db().read().await?;
            let queued = removal::list(&mut connection, after.as_deref(), REMOVALS).await?;
            drop(connection);
            let Some(last) = queued.last() else { return failed };
            if after.as_ref().is_some_and(|after| last.storage_key <= *after) {
                return Err(unordered("removal"));
            }
            after = Some(last.storage_key.clone());
            let keys = queued.into_iter().map(|removal| stored_key(removal.storage_key));
            let keys: Vec<BlobKey> = keys.collect::<Result<_, _>>()?;
            if let Err(error) = self.remove_bytes(keys).await {
                failed = Err(error);
            }
        }
    }

    /// Deletes bytes whose removal is queued, and then takes them off the queue.
    pub(crate) async fn remove_bytes(&self, mut keys: Vec<BlobKey>) -> Result<(), Error> {
        let mut result = self.blobs().delete(keys.clone()).await;
        if result.is_err() {
            (keys, result) = self.remove_one_by_one(keys).await;
        }
        plura_fault::point("collect.deleted").map_err(Error::fault)?;
        for key in &keys {
            // An open file keeps its space on the disk.
            self.shared.caches.files.remove(key);
        }
        let work = async move |tx: &mut Tx| {
            for key in &keys {
                removal::done(tx, key.as_str()).await?;
            }
            Ok::<_, Error>(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(result?)
    }

    /// Those of `keys` that could be deleted, and why others could not.
    async fn remove_one_by_one(
        &self,
        keys: Vec<BlobKey>,
    ) -> (Vec<BlobKey>, Result<(), plura_blob::Error>) {
        let mut result = Ok(());
        let mut removed = Vec::new();
        for key in keys {
            match self.blobs().delete(vec![key.clone()]).await {
                Ok(()) => removed.push(key),
                Err(error) => result = Err(error),
            }
        }
        (removed, result)
    }
}

/// A page that does not follow the one before it: what would be read next is any row, without end.
fn unordered(table: &str) -> Error {
    plura_meta::Error::Corrupt(format!("the index of `{table}` is out of order")).into()
}

/// What one transaction decided.
#[derive(Default)]
struct Decided {
    /// Whether anything was due.
    any: bool,
    items: Vec<CollectItem>,
    unlinked: Vec<Digest>,
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
                self.unlinked.push(digest);
            }
            (Kind::Blob, _) => {
                if let Some(found) = blob::find(tx, &digest).await? {
                    blob::delete(tx, &found).await?;
                    // What lies in the tree of another registry is not ours to delete.
                    if !adopted_root::is_foreign(tx, &found.storage_key).await? {
                        removal::queue(tx, &found, delete.now).await?;
                    }
                }
            }
            (Kind::Manifest | Kind::Link, None) => {}
        }
        Ok(())
    }
}

/// The entry of the report for a decision. The repository has to be there still.
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
