//! What is told about an image: the values that the API answers with.

use std::collections::BTreeMap;

use plura_oci::{
    Digest,
    image::{HistoryEntry, ImageKind, Platform, RunConfig},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What a tag or digest stands for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Image {
    /// Where it is.
    pub repository: String,
    /// As what it was asked for: a tag or a digest.
    pub reference: String,
    /// Its digest; where a platform was asked for, that of the image for it.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The index that it was chosen from.
    #[schema(value_type = Option<String>)]
    pub index: Option<Digest>,
    /// The media type of the manifest.
    pub media_type: String,
    /// `index`, `image`, `attestation` (in an index, as `BuildKit` puts them there) or `artifact`.
    #[schema(value_type = String, pattern = "^(index|image|attestation|artifact)$")]
    pub kind: ImageKind,
    /// The type of an artifact: declared, or what follows from what it holds.
    pub artifact_type: Option<String>,
    /// What such artifacts are called, where that is known: `Helm chart`.
    #[schema(value_type = Option<String>)]
    pub description: Option<&'static str>,
    /// The length of the manifest in bytes.
    pub manifest_size: u64,
    /// The bytes of configuration and layers as they are stored; of an index, those of the children
    /// that were looked at, together.
    pub content_size: u64,
    /// What it runs on.
    #[schema(value_type = Option<String>)]
    pub platform: Option<Platform>,
    /// When it was built, as its builder wrote it.
    pub created: Option<String>,
    /// Who built it.
    pub author: Option<String>,
    /// Where the configuration is.
    pub config_blob: Option<ConfigurationBlob>,
    /// How it is run; `null` for what is no image, and where it cannot be read.
    pub config: Option<Configuration>,
    /// What could not be read.
    pub problems: Vec<String>,
    /// The annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// What it is about.
    #[schema(value_type = Option<String>)]
    pub subject: Option<Digest>,
    /// The layers, lowest first; of an artifact, what it holds.
    pub layers: Vec<Layer>,
    /// How the layers came to be, lowest first.
    pub history: Vec<Step>,
    /// The children of an index.
    pub children: Vec<Child>,
    /// What all images of an index say alike about how they are run.
    pub in_common: Option<Configuration>,
    /// The tags that point at the digest.
    pub tags: Vec<String>,
    /// Whether there are more.
    pub more_tags: bool,
    /// How many manifests are about it, by their artifact type.
    pub referrers: Vec<ReferrerCount>,
    /// The tags by which clients without referrers say that something is about it.
    pub attached: Vec<AttachedTag>,
}

/// Where a configuration is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfigurationBlob {
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
}

/// How an image is run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Configuration {
    /// As which user; nothing is root.
    pub user: String,
    /// What is run; `null` where it is not said.
    pub entrypoint: Option<Vec<String>>,
    /// Its arguments, or what is run.
    pub command: Option<Vec<String>>,
    /// `NAME=value`
    pub environment: Vec<String>,
    /// Where it is run.
    pub working_directory: String,
    /// `8080/tcp`
    pub exposed_ports: Vec<String>,
    /// Paths that are not part of the container.
    pub volumes: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// What it is stopped with.
    pub stop_signal: String,
    /// How its health is checked, as written.
    pub health_check: Option<Value>,
    /// What runs commands that are one text.
    pub shell: Vec<String>,
    /// What is done by a build from this image.
    pub on_build: Vec<String>,
    /// What else the configuration says about running it.
    #[schema(value_type = Object)]
    pub other: Map<String, Value>,
    /// What else the configuration says.
    #[schema(value_type = Object)]
    pub beside: Map<String, Value>,
}

/// A layer of an image, or what an artifact holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Layer {
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes, as it is stored.
    pub size: u64,
    /// The bytes up to and with it.
    pub cumulative_size: u64,
    /// The digest of the layer when it is unpacked, as the configuration has it.
    pub diff_id: Option<String>,
}

/// An entry of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Step {
    /// When, as written.
    pub created: Option<String>,
    /// By which command.
    pub created_by: Option<String>,
    /// By whom.
    pub author: Option<String>,
    /// What they said about it.
    pub comment: Option<String>,
    /// Whether it made no layer.
    pub empty_layer: bool,
    /// The layer that it made.
    #[schema(value_type = Option<String>)]
    pub layer: Option<Digest>,
    /// The length of that layer in bytes, as it is stored.
    pub size: u64,
}

/// A child of an index.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Child {
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// The length of its manifest in bytes.
    pub manifest_size: u64,
    /// Whether it is in the repository and was looked at: of a large index, the first are.
    pub seen: bool,
    /// What it stands for, if it was looked at.
    #[schema(value_type = Option<String>)]
    pub kind: Option<ImageKind>,
    /// What it runs on.
    #[schema(value_type = Option<String>)]
    pub platform: Option<Platform>,
    /// The type of an artifact.
    pub artifact_type: Option<String>,
    /// The child that it is an attestation of.
    #[schema(value_type = Option<String>)]
    pub attests: Option<Digest>,
    /// The bytes of configuration and layers as they are stored.
    pub content_size: Option<u64>,
    /// How many layers it has.
    pub layers: Option<usize>,
    /// When it was built, as its builder wrote it.
    pub created: Option<String>,
    /// The annotations of its descriptor.
    pub annotations: BTreeMap<String, String>,
}

/// How many manifests of a type are about an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReferrerCount {
    /// The artifact type.
    pub artifact_type: Option<String>,
    /// What such artifacts are called, where that is known.
    #[schema(value_type = Option<String>)]
    pub description: Option<&'static str>,
    /// How many.
    pub count: u64,
}

/// A tag that says by its name that it is about a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AttachedTag {
    /// The tag: `sha256-....sig`.
    pub tag: String,
    /// What such tags are.
    #[schema(value_type = String)]
    pub description: &'static str,
    /// What it points at.
    #[schema(value_type = String)]
    pub digest: Digest,
}

impl From<RunConfig> for Configuration {
    fn from(run: RunConfig) -> Self {
        Self {
            user: run.user,
            entrypoint: run.entrypoint,
            command: run.command,
            environment: run.environment,
            working_directory: run.working_directory,
            exposed_ports: run.exposed_ports,
            volumes: run.volumes,
            labels: run.labels,
            stop_signal: run.stop_signal,
            health_check: run.health_check,
            shell: run.shell,
            on_build: run.on_build,
            other: run.other,
            beside: Map::new(),
        }
    }
}

/// Lines the history up with the layers: each entry that is not empty made the next one.
pub(super) fn steps(history: Vec<HistoryEntry>, layers: &[Layer]) -> Vec<Step> {
    let mut layers = layers.iter();
    let step = |entry: HistoryEntry| {
        let layer = if entry.empty_layer { None } else { layers.next() };
        Step {
            created: entry.created,
            created_by: entry.created_by,
            author: entry.author,
            comment: entry.comment,
            empty_layer: entry.empty_layer,
            layer: layer.map(|layer| layer.digest),
            size: layer.map_or(0, |layer| layer.size),
        }
    };
    history.into_iter().map(step).collect()
}

/// Puts layers beside what they unpack to.
pub(super) fn layers(descriptors: &[plura_oci::Descriptor], diff_ids: &[String]) -> Vec<Layer> {
    let mut cumulative_size = 0_u64;
    let layer = |(place, descriptor): (usize, &plura_oci::Descriptor)| {
        cumulative_size = cumulative_size.saturating_add(descriptor.size);
        Layer {
            digest: descriptor.digest,
            media_type: descriptor.media_type.to_string(),
            size: descriptor.size,
            cumulative_size,
            diff_id: diff_ids.get(place).cloned(),
        }
    };
    descriptors.iter().enumerate().map(layer).collect()
}
