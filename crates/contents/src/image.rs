//! Images: put together from what was read of their layers and what their configuration says.

use plura_inventory::{
    DeclaredBase, ImageConfiguration, ImageFacts, ImageLayer, LayerFacts, Limits, combine,
    declared_base,
};
use plura_meta::{
    Timestamp,
    contents::{
        image::{ChainedLayer, NewImage},
        package::NewPackage,
    },
};
use plura_oci::{Descriptor, Digest, Manifest, RepositoryName};
use plura_registry::{ImageManifest, SmallBlob};
use serde::{Deserialize, Serialize};

use crate::{Contents, Error, READER, blocking, identity, layer::Layer, packing::pack};

/// The most bytes of an image's configuration.
const MAX_CONFIGURATION: u64 = 4 << 20;
/// The most layers; container engines refuse a few more than a hundred.
const MAX_LAYERS: usize = 512;
/// The most bytes of what all layers say.
const MAX_FACTS: u64 = 256 << 20;
/// The most packages that are kept of one.
const MAX_PACKAGES: usize = 100_000;
/// The most secrets, and the most notes, that are kept of one.
const MAX_FINDINGS: usize = 1000;
/// No reference is longer.
const LONGEST_NAME: usize = 512;
/// The basis of what should be read again by whoever asks for it.
const NEVER_IN_FORCE: &str = "0";

/// What is in an image, as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Document {
    /// What its layers say.
    pub(crate) facts: ImageFacts,
    /// What its configuration says.
    pub(crate) configuration: ImageConfiguration,
    /// Bytes of configuration and layers, as they are pulled.
    pub(crate) size: u64,
    /// What could not be read of it.
    pub(crate) problems: Vec<String>,
    /// The base that it declares.
    pub(crate) base_name: Option<String>,
    /// The base that it declares.
    pub(crate) base_digest: Option<Digest>,
}

/// An image that was read, and is to be kept.
#[derive(Debug)]
pub(crate) struct ReadImage {
    pub(crate) document: Document,
    pub(crate) new: NewImage,
    pub(crate) packages: Vec<NewPackage>,
}

/// What is gathered of an image before it is put together.
#[derive(Default)]
struct Parts {
    layers: Vec<(Digest, LayerFacts)>,
    configuration: ImageConfiguration,
    problems: Vec<String>,
    /// Whether what is missing may be there later.
    is_passing: bool,
}

impl Contents {
    /// Reads an image: what was not read yet of its layers, and puts it together.
    pub(crate) async fn read_image(
        &self,
        repository: &RepositoryName,
        image: &ImageManifest,
    ) -> Result<ReadImage, Error> {
        let mut parts = Parts::default();
        self.read_configuration(repository, &image.manifest, &mut parts).await?;
        self.read_layers(repository, &image.manifest.layers, &mut parts).await?;
        let (digest, manifest) = (image.digest, image.manifest.clone());
        Ok(blocking(move || put_together(digest, &manifest, parts)).await)
    }

    async fn read_configuration(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
        parts: &mut Parts,
    ) -> Result<(), Error> {
        let Some(config) = &manifest.config else { return Ok(()) };
        let read = self.registry().small_blob(repository, &config.digest, MAX_CONFIGURATION).await;
        match read {
            Ok(SmallBlob::Bytes(bytes)) => match ImageConfiguration::parse(&bytes) {
                Ok(configuration) => parts.configuration = configuration,
                Err(error) => parts.problems.push(error.to_string()),
            },
            Ok(SmallBlob::TooLarge(size)) => {
                parts.problems.push(format!("the image's configuration has {size} bytes"));
            }
            Ok(SmallBlob::Unknown) => {
                parts.problems.push("the image's configuration is not in this repository".into());
                parts.is_passing = true;
            }
            Err(error) if error.is_damage() => {
                parts.problems.push("the image's configuration is damaged".into());
                parts.is_passing = true;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn read_layers(
        &self,
        repository: &RepositoryName,
        layers: &[Descriptor],
        parts: &mut Parts,
    ) -> Result<(), Error> {
        let mut bytes = 0_u64;
        if layers.len() > MAX_LAYERS {
            let count = layers.len();
            parts.problems.push(format!("it has {count} layers; the first {MAX_LAYERS} are read"));
        }
        for descriptor in layers.iter().take(MAX_LAYERS) {
            let digest = descriptor.digest;
            let facts = match self.layer(repository, digest).await? {
                Layer::Facts(facts, size) if bytes + size <= MAX_FACTS => {
                    bytes += size;
                    *facts
                }
                Layer::Facts(..) => {
                    let problem = format!("layer {digest}: all layers say more than is kept");
                    parts.problems.push(problem);
                    LayerFacts::default()
                }
                Layer::Unreadable(problem) => {
                    parts.problems.push(format!("layer {digest}: {problem}"));
                    LayerFacts::default()
                }
                Layer::Absent(problem) => {
                    parts.problems.push(format!("layer {digest}: {problem}"));
                    parts.is_passing = true;
                    LayerFacts::default()
                }
            };
            parts.layers.push((digest, facts));
        }
        Ok(())
    }
}

fn put_together(digest: Digest, manifest: &Manifest, parts: Parts) -> ReadImage {
    let Parts { layers, configuration, problems, is_passing } = parts;
    let facts = combined(&layers);
    let base = base(manifest, &configuration);
    let blobs = manifest.config.iter().chain(&manifest.layers);
    let size = blobs.fold(0, |sum: u64, blob| sum.saturating_add(blob.size));
    let (base_name, base_digest) = (base.name, base.digest);
    let mut document = Document { facts, configuration, size, problems, base_name, base_digest };
    bound(&mut document);
    let packed = pack(&document).unwrap_or_else(|| {
        document.problems.push("it says more than is kept of an image".into());
        document.facts = ImageFacts { layers: document.facts.layers.clone(), ..<_>::default() };
        document.configuration = ImageConfiguration::default();
        pack(&document).unwrap_or_default()
    });
    let packages = identity::rows(&document.facts.packages, document.facts.os.as_ref());
    let basis = if is_passing { NEVER_IN_FORCE.to_owned() } else { READER.to_string() };
    let created = document.configuration.created.as_deref().unwrap_or_default();
    let created: Option<jiff::Timestamp> = created.parse().ok();
    let new = NewImage {
        digest,
        basis,
        problem: document.problems.first().cloned(),
        base_digest: document.base_digest,
        base_name: document.base_name.clone(),
        created_at: created.map(|created| Timestamp(created.as_millisecond())),
        read_at: Timestamp::now(),
        document: packed.0,
        layers: chained(manifest.layers.iter().map(|layer| layer.digest)),
    };
    ReadImage { document, new, packages }
}

fn combined(layers: &[(Digest, LayerFacts)]) -> ImageFacts {
    let layers: Vec<ImageLayer<'_>> =
        layers.iter().map(|(digest, facts)| ImageLayer { digest: *digest, facts }).collect();
    combine(&layers)
}

/// What annotations of the manifest declare, or else labels, which is where builders without
/// annotations put it.
fn base(manifest: &Manifest, configuration: &ImageConfiguration) -> DeclaredBase {
    let declared =
        declared_base(&manifest.annotations).or_else(|| declared_base(&configuration.labels));
    let mut declared = declared.unwrap_or(DeclaredBase { name: None, digest: None });
    declared.name = declared.name.filter(|name| name.len() <= LONGEST_NAME);
    declared
}

/// Leaves no more of an image than what is kept.
fn bound(document: &mut Document) {
    let Document { facts, problems, .. } = document;
    if facts.packages.len() > MAX_PACKAGES {
        let count = facts.packages.len();
        problems.push(format!("it has {count} packages; {MAX_PACKAGES} are kept"));
        facts.packages.truncate(MAX_PACKAGES);
    }
    if facts.findings.len() > MAX_FINDINGS {
        let count = facts.findings.len();
        problems.push(format!("it holds {count} secrets; {MAX_FINDINGS} are kept"));
        facts.findings.truncate(MAX_FINDINGS);
    }
    facts.notes.truncate(MAX_FINDINGS);
    debug_assert!(Limits::default().findings <= MAX_FINDINGS, "a layer's findings fit");
}

/// Layers, each with the digest of itself and all below.
///
/// These are digests of the layers as they are stored: what an image declares of itself counts for
/// nothing here.
fn chained(layers: impl IntoIterator<Item = Digest>) -> Vec<ChainedLayer> {
    let mut below: Option<Digest> = None;
    let chain = |digest: Digest| {
        let chain = match below {
            None => digest,
            Some(below) => Digest::sha256(format!("{below} {digest}").as_bytes()),
        };
        below = Some(chain);
        ChainedLayer { digest, chain }
    };
    layers.into_iter().map(chain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_with_the_same_first_layers_have_the_same_first_chains() {
        let [a, b, c] = ["a", "b", "c"].map(|text| Digest::sha256(text.as_bytes()));
        let (short, long) = (chained([a, b]), chained([a, b, c]));
        assert_eq!(short, long[..2]);
        assert_eq!(short[0].chain, a);
        assert_ne!(chained([b, a])[1].chain, short[1].chain);
        assert_eq!(chained([]), []);
    }
}
