use std::io;

/// Why a tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One object of the tree cannot be read; the others can.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which, below the root.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// One object is larger than it may be.
    #[error("{path} has more than {limit} bytes")]
    TooLarge {
        /// Which, below the root.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// The root itself cannot be read.
    #[error(transparent)]
    Root(#[from] plura_blob::Error),
    /// There is no such tree.
    #[error("{location} is no {expected}")]
    NoTree {
        /// Where.
        location: String,
        /// What was expected there.
        expected: &'static str,
    },
}

impl Error {
    /// Why one object could not be read; what concerns the tree as a whole comes back.
    pub(crate) fn of_object(self) -> Result<(String, String), Self> {
        match self {
            Self::Unreadable { path, source } if source.kind() == io::ErrorKind::CrossesDevices => {
                Ok((path, "a symbolic link leads out of the tree; it was not followed".into()))
            }
            Self::Unreadable { path, source } => Ok((path, source.to_string())),
            Self::TooLarge { path, limit } => Ok((path, format!("it has more than {limit} bytes"))),
            Self::Root(_) | Self::NoTree { .. } => Err(self),
        }
    }
}
