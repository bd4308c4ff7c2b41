//! What the document that governs says about pushes and deletions.
//!
//! The document is read and compiled before; in the transaction only a number is compared, so that the one
//! writer is not held up by it, and yet nothing is judged by rules that are not in force any more.

use std::{collections::BTreeMap, sync::Arc};

use plura_meta::{Connection, RepositoryId, Tx, manifest, policy_version, tag};
use plura_oci::{
    Digest, Manifest, ManifestKind, Reference, RepositoryName, Tag,
    image::{ImageKind, is_attached},
};
use plura_policy::{
    Governance,
    gate::Mode,
    tags::{self, Refusal},
};
use serde::Deserialize;

use crate::{Error, Registry, SmallBlob};

/// The most bytes of a configuration whose labels are looked at.
const MOST_BYTES: u64 = 4 << 20;
/// Children of an index whose labels are looked at.
const MOST_CHILDREN: usize = 64;
/// Tags of a manifest that are looked at before it is deleted.
const MOST_TAGS: u32 = 10_000;

/// Rules, and what they are of.
#[derive(Clone, Debug)]
pub struct PushRules {
    /// The document.
    pub governance: Arc<Governance>,
    /// What is the same as long as they are in force.
    pub revision: i64,
}

/// What rules need to know of what is pushed.
pub(crate) struct Judged {
    pub(crate) rules: PushRules,
    digest: Digest,
    manifest: Manifest,
    labels: Option<BTreeMap<String, String>>,
}

impl PushRules {
    /// Refuses what belongs to channels, which are moved by promotion and rollback alone.
    pub fn check_repository(&self, name: &RepositoryName) -> Result<(), Error> {
        let Some((environment, service)) = self.governance.layout.channels_of(name) else {
            return Ok(());
        };
        Err(Error::Governed(vec![Refusal {
            rule: "layout.channels".to_owned(),
            mode: Mode::Enforce,
            observed: format!("{name} has the channels of {service} in {environment}"),
            required: "channels are moved by promotion and rollback alone".to_owned(),
            fix: format!(
                "push to the repository of {service}, then \
                 `plura reg promote REPOSITORY@DIGEST --to {environment}:NAME`"
            ),
        }]))
    }

    /// Refuses rules that are not in force any more.
    pub(crate) async fn check_current(&self, tx: &mut Tx) -> Result<(), Error> {
        let is_current = policy_version::revision(tx).await? == self.revision;
        if is_current { Ok(()) } else { Err(Error::RulesChanged) }
    }

    /// Refuses to delete what must stay as it is.
    pub(crate) async fn check_deletion(
        &self,
        tx: &mut Tx,
        (id, name): (RepositoryId, &RepositoryName),
        target: &Reference,
    ) -> Result<(), Error> {
        self.check_current(tx).await?;
        self.check_repository(name)?;
        if !self.governance.tags.cover(name) {
            return Ok(());
        }
        let tags: Vec<Tag> = match target {
            Reference::Tag(tag) => vec![tag.clone()],
            Reference::Digest(digest) => {
                let tags = tag::list_of(tx, id, digest, MOST_TAGS).await?;
                tags.iter().filter_map(|tag| tag.parse().ok()).collect()
            }
        };
        let immutable = tags.iter().flat_map(|tag| {
            let rules = self.governance.tags.immutable_by(name, tag);
            rules.map(move |rule| must_stay(rule, tag))
        });
        let refusals: Vec<Refusal> = immutable.collect();
        if refusals.is_empty() { Ok(()) } else { Err(Error::Governed(refusals)) }
    }
}

fn must_stay(rule: &str, tag: &Tag) -> Refusal {
    Refusal {
        rule: format!("{rule}.immutable"),
        mode: Mode::Enforce,
        observed: format!("the tag `{tag}` would be deleted"),
        required: "a tag that stays what it is".to_owned(),
        fix: "leave it, or have the rule changed".to_owned(),
    }
}

impl Registry {
    /// Finds out what rules need to know, before the transaction.
    pub(crate) async fn prepare(
        &self,
        rules: &PushRules,
        repository: &RepositoryName,
        (digest, manifest): (Digest, &Manifest),
    ) -> Result<Judged, Error> {
        rules.check_repository(repository)?;
        let labels = if rules.governance.tags.cover(repository) {
            self.labels(repository, manifest).await?
        } else {
            None
        };
        Ok(Judged { rules: rules.clone(), digest, manifest: manifest.clone(), labels })
    }

    /// The labels of an image; of an index, those that all its platforms have. Nothing, where there is no
    /// configuration.
    async fn labels(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
    ) -> Result<Option<BTreeMap<String, String>>, Error> {
        match ImageKind::of(manifest) {
            ImageKind::Image => self.own_labels(repository, manifest).await,
            ImageKind::Index => self.common_labels(repository, manifest).await,
            ImageKind::Attestation | ImageKind::Artifact => Ok(None),
        }
    }

    async fn own_labels(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
    ) -> Result<Option<BTreeMap<String, String>>, Error> {
        let Some(config) = &manifest.config else { return Ok(None) };
        let read = self.small_blob(repository, &config.digest, MOST_BYTES).await?;
        // What cannot be read has no labels, so that those that are asked for are missing.
        let SmallBlob::Bytes(bytes) = read else { return Ok(Some(BTreeMap::new())) };
        let config: Configuration = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Some(config.config.and_then(|config| config.labels).unwrap_or_default()))
    }

    async fn common_labels(
        &self,
        repository: &RepositoryName,
        index: &Manifest,
    ) -> Result<Option<BTreeMap<String, String>>, Error> {
        let mut common: Option<BTreeMap<String, String>> = None;
        for child in index.manifests.iter().take(MOST_CHILDREN) {
            let reference = Reference::Digest(child.digest);
            let found =
                manifest::find(&mut self.db().read().await?, repository, &reference).await?;
            let Some(found) = found else { continue };
            let manifest = Manifest::parse(&found.bytes, Some(&found.media_type))?;
            if ImageKind::of(&manifest) != ImageKind::Image {
                continue;
            }
            let Some(labels) = self.own_labels(repository, &manifest).await? else { continue };
            match &mut common {
                None => common = Some(labels),
                Some(common) => common.retain(|key, value| labels.get(key) == Some(value)),
            }
        }
        Ok(common)
    }
}

/// As much of a configuration as labels take.
#[derive(Default, Deserialize)]
struct Configuration {
    #[serde(default)]
    config: Option<Labelled>,
}

#[derive(Deserialize)]
struct Labelled {
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

impl Judged {
    /// What the rules say about a tag: an error with those that decide, or those that only warn.
    pub(crate) async fn check(
        &self,
        tx: &mut Tx,
        (id, name): (RepositoryId, &RepositoryName),
        tag: &Tag,
        existing: Option<Digest>,
    ) -> Result<Vec<Refusal>, Error> {
        let tags = &self.rules.governance.tags;
        if !tags.cover(name) {
            return Ok(Vec::new());
        }
        if tags::is_attached(tag) {
            if is_what_its_tag_says(tx, id, tag, &self.manifest).await? {
                return Ok(Vec::new());
            }
            return Err(Error::Governed(vec![disguised(tag)]));
        }
        let refusals = tags.check(&tags::Push {
            repository: name,
            tag,
            digest: &self.digest,
            existing: existing.as_ref(),
            labels: self.labels.as_ref(),
            annotations: &self.manifest.annotations,
        });
        if refusals.iter().any(Refusal::is_blocking) {
            let blocking = refusals.into_iter().filter(Refusal::is_blocking);
            return Err(Error::Governed(blocking.collect()));
        }
        Ok(refusals)
    }
}

/// By its tag alone, an image could have itself exempted from every rule.
fn disguised(tag: &Tag) -> Refusal {
    Refusal {
        rule: "tags.attached".to_owned(),
        mode: Mode::Enforce,
        observed: format!(
            "the tag `{tag}` is for what is about an image, and this is something else"
        ),
        required: "a signature, an attestation, a bill of materials, or a list of referrers"
            .to_owned(),
        fix: "push it under another tag".to_owned(),
    }
}

/// Whether what is under a tag for what is about a manifest is about one: a signature and the like, or, under
/// the digest alone, the list of those.
pub(crate) async fn is_what_its_tag_says(
    connection: &mut Connection,
    repository: RepositoryId,
    tag: &Tag,
    pushed: &Manifest,
) -> Result<bool, Error> {
    if pushed.kind == ManifestKind::Image {
        return Ok(is_attached(pushed));
    }
    let subject = tag.as_str().replacen('-', ":", 1).parse::<Digest>();
    let Ok(subject) = subject else { return Ok(false) };
    for child in &pushed.manifests {
        let reference = manifest::bytes(connection, repository, &child.digest).await?;
        let Some((media_type, bytes)) = reference else { return Ok(false) };
        let child = Manifest::parse(&bytes, Some(&media_type))?;
        let about = child.subject.as_ref().map(|subject| subject.digest);
        if about != Some(subject) || !is_attached(&child) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Registry {
    /// Whether a manifest can only be about another one, so that nobody runs it: by what it consists of, and
    /// for lists of referrers, by what is in them.
    pub async fn is_about_another(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        found: &crate::CachedManifest,
    ) -> Result<bool, Error> {
        let manifest = Manifest::parse(&found.bytes, Some(&found.media_type))?;
        if manifest.kind == ManifestKind::Image {
            return Ok(is_attached(&manifest));
        }
        let Reference::Tag(tag) = reference else { return Ok(false) };
        if !tags::is_attached(tag) {
            return Ok(false);
        }
        let mut connection = self.db().read().await?;
        let id = plura_meta::repository::find(&mut connection, repository).await?;
        let Some(id) = id else { return Ok(false) };
        is_what_its_tag_says(&mut connection, id, tag, &manifest).await
    }
}
