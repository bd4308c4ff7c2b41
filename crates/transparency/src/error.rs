use std::{io, path::PathBuf};

use plura_tlog::{KeyError, NoteError, ProofError};

/// Why the log cannot be read or continued.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are not so many entries.
    #[error("there is no entry {index}; the log has {size}")]
    NoSuchEntry {
        /// What was asked for.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// The entries in the database are not those that were signed: nothing more is signed.
    #[error(
        "the entries in the database do not lead to the root that was signed at {0} entries; \
         `plura check` says which differ"
    )]
    Tampered(u64),
    /// An entry is missing.
    #[error("the database has no entry {0}, but later ones")]
    Gap(u64),
    /// What the database has of the head cannot be read.
    #[error("the head of the log cannot be read: {0}")]
    Head(String),
    /// The key file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    KeyFile {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The key can be read by others.
    #[error("{} can be read by others; expected the mode 0600", .0.display())]
    KeyExposed(PathBuf),
    /// The key is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Nothing can be signed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A proof cannot be made.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The tree cannot be read or continued.
    #[error(transparent)]
    Log(#[from] plura_tlog::Error),
    /// Tiles could not be read or written.
    #[error(transparent)]
    Tiles(#[from] plura_blob::Error),
    /// Metadata could not be read or changed.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
    /// The process is shutting down.
    #[error("the server is stopping")]
    Stopped,
}

impl plura_meta::Failure for Error {
    fn of_database(&self) -> Option<&plura_meta::Error> {
        match self {
            Self::Metadata(error) => Some(error),
            _ => None,
        }
    }
}
