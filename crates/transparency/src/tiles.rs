//! Tiles, bundles of entries and the checkpoint, as they are kept: records named as the specification
//! names them.

use std::collections::BTreeMap;

use plura_blob::{RecordName, Records};
use plura_tlog::{Bundle, CHECKPOINT_PATH, Hash, Resource, Source, SourceError, TILE_WIDTH, Write};
use tokio::runtime::Handle;

use crate::{Error, Transparency};

/// Where tiles are. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Tiles(Records);

/// What was read ahead for whoever cannot wait.
pub(crate) type Found = BTreeMap<Resource, Vec<u8>>;

impl Tiles {
    pub(crate) fn new(records: Records) -> Self {
        Self(records)
    }

    pub(crate) async fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.read(&name(&resource.to_string())?, largest(resource)).await?)
    }

    /// The resources, or what has grown out of them.
    pub(crate) async fn read_all(
        &self,
        resources: impl IntoIterator<Item = Resource>,
    ) -> Result<Found, Error> {
        let mut found = BTreeMap::new();
        for resource in resources {
            if let Some(bytes) = self.read(&resource).await? {
                found.insert(resource, bytes);
            } else if let Some(bytes) = self.read(&resource.full()).await? {
                found.insert(resource.full(), bytes);
            }
        }
        Ok(found)
    }

    /// Writes what is to be there before a checkpoint is, and removes what has grown out of itself.
    pub(crate) async fn write(&self, writes: Vec<Write>) -> Result<(), Error> {
        let full: Vec<_> =
            writes.iter().map(|write| write.resource).filter(|of| !of.is_partial()).collect();
        for Write { resource, bytes } in writes {
            self.0.write(&name(&resource.to_string())?, bytes).await?;
        }
        for resource in full {
            self.0.delete_below(&name(&format!("{resource}.p"))?).await?;
        }
        Ok(())
    }

    pub(crate) async fn read_checkpoint(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.read(&name(CHECKPOINT_PATH)?, plura_tlog::MAX_NOTE as u64).await?)
    }

    pub(crate) async fn write_checkpoint(&self, checkpoint: &str) -> Result<(), Error> {
        Ok(self.0.write(&name(CHECKPOINT_PATH)?, checkpoint.as_bytes().to_vec()).await?)
    }

    /// The tiles for whoever reads them on a thread that may block, of the runtime that this is called on.
    pub(crate) fn blocking(&self) -> impl Source + Send + use<> {
        Blocking { tiles: self.clone(), runtime: Handle::current() }
    }
}

impl Transparency {
    /// A tile or a bundle of entries, as far as it is signed; nothing if there is none. Where a partial one
    /// grew, it is cut out of the whole.
    pub async fn resource(&self, resource: Resource) -> Result<Option<Vec<u8>>, Error> {
        let Some(head) = self.head().await? else { return Ok(None) };
        if !resource.is_within(head.size) {
            return Ok(None);
        }
        if let Some(bytes) = self.shared.tiles.read(&resource).await? {
            return Ok(Some(bytes));
        }
        let full = resource.full();
        if !resource.is_partial() || !full.is_within(head.size) {
            return Err(damaged(resource, plura_tlog::Damage::Missing));
        }
        let bytes = self.shared.tiles.read(&full).await?;
        let bytes = bytes.ok_or_else(|| damaged(full, plura_tlog::Damage::Missing))?;
        cut(&resource, bytes).map(Some)
    }
}

/// The beginning of a full tile or bundle.
fn cut(resource: &Resource, mut bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    let width = usize::from(resource.width());
    let length = match resource {
        Resource::Hashes { .. } => width * Hash::LENGTH,
        Resource::Entries { .. } => {
            let malformed = |error| damaged(resource.full(), plura_tlog::Damage::Malformed(error));
            let bundle = Bundle::from_bytes(&bytes).map_err(malformed)?;
            bundle.entries().iter().take(width).map(|entry| entry.len() + 2).sum()
        }
    };
    bytes.truncate(length);
    Ok(bytes)
}

fn damaged(resource: Resource, damage: plura_tlog::Damage) -> Error {
    plura_tlog::Error::Damaged { resource, damage }.into()
}

struct Blocking {
    tiles: Tiles,
    runtime: Handle,
}

impl Source for Blocking {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, SourceError> {
        self.runtime.block_on(self.tiles.read(resource)).map_err(Into::into)
    }
}

/// The most bytes that a resource can have: what is kept may be anything.
fn largest(resource: &Resource) -> u64 {
    let bytes = match resource {
        Resource::Hashes { .. } => usize::from(TILE_WIDTH) * Hash::LENGTH,
        Resource::Entries { .. } => Bundle::MAX_SIZE,
    };
    bytes as u64
}

fn name(text: &str) -> Result<RecordName, Error> {
    // Paths of the specification are names of records.
    text.parse().map_err(|error: plura_blob::ParseRecordNameError| Error::Head(error.to_string()))
}
