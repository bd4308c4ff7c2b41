//! What becomes of something that is reviewed.

use std::collections::HashSet;

use plura_meta::{
    Connection, RepositoryId, Timestamp, adopted_root, blob, channel, hold, manifest,
    review::{Kind, Review},
    tag,
};
use plura_oci::Digest;

use super::Decision;
use crate::{Error, KeepUntagged};

/// What becomes of something, and why.
pub(super) struct Judgement {
    pub(super) decision: Decision,
    pub(super) reason: &'static str,
    pub(super) bytes: u64,
}

/// What a dry run has decided to delete and a run would have deleted by then.
#[derive(Default)]
pub(super) struct Gone {
    pub(super) manifests: HashSet<(RepositoryId, Digest)>,
    pub(super) links: HashSet<(RepositoryId, Digest)>,
}

impl Gone {
    pub(super) fn add(&mut self, review: &Review) {
        let Some(repository) = review.repository else { return };
        match review.kind {
            Kind::Manifest => self.manifests.insert((repository, review.digest)),
            Kind::Link => self.links.insert((repository, review.digest)),
            Kind::Blob => false,
        };
    }
}

/// Decides about one review; `None` if there is nothing left to decide about.
pub(super) async fn judge(
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
    if gone.manifests.contains(&(repository, *digest)) {
        return Ok(None);
    }
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
    if channel::keeps(connection, repository, digest).await? {
        return Ok(keep("the history of a channel or a promotion needs it"));
    }
    if hold::needing(connection, repository, digest, Timestamp::now()).await?.is_some() {
        return Ok(keep("it is held, or something that is held needs it"));
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
    let gone_already = gone.links.contains(&(repository, *digest));
    if gone_already || !blob::missing(connection, repository, [digest]).await?.is_empty() {
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
    if adopted_root::is_foreign(connection, &found.storage_key).await? {
        return Ok(delete("no repository links it; its file is another registry's, and stays", 0));
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
