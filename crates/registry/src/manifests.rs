use futures_util::future::BoxFuture;
use plura_meta::{
    Connection, RepositoryId, Timestamp, Tx, blob, manifest, repository,
    review::{self, Kind},
    tag,
};
use plura_oci::{Digest, Manifest, ManifestKind, Reference, RepositoryName, Tag};

use crate::{Audit, CachedManifest, Error, Registry, Sparse, check_quota, detached};

/// A manifest to be pushed.
#[derive(Clone, Debug)]
pub struct PutManifest {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag or digest it is pushed as.
    pub reference: Reference,
    /// Further tags.
    pub tags: Vec<Tag>,
    /// The `Content-Type` it came with.
    pub content_type: Option<String>,
    /// The bytes.
    pub bytes: bytes::Bytes,
}

/// A manifest that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedManifest {
    /// Its digest.
    pub digest: Digest,
    /// What it is about, if it is about something.
    pub subject: Option<Digest>,
}

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
        Ok(CachedManifest { digest: head.digest, media_type: head.media_type, bytes })
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

    /// Stores a manifest and points tags at it.
    pub async fn put_manifest(&self, put: PutManifest) -> Result<PushedManifest, Error> {
        let algorithm = match &put.reference {
            Reference::Digest(digest) => digest.algorithm(),
            Reference::Tag(_) => plura_oci::Algorithm::default(),
        };
        let digest = Digest::of(algorithm, &put.bytes);
        let mut tags = put.tags;
        match put.reference {
            Reference::Tag(tag) => tags.push(tag),
            Reference::Digest(expected) if expected != digest => {
                return Err(Error::DigestMismatch { expected, computed: digest.into() });
            }
            Reference::Digest(_) => {}
        }
        let parsed = Manifest::parse(&put.bytes, put.content_type.as_deref())?;
        let subject = parsed.subject.as_ref().map(|subject| subject.digest);
        let push = Push {
            repository: put.repository.clone(),
            wanted: self.wanted(&parsed),
            manifest: new_manifest(digest, parsed, &put.bytes),
            tags: tags.clone(),
            now: Timestamp::now(),
            untagged_review: self.settings().untagged_review(),
            audit: self.audit_push(&put.repository, &digest, &tags),
        };
        let registry = self.clone();
        // A client that goes away must not leave the commit without what follows it.
        detached(async move {
            registry
                .change_manifests(move |tx| Box::pin(async move { push.run(tx).await }))
                .await?;
            registry.shared.caches.forget(&put.repository, &tags, None);
            Ok(PushedManifest { digest, subject })
        })
        .await
    }

    /// Deletes a tag, or a manifest with all its tags.
    pub async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
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

    /// The manifest, and each tag that points at it from now on.
    fn audit_push(&self, name: &RepositoryName, digest: &Digest, tags: &[Tag]) -> Vec<Audit> {
        let digest = digest.to_string();
        let tags = tags.iter().map(|tag| {
            let mut audit = self.audit("tag.set", name, tag.as_str());
            audit.event.detail = serde_json::json!({ "digest": digest }).to_string();
            audit
        });
        std::iter::once(self.audit("manifest.push", name, &digest)).chain(tags).collect()
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
        changed
    }

    /// What must be in the repository before the manifest can be.
    fn wanted(&self, manifest: &Manifest) -> Wanted {
        let digests = |descriptors: &[plura_oci::Descriptor]| {
            descriptors.iter().map(|descriptor| descriptor.digest).collect()
        };
        let sparse = self.settings().sparse;
        Wanted {
            blobs: match sparse {
                Sparse::All => Vec::new(),
                Sparse::None | Sparse::Index => {
                    manifest.required_blobs().map(|descriptor| descriptor.digest).collect()
                }
            },
            manifests: match sparse {
                Sparse::None => digests(&manifest.manifests),
                Sparse::Index | Sparse::All => Vec::new(),
            },
        }
    }
}

struct Wanted {
    blobs: Vec<Digest>,
    manifests: Vec<Digest>,
}

/// Everything that the transaction of a push needs.
struct Push {
    repository: RepositoryName,
    wanted: Wanted,
    manifest: manifest::NewManifest,
    tags: Vec<Tag>,
    now: Timestamp,
    untagged_review: Option<std::time::Duration>,
    audit: Vec<Audit>,
}

impl Push {
    async fn run(self, tx: &mut Tx) -> Result<(), Error> {
        let repository = repository::find_or_create(tx, &self.repository, self.now).await?;
        let mut missing = Vec::new();
        if !self.wanted.blobs.is_empty() {
            missing = blob::missing(tx, repository, &self.wanted.blobs).await?;
        }
        if !self.wanted.manifests.is_empty() {
            missing.extend(manifest::missing(tx, repository, &self.wanted.manifests).await?);
        }
        if !missing.is_empty() {
            missing.dedup();
            return Err(Error::ManifestReferences { missing });
        }
        manifest::insert(tx, repository, &self.manifest, self.now).await?;
        let mut left = Vec::new();
        for name in &self.tags {
            let digest = &self.manifest.digest;
            let before = tag::set(tx, repository, name, digest, self.now).await?;
            left.extend(before.filter(|before| before != digest));
        }
        if self.tags.is_empty() {
            left.push(self.manifest.digest);
        }
        check_quota(tx, repository).await?;
        for audit in &self.audit {
            audit.record(tx, self.now).await?;
        }
        self.review(tx, repository, &left).await
    }

    /// What has no tag, or lost one, is looked at again when its time is up.
    async fn review(
        &self,
        tx: &mut Tx,
        repository: RepositoryId,
        digests: &[Digest],
    ) -> Result<(), Error> {
        if let (Some(keep), false) = (self.untagged_review, digests.is_empty()) {
            let due_at = self.now.after(keep);
            review::schedule_all(tx, Kind::Manifest, Some(repository), digests, due_at).await?;
        }
        Ok(())
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

/// Everything that a manifest keeps in its repository: configuration, layers, children.
fn references(manifest: &Manifest) -> Vec<Digest> {
    let pointed_at = match manifest.kind {
        ManifestKind::Image => &manifest.layers,
        ManifestKind::Index => &manifest.manifests,
    };
    manifest.config.iter().chain(pointed_at).map(|descriptor| descriptor.digest).collect()
}

pub(crate) fn new_manifest(
    digest: Digest,
    parsed: Manifest,
    bytes: &[u8],
) -> manifest::NewManifest {
    manifest::NewManifest {
        digest,
        references: references(&parsed),
        media_type: parsed.media_type.to_string(),
        artifact_type: parsed.effective_artifact_type().map(ToOwned::to_owned),
        subject: parsed.subject.map(|subject| subject.digest),
        annotations: serde_json::to_string(&parsed.annotations).unwrap_or_default(),
        bytes: bytes.to_vec(),
    }
}

/// The manifest, if its bytes are what its digest says.
pub(crate) fn whole(found: manifest::StoredManifest) -> Result<manifest::StoredManifest, Error> {
    if Digest::of(found.digest.algorithm(), &found.bytes) == found.digest {
        return Ok(found);
    }
    let what = format!("manifest.bytes are not those of {}", found.digest);
    Err(plura_meta::Error::Corrupt(what).into())
}
