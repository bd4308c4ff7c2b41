use serde::Serialize;

use crate::{Manifest, ManifestKind, media_types};

/// What a manifest stands for, as people would say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageKind {
    /// Several manifests under one name, mostly an image for several platforms.
    Index,
    /// Something that can be run.
    Image,
    /// Statements about an image, as `BuildKit` puts them into an index.
    Attestation,
    /// Anything else.
    Artifact,
}

const IN_TOTO: &str = "application/vnd.in-toto+json";
const DSSE: &str = "application/vnd.dsse.envelope.v1+json";

/// What can be found in registries, and what it is called.
const NAMES: &[(&str, &str)] = &[
    ("application/vnd.cncf.helm.config.v1+json", "Helm chart"),
    ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "Helm chart"),
    ("application/vnd.dev.cosign.simplesigning.v1+json", "cosign signature"),
    ("application/vnd.dev.cosign.artifact.sig.v1+json", "cosign signature"),
    ("application/vnd.dev.cosign.artifact.sbom.v1+json", "cosign SBOM"),
    ("application/vnd.dev.sigstore.bundle+json", "Sigstore bundle"),
    ("application/vnd.dev.sigstore.bundle.v0.3+json", "Sigstore bundle"),
    ("application/vnd.cncf.notary.signature", "Notation signature"),
    (IN_TOTO, "in-toto attestation"),
    (DSSE, "signed attestation"),
    ("application/spdx+json", "SPDX SBOM"),
    ("text/spdx+json", "SPDX SBOM"),
    ("text/spdx", "SPDX SBOM"),
    ("application/vnd.cyclonedx+json", "CycloneDX SBOM"),
    ("application/vnd.cyclonedx+xml", "CycloneDX SBOM"),
    ("application/vnd.cyclonedx", "CycloneDX SBOM"),
    ("application/vnd.openvex+json", "OpenVEX document"),
    ("application/sarif+json", "SARIF report"),
    ("application/vnd.cncf.flux.config.v1+json", "Flux source"),
    ("application/vnd.cncf.openpolicyagent.config.v1+json", "OPA bundle"),
    ("application/vnd.cncf.kyverno.config.v1+json", "Kyverno policies"),
    ("application/vnd.wasm.config.v0+json", "WebAssembly component"),
    ("application/vnd.wasm.config.v1+json", "WebAssembly module"),
    ("application/vnd.docker.plugin.v1+json", "Docker plugin"),
    ("application/vnd.docker.ai.model.config.v0.1+json", "Docker model"),
    ("application/vnd.cncf.model.manifest.v1+json", "model"),
    ("application/vnd.buildkit.cacheconfig.v0", "BuildKit cache"),
    ("application/vnd.devcontainers", "development container feature"),
    ("application/vnd.docker.compose.project", "Compose project"),
    ("application/vnd.oci.empty.v1+json", "artifact without a type"),
];

/// What an artifact of that type is called, if it is one that many know.
pub fn describe_artifact(artifact_type: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == artifact_type).map(|(_, name)| *name)
}

impl ImageKind {
    /// What a manifest stands for.
    pub fn of(manifest: &Manifest) -> Self {
        if manifest.kind == ManifestKind::Index {
            return Self::Index;
        }
        let layers = || manifest.layers.iter().map(|layer| layer.media_type.as_str());
        let has_files = layers().next().is_none() || layers().any(is_files);
        if is_image_config(manifest) && has_files && !is_declared(manifest) {
            Self::Image
        } else if layers().next().is_some() && layers().all(|layer| layer == IN_TOTO) {
            Self::Attestation
        } else {
            Self::Artifact
        }
    }

    /// The type of an artifact: the declared one, the configuration's, or where that says nothing,
    /// that of what it holds. An image has none.
    pub fn artifact_type(self, manifest: &Manifest) -> Option<&str> {
        let declared = manifest.artifact_type.as_deref().filter(|declared| !declared.is_empty());
        if declared.is_some() || matches!(self, Self::Image | Self::Index) {
            return declared;
        }
        let config = manifest.config.as_ref().map(|config| config.media_type.as_str());
        let says_nothing = is_image_config(manifest) || config == Some(media_types::OCI_EMPTY);
        let held = manifest.layers.first().map(|layer| layer.media_type.as_str());
        held.filter(|_| says_nothing).or(config).or(held)
    }
}

fn is_image_config(manifest: &Manifest) -> bool {
    let known = [media_types::OCI_CONFIG, media_types::DOCKER_CONFIG];
    manifest.config.as_ref().is_some_and(|config| known.contains(&config.media_type.as_str()))
}

/// An image has no artifact type but perhaps the one that its configuration says anyway.
fn is_declared(manifest: &Manifest) -> bool {
    let declared = manifest.artifact_type.as_deref().filter(|declared| !declared.is_empty());
    let config = manifest.config.as_ref().map(|config| config.media_type.as_str());
    declared.is_some() && declared != config
}

/// `.tar`, perhaps compressed: `....layer.v1.tar+gzip`, `....rootfs.diff.tar.gzip`.
fn is_files(layer: &str) -> bool {
    let mut words = layer.split(['.', '+', '/']);
    words.any(|word| word == "tar")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn check(config: &str, layers: &[&str], declared: Option<&str>) -> (ImageKind, Option<String>) {
        let descriptor = |media_type: &str| serde_json::json!({"mediaType": media_type, "digest": BLOB, "size": 0});
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "artifactType": declared,
            "config": descriptor(config),
            "layers": layers.iter().map(|layer| descriptor(layer)).collect::<Vec<_>>(),
        });
        let manifest = Manifest::parse(manifest.to_string().as_bytes(), None).unwrap();
        let kind = ImageKind::of(&manifest);
        (kind, kind.artifact_type(&manifest).map(ToOwned::to_owned))
    }

    #[test]
    fn what_can_be_run_is_told_from_what_cannot() {
        use ImageKind::{Artifact, Attestation, Image};
        let (oci, docker) = (media_types::OCI_CONFIG, media_types::DOCKER_CONFIG);
        let signature = "application/vnd.dev.cosign.simplesigning.v1+json";
        let helm = "application/vnd.cncf.helm.config.v1+json";
        let chart = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
        let of = |text: &str| Some(text.to_owned());
        assert_eq!(check(oci, &[media_types::OCI_LAYER_GZIP], None), (Image, None));
        assert_eq!(check(oci, &[], None), (Image, None));
        let layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        assert_eq!(check(docker, &[layer], None), (Image, None));
        assert_eq!(check(oci, &[IN_TOTO, IN_TOTO], None), (Attestation, of(IN_TOTO)));
        assert_eq!(check(oci, &[signature], None), (Artifact, of(signature)));
        assert_eq!(check(helm, &[chart], None), (Artifact, of(helm)));
        let empty = media_types::OCI_EMPTY;
        assert_eq!(check(empty, &["a/b"], Some("c/d")), (Artifact, of("c/d")));
        assert_eq!(check(empty, &["a/b"], None), (Artifact, of("a/b")));
        assert_eq!(check(oci, &[media_types::OCI_LAYER], Some("c/d")), (Artifact, of("c/d")));
    }

    #[test]
    fn names_are_of_media_types() {
        for (media_type, _) in NAMES {
            assert!(media_type.parse::<crate::MediaType>().is_ok(), "{media_type}");
        }
        assert_eq!(describe_artifact("a/b"), None);
        assert_eq!(describe_artifact("application/spdx+json"), Some("SPDX SBOM"));
    }
}
