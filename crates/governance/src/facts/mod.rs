//! What is known of an image, put together from everything that keeps something of it.
//!
//! Nothing here is a guess: what cannot be read now is waited for, with the reason, and what is not there
//! is absent. Neither ever counts as good.

mod base;
mod contents;
mod evidence;
mod said;
mod vulnerabilities;

use jiff::Timestamp;
use plura_meta::manifest_author::{self, AuthoredManifest};
use plura_oci::{
    Digest, Manifest, Reference, RepositoryName,
    image::{ImageChild, ImageKind},
};
use plura_policy::facts::{AdvisoryFacts, ImageFacts, Known, ManifestFacts};

use crate::{Error, Governance, instant};

/// Platforms of an index that are looked at. An index with more is none that anybody builds.
const MOST_PLATFORMS: usize = 64;

/// What is asked about: one manifest, and what it is.
struct Subject<'a> {
    repository: &'a RepositoryName,
    digest: Digest,
    manifest: Manifest,
    platform: Option<String>,
}

/// What is found out of one manifest.
struct Found {
    manifest: ManifestFacts,
    advisories: Known<AdvisoryFacts>,
}

impl Governance {
    /// What is known of an image now.
    pub async fn facts(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<ImageFacts, Error> {
        // Many small questions: whoever waits for them need not have room for each.
        Box::pin(self.gather(repository, reference)).await
    }

    async fn gather(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<ImageFacts, Error> {
        let mut connection = self.db().read().await?;
        let found = manifest_author::find(&mut connection, repository, reference).await?;
        drop(connection);
        let found = found.ok_or_else(|| Error::ManifestUnknown {
            repository: repository.clone(),
            reference: reference.clone(),
        })?;
        let AuthoredManifest { digest, media_type, bytes, pushed_at, author } = found;
        let manifest =
            Manifest::parse(&bytes, Some(&media_type)).map_err(plura_registry::Error::from)?;
        let is_index = ImageKind::of(&manifest) == ImageKind::Index;
        let subject = Subject { repository, digest, manifest, platform: None };
        let top = self.manifest_facts(&subject).await?;
        let (mut advisories, mut platforms) = (top.advisories, None);
        if is_index {
            let found = self.platforms(repository, &subject.manifest, &bytes).await?;
            advisories = oldest(found.iter().map(|found| &found.advisories));
            platforms = Some(found.into_iter().map(|found| found.manifest).collect::<Vec<_>>());
        }
        let said = self.said(repository, &digest, platforms.as_deref().unwrap_or_default()).await?;
        Ok(ImageFacts {
            repository: repository.clone(),
            manifest: top.manifest,
            platforms,
            author,
            pushed_at: instant(pushed_at),
            advisories,
            approvals: said.approvals,
            checks: said.checks,
            channels: said.channels,
            blocked: said.blocked,
        })
    }

    /// What is known of each platform of an index.
    async fn platforms(
        &self,
        repository: &RepositoryName,
        index: &Manifest,
        bytes: &[u8],
    ) -> Result<Vec<Found>, Error> {
        let said = ImageChild::all_of(bytes).into_iter();
        let said = said.chain(std::iter::repeat_with(ImageChild::default));
        let children = index.manifests.iter().zip(said);
        let platforms = children.filter(|(_, child)| child.attests.is_none());
        let mut all = Vec::new();
        for (number, (descriptor, child)) in platforms.enumerate() {
            let platform = child.platform.map(|platform| platform.to_string());
            let digest = descriptor.digest;
            if number >= MOST_PLATFORMS {
                let why = format!("the index has more than {MOST_PLATFORMS} platforms");
                all.push(nothing(digest, platform, &why));
                break;
            }
            let mut connection = self.db().read().await?;
            let reference = Reference::Digest(digest);
            let found = plura_meta::manifest::find(&mut connection, repository, &reference).await?;
            drop(connection);
            let Some(found) = found else {
                let why = "the index names it, and the repository does not have it";
                all.push(nothing(digest, platform, why));
                continue;
            };
            let manifest = Manifest::parse(&found.bytes, Some(&found.media_type))
                .map_err(plura_registry::Error::from)?;
            let subject = Subject { repository, digest, manifest, platform };
            all.push(self.manifest_facts(&subject).await?);
        }
        Ok(all)
    }

    async fn manifest_facts(&self, subject: &Subject<'_>) -> Result<Found, Error> {
        let evidence = self.evidence_facts(subject).await;
        let kind = ImageKind::of(&subject.manifest);
        let contents = self.contents_facts(subject, kind).await;
        let found = self.vulnerability_facts(subject, kind).await;
        let manifest = ManifestFacts {
            digest: subject.digest,
            platform: subject.platform.clone(),
            annotations: subject.manifest.annotations.clone().into_iter().collect(),
            signatures: evidence.signatures,
            provenance: evidence.provenance,
            sboms: evidence.sboms,
            vulnerabilities: found.vulnerabilities,
            base: contents.base,
            configuration: contents.configuration,
            secrets: contents.secrets,
        };
        Ok(Found { manifest, advisories: found.advisories })
    }
}

/// What is known of something that cannot be looked at.
fn nothing(digest: Digest, platform: Option<String>, why: &str) -> Found {
    let why = why.to_owned();
    let manifest = ManifestFacts {
        digest,
        platform,
        annotations: std::collections::BTreeMap::new(),
        signatures: Known::Absent(why.clone()),
        provenance: Known::Absent(why.clone()),
        sboms: Known::Absent(why.clone()),
        vulnerabilities: Known::Absent(why.clone()),
        base: Known::Absent(why.clone()),
        configuration: Known::Absent(why.clone()),
        secrets: Known::Absent(why.clone()),
    };
    Found { manifest, advisories: Known::Absent(why) }
}

/// Why nothing can be found out of something that is neither an image nor an index.
fn not_an_image(kind: ImageKind) -> Option<&'static str> {
    match kind {
        ImageKind::Image => None,
        ImageKind::Index => Some("it is an index; its platforms have that"),
        ImageKind::Attestation => Some("it is no image but an attestation"),
        ImageKind::Artifact => Some("it is no image but an artifact"),
    }
}

/// How recent what is known of all platforms is: as recent as of the one that is known worst.
fn oldest<'a>(all: impl Iterator<Item = &'a Known<AdvisoryFacts>>) -> Known<AdvisoryFacts> {
    let age = |known: &Known<AdvisoryFacts>| match known {
        Known::Absent(_) => (0, Timestamp::MIN),
        Known::Waiting(_) => (1, Timestamp::MIN),
        Known::Known(facts) => (2, facts.compared_at.min(facts.newest)),
    };
    let oldest = all.min_by_key(|known| age(known)).cloned();
    oldest.unwrap_or_else(|| Known::Absent("the index lists no platform".to_owned()))
}

/// What could not be read now, and is asked again.
fn not_now<T>(what: &str, error: &dyn std::error::Error) -> Known<T> {
    tracing::warn!(%error, what, "a fact cannot be told now");
    Known::Waiting(format!("{what} cannot be read now"))
}
