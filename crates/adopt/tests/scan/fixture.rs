//! Trees as registry:2 and zot write them, file by file.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use plura_oci::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The tree of a registry:2.
pub(crate) struct Distribution {
    pub(crate) directory: Root,
}

/// The directory of a tree.
pub(crate) struct Root {
    path: PathBuf,
    /// Goes away with the tree, where that is alone in it.
    _own: Option<TempDir>,
}

impl Root {
    fn new() -> Self {
        let own = tempfile::tempdir().unwrap();
        Self { path: own.path().to_owned(), _own: Some(own) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// An image that was pushed.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) config: Digest,
    pub(crate) layer: Digest,
    pub(crate) manifest: Digest,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn descriptor(media_type: &str, digest: &Digest, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// Bytes of an image that differ by their name.
pub(crate) fn image(name: &str) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let config = json!({ "architecture": "amd64", "os": "linux", "author": name }).to_string();
    let (config, layer) = (config.into_bytes(), format!("layer of {name}").into_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &Digest::sha256(&config), config.len()),
        "layers": [descriptor(LAYER, &Digest::sha256(&layer), layer.len())],
    });
    (config, layer, manifest.to_string().into_bytes())
}

impl Distribution {
    pub(crate) fn new() -> Self {
        Self::at(Root::new())
    }

    /// In a directory that stays.
    pub(crate) fn below(path: PathBuf) -> Self {
        Self::at(Root { path, _own: None })
    }

    fn at(directory: Root) -> Self {
        let tree = Self { directory };
        for name in ["blobs", "repositories"] {
            fs::create_dir_all(tree.v2().join(name)).unwrap();
        }
        tree
    }

    pub(crate) fn v2(&self) -> PathBuf {
        self.directory.path().join("docker/registry/v2")
    }

    pub(crate) fn data(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.v2().join(format!("blobs/{}/{}/{hex}/data", digest.algorithm(), &hex[..2]))
    }

    pub(crate) fn layer_link(&self, repository: &str, digest: &Digest) -> PathBuf {
        let (algorithm, hex) = (digest.algorithm(), digest.hex());
        self.v2().join(format!("repositories/{repository}/_layers/{algorithm}/{hex}/link"))
    }

    pub(crate) fn revision(&self, repository: &str, digest: &Digest) -> PathBuf {
        let below = format!("_manifests/revisions/{}/{}/link", digest.algorithm(), digest.hex());
        self.v2().join(format!("repositories/{repository}/{below}"))
    }

    pub(crate) fn tag_directory(&self, repository: &str, tag: &str) -> PathBuf {
        self.v2().join(format!("repositories/{repository}/_manifests/tags/{tag}"))
    }

    pub(crate) fn tag_link(&self, repository: &str, tag: &str) -> PathBuf {
        self.tag_directory(repository, tag).join("current/link")
    }

    pub(crate) fn history(&self, repository: &str, tag: &str, digest: &Digest) -> PathBuf {
        let below = format!("index/{}/{}/link", digest.algorithm(), digest.hex());
        self.tag_directory(repository, tag).join(below)
    }

    pub(crate) fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        write(&self.data(&digest), bytes);
        digest
    }

    /// A blob that a repository links.
    pub(crate) fn layer(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = self.blob(bytes);
        write(&self.layer_link(repository, &digest), digest.to_string().as_bytes());
        digest
    }

    /// A manifest that a repository links.
    pub(crate) fn manifest(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = self.blob(bytes);
        write(&self.revision(repository, &digest), digest.to_string().as_bytes());
        digest
    }

    pub(crate) fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        for link in [self.history(repository, tag, digest), self.tag_link(repository, tag)] {
            write(&link, digest.to_string().as_bytes());
        }
    }

    /// An image under a tag.
    pub(crate) fn push(&self, repository: &str, tag: &str, name: &str) -> Image {
        let (config, layer, bytes) = image(name);
        let (config, layer) = (self.layer(repository, &config), self.layer(repository, &layer));
        let manifest = self.manifest(repository, &bytes);
        self.tag(repository, tag, &manifest);
        Image { config, layer, manifest, bytes }
    }
}

/// A tree of OCI layouts.
pub(crate) struct Layouts {
    pub(crate) directory: Root,
}

impl Layouts {
    pub(crate) fn new() -> Self {
        Self { directory: Root::new() }
    }

    /// In a directory that stays.
    pub(crate) fn below(path: PathBuf) -> Self {
        Self { directory: Root { path, _own: None } }
    }

    pub(crate) fn file(&self, repository: &str, digest: &Digest) -> PathBuf {
        let blobs = self.directory.path().join(repository).join("blobs");
        blobs.join(digest.algorithm().name()).join(digest.hex())
    }

    pub(crate) fn blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        write(&self.file(repository, &digest), bytes);
        digest
    }

    pub(crate) fn push(&self, repository: &str, name: &str) -> Image {
        let (config, layer, bytes) = image(name);
        let (config, layer) = (self.blob(repository, &config), self.blob(repository, &layer));
        let manifest = self.blob(repository, &bytes);
        Image { config, layer, manifest, bytes }
    }

    /// The index of a layout: digests with their reference names.
    pub(crate) fn index(&self, repository: &str, entries: &[(&Digest, Option<&str>)]) {
        let entries = entries.iter().map(|(digest, name)| {
            let mut entry = descriptor(MANIFEST, digest, 1);
            if let Some(name) = name {
                entry["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
            }
            entry
        });
        let index = json!({ "schemaVersion": 2, "manifests": entries.collect::<Vec<_>>() });
        let directory = self.directory.path().join(repository);
        write(&directory.join("index.json"), index.to_string().as_bytes());
        write(&directory.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#);
    }
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Lets a file have been written this long ago.
pub(crate) fn age(path: &Path, ago: Duration) {
    let at = SystemTime::now() - ago;
    fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}
