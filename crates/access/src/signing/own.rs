use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jsonwebtoken::{Algorithm, Header};
use plura_meta::Timestamp;
use serde::Serialize;

use super::{Key, KeyError, files};

/// The key that this process signs with.
///
/// What reads or writes the directory blocks for a moment: all but [`OwnKey::current`] and
/// [`OwnKey::sign`].
pub(crate) struct OwnKey {
    /// Where the private half is kept; in memory alone without.
    directory: Option<PathBuf>,
    current: ArcSwapOption<Key>,
}

impl OwnKey {
    /// No key yet. The directory is made if it is not there, and refused if others may look into it.
    pub(crate) fn open(directory: Option<PathBuf>) -> Result<Self, KeyError> {
        if let Some(directory) = &directory {
            files::make_private(directory)?;
        }
        Ok(Self { directory, current: ArcSwapOption::empty() })
    }

    /// The keys of the directory, the newest first.
    pub(crate) fn kept(&self) -> Result<Vec<Key>, KeyError> {
        let Some(directory) = &self.directory else { return Ok(Vec::new()) };
        let mut keys = files::read_all(directory)?;
        keys.sort_by(|a, b| (b.made, &b.id).cmp(&(a.made, &a.id)));
        Ok(keys)
    }

    /// Makes a key and keeps it. It signs when it is published and [`OwnKey::use_alone`] was called.
    pub(crate) fn make(&self, now: Timestamp) -> Result<Key, KeyError> {
        let (key, pem) = Key::generate(now)?;
        if let Some(directory) = &self.directory {
            files::write(directory, &key, &pem)?;
        }
        Ok(key)
    }

    /// Signs with this key from now on, and removes the others: what they signed is verified without
    /// them.
    pub(crate) fn use_alone(&self, key: Key) -> Result<(), KeyError> {
        let others: Vec<Key> =
            self.kept()?.into_iter().filter(|other| other.id != key.id).collect();
        self.current.store(Some(Arc::new(key)));
        if let Some(directory) = &self.directory {
            for other in &others {
                files::remove(directory, other)?;
            }
        }
        Ok(())
    }

    /// The key that signs.
    pub(crate) fn current(&self) -> Option<Arc<Key>> {
        self.current.load_full()
    }
}

impl Key {
    /// Signs a token, or whatever else is to be believed when it comes back.
    pub(crate) fn sign<T: Serialize>(&self, claims: &T) -> Result<String, KeyError> {
        let header = Header { kid: Some(self.id.to_string()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.signing).map_err(KeyError::Signing)
    }
}
