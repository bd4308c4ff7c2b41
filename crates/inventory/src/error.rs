use std::{fmt, io};

use crate::Limit;

/// Why a layer could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The layer holds more than is read of any layer.
    #[error("the layer has more than {most} {limit}, {place}")]
    LimitExceeded {
        /// What there is too much of.
        limit: Limit,
        /// How much is allowed.
        most: u64,
        /// Where it was exceeded.
        place: Place,
    },
    /// The bytes are not a layer: no client could unpack it either.
    #[error("the layer is damaged: {what}, {place}")]
    Damaged {
        /// What was found or missed.
        what: &'static str,
        /// Where.
        place: Place,
    },
    /// The source of the bytes failed; the layer may be good.
    #[error("the layer could not be read")]
    Read(#[source] io::Error),
}

/// Where in a layer something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Offset in the uncompressed archive.
    pub offset: u64,
    /// Number of the entry, from one; zero in front of the first.
    pub entry: u64,
    /// The entry's path as far as it was known, shortened.
    pub path: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {} of the uncompressed archive, entry {}", self.offset, self.entry)?;
        if !self.path.is_empty() {
            write!(f, " (`{}`)", self.path.escape_debug())?;
        }
        Ok(())
    }
}

impl Place {
    /// A path for people: long ones lose their beginning.
    pub(crate) fn shortened(path: &str) -> String {
        const MOST: usize = 160;
        let skip = path.chars().count().saturating_sub(MOST);
        path.chars().skip(skip).collect()
    }
}
