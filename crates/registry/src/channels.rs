//! Tags of channels: what governance moves, and nobody pushes.

use futures_util::future::BoxFuture;
use plura_meta::{
    Failure, RepositoryId, Timestamp, Tx,
    place::{self, Placed},
    repository,
    review::{self, Kind},
    tag,
};
use plura_oci::{Digest, RepositoryName, Tag};

use crate::Registry;

/// An image that is to be pulled in a channel's repository.
#[derive(Clone, Copy, Debug)]
pub struct Placement<'a> {
    /// The repositories that may have it, in the order in which they are asked.
    pub sources: &'a [&'a RepositoryName],
    /// The channel's repository.
    pub place: &'a RepositoryName,
    /// The manifest.
    pub digest: &'a Digest,
    /// The tag that is to point at it.
    pub tag: &'a Tag,
}

/// Why a channel's tag cannot point at an image.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MoveError {
    /// Nobody has it any more.
    #[error("{digest} is in none of {}", listed(.sources))]
    Absent {
        /// The manifest.
        digest: Digest,
        /// Where it was looked for.
        sources: Vec<RepositoryName>,
    },
    /// More belongs to it than is moved together.
    #[error("more than 2000 manifests belong to {0}: its platforms, and what is about them")]
    TooMuch(Digest),
    /// Metadata could not be read or changed.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
}

fn listed(names: &[RepositoryName]) -> String {
    names.iter().map(RepositoryName::as_str).collect::<Vec<_>>().join(", ")
}

impl Registry {
    /// Changes what tags of a repository point at, in one transaction with what else `work` does. It runs
    /// to its end even if nobody waits for it any more, so that no copy of what was there before is kept.
    pub async fn change_channel<T, E, F>(
        &self,
        repository: &RepositoryName,
        tags: &[Tag],
        work: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (registry, repository, tags) = (self.clone(), repository.clone(), tags.to_vec());
        let changing = tokio::spawn(async move {
            let changed = registry.db().write(work).await;
            if changed.as_ref().is_err_and(|error| error.of_database().is_some()) {
                registry.shared.caches.forget_all();
            }
            registry.shared.caches.forget(&repository, &tags, None);
            registry.ask_for_evidence();
            registry.ask_for_contents();
            changed
        });
        match changing.await {
            Ok(changed) => changed,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Points a channel's tag at an image, which is put there with everything that belongs to it.
    pub async fn place(
        &self,
        tx: &mut Tx,
        placement: Placement<'_>,
        now: Timestamp,
    ) -> Result<(), MoveError> {
        let Placement { sources, place, digest, tag } = placement;
        let to = repository::find_or_create(tx, place, now).await?;
        if !self.is_placed(tx, placement, to, now).await? {
            repository::delete_if_empty(tx, to).await?;
            let sources = sources.iter().map(|name| (*name).clone()).collect();
            return Err(MoveError::Absent { digest: *digest, sources });
        }
        let before = tag::set(tx, to, tag, digest, now).await?;
        let left = before.filter(|before| before != digest);
        Ok(self.review_left(tx, to, left.as_ref(), now).await?)
    }

    /// Removes a tag of a channel's repository, if it is there.
    pub async fn displace(
        &self,
        tx: &mut Tx,
        place: &RepositoryName,
        tag: &Tag,
        now: Timestamp,
    ) -> Result<(), plura_meta::Error> {
        let Some(repository) = repository::find(tx, place).await? else { return Ok(()) };
        let left = tag::delete(tx, repository, tag).await?;
        self.review_left(tx, repository, left.as_ref(), now).await
    }

    /// What lost a tag is looked at again when its time is up: history may not need it.
    async fn review_left(
        &self,
        tx: &mut Tx,
        repository: RepositoryId,
        digest: Option<&Digest>,
        now: Timestamp,
    ) -> Result<(), plura_meta::Error> {
        let Some(keep) = self.settings().untagged_review() else { return Ok(()) };
        let due_at = now.after(keep);
        review::schedule_all(tx, Kind::Manifest, Some(repository), digest, due_at).await
    }

    async fn is_placed(
        &self,
        tx: &mut Tx,
        placement: Placement<'_>,
        to: RepositoryId,
        now: Timestamp,
    ) -> Result<bool, MoveError> {
        for name in placement.sources.iter().copied().chain([placement.place]) {
            let Some(from) = repository::find(tx, name).await? else { continue };
            match place::place(tx, from, to, placement.digest, now).await? {
                Placed::Done(_) => return Ok(true),
                Placed::TooMuch => return Err(MoveError::TooMuch(*placement.digest)),
                Placed::Absent => {}
            }
        }
        Ok(false)
    }
}
