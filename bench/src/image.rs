//! Small images with unique bytes, made before the clock starts.

use serde_json::{Value, json};

use crate::content::{digest_of, noise, unique};
use crate::registry::MANIFEST_TYPE;

const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// Bytes and the digest they have.
pub(crate) struct Addressed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: String,
}

impl Addressed {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let digest = digest_of(&bytes);
        Self { bytes, digest }
    }

    /// A blob of noise that no other call returns.
    pub(crate) fn unique(length: usize) -> Self {
        Self::new(noise(unique(), length))
    }
}

/// An image of one configuration and one layer.
pub(crate) struct Image {
    pub(crate) config: Addressed,
    pub(crate) layer: Addressed,
    pub(crate) manifest: Addressed,
    pub(crate) tag: String,
}

impl Image {
    /// An image that shares nothing with any other.
    pub(crate) fn unique(layer_length: usize) -> Self {
        let number = unique();
        let config = config(number);
        let layer = Addressed::unique(layer_length);
        let manifest = manifest(&config, &[&layer], &number.to_string());
        Self { config, layer, manifest, tag: format!("t{number}") }
    }
}

/// A configuration that differs by its number.
pub(crate) fn config(number: u64) -> Addressed {
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Labels": {"number": number.to_string()}},
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    Addressed::new(config.to_string().into_bytes())
}

/// A manifest over blobs; `note` makes it differ from others over the same blobs.
pub(crate) fn manifest(config: &Addressed, layers: &[&Addressed], note: &str) -> Addressed {
    let layers: Vec<_> = layers.iter().map(|layer| descriptor(LAYER_TYPE, layer)).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, config),
        "layers": layers,
        "annotations": {"dev.plura.bench.note": note},
    });
    Addressed::new(manifest.to_string().into_bytes())
}

fn descriptor(media_type: &str, blob: &Addressed) -> Value {
    json!({"mediaType": media_type, "digest": blob.digest, "size": blob.bytes.len()})
}
