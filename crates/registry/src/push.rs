//! Pushing manifests.

use plura_meta::{
    RepositoryId, Timestamp, Tx, blob, build, evidence, manifest, manifest_author, manifest_use,
    repository,
    review::{self, Kind},
    tag,
};
use plura_oci::{Attachment, Digest, Manifest, ManifestKind, Reference, RepositoryName, Tag};
use plura_policy::tags::Refusal;
use plura_trust::Merged;

use crate::{Audit, Error, PushRules, Registry, Sparse, check_quota, detached, rules::Judged};

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
    /// What the document that governs would refuse, if its rules decided.
    pub warnings: Vec<Refusal>,
}

impl Registry {
    /// Stores a manifest and points tags at it, whatever the document that governs says: for what plura
    /// itself does.
    pub async fn put_manifest(&self, put: PutManifest) -> Result<PushedManifest, Error> {
        self.push(put, None).await
    }

    /// The same for somebody else, by the rules of the document. If they are not in force any more, nothing
    /// is done.
    pub async fn put_manifest_by(
        &self,
        rules: &PushRules,
        put: PutManifest,
    ) -> Result<PushedManifest, Error> {
        self.push(put, Some(rules)).await
    }

    async fn push(
        &self,
        put: PutManifest,
        rules: Option<&PushRules>,
    ) -> Result<PushedManifest, Error> {
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
        let judged = match rules {
            Some(rules) => Some(self.prepare(rules, &put.repository, (digest, &parsed)).await?),
            None => None,
        };
        let push = Push {
            judged,
            repository: put.repository.clone(),
            wanted: self.wanted(&parsed),
            manifest: new_manifest(digest, parsed, &put.bytes),
            pushed: self.audit("manifest.push", &put.repository, &digest.to_string()),
            tags: tags
                .iter()
                .map(|tag| (tag.clone(), self.audit("tag.set", &put.repository, tag.as_str())))
                .collect(),
            now: Timestamp::now(),
            untagged_review: self.settings().untagged_review(),
        };
        let registry = self.clone();
        // A client that goes away must not leave the commit without what follows it.
        detached(async move {
            let pushed =
                registry.change_manifests(move |tx| Box::pin(async move { push.run(tx).await }));
            let warnings = pushed.await?;
            registry.shared.caches.forget(&put.repository, &tags, None);
            Ok(PushedManifest { digest, subject, warnings })
        })
        .await
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
    /// What the rules need to know; nothing where none are asked.
    judged: Option<Judged>,
    wanted: Wanted,
    manifest: manifest::NewManifest,
    pushed: Audit,
    tags: Vec<(Tag, Audit)>,
    now: Timestamp,
    untagged_review: Option<std::time::Duration>,
}

impl Push {
    async fn run(self, tx: &mut Tx) -> Result<Vec<Refusal>, Error> {
        let repository = repository::find_or_create(tx, &self.repository, self.now).await?;
        self.check_references(tx, repository).await?;
        let pushed = self.manifest.digest;
        let warnings = self.check_rules(tx, repository).await?;
        if manifest::insert(tx, repository, &self.manifest, self.now).await? {
            manifest_author::note(tx, repository, &pushed, &self.pushed.origin.actor).await?;
        } else {
            // Whoever pushes it again relies on it as whoever pushed it first.
            manifest_use::pushed_again(tx, repository, &pushed, self.now).await?;
        }
        self.pushed.record(tx, self.now).await?;
        if let Some(build) = &self.pushed.origin.build {
            build::note(tx, repository, &pushed, build, self.now).await?;
        }
        let (mut left, mut is_tagged) = (Vec::new(), false);
        for (name, audit) in &self.tags {
            let digest = self.target(tx, repository, name).await?;
            is_tagged |= digest == pushed;
            let before = tag::set(tx, repository, name, &digest, self.now).await?;
            left.extend(before.filter(|before| *before != digest));
            let mut audit = audit.clone();
            audit.event.detail = detail(&digest, &warnings);
            audit.record(tx, self.now).await?;
        }
        if !is_tagged {
            left.push(pushed);
        }
        check_quota(tx, repository).await?;
        self.review(tx, repository, &left).await?;
        Ok(warnings)
    }

    /// What the rules say about each tag; those that decide stand in the way.
    async fn check_rules(
        &self,
        tx: &mut Tx,
        repository: RepositoryId,
    ) -> Result<Vec<Refusal>, Error> {
        let Some(judged) = &self.judged else { return Ok(Vec::new()) };
        judged.rules.check_current(tx).await?;
        let mut warnings = Vec::new();
        for (tag, _) in &self.tags {
            let existing = tag::find(tx, repository, tag).await?;
            warnings.extend(judged.check(tx, (repository, &self.repository), tag, existing).await?);
        }
        Ok(warnings)
    }

    async fn check_references(&self, tx: &mut Tx, repository: RepositoryId) -> Result<(), Error> {
        let mut missing = Vec::new();
        if !self.wanted.blobs.is_empty() {
            missing = blob::missing(tx, repository, &self.wanted.blobs).await?;
        }
        if !self.wanted.manifests.is_empty() {
            missing.extend(manifest::missing(tx, repository, &self.wanted.manifests).await?);
        }
        if missing.is_empty() {
            return Ok(());
        }
        missing.dedup();
        Err(Error::ManifestReferences { missing })
    }

    /// What the tag is to point at: what was pushed, or, under a tag that several add signatures to,
    /// that together with what was there. Clients read the tag, add theirs and write it, without a way
    /// to notice that another did the same meanwhile (sigstore/cosign#1654).
    async fn target(
        &self,
        tx: &mut Tx,
        repository: RepositoryId,
        name: &Tag,
    ) -> Result<Digest, Error> {
        let pushed = &self.manifest;
        let merged = name.attachment().filter(|attachment| attachment.kind.is_merged());
        let Some(Attachment { subject, .. }) = merged else { return Ok(pushed.digest) };
        let signatures = plura_trust::signature_identities(&pushed.bytes);
        evidence::arrive(tx, repository, &subject, &signatures, self.now).await?;
        let stored = evidence::tagged(tx, repository, name).await?;
        let Some(stored) = stored else { return Ok(pushed.digest) };
        match plura_trust::merge(&stored.bytes, &pushed.bytes)? {
            Merged::Pushed => Ok(pushed.digest),
            Merged::Stored => Ok(stored.digest),
            Merged::New(bytes) => {
                let parsed = Manifest::parse(&bytes, Some(&pushed.media_type))?;
                let merged = new_manifest(Digest::sha256(&bytes), parsed, &bytes);
                manifest::insert(tx, repository, &merged, self.now).await?;
                Ok(merged.digest)
            }
        }
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

fn detail(digest: &Digest, warnings: &[Refusal]) -> String {
    let detail = match warnings {
        [] => serde_json::json!({ "digest": digest }),
        warnings => serde_json::json!({ "digest": digest, "warnings": warnings }),
    };
    detail.to_string()
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
