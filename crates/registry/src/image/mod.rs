//! Looking at images: what a tag or digest stands for, what is in it, what is about it, and in what two
//! of them differ.
//!
//! Everything is read, nothing is changed: who looks at an image does not keep it from being collected.
//! What is read follows the image, not the repository.

mod diff;
mod error;
mod find;
mod tree;
mod view;

use bytes::Bytes;
use plura_meta::{repository, tag};
use plura_oci::{
    AttachmentKind, Descriptor, Digest, Manifest, Page, Reference, RepositoryName, Tag,
    image::{ImageChild, ImageConfig, ImageKind, Platform, RunConfig, describe_artifact},
};

pub use diff::{Change, DiffSide, ImageDiff, ListChange, MapChange};
pub use error::ImageError;
pub use tree::{ImageTree, Relation, TreeNode};
pub use view::{
    AttachedTag, Child, Configuration, ConfigurationBlob, Image, Layer, ReferrerCount, Step,
};

use self::find::Found;
use crate::{Error, Registry};

/// Which image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageQuery {
    /// Where it is.
    pub repository: RepositoryName,
    /// What it is found by.
    pub reference: Reference,
    /// For which platform, of an index.
    pub platform: Option<Platform>,
}

/// Bytes as they were pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFile {
    /// What the digest is of.
    pub bytes: Bytes,
    /// Their digest.
    pub digest: Digest,
}

/// The manifest of something that can be run, to be read further.
#[derive(Clone, Debug)]
pub struct ImageManifest {
    /// Its digest.
    pub digest: Digest,
    /// The index that it was chosen from.
    pub index: Option<Digest>,
    /// What it points at.
    pub manifest: Manifest,
}

/// Tags that are listed with an image.
const MOST_TAGS: u32 = 200;
/// Children of an index that are looked at.
const MOST_CHILDREN: usize = 64;

impl Registry {
    /// What a tag or digest stands for.
    pub async fn image(&self, query: &ImageQuery) -> Result<Image, ImageError> {
        let found = self.find_image(query).await?;
        let mut image = described(query, &found);
        match self.configuration(&query.repository, &found).await? {
            Ok(Some(config)) => image.configure(config),
            Ok(None) => {}
            Err(problem) => image.problems.push(problem),
        }
        self.add_children(&query.repository, &found, &mut image).await?;
        self.add_names(&query.repository, &mut image).await?;
        image.referrers = self.count_referrers(&query.repository, &image.digest).await?;
        Ok(image)
    }

    /// The one image that is meant: of an index without a platform, the only one.
    pub async fn single_image(&self, query: &ImageQuery) -> Result<ImageManifest, ImageError> {
        let Found { digest, index, manifest, .. } = self.find_single(query).await?;
        Ok(ImageManifest { digest, index, manifest })
    }

    /// All images that are meant: of an index without a platform, those that the repository has of its
    /// first children. What is no image is an error, or left out of an index.
    pub async fn all_images(&self, query: &ImageQuery) -> Result<Vec<ImageManifest>, ImageError> {
        let found = self.find_image(query).await?;
        if found.kind() != ImageKind::Index {
            return Ok(vec![self.single_image(query).await?]);
        }
        let mut images = Vec::new();
        for (descriptor, _) in found.children().into_iter().take(MOST_CHILDREN) {
            let reference = Reference::Digest(descriptor.digest);
            let child = self.find_manifest(&query.repository, &reference).await?;
            images.extend(child.filter(|child| child.kind() == ImageKind::Image).map(|child| {
                let Found { digest, manifest, .. } = child;
                ImageManifest { digest, index: Some(found.digest), manifest }
            }));
        }
        Ok(images)
    }

    /// The manifest, as it was pushed.
    pub async fn image_manifest(&self, query: &ImageQuery) -> Result<ImageFile, ImageError> {
        let found = self.find_image(query).await?;
        Ok(ImageFile { bytes: found.bytes, digest: found.digest })
    }

    /// The configuration of an image or artifact, as it was pushed.
    pub async fn image_configuration(&self, query: &ImageQuery) -> Result<ImageFile, ImageError> {
        let found = self.find_image(query).await?;
        let found = match found.kind() {
            ImageKind::Index => self.find_single(query).await?,
            _ => found,
        };
        let digest = found.manifest.config.ok_or(ImageError::NoConfiguration)?.digest;
        let bytes =
            self.configuration_bytes(&query.repository, &digest, ImageConfig::LARGEST).await?;
        Ok(ImageFile { bytes, digest })
    }

    async fn add_children(
        &self,
        repository: &RepositoryName,
        index: &Found,
        image: &mut Image,
    ) -> Result<(), ImageError> {
        let mut in_common: Option<RunConfig> = None;
        for (place, (descriptor, said)) in index.children().into_iter().enumerate() {
            let mut child = unseen(descriptor, said);
            if place < MOST_CHILDREN
                && let Some(found) =
                    self.find_manifest(repository, &Reference::Digest(child.digest)).await?
            {
                child.look_at(&found);
                image.content_size = image.content_size.saturating_add(content_size(&found));
                let config = self.usual_configuration(repository, &found).await?;
                if let Ok(Some(config)) = config {
                    child.created = config.created;
                    in_common = Some(match in_common {
                        Some(before) => before.in_common(&config.run),
                        None => RunConfig { other: serde_json::Map::new(), ..config.run },
                    });
                }
            }
            image.children.push(child);
        }
        image.in_common = in_common.map(Configuration::from);
        Ok(())
    }

    /// The tags that point at it, and those that are about it by their names.
    async fn add_names(
        &self,
        repository: &RepositoryName,
        image: &mut Image,
    ) -> Result<(), ImageError> {
        let mut connection = self.db().read().await?;
        let Some(id) = repository::find(&mut connection, repository).await? else { return Ok(()) };
        // One more than is listed tells whether there are more.
        let limit = MOST_TAGS + 1;
        image.tags = tag::list_of(&mut connection, id, &image.digest, limit).await?;
        image.more_tags = image.tags.len() > MOST_TAGS as usize;
        image.tags.truncate(MOST_TAGS as usize);
        drop(connection);
        image.attached = self.attached_tags(repository, &image.digest).await?;
        Ok(())
    }

    /// The tags by which clients without referrers say that something is about a digest.
    async fn attached_tags(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<AttachedTag>, Error> {
        let attachment = |kind| Tag::of_attachment(digest, kind);
        let tags = [
            (Some(Tag::of_referrers(digest)), "referrers of older clients"),
            (attachment(AttachmentKind::Signatures), "cosign signatures"),
            (attachment(AttachmentKind::Attestations), "cosign attestations"),
            (attachment(AttachmentKind::Sbom), "cosign SBOM"),
        ];
        let mut connection = self.db().read().await?;
        let Some(id) = repository::find(&mut connection, repository).await? else {
            return Ok(Vec::new());
        };
        let mut attached = Vec::new();
        for (name, description) in tags {
            let Some(name) = name else { continue };
            if let Some(digest) = tag::find(&mut connection, id, &name).await? {
                attached.push(AttachedTag { tag: name.to_string(), description, digest });
            }
        }
        Ok(attached)
    }

    async fn count_referrers(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<ReferrerCount>, Error> {
        let mut counts = std::collections::BTreeMap::<Option<String>, u64>::new();
        let mut page = Page::default();
        loop {
            let found = self.referrers(repository, digest, None, &page).await?;
            let last = found.descriptors.last().map(|last| last.digest.to_string());
            for referrer in found.descriptors {
                *counts.entry(referrer.artifact_type).or_default() += 1;
            }
            if !found.more || last.is_none() {
                break;
            }
            page.after = last;
        }
        let count = |(artifact_type, count): (Option<String>, u64)| ReferrerCount {
            description: artifact_type.as_deref().and_then(describe_artifact),
            artifact_type,
            count,
        };
        Ok(counts.into_iter().map(count).collect())
    }
}

/// What the manifest alone tells.
fn described(query: &ImageQuery, found: &Found) -> Image {
    let kind = found.kind();
    let artifact_type = found.artifact_type().map(ToOwned::to_owned);
    let config_blob = found.manifest.config.as_ref().map(|config| ConfigurationBlob {
        digest: config.digest,
        media_type: config.media_type.to_string(),
        size: config.size,
    });
    let annotations = found.manifest.annotations.clone();
    Image {
        repository: query.repository.to_string(),
        reference: query.reference.to_string(),
        digest: found.digest,
        index: found.index,
        media_type: found.media_type.clone(),
        kind,
        description: artifact_type.as_deref().and_then(describe_artifact),
        artifact_type,
        manifest_size: found.bytes.len() as u64,
        content_size: content_size(found),
        platform: None,
        created: annotations.get("org.opencontainers.image.created").cloned(),
        author: annotations.get("org.opencontainers.image.authors").cloned(),
        config_blob,
        config: None,
        problems: Vec::new(),
        annotations,
        subject: found.manifest.subject.as_ref().map(|subject| subject.digest),
        layers: view::layers(&found.manifest.layers, &[]),
        history: Vec::new(),
        children: Vec::new(),
        in_common: None,
        tags: Vec::new(),
        more_tags: false,
        referrers: Vec::new(),
        attached: Vec::new(),
    }
}

impl Image {
    fn configure(&mut self, config: ImageConfig) {
        for (layer, diff_id) in self.layers.iter_mut().zip(&config.diff_ids) {
            layer.diff_id = Some(diff_id.clone());
        }
        let made = config.history.iter().filter(|entry| !entry.empty_layer).count();
        let layers = self.layers.len();
        self.problems.extend(config.problems);
        if !config.history.is_empty() && made != layers {
            self.problems.push(format!("its history is of {made} layers, and it has {layers}"));
        }
        if config.diff_ids.len() != layers {
            let count = config.diff_ids.len();
            self.problems.push(format!("`diff_ids` names {count} layers, and it has {layers}"));
        }
        self.history = view::steps(config.history, &self.layers);
        self.platform = Some(config.platform).filter(|platform| !platform.is_empty());
        self.created = config.created.or(self.created.take());
        self.author = config.author.or(self.author.take());
        self.config = Some(Configuration { beside: config.other, ..config.run.into() });
    }
}

fn unseen(descriptor: &Descriptor, said: ImageChild) -> Child {
    Child {
        digest: descriptor.digest,
        media_type: descriptor.media_type.to_string(),
        manifest_size: descriptor.size,
        seen: false,
        kind: None,
        platform: said.platform,
        artifact_type: said.artifact_type,
        attests: said.attests,
        content_size: None,
        layers: None,
        created: None,
        annotations: said.annotations,
    }
}

impl Child {
    fn look_at(&mut self, found: &Found) {
        self.seen = true;
        self.kind = Some(found.kind());
        if self.attests.is_some() {
            self.kind = Some(ImageKind::Attestation);
        }
        self.content_size = Some(content_size(found));
        self.layers = Some(found.manifest.layers.len());
        self.artifact_type =
            self.artifact_type.take().or(found.artifact_type().map(ToOwned::to_owned));
    }
}

/// The bytes of configuration and layers.
fn content_size(found: &Found) -> u64 {
    let blobs = found.manifest.config.iter().chain(&found.manifest.layers);
    blobs.fold(0, |sum: u64, blob| sum.saturating_add(blob.size))
}
