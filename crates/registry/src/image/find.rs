//! Manifests and configurations, to be looked at: nothing is put off or remembered by it.

use std::collections::BTreeSet;

use bytes::Bytes;
use plura_meta::{manifest, repository, tag};
use plura_oci::{
    Descriptor, Digest, Manifest, Reference, RepositoryName,
    image::{ImageChild, ImageConfig, ImageKind, Platform},
};

use super::{ImageError, ImageQuery};
use crate::{Error, Registry, SmallBlob, manifests::whole};

/// A manifest that is looked at.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
    pub(super) manifest: Manifest,
    /// The index that it was chosen from.
    pub(super) index: Option<Digest>,
}

impl Found {
    pub(super) fn kind(&self) -> ImageKind {
        ImageKind::of(&self.manifest)
    }

    pub(super) fn artifact_type(&self) -> Option<&str> {
        self.kind().artifact_type(&self.manifest)
    }

    /// The children of an index: what it points at, and what it says about that.
    pub(super) fn children(&self) -> Vec<(&Descriptor, ImageChild)> {
        if self.kind() != ImageKind::Index {
            return Vec::new();
        }
        let said = ImageChild::all_of(&self.bytes);
        let said = said.into_iter().chain(std::iter::repeat_with(ImageChild::default));
        self.manifest.manifests.iter().zip(said).collect()
    }

    /// What it is, for who expected an image.
    pub(super) fn in_words(&self) -> String {
        let artifact_type = self.artifact_type();
        let name = artifact_type.and_then(plura_oci::image::describe_artifact);
        match (name, artifact_type) {
            (Some(name), Some(artifact_type)) => format!("a {name} ({artifact_type})"),
            (None, Some(artifact_type)) => format!("an artifact of the type {artifact_type}"),
            _ => "an index".to_owned(),
        }
    }
}

/// The platforms that can be asked for.
fn platforms(children: &[(&Descriptor, ImageChild)]) -> Vec<Platform> {
    let real = children.iter().filter(|(_, child)| child.attests.is_none());
    let named = real.filter_map(|(_, child)| child.platform.clone());
    let mut seen = BTreeSet::new();
    named.filter(|platform| !platform.is_unknown() && seen.insert(platform.clone())).collect()
}

impl Registry {
    /// What was asked for: the manifest, or for a platform, the one in the index.
    pub(super) async fn find_image(&self, query: &ImageQuery) -> Result<Found, ImageError> {
        let found = self.find_manifest(&query.repository, &query.reference).await?;
        let Some(found) = found else { return Err(self.unknown_image(query).await?) };
        match &query.platform {
            None => Ok(found),
            Some(wanted) => self.for_platform(&query.repository, found, wanted).await,
        }
    }

    /// The same, but an image: of an index without a platform, the only one.
    pub(super) async fn find_single(&self, query: &ImageQuery) -> Result<Found, ImageError> {
        let found = self.find_image(query).await?;
        let found = match found.kind() {
            ImageKind::Index => self.only_child(&query.repository, found).await?,
            _ => found,
        };
        if found.kind() == ImageKind::Image {
            return Ok(found);
        }
        Err(ImageError::NotAnImage(found.in_words()))
    }

    async fn only_child(
        &self,
        repository: &RepositoryName,
        index: Found,
    ) -> Result<Found, ImageError> {
        let children = index.children();
        let real: Vec<_> = children.iter().filter(|(_, child)| child.attests.is_none()).collect();
        let [(only, _)] = real[..] else {
            return Err(ImageError::PlatformNeeded { available: platforms(&children) });
        };
        self.child(repository, &index, &only.digest).await
    }

    /// An index may have an index for a child, but nobody nests them deeper than this.
    async fn for_platform(
        &self,
        repository: &RepositoryName,
        mut found: Found,
        wanted: &Platform,
    ) -> Result<Found, ImageError> {
        const DEEPEST: usize = 4;
        for _ in 0..DEEPEST {
            if found.kind() != ImageKind::Index {
                break;
            }
            let children = found.children();
            let named = children
                .iter()
                .map(|(_, child)| child.platform.as_ref().filter(|_| child.attests.is_none()));
            let Some(place) = wanted.choose(named) else {
                let available = platforms(&children);
                return Err(ImageError::NoPlatform { wanted: wanted.clone(), available });
            };
            let digest = children[place].0.digest;
            found = self.child(repository, &found, &digest).await?;
        }
        if found.index.is_some() {
            return Ok(found);
        }
        // An image that is for one platform may be asked for by it, and one that does not say so by any.
        let config = self.configuration(repository, &found).await?;
        let Ok(config) = config else { return Ok(found) };
        let own = config.map(|config| config.platform);
        if wanted.choose([own.as_ref()]).is_some() {
            return Ok(found);
        }
        let available = own.into_iter().filter(|own| !own.is_empty()).collect();
        Err(ImageError::NoPlatform { wanted: wanted.clone(), available })
    }

    async fn child(
        &self,
        repository: &RepositoryName,
        index: &Found,
        digest: &Digest,
    ) -> Result<Found, ImageError> {
        let found = self.find_manifest(repository, &Reference::Digest(*digest)).await?;
        let found = found.ok_or(ImageError::ChildMissing(*digest))?;
        Ok(Found { index: Some(index.digest), ..found })
    }

    pub(super) async fn find_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Found>, Error> {
        let found = manifest::find(&mut self.db().read().await?, repository, reference).await?;
        let Some(found) = found.map(whole).transpose()? else { return Ok(None) };
        let manifest = Manifest::parse(&found.bytes, Some(&found.media_type))?;
        let (digest, media_type, bytes) = (found.digest, found.media_type, found.bytes.into());
        Ok(Some(Found { digest, media_type, bytes, manifest, index: None }))
    }

    /// The configuration of an image, or why it cannot be read; nothing for what is no image.
    pub(super) async fn configuration(
        &self,
        repository: &RepositoryName,
        found: &Found,
    ) -> Result<Result<Option<ImageConfig>, String>, Error> {
        self.configuration_within(repository, found, ImageConfig::LARGEST).await
    }

    /// The same of one image among many, all of which are read for one answer.
    pub(super) async fn usual_configuration(
        &self,
        repository: &RepositoryName,
        found: &Found,
    ) -> Result<Result<Option<ImageConfig>, String>, Error> {
        const USUAL: usize = 256 << 10;
        self.configuration_within(repository, found, USUAL).await
    }

    async fn configuration_within(
        &self,
        repository: &RepositoryName,
        found: &Found,
        most: usize,
    ) -> Result<Result<Option<ImageConfig>, String>, Error> {
        let config = found.manifest.config.as_ref().filter(|_| found.kind() == ImageKind::Image);
        let Some(config) = config else { return Ok(Ok(None)) };
        match self.configuration_bytes(repository, &config.digest, most).await {
            Ok(bytes) => Ok(ImageConfig::parse(&bytes).map(Some).map_err(|e| e.to_string())),
            Err(ImageError::Registry(error)) if !matches!(error, Error::BlobUnknown(_)) => {
                Err(error)
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// All of a configuration that has no more bytes than this.
    pub(super) async fn configuration_bytes(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        most: usize,
    ) -> Result<Bytes, ImageError> {
        match self.small_blob(repository, digest, most as u64).await? {
            SmallBlob::Bytes(bytes) => Ok(bytes),
            SmallBlob::TooLarge(size) => Err(ImageError::ConfigurationTooLarge(size)),
            SmallBlob::Unknown => Err(Error::BlobUnknown(*digest).into()),
        }
    }

    /// Says what there is instead, from the tags that stand around the unknown one.
    async fn unknown_image(&self, query: &ImageQuery) -> Result<ImageError, ImageError> {
        const AROUND: u32 = 100;
        let ImageQuery { repository, reference, .. } = query;
        let mut near = Vec::new();
        let mut connection = self.db().read().await?;
        if let Reference::Tag(tag) = reference
            && let Some(id) = repository::find(&mut connection, repository).await?
        {
            let name = tag.as_str();
            near = tag::list_before(&mut connection, id, name, AROUND).await?;
            near.extend(tag::list(&mut connection, id, Some(name), AROUND).await?);
            nearest(name, &mut near);
        }
        let (repository, reference) = (repository.clone(), reference.clone());
        Ok(ImageError::Unknown { repository, reference, near })
    }
}

/// Leaves the few names that are most like the wanted one, the nearest first.
fn nearest(wanted: &str, names: &mut Vec<String>) {
    const SHOWN: usize = 3;
    // What plura and others keep beside an image nobody asks for by name.
    names.retain(|name| !name.starts_with("sha256-"));
    names.sort_by_cached_key(|name| (strsim::damerau_levenshtein(wanted, name), name.clone()));
    names.truncate(SHOWN);
}
