use std::collections::BTreeMap;

use plura_meta::manifest::{self, Referrer};
use plura_oci::{Digest, Page, Reference, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Registry};

/// One page of the manifests that are about a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrers {
    /// The page, by digest.
    pub descriptors: Vec<ReferrerDescriptor>,
    /// Whether there are more behind it.
    pub more: bool,
}

/// A manifest as the referrers answer lists it (distribution-spec, "Listing Referrers").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferrerDescriptor {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Its artifact type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub annotations: Map<String, Value>,
}

/// What a client keeps under the referrers tag when it takes the registry for one without the API.
#[derive(Deserialize)]
struct FallbackIndex {
    #[serde(default)]
    manifests: Vec<ReferrerDescriptor>,
}

/// Clients read at most 4 MiB of a manifest, and this answer is one (distribution-spec, "Pushing
/// Manifests"); what the fields around the annotations take is counted by this much.
const ANSWER_BYTES: usize = (4 << 20) - 4096;
const DESCRIPTOR_BYTES: usize = 400;

impl Registry {
    /// The manifests that are about `subject`: complete, or an error. The subject itself need not be
    /// there (yet).
    pub async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: &Page,
    ) -> Result<Referrers, Error> {
        // Before a connection is taken: it takes some itself, and who holds one while waiting for another
        // may wait for ever beside others that do the same.
        let fallback = self.fallback(repository, subject).await?;
        let mut all = fallback
            .into_iter()
            .filter(|entry| artifact_type.is_none_or(|t| entry.artifact_type.as_deref() == Some(t)))
            .map(|entry| (entry.digest.to_string(), entry))
            .filter(|(digest, _)| page.after.as_ref().is_none_or(|after| digest > after))
            .collect::<BTreeMap<_, _>>();
        let mut connection = self.db().read().await?;
        // One more than asked for tells whether there are more.
        let wanted = page.size().saturating_add(1);
        let after = page.after.as_deref();
        let stored =
            manifest::referrers(&mut connection, repository, subject, artifact_type, after, wanted);
        for referrer in stored.await? {
            all.insert(referrer.digest.to_string(), referrer.try_into()?);
        }
        Ok(cut(all.into_values(), page.size()))
    }

    /// The entries of the referrers tag whose manifests are there.
    async fn fallback(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<ReferrerDescriptor>, Error> {
        let tag = Reference::Tag(Tag::of_referrers(subject));
        let index = match self.manifest(repository, &tag).await {
            Ok(index) => index,
            Err(Error::ManifestUnknown(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let Ok(FallbackIndex { mut manifests }) = serde_json::from_slice(&index.bytes) else {
            // The tag is a user's to write, and this one is no list of descriptors.
            return Ok(Vec::new());
        };
        let mut connection = self.db().read().await?;
        let Some(id) = plura_meta::repository::find(&mut connection, repository).await? else {
            return Ok(Vec::new());
        };
        let digests = manifests.iter().map(|entry| &entry.digest);
        let missing = manifest::missing(&mut connection, id, digests).await?;
        manifests.retain(|entry| !missing.contains(&entry.digest));
        Ok(manifests)
    }
}

/// The first `limit` entries, fewer if the answer would be larger than clients read, but never none
/// while there are some.
fn cut(all: impl IntoIterator<Item = ReferrerDescriptor>, limit: u32) -> Referrers {
    let mut referrers = Referrers { descriptors: Vec::new(), more: false };
    let mut bytes = 0;
    for entry in all {
        bytes += DESCRIPTOR_BYTES + Value::Object(entry.annotations.clone()).to_string().len();
        let full = referrers.descriptors.len() >= limit as usize;
        if full || (bytes > ANSWER_BYTES && !referrers.descriptors.is_empty()) {
            referrers.more = limit > 0;
            break;
        }
        referrers.descriptors.push(entry);
    }
    referrers
}

impl TryFrom<Referrer> for ReferrerDescriptor {
    type Error = Error;

    fn try_from(referrer: Referrer) -> Result<Self, Error> {
        let annotations = serde_json::from_str(&referrer.annotations).map_err(|error| {
            plura_meta::Error::Corrupt(format!(
                "manifest.annotations of {}: {error}",
                referrer.digest
            ))
        })?;
        Ok(Self {
            media_type: referrer.media_type,
            digest: referrer.digest,
            size: referrer.size,
            artifact_type: referrer.artifact_type,
            annotations,
        })
    }
}
