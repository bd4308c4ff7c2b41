use plura_meta::{
    RepositoryId, Timestamp, Tx, blob, manifest, repository,
    review::{self, Kind},
    tag,
};
use plura_oci::{Digest, Manifest, ManifestKind, Reference, RepositoryName, Tag};

use crate::{CachedManifest, Error, Registry, Sparse};

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
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<CachedManifest, Error> {
        let name = (repository.clone(), reference.clone());
        if let Some(cached) = self.shared.caches.manifest(&name) {
            return Ok(cached);
        }
        let changes = self.shared.caches.changes();
        let found = manifest::find(&mut self.db().read().await?, repository, reference).await?;
        let found = found.ok_or_else(|| Error::ManifestUnknown(reference.clone()))?;
        let cached = CachedManifest {
            digest: found.digest,
            media_type: found.media_type,
            bytes: found.bytes.into(),
        };
        self.shared.caches.keep_manifest(changes, name, cached.clone());
        Ok(cached)
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
        };
        self.db().write(move |tx| Box::pin(async move { push.run(tx).await })).await?;
        self.shared.caches.forget(&put.repository, &tags, None);
        Ok(PushedManifest { digest, subject })
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
        let work = async move |tx: &mut Tx| {
            let unknown = || Error::ManifestUnknown(target.clone());
            let id = repository::find(tx, &name).await?.ok_or_else(unknown)?;
            let deleted = match &target {
                Reference::Tag(tag) => delete.tag(tx, id, tag).await?.map(|_| vec![tag.clone()]),
                Reference::Digest(digest) => delete.manifest(tx, id, digest, None).await?,
            };
            deleted.ok_or_else(unknown)
        };
        let tags = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        let digest = match reference {
            Reference::Tag(_) => None,
            Reference::Digest(digest) => Some(*digest),
        };
        self.shared.caches.forget(repository, &tags, digest);
        Ok(())
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
        let links = manifest::missing(tx, repository, &deleted.references).await?;
        let mut manifests = manifest::referrer_digests(tx, repository, digest).await?;
        manifests.extend(deleted.references.iter().filter(|kept| !links.contains(kept)));
        if !links.is_empty() {
            let due_at = due_at.unwrap_or(self.now.after(self.grace));
            review::schedule_all(tx, Kind::Link, Some(repository), &links, due_at).await?;
        }
        self.review_manifests(tx, repository, &manifests, due_at).await?;
        repository::delete_if_empty(tx, repository).await?;
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

/// Everything that a manifest keeps in its repository: configuration, layers, children.
pub(crate) fn references(manifest: &Manifest) -> Vec<Digest> {
    let pointed_at = match manifest.kind {
        ManifestKind::Image => &manifest.layers,
        ManifestKind::Index => &manifest.manifests,
    };
    manifest.config.iter().chain(pointed_at).map(|descriptor| descriptor.digest).collect()
}

fn new_manifest(digest: Digest, parsed: Manifest, bytes: &[u8]) -> manifest::NewManifest {
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
