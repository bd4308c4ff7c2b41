use std::{fmt, str::FromStr};

use sha2::{
    Digest as _, Sha256, Sha512,
    digest::common::hazmat::{SerializableState, SerializedState},
};

use crate::{Digest, ParseDigestError};

/// A digest algorithm that plura computes and verifies (image-spec, "Registered algorithms").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// The algorithm of practically every image.
    #[default]
    Sha256,
    /// Registered, optional in the specification, complete here.
    Sha512,
}

impl Algorithm {
    /// The name in front of the colon of a digest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the hash in bytes.
    pub const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Starts a hash of this algorithm.
    pub fn hasher(self) -> Hasher {
        match self {
            Self::Sha256 => Hasher::Sha256(Sha256::new()),
            Self::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            other => Err(ParseDigestError::UnsupportedAlgorithm(other.chars().take(32).collect())),
        }
    }
}

/// A running hash, which can be saved between two requests of one upload and continued elsewhere.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

impl Hasher {
    /// The algorithm being computed.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Feeds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(bytes),
            Self::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of everything fed so far.
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(state) => Digest::from_hash(Algorithm::Sha256, &state.finalize()),
            Self::Sha512(state) => Digest::from_hash(Algorithm::Sha512, &state.finalize()),
        }
    }

    /// The state as bytes that [`SavedHash::restore`] understands.
    pub fn save(&self) -> SavedHash {
        let mut bytes = vec![SavedHash::FORMAT];
        match self {
            Self::Sha256(state) => {
                bytes.push(0);
                bytes.extend_from_slice(&state.serialize());
            }
            Self::Sha512(state) => {
                bytes.push(1);
                bytes.extend_from_slice(&state.serialize());
            }
        }
        SavedHash(bytes)
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.algorithm())
    }
}

/// A hash state at rest: a format number, the algorithm, and the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedHash(pub Vec<u8>);

impl SavedHash {
    /// The layout of the state is the hash library's own and may change with it; this number then
    /// changes too, and older uploads are answered as unknown, which clients start again.
    const FORMAT: u8 = 1;

    /// The running hash, or `None` if the bytes were written by an incompatible version.
    pub fn restore(&self) -> Option<Hasher> {
        let (&format, rest) = self.0.split_first()?;
        let (&algorithm, state) = rest.split_first()?;
        match (format, algorithm) {
            (Self::FORMAT, 0) => {
                let state = SerializedState::<Sha256>::try_from(state).ok()?;
                Sha256::deserialize(&state).ok().map(Hasher::Sha256)
            }
            (Self::FORMAT, 1) => {
                let state = SerializedState::<Sha512>::try_from(state).ok()?;
                Sha512::deserialize(&state).ok().map(Hasher::Sha512)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_hash_continues_where_it_stopped() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for cut in [0, 1, 63, 64, 65, 127, 128, 200] {
                let bytes: Vec<u8> = (0..200).collect();
                let mut hasher = algorithm.hasher();
                hasher.update(&bytes[..cut]);
                let mut hasher = hasher.save().restore().unwrap();
                hasher.update(&bytes[cut..]);
                assert_eq!(hasher.finish(), Digest::of(algorithm, &bytes));
            }
        }
    }

    #[test]
    fn a_foreign_hash_state_is_refused() {
        let saved = Algorithm::Sha256.hasher().save();
        assert!(SavedHash(Vec::new()).restore().is_none());
        assert!(SavedHash(saved.0[..10].to_vec()).restore().is_none());
        let mut other = saved.0;
        other[0] = 99;
        assert!(SavedHash(other).restore().is_none());
    }
}
