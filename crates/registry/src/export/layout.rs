//! The files of an OCI image layout (image-spec, "OCI Image Layout").

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use plura_oci::{Digest, Tag, media_types};
use serde_json::{Value, json};

use crate::Error;

/// The annotation that holds a tag.
const REFERENCE: &str = "org.opencontainers.image.ref.name";

/// What is being written, until it has its name.
const PARTIAL: &str = ".plura-export";

/// A layout in a directory.
#[derive(Clone, Debug)]
pub(super) struct Layout(Arc<Path>);

/// A manifest as the index of a layout names it.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) media_type: String,
    pub(super) artifact_type: Option<String>,
    pub(super) tag: Option<Tag>,
}

impl Layout {
    /// The layout at `path`, made if there is none.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let layout = Self(path.into());
        let partial = path.join(PARTIAL);
        fs::create_dir_all(&partial).map_err(failed(&partial))?;
        layout.publish(
            &path.join("oci-layout"),
            &mut br#"{"imageLayoutVersion":"1.0.0"}"#.as_slice(),
        )?;
        Ok(layout)
    }

    /// Whether content is there already. What has its name is complete.
    pub(super) fn has(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.path(digest)).is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// Writes content that is known to be that of the digest.
    pub(super) fn write(&self, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
        if self.has(digest, bytes.len() as u64) {
            return Ok(());
        }
        self.publish(&self.path(digest), &mut &*bytes)
    }

    /// Copies content, and compares it with the digest.
    pub(super) fn copy(&self, digest: &Digest, from: impl Read) -> Result<(), Error> {
        let mut from = Hashed { from, hasher: Some(digest.algorithm().hasher()), digest: *digest };
        self.publish(&self.path(digest), &mut from)
    }

    /// Writes the index: what it named before stays, unless a tag names something else now.
    pub(super) fn finish(self, entries: Vec<Described>) -> Result<(), Error> {
        let path = self.0.join("index.json");
        let mut manifests: Vec<Value> = match fs::read(&path) {
            Ok(bytes) => {
                let index: Value = serde_json::from_slice(&bytes)
                    .map_err(|error| failed(&path)(io::Error::other(error)))?;
                index["manifests"].as_array().cloned().unwrap_or_default()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(&path)(error)),
        };
        for entry in entries {
            let new = entry.json();
            manifests.retain(|old| !entry.replaces(old));
            manifests.push(new);
        }
        let index = json!({
            "schemaVersion": 2, "mediaType": media_types::OCI_INDEX, "manifests": manifests,
        });
        self.publish(&path, &mut index.to_string().as_bytes())?;
        let partial = self.0.join(PARTIAL);
        match fs::remove_dir(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&partial)(error)),
            _ => Ok(()),
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.0.join("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    /// Writes a file that appears under its name when all of it is on the disk.
    fn publish(&self, target: &Path, from: &mut dyn Read) -> Result<(), Error> {
        let name = target.file_name().unwrap_or_default();
        let partial = self.0.join(PARTIAL).join(name);
        let mut write = || {
            let mut file = File::create(&partial)?;
            let mut buffer = vec![0; 1 << 20];
            loop {
                match from.read(&mut buffer)? {
                    0 => break,
                    read => file.write_all(&buffer[..read])?,
                }
            }
            file.sync_all()?;
            let Some(parent) = target.parent() else { return Ok(()) };
            fs::create_dir_all(parent)?;
            fs::rename(&partial, target)?;
            File::open(parent)?.sync_all()
        };
        write().map_err(failed(target))
    }
}

/// What is read to its end only if it has the content of a digest.
struct Hashed<R> {
    from: R,
    hasher: Option<plura_oci::Hasher>,
    digest: Digest,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        if let (1.., Some(hasher)) = (read, &mut self.hasher) {
            hasher.update(&buffer[..read]);
        } else if let Some(hasher) = self.hasher.take()
            && hasher.finish() != self.digest
        {
            let what = format!("the store has other bytes than those of {}", self.digest);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(read)
    }
}

impl Described {
    fn json(&self) -> Value {
        let mut json = json!({
            "mediaType": self.media_type, "digest": self.digest, "size": self.size,
        });
        if let Some(artifact_type) = &self.artifact_type {
            json["artifactType"] = artifact_type.as_str().into();
        }
        if let Some(tag) = &self.tag {
            json["annotations"] = json!({ REFERENCE: tag });
        }
        json
    }

    /// Whether this entry stands for an older one: that of the same tag, or, without one, of the same
    /// content.
    fn replaces(&self, old: &Value) -> bool {
        let old_tag = old["annotations"][REFERENCE].as_str();
        match &self.tag {
            Some(tag) => old_tag == Some(tag.as_str()),
            None => old_tag.is_none() && old["digest"] == self.digest.to_string(),
        }
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Directory { path, source }
}
