//! A small image for two platforms, made in memory.

use anyhow::Context;
use plura_oci::{Digest, media_types};
use serde_json::{Value, json};

/// Content with its digest and media type.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) media_type: &'static str,
    pub(super) digest: Digest,
    pub(super) bytes: Vec<u8>,
}

/// One platform's image.
#[derive(Clone, Debug)]
pub(super) struct Platform {
    pub(super) layer: Content,
    pub(super) config: Content,
    pub(super) manifest: Content,
}

/// The image: an index over its platforms.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) platforms: Vec<Platform>,
    pub(super) index: Content,
}

impl Content {
    pub(super) fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { media_type, digest: Digest::sha256(&bytes), bytes }
    }

    pub(super) fn json(media_type: &'static str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    pub(super) fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len() })
    }
}

impl Image {
    pub(super) fn build() -> anyhow::Result<Self> {
        let platforms = ["amd64", "arm64"].map(platform);
        let platforms = platforms.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let entries = platforms.iter().zip(["amd64", "arm64"]).map(|(platform, architecture)| {
            let mut entry = platform.manifest.descriptor();
            entry["platform"] = json!({ "os": "linux", "architecture": architecture });
            entry
        });
        let index = Content::json(
            media_types::OCI_INDEX,
            &json!({
                "schemaVersion": 2,
                "mediaType": media_types::OCI_INDEX,
                "manifests": entries.collect::<Vec<_>>(),
            }),
        );
        Ok(Self { platforms, index })
    }

    /// A software bill of materials about the whole image, as an artifact.
    pub(super) fn bill_of_materials(&self) -> (Content, Content, Content) {
        let empty = Content::new(media_types::OCI_EMPTY, b"{}".to_vec());
        let document = Content::json(
            "application/vnd.cyclonedx+json",
            &json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [] }),
        );
        let artifact = Content::json(
            media_types::OCI_MANIFEST,
            &json!({
                "schemaVersion": 2,
                "mediaType": media_types::OCI_MANIFEST,
                "artifactType": "application/vnd.cyclonedx+json",
                "config": empty.descriptor(),
                "layers": [document.descriptor()],
                "subject": self.index.descriptor(),
            }),
        );
        (empty, document, artifact)
    }
}

fn platform(architecture: &str) -> anyhow::Result<Platform> {
    let layer = Content::new(media_types::OCI_LAYER, layer(architecture)?);
    let config = Content::json(
        media_types::OCI_CONFIG,
        &json!({
            "os": "linux",
            "architecture": architecture,
            "config": { "User": "65532", "Cmd": ["/hello"] },
            "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
        }),
    );
    let manifest = Content::json(
        media_types::OCI_MANIFEST,
        &json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_MANIFEST,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        }),
    );
    Ok(Platform { layer, config, manifest })
}

fn layer(architecture: &str) -> anyhow::Result<Vec<u8>> {
    let text = format!("hello from {architecture}\n").repeat(4096);
    let mut header = tar::Header::new_ustar();
    header.set_size(text.len() as u64);
    header.set_mode(0o755);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "hello", text.as_bytes()).context("cannot make a layer")?;
    archive.into_inner().context("cannot make a layer")
}
