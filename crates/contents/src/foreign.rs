//! SBOMs that came with an image, and how they differ from what is in it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use plura_inventory::{difference, read_sbom};
use plura_oci::{
    AttachmentKind, Digest, Manifest, Page, Reference, RepositoryName, Tag, image::ImageChild,
};
use plura_registry::{Error as RegistryError, ImageQuery, SmallBlob};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Contents, Error, ask::KnownImage, attach::MADE_BY, blocking};

/// The most documents about one image that are compared.
const MAX_DOCUMENTS: usize = 16;
/// The most bytes of one.
const MAX_BYTES: u64 = 64 << 20;

/// Media types of what is, or may hold, an SBOM that is read.
const SBOMS: [&str; 5] =
    ["application/vnd.cyclonedx+json", "application/spdx+json", "text/spdx+json", IN_TOTO, DSSE];
const IN_TOTO: &str = "application/vnd.in-toto+json";
const DSSE: &str = "application/vnd.dsse.envelope.v1+json";

/// How an SBOM that came with an image differs from what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SbomComparison {
    /// Where it was found: the manifest, and which of its layers.
    pub place: String,
    /// Its media type.
    pub media_type: String,
    /// Why it cannot be compared.
    pub problem: Option<String>,
    /// How many packages it has in the same version.
    pub same: u64,
    /// Packages that only the image has.
    pub only_in_image: Vec<String>,
    /// Packages that only the SBOM lists.
    pub only_in_sbom: Vec<String>,
    /// Packages that both have, in other versions.
    pub versions: Vec<VersionsOf>,
}

/// A package of which the versions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionsOf {
    /// The package.
    pub name: String,
    /// Versions that only the image has.
    pub in_image: Vec<String>,
    /// Versions that only the SBOM lists.
    pub in_sbom: Vec<String>,
}

/// A document that may be an SBOM.
struct Found {
    place: String,
    media_type: String,
    digest: Digest,
}

impl Contents {
    /// How the SBOMs that came with the one image that is meant differ from what is in it: those that
    /// are about it, under its name, or beside it in its index. Those that plura made are not compared.
    pub async fn compare_sboms(&self, query: &ImageQuery) -> Result<Vec<SbomComparison>, Error> {
        let known = self.known(query).await?;
        let repository = &query.repository;
        let mut found = self.referring(repository, &known.manifest.digest).await?;
        let tag = Tag::of_attachment(&known.manifest.digest, AttachmentKind::Sbom);
        if let Some(tag) = tag {
            found.extend(self.documents(repository, &Reference::Tag(tag)).await?);
        }
        found.extend(self.beside(repository, &known).await?);
        found.truncate(MAX_DOCUMENTS);
        let packages = std::sync::Arc::new(known.document.facts.packages);
        let mut compared = Vec::new();
        for document in found {
            let read = self.registry().small_blob(repository, &document.digest, MAX_BYTES).await?;
            let packages = std::sync::Arc::clone(&packages);
            let one = blocking(move || compare(document, &read, &packages)).await;
            compared.extend(one);
        }
        Ok(compared)
    }

    /// The documents that name the image as their subject.
    async fn referring(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Found>, Error> {
        let page = Page::default();
        let referrers = self.registry().referrers(repository, digest, None, &page).await?;
        let mut found = Vec::new();
        for referrer in referrers.descriptors {
            if referrer.annotations.contains_key(MADE_BY) || found.len() >= MAX_DOCUMENTS {
                continue;
            }
            let reference = Reference::Digest(referrer.digest);
            found.extend(self.documents(repository, &reference).await?);
        }
        Ok(found)
    }

    /// The documents that `BuildKit` puts beside an image in its index.
    async fn beside(
        &self,
        repository: &RepositoryName,
        known: &KnownImage,
    ) -> Result<Vec<Found>, Error> {
        let Some(index) = known.manifest.index else { return Ok(Vec::new()) };
        let index = self.registry().manifest(repository, &Reference::Digest(index)).await?;
        let parsed = Manifest::parse(&index.bytes, Some(&index.media_type));
        let parsed = parsed.map_err(RegistryError::from)?;
        let said = ImageChild::all_of(&index.bytes);
        let mut found = Vec::new();
        for (child, said) in parsed.manifests.iter().zip(said) {
            if said.attests == Some(known.manifest.digest) && found.len() < MAX_DOCUMENTS {
                let reference = Reference::Digest(child.digest);
                found.extend(self.documents(repository, &reference).await?);
            }
        }
        Ok(found)
    }

    /// The layers of a manifest that may be SBOMs; none where there is no such manifest.
    async fn documents(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Vec<Found>, Error> {
        let manifest = match self.registry().manifest(repository, reference).await {
            Err(RegistryError::ManifestUnknown(_)) => return Ok(Vec::new()),
            manifest => manifest?,
        };
        let parsed = Manifest::parse(&manifest.bytes, Some(&manifest.media_type));
        let parsed = parsed.map_err(RegistryError::from)?;
        let layers = parsed.layers.iter().enumerate().take(MAX_DOCUMENTS);
        let documents = layers.filter(|(_, layer)| SBOMS.contains(&layer.media_type.as_str()));
        let found = |(number, layer): (usize, &plura_oci::Descriptor)| Found {
            place: format!("{}#{number}", manifest.digest),
            media_type: layer.media_type.to_string(),
            digest: layer.digest,
        };
        Ok(documents.map(found).collect())
    }
}

/// Compares a document; nothing for a statement that holds no SBOM.
fn compare(
    found: Found,
    read: &SmallBlob,
    packages: &[plura_inventory::ImagePackage],
) -> Option<SbomComparison> {
    let may_be_another = [IN_TOTO, DSSE].contains(&found.media_type.as_str());
    let listed = match read {
        SmallBlob::Bytes(bytes) => match payload(&found.media_type, bytes) {
            Some(payload) => read_sbom(&payload).map_err(|error| (error.to_string(), error)),
            None => return None,
        },
        SmallBlob::TooLarge(size) => {
            let problem = format!("it has {size} bytes, more than is read");
            return Some(SbomComparison::failed(found, problem));
        }
        SmallBlob::Unknown => {
            let problem = "it is not in this repository".to_owned();
            return Some(SbomComparison::failed(found, problem));
        }
    };
    match listed {
        Ok(listed) => Some(SbomComparison::of(found, difference(packages, &listed))),
        Err((_, plura_inventory::SbomError::UnknownFormat)) if may_be_another => None,
        Err((problem, _)) => Some(SbomComparison::failed(found, problem)),
    }
}

/// What is inside of an envelope, or the document as it is.
fn payload<'a>(media_type: &str, bytes: &'a [u8]) -> Option<std::borrow::Cow<'a, [u8]>> {
    #[derive(Deserialize)]
    struct Envelope {
        payload: String,
    }
    if media_type != DSSE {
        return Some(bytes.into());
    }
    let envelope: Envelope = serde_json::from_slice(bytes).ok()?;
    Some(BASE64_STANDARD.decode(envelope.payload).ok()?.into())
}

impl SbomComparison {
    fn of(found: Found, difference: plura_inventory::Difference) -> Self {
        let versions = difference.versions.into_iter();
        let versions = versions.map(|one| VersionsOf {
            name: one.name,
            in_image: one.own,
            in_sbom: one.theirs,
        });
        Self {
            place: found.place,
            media_type: found.media_type,
            problem: None,
            same: difference.same as u64,
            only_in_image: difference.only_own,
            only_in_sbom: difference.only_theirs,
            versions: versions.collect(),
        }
    }

    fn failed(found: Found, problem: String) -> Self {
        let nothing = plura_inventory::Difference::default();
        Self { problem: Some(problem), ..Self::of(found, nothing) }
    }
}
