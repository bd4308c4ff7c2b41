use std::fmt;

use crate::{EntryError, Hash, Resource, SourceError, TileError};

/// Why something cannot be read from a log, or added to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A part of the log is not what it should be.
    #[error("{resource} {damage}")]
    Damaged {
        /// Which part.
        resource: Resource,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Where the log is kept did not answer.
    #[error("{resource} cannot be read")]
    Unreadable {
        /// What was asked for.
        resource: Resource,
        /// Why not.
        source: SourceError,
    },
    /// The log is whole, but not the one that was signed.
    #[error("the log has the root {found}; the checkpoint says {expected}")]
    OtherRoot {
        /// The root of what is there.
        found: Hash,
        /// The root that was expected.
        expected: Hash,
    },
    /// The log has not so many entries.
    #[error("a log with {size} entries has none with the number {index}")]
    NoSuchEntry {
        /// What was asked for.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// A log does not shrink.
    #[error("a log with {new} entries does not continue one with {old}")]
    Shrunk {
        /// How many entries there were.
        old: u64,
        /// How many there are.
        new: u64,
    },
    /// What cannot be an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// There are as many entries as can be counted.
    #[error("the log is full")]
    Full,
}

impl Error {
    pub(crate) fn damaged(resource: Resource, damage: Damage) -> Self {
        Self::Damaged { resource, damage }
    }
}

/// What is wrong with a part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is not there.
    Missing,
    /// It is no tile and no bundle of entries.
    Malformed(TileError),
    /// The entry with this number is not the one that was logged.
    OtherEntry(u64),
    /// The hash at this place is not the one that was logged.
    OtherHash(u16),
    /// It is another part of the tree than what is above it was made of.
    OtherPart,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Malformed(error) => error.fmt(f),
            Self::OtherEntry(index) => {
                write!(f, "has another entry with the number {index} than was logged")
            }
            Self::OtherHash(place) => write!(f, "has another hash at {place} than was logged"),
            Self::OtherPart => f.write_str("is not what was logged"),
        }
    }
}
