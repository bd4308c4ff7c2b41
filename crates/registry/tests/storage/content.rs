//! Content to push: blobs, images, indexes, bodies of requests.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use plura_oci::{Digest, Reference, RepositoryName, media_types};
use plura_registry::{ByteStream, Chunk, Claim, MountFrom, Readable};
use serde_json::{Value, json};

/// An image: the blobs it needs, and the manifest that says so.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) blobs: Vec<Vec<u8>>,
    pub(crate) manifest: Vec<u8>,
}

impl Image {
    pub(crate) fn new(layers: &[&[u8]]) -> Self {
        Self::about(None, layers)
    }

    /// An image, or with a subject a referrer.
    pub(crate) fn about(subject: Option<&[u8]>, layers: &[&[u8]]) -> Self {
        let config = format!("{{\"layers\":{}}}", layers.len()).into_bytes();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_MANIFEST,
            "config": descriptor(media_types::OCI_CONFIG, &config),
            "layers": layers
                .iter()
                .map(|layer| descriptor(media_types::OCI_LAYER, layer))
                .collect::<Vec<_>>(),
        });
        if let Some(subject) = subject {
            manifest["subject"] = descriptor(media_types::OCI_MANIFEST, subject);
        }
        let mut blobs: Vec<Vec<u8>> = layers.iter().map(|layer| layer.to_vec()).collect();
        blobs.push(config);
        Self { blobs, manifest: manifest.to_string().into_bytes() }
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::sha256(&self.manifest)
    }
}

/// An index over manifests.
pub(crate) fn index(children: &[&[u8]]) -> Vec<u8> {
    let children: Vec<Value> =
        children.iter().map(|child| descriptor(media_types::OCI_MANIFEST, child)).collect();
    json!({ "schemaVersion": 2, "mediaType": media_types::OCI_INDEX, "manifests": children })
        .to_string()
        .into_bytes()
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(content), "size": content.len() })
}

/// Numbers that look random and come back with the seed (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("it is below a usize")
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// Bytes that no other seed gives.
pub(crate) fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().expect("a repository name")
}

/// Mounts from one repository, or from any.
pub(crate) fn mount_from(from: Option<RepositoryName>) -> MountFrom {
    from.map_or(MountFrom::Any(Arc::new(Readable::Everything)), MountFrom::Repository)
}

pub(crate) fn reference(text: impl ToString) -> Reference {
    text.to_string().parse().expect("a tag or digest")
}

pub(crate) fn chunk(bytes: &[u8]) -> Chunk {
    Bytes::copy_from_slice(bytes).into()
}

/// A body that ends with an error after `bytes`, of an announced length.
/// A chunk of which nobody says how long it is.
pub(crate) fn unannounced(bytes: &[u8]) -> Chunk {
    Chunk { claim: Claim::default(), ..chunk(bytes) }
}

pub(crate) fn broken_chunk(bytes: &[u8], announced: u64) -> Chunk {
    let frames = [Ok(Bytes::copy_from_slice(bytes)), Err(std::io::Error::other("gone away"))];
    let body: ByteStream = futures_util::stream::iter(frames).boxed();
    Chunk { claim: Claim { range: None, length: Some(announced) }, body }
}

/// The body of a chunk that says where it belongs.
pub(crate) fn chunk_at(start: u64, bytes: &[u8]) -> Chunk {
    let length = bytes.len() as u64;
    let range = Some(plura_oci::ContentRange { start, length });
    Chunk { claim: Claim { range, length: Some(length) }, body: chunk(bytes).body }
}
