use futures_util::future::BoxFuture;
use plura_meta::{
    Connection, RepositoryId, Timestamp, Tx, blob, hold, manifest, repository,
    review::{self, Kind},
    tag,
};
use plura_oci::{Digest, Reference, RepositoryName, Tag};
use plura_policy::{gate::Mode, tags::Refusal};

use crate::{CachedManifest, Error, PushRules, Registry, detached};

impl Registry {
    /// The manifest that a tag points at, or of a digest.
    ///
    /// A client that is told "this digest is here" may push an index that relies on it. So if nothing
    /// needs the manifest yet and its review is near, it is put off, as for blobs.
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<CachedManifest, Error> {
        if self.db().is_shared() {
            return self.shared_manifest(repository, reference).await;
        }
        let (name, now) = ((repository.clone(), reference.clone()), Timestamp::now());
        if let Some(cached) = self.shared.caches.manifest(&name, now) {
            return Ok(cached);
        }
        let changes = self.shared.caches.changes();
        let mut connection = self.db().read().await?;
        let found = manifest::find(&mut connection, repository, reference).await?;
        let found = whole(found.ok_or_else(|| Error::ManifestUnknown(reference.clone()))?)?;
        let until = match reference {
            // What a tag points at has a whole time to be kept before it when it loses the tag.
            Reference::Tag(_) => Timestamp(i64::MAX),
            Reference::Digest(digest) => {
                let due_at =
                    review::due_at(&mut connection, Kind::Manifest, repository, digest).await?;
                drop(connection);
                self.use_manifest(repository, digest, due_at, now).await?
            }
        };
        let cached = CachedManifest {
            digest: found.digest,
            media_type: found.media_type,
            bytes: found.bytes.into(),
            revision: None,
        };
        self.shared.caches.keep_manifest(changes, name, cached.clone(), until);
        Ok(cached)
    }

    /// The same where other processes write to the database: nothing is answered without asking it,
    /// once, and only bytes are remembered, by what they are.
    async fn shared_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<CachedManifest, Error> {
        let unknown = || Error::ManifestUnknown(reference.clone());
        let contents = &self.shared.caches.contents;
        let mut connection = self.db().read().await?;
        let head = manifest::head(&mut connection, repository, reference).await?;
        let mut head = head.ok_or_else(unknown)?;
        let bytes = if let Some(bytes) = contents.get(&head.digest) {
            bytes
        } else {
            // What a tag points at may be another manifest by now, which is as good an answer.
            let found = manifest::find(&mut connection, repository, reference).await?;
            let found = whole(found.ok_or_else(unknown)?)?;
            (head.digest, head.media_type) = (found.digest, found.media_type);
            let bytes = bytes::Bytes::from(found.bytes);
            contents.insert(head.digest, bytes.clone());
            bytes
        };
        drop(connection);
        if let Reference::Digest(digest) = reference {
            self.use_manifest(repository, digest, head.review_due, Timestamp::now()).await?;
        }
        let revision = Some(head.revision);
        Ok(CachedManifest { digest: head.digest, media_type: head.media_type, bytes, revision })
    }

    /// Puts off the review of a manifest that a client is told about; returns until when it may be
    /// told again without asking whether a review has come near.
    async fn use_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        due_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Timestamp, Error> {
        let grace = self.settings().grace;
        if grace.is_zero() {
            return Ok(Timestamp(i64::MAX));
        }
        // A review that is asked for later is due a grace time after that.
        let full = now.after(grace);
        let due_at = due_at.unwrap_or(full).min(full);
        if due_at >= now.after(grace / 2) {
            return Ok(due_at.before(grace / 2));
        }
        let (name, digest) = (repository.clone(), *digest);
        let work = async move |tx: &mut Tx| {
            // The collector may have been faster; then the manifest is gone, and so says the answer.
            let postponed = review::postpone(tx, Kind::Manifest, &name, &digest, full).await?;
            let reference = Reference::Digest(digest);
            if postponed || manifest::find(tx, &name, &reference).await?.is_some() {
                return Ok(());
            }
            Err(Error::ManifestUnknown(reference))
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(full.before(grace / 2))
    }

    /// Deletes a tag, or a manifest with all its tags.
    pub async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<(), Error> {
        self.delete(repository, reference, None).await
    }

    /// The same for somebody else, by the rules of the document that governs. If they are not in force any
    /// more, nothing is done.
    pub async fn delete_manifest_by(
        &self,
        rules: &PushRules,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<(), Error> {
        self.delete(repository, reference, Some(rules.clone())).await
    }

    async fn delete(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        rules: Option<PushRules>,
    ) -> Result<(), Error> {
        self.check_delete_enabled()?;
        let (name, target) = (repository.clone(), reference.clone());
        let delete = Delete {
            now: Timestamp::now(),
            grace: self.settings().grace,
            untagged_review: self.settings().untagged_review(),
        };
        let action = match reference {
            Reference::Tag(_) => "tag.delete",
            Reference::Digest(_) => "manifest.delete",
        };
        let audit = self.audit(action, repository, &reference.to_string());
        let work = async move |tx: &mut Tx| {
            let unknown = || Error::ManifestUnknown(target.clone());
            let id = repository::find(tx, &name).await?.ok_or_else(unknown)?;
            if let Reference::Digest(digest) = &target {
                check_not_held(tx, id, digest, delete.now).await?;
            }
            if let Some(rules) = &rules {
                rules.check_deletion(tx, (id, &name), &target).await?;
            }
            let deleted = match &target {
                Reference::Tag(tag) => delete.tag(tx, id, tag).await?.map(|_| vec![tag.clone()]),
                Reference::Digest(digest) => {
                    // The collector forgets the repository, if this was the last of it.
                    let due_at = delete.now.after(delete.grace);
                    review::schedule_all(tx, Kind::Manifest, Some(id), [digest], due_at).await?;
                    delete.manifest(tx, id, digest, None).await?
                }
            };
            let deleted = deleted.ok_or_else(unknown)?;
            audit.record(tx, delete.now).await?;
            Ok(deleted)
        };
        let digest = match reference {
            Reference::Tag(_) => None,
            Reference::Digest(digest) => Some(*digest),
        };
        let (registry, repository) = (self.clone(), repository.clone());
        detached(async move {
            let tags = registry
                .change_manifests(move |tx| Box::pin(async move { work(tx).await }))
                .await?;
            registry.shared.caches.forget(&repository, &tags, digest);
            Ok(())
        })
        .await
    }

    /// Changes what the cache may hold copies of.
    pub(crate) async fn change_manifests<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        let changed = self.db().write(work).await;
        if let Err(Error::Metadata(_)) = changed {
            self.shared.caches.forget_all();
        }
        self.ask_for_evidence();
        self.ask_for_contents();
        changed
    }
}

/// Deletes tags and manifests, and has everything reviewed that this may have made garbage. The
/// collector deletes the same way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delete {
    pub(crate) now: Timestamp,
    pub(crate) grace: std::time::Duration,
    pub(crate) untagged_review: Option<std::time::Duration>,
}

impl Delete {
    /// Deletes a tag; returns what it pointed at.
    pub(crate) async fn tag(
        &self,
        tx: &mut Tx,
        repository: RepositoryId,
        name: &Tag,
    ) -> Result<Option<Digest>, Error> {
        let Some(digest) = tag::delete(tx, repository, name).await? else { return Ok(None) };
        self.review_manifests(tx, repository, &[digest], None).await?;
        Ok(Some(digest))
    }

    /// Deletes a manifest and its tags; returns the tags. What it kept is reviewed at `due_at`, or
    /// after the usual grace.
    pub(crate) async fn manifest(
        &self,
        tx: &mut Tx,
        repository: RepositoryId,
        digest: &Digest,
        due_at: Option<Timestamp>,
    ) -> Result<Option<Vec<Tag>>, Error> {
        let Some(deleted) = manifest::delete(tx, repository, digest).await? else {
            return Ok(None);
        };
        let tags = tag::delete_all_of(tx, repository, digest).await?;
        let mut kept = kept_by(tx, repository, &deleted.references).await?;
        kept.manifests.extend(manifest::referrer_digests(tx, repository, digest).await?);
        if !kept.links.is_empty() {
            let due_at = due_at.unwrap_or(self.now.after(self.grace));
            review::schedule_all(tx, Kind::Link, Some(repository), &kept.links, due_at).await?;
        }
        self.review_manifests(tx, repository, &kept.manifests, due_at).await?;
        Ok(Some(tags))
    }

    async fn review_manifests(
        &self,
        tx: &mut Tx,
        repository: RepositoryId,
        digests: &[Digest],
        due_at: Option<Timestamp>,
    ) -> Result<(), Error> {
        let Some(keep) = self.untagged_review.filter(|_| !digests.is_empty()) else {
            return Ok(());
        };
        let due_at = due_at.unwrap_or(self.now.after(keep));
        Ok(review::schedule_all(tx, Kind::Manifest, Some(repository), digests, due_at).await?)
    }
}

/// Refuses to delete what something held needs.
pub(crate) async fn check_not_held(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(hold) = hold::needing(tx, repository, digest, now).await? else { return Ok(()) };
    Err(Error::Governed(vec![Refusal {
        rule: "hold".to_owned(),
        mode: Mode::Enforce,
        observed: format!("{} holds {}: {}", hold.holder, hold.digest, hold.reason),
        required: format!("{digest} stays as long as it is held"),
        fix: format!(
            "when it is needed no more, `plura reg release-hold {} --reason TEXT`",
            hold.id
        ),
    }]))
}

/// What a manifest keeps, as what its repository has it.
pub(crate) struct Kept {
    pub(crate) links: Vec<Digest>,
    pub(crate) manifests: Vec<Digest>,
}

/// A digest may be a blob as well as a manifest of the repository, and is then both.
pub(crate) async fn kept_by(
    connection: &mut Connection,
    repository: RepositoryId,
    references: &[Digest],
) -> Result<Kept, Error> {
    let unlinked = blob::missing(connection, repository, references).await?;
    let unknown = manifest::missing(connection, repository, references).await?;
    let except = |missing: &[Digest]| {
        references.iter().copied().filter(|digest| !missing.contains(digest)).collect()
    };
    Ok(Kept { links: except(&unlinked), manifests: except(&unknown) })
}

/// The manifest, if its bytes are what its digest says.
pub(crate) fn whole(found: manifest::StoredManifest) -> Result<manifest::StoredManifest, Error> {
    if Digest::of(found.digest.algorithm(), &found.bytes) == found.digest {
        return Ok(found);
    }
    let what = format!("manifest.bytes are not those of {}", found.digest);
    Err(plura_meta::Error::Corrupt(what).into())
}
