use serde::{Deserialize, Serialize};

use crate::{
    Bundle, Checkpoint, Damage, Entry, EntryError, Error, Hash, Inclusion, KeyName, Note,
    ParseCheckpointError, Resource, Source, TILE_WIDTH, VerifierKey, inclusion,
    inclusion_resources, read::fetch,
};

/// The most bytes of a proof as JSON, however it is indented.
const MAX_SIZE: usize = 1024 * 1024;

/// All that is needed to show, without the log, that it has an entry: the entry, the way to the root,
/// and the checkpoint that signs the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The entry.
    pub entry: Entry,
    /// Its number, from zero.
    pub index: u64,
    /// The nodes beside the way to the root.
    pub path: Vec<Hash>,
    /// The checkpoint, signed.
    pub checkpoint: String,
}

/// What a proof shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedEntry<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// Its number, from zero.
    pub index: u64,
    /// The head of the log that has it.
    pub checkpoint: Checkpoint,
    /// The keys that signed the head.
    pub signers: Vec<KeyName>,
}

/// Why a proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It cannot be read.
    #[error("the proof cannot be read: {0}")]
    Malformed(String),
    /// Its checkpoint is not believed.
    #[error(transparent)]
    Checkpoint(#[from] ParseCheckpointError),
    /// The way does not lead from the entry to the root.
    #[error("the proof does not lead from the entry to the root that the log signed")]
    OtherRoot,
    /// It cannot be made.
    #[error(transparent)]
    Log(#[from] Error),
    /// What is in the log is not a record.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl Proof {
    /// The proof of an entry of the log whose checkpoint this is. The log's own tiles are not believed:
    /// a proof that would prove nothing is an error.
    pub fn new(source: &dyn Source, index: u64, checkpoint: &str) -> Result<Self, ProofError> {
        let note = Note::from_bytes(checkpoint.as_bytes()).map_err(ParseCheckpointError::from)?;
        let head = Checkpoint::from_text(note.text())?;
        let proof = inclusion(source, index, head.size())?;
        let entry = read_entry(source, index, head.size())?;
        if !proof.verify(&entry.hash(), head.root()) {
            return Err(ProofError::OtherRoot);
        }
        Ok(Self { entry, index, path: proof.path, checkpoint: checkpoint.to_owned() })
    }

    /// What [`Proof::new`] reads.
    pub fn resources(index: u64, size: u64) -> impl Iterator<Item = Resource> {
        let entries = Resource::entries(index / u64::from(TILE_WIDTH), size);
        inclusion_resources(index, size).into_iter().chain(entries)
    }

    /// Reads a proof.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > MAX_SIZE {
            return Err(ProofError::Malformed(format!("it has more than {MAX_SIZE} bytes")));
        }
        serde_json::from_slice(bytes).map_err(|error| {
            // The parser repeats what it does not expect, however long that is.
            ProofError::Malformed(error.to_string().chars().take(200).collect())
        })
    }

    /// What is proved, if it is: one of the keys signed a head of that log that has the entry.
    pub fn verify(
        &self,
        origin: &str,
        keys: &[VerifierKey],
    ) -> Result<ProvedEntry<'_>, ProofError> {
        let (checkpoint, signers) = Checkpoint::open(self.checkpoint.as_bytes(), origin, keys)?;
        let inclusion =
            Inclusion { index: self.index, size: checkpoint.size(), path: self.path.clone() };
        if !inclusion.verify(&self.entry.hash(), checkpoint.root()) {
            return Err(ProofError::OtherRoot);
        }
        let signers = signers.into_iter().map(|key| key.name().clone()).collect();
        Ok(ProvedEntry { entry: &self.entry, index: self.index, checkpoint, signers })
    }
}

fn read_entry(source: &dyn Source, index: u64, size: u64) -> Result<Entry, ProofError> {
    let none = Error::NoSuchEntry { index, size };
    let Some(resource) = Resource::entries(index / u64::from(TILE_WIDTH), size) else {
        return Err(none.into());
    };
    let read = fetch(source, &resource)?;
    let bundle = Bundle::from_bytes(&read.bytes)
        .map_err(|error| Error::damaged(resource, Damage::Malformed(error)))?;
    #[expect(clippy::cast_possible_truncation, reason = "a place within a bundle is below 256")]
    let place = (index % u64::from(TILE_WIDTH)) as usize;
    let entry = bundle.entries().get(place).ok_or(none)?;
    Ok(Entry::from_bytes(entry)?)
}
