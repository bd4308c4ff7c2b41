use crate::{Manifest, ManifestKind};

/// What signatures, attestations and bills of materials are stored as.
const SAID: &[&str] = &[
    "application/vnd.dev.cosign.simplesigning.v1+json",
    "application/vnd.dsse.envelope.v1+json",
    "application/vnd.in-toto+json",
    "application/vnd.dev.sigstore.bundle",
    "application/jose+json",
    "application/cose",
    "application/spdx+json",
    "text/spdx",
    "application/vnd.cyclonedx",
];

/// Whether a manifest can only be about another one: nothing in it can be unpacked and run, and it says
/// what it is about, or consists of what signatures, attestations and bills of materials are made of.
///
/// Neither a subject nor a name alone will do: an image may have both.
pub fn is_attached(manifest: &Manifest) -> bool {
    let layers = || manifest.layers.iter().map(|layer| layer.media_type.as_str());
    if manifest.kind != ManifestKind::Image || layers().any(holds_files) {
        return false;
    }
    let is_said = |layer: &str| SAID.iter().any(|known| layer.starts_with(known));
    let has_said = layers().next().is_some() && layers().all(is_said);
    has_said || (manifest.subject.is_some() && !is_empty_image(manifest))
}

/// `.tar`, perhaps compressed, and whatever else images call their layers.
fn holds_files(layer: &str) -> bool {
    let layer = layer.to_ascii_lowercase();
    let image = ["application/vnd.oci.image.", "application/vnd.docker."];
    let mut words = layer.split(['.', '+', '/', '-', ';']);
    image.iter().any(|prefix| layer.starts_with(prefix))
        || words.any(|word| matches!(word, "tar" | "tgz" | "rootfs" | "layer"))
}

/// An image without layers can be run, too.
fn is_empty_image(manifest: &Manifest) -> bool {
    let config = manifest.config.as_ref().map(|config| config.media_type.as_str());
    let is_image = config.is_some_and(|config| config.contains("image"));
    manifest.layers.is_empty() && is_image
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const IMAGE: &str = "application/vnd.oci.image.config.v1+json";

    fn check(config: &str, layers: &[&str], subject: bool, expected: bool) {
        let descriptor =
            |kind: &str| serde_json::json!({ "mediaType": kind, "digest": BLOB, "size": 0 });
        let mut manifest = serde_json::json!({
            "schemaVersion": 2,
            "artifactType": "a/b",
            "config": descriptor(config),
            "layers": layers.iter().map(|layer| descriptor(layer)).collect::<Vec<_>>(),
        });
        if subject {
            manifest["subject"] = descriptor("application/vnd.oci.image.manifest.v1+json");
        }
        let manifest = Manifest::parse(manifest.to_string().as_bytes(), None).unwrap();
        assert_eq!(is_attached(&manifest), expected, "{config} {layers:?} {subject}");
    }

    #[test]
    fn what_can_be_unpacked_is_never_about_another() {
        let empty = "application/vnd.oci.empty.v1+json";
        let signature = "application/vnd.dev.cosign.simplesigning.v1+json";
        check(IMAGE, &[signature], false, true);
        check(empty, &["application/vnd.dev.sigstore.bundle.v0.3+json"], true, true);
        check(empty, &["text/plain"], true, true);
        check(empty, &["text/plain"], false, false);
        let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
        check(IMAGE, &[layer], true, false);
        check(IMAGE, &[signature, layer], true, false);
        check(IMAGE, &["application/vnd.docker.image.rootfs.diff.tar.gzip"], true, false);
        check(empty, &["application/vnd.cncf.helm.chart.content.v1.tar+gzip"], true, false);
        check(IMAGE, &[], true, false);
        check(empty, &[], true, true);
    }
}
