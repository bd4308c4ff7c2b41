//! plura's own tokens: the keys that sign them, and what a token says.
//!
//! Each process signs with a key of its own, whose private half never leaves it: it is a file of one
//! directory, or in memory alone. The public halves are published in the database, by which every
//! process verifies what any of them signed; see [`crate::Access`] for when a key is published, replaced
//! and taken back.

mod claims;
mod files;
mod key;
mod own;

use std::path::{Path, PathBuf};

use jsonwebtoken::{Algorithm, Validation};
use serde::de::DeserializeOwned;

pub(crate) use key::{Key, KeyId, PublicKey};
pub(crate) use own::OwnKey;

pub use claims::{AccessEntry, Expected, InvalidToken, TokenClaims};

use crate::random::NoRandomness;

/// Longest token that is looked at.
pub const LONGEST_TOKEN: usize = 8 * 1024;

/// The keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Others than the owner may read or write it.
    #[error(
        "{} may be accessed by others than its owner (mode {mode:04o})\n\
         hint: chmod {wanted:o} {0}; if others may have read it, delete it, and a new key is made", path.display()
    )]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// The file does not hold the key that its name says.
    #[error(
        "{} is not the Ed25519 key that its name says\n\
         hint: restore it from a backup, or delete it, and a new key is made", .0.display()
    )]
    Damaged(PathBuf),
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No key could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A token could not be signed with the key.
    #[error("cannot sign a token: {0}")]
    Signing(jsonwebtoken::errors::Error),
}

/// The key that a token names. Nothing else of its header is used: a key or an address in it is the
/// sender's.
pub(crate) fn named_key(token: &str) -> Result<KeyId, InvalidToken> {
    if token.len() > LONGEST_TOKEN {
        return Err(InvalidToken::TooLong);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| InvalidToken::Malformed)?;
    if header.alg != Algorithm::EdDSA || header.crit.is_some() {
        return Err(InvalidToken::Algorithm);
    }
    header.kid.as_deref().and_then(KeyId::parse).ok_or(InvalidToken::UnknownKey)
}

/// What was signed, if it was with this key, which is the one that [`named_key`] told. Whether it is of
/// the expected kind, and still good, is for the caller to say.
pub(crate) fn open<T: DeserializeOwned + Clone>(
    token: &str,
    key: &PublicKey,
) -> Result<T, InvalidToken> {
    let token = jsonwebtoken::decode::<T>(token, &key.verifying, &signature_alone());
    Ok(token.map_err(|error| InvalidToken::from_signature(&error))?.claims)
}

/// The signature only: the library compares with the system's clock and knows leeway and lists of
/// audiences; ours are compared by `TokenClaims::check`.
fn signature_alone() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

impl KeyError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests;
