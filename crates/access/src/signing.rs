//! plura's own tokens: the keys that sign them, their rotation, and what a token says.
//!
//! The keys are files of one directory. Each process that has it open signs with the newest key and
//! accepts all of them; a key that another process made is found when a token names it.

mod claims;
mod files;
mod key;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jsonwebtoken::{Algorithm, Header, Validation};
use plura_meta::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use key::{Key, KeyId, Keys};

pub use claims::{AccessEntry, Expected, InvalidToken, TokenClaims};

use crate::random::NoRandomness;

/// Longest token that is looked at.
pub const LONGEST_TOKEN: usize = 8 * 1024;

/// The directory is read again for a key that is not known, at most once in this time.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// The keys of a directory, and which of them are in use.
///
/// What reads or writes the directory blocks for a moment: `open`, `rotate`, `rotate_now` and
/// `refresh`. So does `verify`, once in five seconds at most, when a token names an unknown key.
pub struct TokenKeys {
    directory: PathBuf,
    rotation: Duration,
    overlap: Duration,
    keys: ArcSwap<Keys>,
    /// When the directory was last read; held while it is read or written.
    read_at: Mutex<Timestamp>,
}

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
         hint: restore it from a backup, or delete it; tokens that it signed are then refused", .0.display()
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

impl TokenKeys {
    /// Opens the keys in `directory`, which is made if it is not there, and makes a key if there is
    /// none or the newest is older than `rotation`. A key that was replaced is accepted for `overlap`
    /// more, which should be longer than a token lives.
    pub fn open(
        directory: impl Into<PathBuf>,
        rotation: Duration,
        overlap: Duration,
        now: Timestamp,
    ) -> Result<Self, KeyError> {
        let directory = directory.into();
        files::make_private(&directory)?;
        let keys = Keys::new(files::read_all(&directory)?);
        let read_at = Mutex::new(now);
        let opened =
            Self { directory, rotation, overlap, keys: ArcSwap::from_pointee(keys), read_at };
        opened.rotate(now)?;
        Ok(opened)
    }

    /// The id of the key that signs. `None` only if every key was deleted since.
    pub fn current(&self) -> Option<String> {
        self.keys.load().newest().map(|key| key.id.to_string())
    }

    /// Makes a new key if the newest is older than the rotation, and removes those that were replaced
    /// longer ago than the overlap. Whether a key was made.
    pub fn rotate(&self, now: Timestamp) -> Result<bool, KeyError> {
        let mut read_at = self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(&mut read_at, now)?;
        let due = |key: &Key| key.made.after(self.rotation) <= now;
        let due = self.keys.load().newest().is_none_or(due);
        if due {
            self.make(now)?;
        }
        self.remove_expired(now)?;
        Ok(due)
    }

    /// Makes a new key now, for when the present one may have leaked. Tokens that the others signed
    /// are accepted for the overlap; to refuse them at once, delete the files and `refresh`.
    pub fn rotate_now(&self, now: Timestamp) -> Result<(), KeyError> {
        let mut read_at = self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(&mut read_at, now)?;
        self.make(now)?;
        self.remove_expired(now)
    }

    /// Reads the directory again. If that fails, what was read before stays in use.
    pub fn refresh(&self, now: Timestamp) -> Result<(), KeyError> {
        let mut read_at = self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(&mut read_at, now)
    }

    /// The public halves as a JSON Web Key Set.
    pub fn jwks(&self) -> serde_json::Value {
        let keys = self.keys.load();
        serde_json::json!({ "keys": keys.all().map(Key::jwk).collect::<Vec<_>>() })
    }

    /// Signs a token, or whatever else is to be believed when it comes back.
    pub fn mint<T: Serialize>(&self, claims: &T) -> Result<String, KeyError> {
        let keys = self.keys.load();
        let key = keys.newest().ok_or_else(|| KeyError::Damaged(self.directory.clone()))?;
        let header = Header { kid: Some(key.id.to_string()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &key.signing).map_err(KeyError::Signing)
    }

    /// What a token says, if one of these keys signed it and it is as `expected`.
    pub fn verify(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<TokenClaims, InvalidToken> {
        let claims: TokenClaims = self.open_signed(token, expected.now)?;
        claims.check(expected)?;
        Ok(claims)
    }

    /// What was signed, if one of these keys signed it. Whether it is of the expected kind, and still
    /// good, is for the caller to say.
    pub fn open_signed<T: DeserializeOwned + Clone>(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<T, InvalidToken> {
        if token.len() > LONGEST_TOKEN {
            return Err(InvalidToken::TooLong);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| InvalidToken::Malformed)?;
        if header.alg != Algorithm::EdDSA || header.crit.is_some() {
            return Err(InvalidToken::Algorithm);
        }
        // Nothing else of the header is used: a key or an address in it is the sender's.
        let id = header.kid.as_deref().and_then(KeyId::parse).ok_or(InvalidToken::UnknownKey)?;
        let keys = self.keys_with(&id, now);
        let key = keys.accepted(&id, self.overlap, now).ok_or(InvalidToken::UnknownKey)?;
        let token = jsonwebtoken::decode::<T>(token, &key.verifying, &signature_alone());
        Ok(token.map_err(|error| InvalidToken::from_signature(&error))?.claims)
    }

    /// The keys, read again if the one that is wanted is not among them.
    fn keys_with(&self, id: &KeyId, now: Timestamp) -> Arc<Keys> {
        let keys = self.keys.load_full();
        if keys.get(id).is_some() {
            return keys;
        }
        // Whoever finds it being read does not wait: unknown keys must not queue up requests.
        if let Ok(mut read_at) = self.read_at.try_lock()
            && (now < *read_at || read_at.after(REFRESH_INTERVAL) <= now)
            && let Err(error) = self.read(&mut read_at, now)
        {
            tracing::error!(%error, "the directory of token keys cannot be read again");
        }
        self.keys.load_full()
    }

    fn read(&self, read_at: &mut Timestamp, now: Timestamp) -> Result<(), KeyError> {
        // Also if it fails: it is not tried again by every token.
        *read_at = now;
        self.keys.store(Arc::new(Keys::new(files::read_all(&self.directory)?)));
        Ok(())
    }

    fn make(&self, now: Timestamp) -> Result<(), KeyError> {
        let (key, pem) = Key::generate(now)?;
        files::write(&self.directory, &key, &pem)?;
        tracing::info!(key = %key.id, "a new key signs tokens");
        self.keys.store(Arc::new(self.keys.load().with(key)));
        Ok(())
    }

    fn remove_expired(&self, now: Timestamp) -> Result<(), KeyError> {
        let (expired, kept) = self.keys.load().split(self.overlap, now);
        for key in expired.all() {
            files::remove(&self.directory, key)?;
            tracing::info!(key = %key.id, "a key that was replaced is removed");
        }
        self.keys.store(Arc::new(kept));
        Ok(())
    }
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
