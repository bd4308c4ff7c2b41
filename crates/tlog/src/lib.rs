//! A transparency log as C2SP's tlog-tiles describes it: entries are only ever added, their hashes form
//! a Merkle tree (RFC 6962), the tree is kept as tiles, and its head is signed.
//!
//! No I/O, no clock. [`Frontier::append`] takes entries and returns the [`Resource`]s to write;
//! everything that reads takes a [`Source`], which a map is, too: whoever fetches asynchronously asks
//! [`inclusion_resources`] or [`consistency_resources`] first. What is written under a checkpoint is
//! written before the checkpoint.

mod checkpoint;
mod encoding;
mod entry;
mod error;
mod frontier;
mod hash;
mod key;
mod note;
mod path;
mod proof;
mod prove;
mod range;
mod read;
mod tile;
mod verify;

pub use checkpoint::{CHECKPOINT_PATH, Checkpoint, ParseCheckpointError};
pub use entry::{Entry, EntryError, MAX_ENTRY};
pub use error::{Damage, Error};
pub use frontier::{Frontier, Write};
pub use hash::{EMPTY_ROOT, Hash, ParseHashError, leaf_hash, node_hash};
pub use key::{KeyError, KeyName, SigningKey, VerifierKey};
pub use note::{MAX_NOTE, MAX_SIGNATURES, Note, NoteError, NoteSignature};
pub use path::{ParseResourceError, Resource};
pub use proof::{Proof, ProofError, ProvedEntry};
pub use prove::{
    Consistency, Inclusion, consistency, consistency_resources, inclusion, inclusion_resources,
};
pub use read::{Source, SourceError};
pub use tile::{Bundle, TILE_WIDTH, Tile, TileError};
pub use verify::verify_log;

/// The media type of tiles and bundles of entries.
pub const TILE_TYPE: &str = "application/octet-stream";
/// The media type of a checkpoint.
pub const CHECKPOINT_TYPE: &str = "text/plain; charset=utf-8";
