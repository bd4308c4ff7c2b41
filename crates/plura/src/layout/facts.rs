//! What a layout says of an image: what can be known before it is pushed.

use std::collections::BTreeMap;
use std::io::{self, Read};

use anyhow::Context;
use jiff::Timestamp;
use plura_inventory::{
    ImageConfiguration, ImageLayer, LayerError, LayerFacts, Limits, combine, declared_base,
    read_layer,
};
use plura_oci::image::{ImageChild, ImageKind};
use plura_oci::{Descriptor, Digest, Manifest, Reference, RepositoryName};
use plura_policy::facts::{BaseFacts, ConfigurationFacts, ImageFacts, Known, ManifestFacts};

use super::{Hashed, Layout, expect_image, path_of};

/// The most bytes of an image's configuration.
const LARGEST_CONFIGURATION: u64 = 4 << 20;
/// The most layers; container engines refuse a few more than a hundred.
const MOST_LAYERS: usize = 512;
/// The most platforms of an index.
const MOST_PLATFORMS: usize = 64;
/// What is known only where it is pushed to.
const LATER: &str = "the registry knows it once the image is pushed";

impl Layout {
    /// What is known of an image as if it were pushed to the repository now.
    pub(crate) fn facts(
        &self,
        reference: Option<&Reference>,
        repository: RepositoryName,
        now: Timestamp,
    ) -> anyhow::Result<ImageFacts> {
        let chosen = self.choose(reference)?;
        let (manifest, bytes) =
            self.manifest(&chosen.digest)?.with_context(|| missing(&chosen.digest))?;
        let kind = ImageKind::of(&manifest);
        expect_image(kind)?;
        let platforms = match kind {
            ImageKind::Index => Some(self.platforms(&manifest, &bytes)?),
            _ => None,
        };
        Ok(ImageFacts {
            repository,
            manifest: self.of_manifest(chosen.digest, None, &manifest)?,
            platforms,
            author: None,
            pushed_at: now,
            advisories: Known::Waiting(LATER.to_owned()),
            approvals: Vec::new(),
            checks: Vec::new(),
            channels: Vec::new(),
            blocked: None,
        })
    }

    fn platforms(&self, index: &Manifest, bytes: &[u8]) -> anyhow::Result<Vec<ManifestFacts>> {
        let said = ImageChild::all_of(bytes).into_iter();
        let said = said.chain(std::iter::repeat_with(ImageChild::default));
        let children: Vec<(&Descriptor, ImageChild)> = index.manifests.iter().zip(said).collect();
        let platforms = children.into_iter().filter(|(_, child)| child.attests.is_none());
        let mut all = Vec::new();
        for (descriptor, child) in platforms {
            anyhow::ensure!(
                all.len() < MOST_PLATFORMS,
                "the index has more than {MOST_PLATFORMS} platforms"
            );
            let digest = descriptor.digest;
            let platform = child.platform.map(|platform| platform.to_string());
            let (manifest, _) = self.manifest(&digest)?.with_context(|| missing(&digest))?;
            all.push(self.of_manifest(digest, platform, &manifest)?);
        }
        Ok(all)
    }

    fn of_manifest(
        &self,
        digest: Digest,
        platform: Option<String>,
        manifest: &Manifest,
    ) -> anyhow::Result<ManifestFacts> {
        let why_not = match ImageKind::of(manifest) {
            ImageKind::Image => None,
            ImageKind::Index => Some("it is an index; its platforms have that"),
            ImageKind::Attestation => Some("it is no image but an attestation"),
            ImageKind::Artifact => Some("it is no image but an artifact"),
        };
        let facts = ManifestFacts {
            digest,
            platform,
            annotations: manifest.annotations.clone(),
            signatures: Known::Waiting(LATER.to_owned()),
            provenance: Known::Waiting(LATER.to_owned()),
            sboms: Known::Waiting(LATER.to_owned()),
            vulnerabilities: Known::Waiting(LATER.to_owned()),
            base: Known::Waiting(LATER.to_owned()),
            configuration: Known::Waiting(LATER.to_owned()),
            secrets: Known::Waiting(LATER.to_owned()),
        };
        if let Some(why) = why_not {
            return Ok(ManifestFacts {
                vulnerabilities: Known::Absent(why.to_owned()),
                base: Known::Absent(why.to_owned()),
                configuration: Known::Absent(why.to_owned()),
                secrets: Known::Absent(why.to_owned()),
                ..facts
            });
        }
        let configuration = self.configuration(manifest)?;
        Ok(ManifestFacts {
            base: base(manifest, configuration.as_ref().ok()),
            secrets: self.secrets(manifest, configuration.as_ref().ok())?,
            configuration: match &configuration {
                Ok(configuration) => Known::Known(said(configuration)),
                Err(why) => Known::Absent(why.clone()),
            },
            ..facts
        })
    }

    /// What the configuration says, or why it says nothing.
    fn configuration(
        &self,
        manifest: &Manifest,
    ) -> anyhow::Result<Result<ImageConfiguration, String>> {
        let Some(descriptor) = &manifest.config else { return Ok(Err("it has none".to_owned())) };
        let digest = &descriptor.digest;
        let Some(bytes) = self.blob(digest, LARGEST_CONFIGURATION)? else {
            return Ok(Err(missing(digest)));
        };
        Ok(ImageConfiguration::parse(&bytes).map_err(|error| error.to_string()))
    }

    /// How many secrets there are, by rule; nothing is said of what could not be read.
    fn secrets(
        &self,
        manifest: &Manifest,
        configuration: Option<&ImageConfiguration>,
    ) -> anyhow::Result<Known<BTreeMap<String, u32>>> {
        let (mut layers, mut problem) = (Vec::new(), None);
        for descriptor in manifest.layers.iter().take(MOST_LAYERS) {
            match self.layer(&descriptor.digest)? {
                Ok(facts) => layers.push((descriptor.digest, facts)),
                Err(why) => problem = problem.or(Some(why)),
            }
        }
        if manifest.layers.len() > MOST_LAYERS {
            problem = problem.or(Some(format!("it has more than {MOST_LAYERS} layers")));
        }
        if configuration.is_none() {
            problem = problem.or(Some("its configuration".to_owned()));
        }
        let read = |(digest, facts)| ImageLayer { digest, facts };
        let image = combine(
            &layers.iter().map(|(digest, facts)| read((*digest, facts))).collect::<Vec<_>>(),
        );
        let in_layers = image.findings.iter().map(|found| &found.finding);
        let in_configuration = configuration.into_iter().flat_map(|found| &found.findings);
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for finding in in_layers.chain(in_configuration) {
            let count = counts.entry(finding.rule.to_string()).or_default();
            *count = count.saturating_add(1);
        }
        Ok(match problem {
            Some(problem) if counts.is_empty() => {
                Known::Absent(format!("not all of it could be read: {problem}"))
            }
            _ => Known::Known(counts),
        })
    }

    /// What a layer says, or why it cannot be read.
    fn layer(&self, digest: &Digest) -> anyhow::Result<Result<LayerFacts, String>> {
        let failed = || format!("cannot read {digest} of `{}`", self.path.display());
        let Some(content) = self.find(&path_of(digest)).with_context(failed)? else {
            return Ok(Err(missing(digest)));
        };
        let hasher = digest.algorithm().hasher();
        let mut source = Hashed { source: io::BufReader::new(content.file), hasher };
        let read = read_layer(source.by_ref(), &Limits::default());
        let facts = match read {
            Ok(facts) => facts,
            Err(LayerError::Read(error)) => return Err(error).with_context(failed),
            Err(problem) => return Ok(Err(format!("{digest}: {problem}"))),
        };
        let found = source.hasher.finish();
        anyhow::ensure!(
            found == *digest,
            "the layout is damaged: what it has as {digest} is {found}"
        );
        Ok(Ok(facts))
    }
}

fn missing(digest: &Digest) -> String {
    format!("{digest} is not in the layout")
}

fn said(configuration: &ImageConfiguration) -> ConfigurationFacts {
    ConfigurationFacts {
        user: configuration.user.clone(),
        is_root: configuration.is_root,
        labels: configuration.labels.clone(),
        created: configuration.created.as_deref().and_then(|created| created.parse().ok()),
    }
}

/// What is declared of the base, which the registry compares with what it has.
fn base(manifest: &Manifest, configuration: Option<&ImageConfiguration>) -> Known<BaseFacts> {
    let labels = || declared_base(&configuration?.labels);
    match declared_base(&manifest.annotations).or_else(labels) {
        Some(declared) => Known::Known(BaseFacts {
            name: declared.name,
            digest: declared.digest,
            matched: false,
            verified: false,
            created: None,
            newer: None,
        }),
        // It may be recognised by its layers where the base is.
        None => Known::Waiting(LATER.to_owned()),
    }
}
