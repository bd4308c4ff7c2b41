//! Content to push: blobs, image manifests, artifacts, indexes. All of it unique per [`Random`].
//!
//! Layers are opaque bytes: a registry does not look inside them.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{Algorithm, Random};

/// The media types tests name.
pub mod media_type {
    /// An OCI image manifest.
    pub const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// A Docker image manifest, schema 2.
    pub const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image manifest, schema 1, signed: no longer accepted anywhere.
    pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    /// The configuration of an OCI image.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A compressed layer.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// A layer that may not be pushed to other registries.
    pub const FOREIGN_LAYER: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    /// The descriptor of `{}`, where an artifact has no configuration.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// Anything.
    pub const BYTES: &str = "application/octet-stream";
}

/// Bytes with a media type.
#[derive(Debug, Clone)]
pub struct Blob {
    /// What a descriptor calls it.
    pub media_type: &'static str,
    /// The content.
    pub bytes: Bytes,
}

impl Blob {
    /// A layer of that many random bytes.
    pub fn random(random: &mut Random, size: usize) -> Self {
        Self { media_type: media_type::LAYER, bytes: random.bytes(size).into() }
    }

    /// An image configuration nobody else has.
    pub fn config(random: &mut Random) -> Self {
        let config = json!({"architecture": "amd64", "os": "linux", "created_by": random.hex(32)});
        Self { media_type: media_type::CONFIG, bytes: config.to_string().into() }
    }

    /// `{}`, the configuration of artifacts.
    pub const fn empty_json() -> Self {
        Self { media_type: media_type::EMPTY, bytes: Bytes::from_static(b"{}") }
    }

    /// The SHA-256 digest.
    pub fn digest(&self) -> String {
        Algorithm::Sha256.digest(&self.bytes)
    }

    /// A descriptor of it.
    pub fn descriptor(&self, algorithm: Algorithm) -> Value {
        descriptor(self.media_type, &self.bytes, algorithm)
    }
}

/// A manifest of any kind: its media type and its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it is pushed as.
    pub media_type: String,
    /// The content.
    pub bytes: Bytes,
}

impl Manifest {
    /// A manifest with this content. It is written unlike any program writes it, so that a
    /// registry which parses and prints it again is found out.
    pub fn of(media_type: &str, json: &Value) -> Self {
        let text = serde_json::to_string_pretty(json).expect("JSON can be printed");
        let bytes = text.replace("\": ", "\" :\t").into();
        Self { media_type: media_type.to_owned(), bytes }
    }

    /// An OCI index of these descriptors.
    pub fn index(children: &[Value]) -> Self {
        let json =
            json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": children});
        Self::of(media_type::INDEX, &json)
    }

    /// The same with one field set; `null` removes it.
    #[must_use]
    pub fn with(&self, field: &str, value: Value) -> Self {
        let mut json = self.json();
        let fields = json.as_object_mut().expect("a manifest is an object");
        match value {
            Value::Null => fields.remove(field),
            value => fields.insert(field.to_owned(), value),
        };
        Self::of(&self.media_type, &json)
    }

    /// The content as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("a manifest is JSON")
    }

    /// The SHA-256 digest.
    pub fn digest(&self) -> String {
        self.digest_by(Algorithm::Sha256)
    }

    /// The digest by any algorithm.
    pub fn digest_by(&self, algorithm: Algorithm) -> String {
        algorithm.digest(&self.bytes)
    }

    /// A descriptor by SHA-256.
    pub fn descriptor(&self) -> Value {
        self.descriptor_by(Algorithm::Sha256)
    }

    /// A descriptor by any algorithm.
    pub fn descriptor_by(&self, algorithm: Algorithm) -> Value {
        descriptor(&self.media_type, &self.bytes, algorithm)
    }
}

/// A manifest together with the blobs it needs.
#[derive(Debug, Clone)]
pub struct Image {
    /// The configuration and the layers, in that order.
    pub blobs: Vec<Blob>,
    /// The manifest naming them.
    pub manifest: Manifest,
}

impl Image {
    /// An OCI image with a configuration and two layers.
    pub fn random(random: &mut Random) -> Self {
        Self::by(Algorithm::Sha256, random)
    }

    /// [`Self::random`], its parts named by digests of this algorithm.
    pub fn by(algorithm: Algorithm, random: &mut Random) -> Self {
        let layers = [Blob::random(random, 600), Blob::random(random, 300)];
        Self::of(algorithm, media_type::IMAGE, Blob::config(random), &layers)
    }

    /// A Docker schema 2 image.
    pub fn docker(random: &mut Random) -> Self {
        let config = Blob {
            media_type: "application/vnd.docker.container.image.v1+json",
            ..Blob::config(random)
        };
        let layer = Blob {
            media_type: "application/vnd.docker.image.rootfs.diff.tar.gzip",
            ..Blob::random(random, 500)
        };
        Self::of(Algorithm::Sha256, media_type::DOCKER_IMAGE, config, &[layer])
    }

    /// An artifact: an artifact type, no configuration, one blob of anything.
    pub fn artifact(random: &mut Random, artifact_type: &str) -> Self {
        let layer = Blob { media_type: media_type::BYTES, ..Blob::random(random, 100) };
        Self::of(Algorithm::Sha256, media_type::IMAGE, Blob::empty_json(), &[layer])
            .with("artifactType", json!(artifact_type))
    }

    /// An image whose manifest has about this many bytes, most of them annotations.
    pub fn large(random: &mut Random, size: usize) -> Self {
        let image = Self::random(random);
        let missing = size.saturating_sub(image.manifest.bytes.len());
        let annotations: serde_json::Map<String, Value> = (0..missing.div_ceil(10_000))
            .map(|place| {
                let length = 10_000.min(missing - place * 10_000);
                (format!("large.{place:04}"), json!(random.hex(length.saturating_sub(30))))
            })
            .collect();
        image.with("annotations", annotations.into())
    }

    fn of(algorithm: Algorithm, media_type: &str, config: Blob, layers: &[Blob]) -> Self {
        let layer_list: Vec<Value> =
            layers.iter().map(|layer| layer.descriptor(algorithm)).collect();
        let json = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": config.descriptor(algorithm),
            "layers": layer_list,
        });
        let manifest = Manifest::of(media_type, &json);
        let mut blobs = vec![config];
        blobs.extend_from_slice(layers);
        Self { blobs, manifest }
    }

    /// The same with one field of the manifest set; `null` removes it.
    #[must_use]
    pub fn with(self, field: &str, value: Value) -> Self {
        Self { manifest: self.manifest.with(field, value), ..self }
    }

    /// The same, about `subject`.
    #[must_use]
    pub fn about(self, subject: &Manifest) -> Self {
        self.with("subject", subject.descriptor())
    }

    /// The SHA-256 digest of the manifest.
    pub fn digest(&self) -> String {
        self.manifest.digest()
    }
}

fn descriptor(media_type: &str, bytes: &[u8], algorithm: Algorithm) -> Value {
    json!({"mediaType": media_type, "digest": algorithm.digest(bytes), "size": bytes.len()})
}
