use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use plura_oci::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A set of paths, kept as eight bytes each: only whether a given path is in it can be asked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PathSet {
    /// Sorted, once [`PathSet::finish`] was called.
    hashes: Vec<u64>,
}

impl PathSet {
    pub(crate) fn insert(&mut self, path: &str) {
        self.hashes.push(hash(path));
    }

    pub(crate) fn finish(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.shrink_to_fit();
    }

    /// Whether `path` is in it.
    pub fn contains(&self, path: &str) -> bool {
        self.contains_hash(hash(path))
    }

    pub(crate) fn contains_hash(&self, hash: u64) -> bool {
        self.hashes.binary_search(&hash).is_ok()
    }

    /// How many paths it holds.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

/// The beginning of its SHA-256: somebody chooses these names, so they must not be able to choose
/// which of them meet.
pub(crate) fn hash(path: &str) -> u64 {
    let digest = Digest::sha256(path.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest.hash()[..8]);
    u64::from_be_bytes(first)
}

impl FromIterator<String> for PathSet {
    fn from_iter<I: IntoIterator<Item = String>>(paths: I) -> Self {
        let mut set = Self::default();
        paths.into_iter().for_each(|path| set.insert(&path));
        set.finish();
        set
    }
}

impl fmt::Debug for PathSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PathSet of {}", self.hashes.len())
    }
}

impl Serialize for PathSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.hashes.iter().flat_map(|hash| hash.to_be_bytes()).collect();
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for PathSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(text.as_bytes()).map_err(de::Error::custom)?;
        let (hashes, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(de::Error::custom("a set of paths is eight bytes for each"));
        }
        let mut set =
            Self { hashes: hashes.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect() };
        set.finish();
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_its_paths_after_it_was_stored() {
        let set: PathSet = ["usr/bin/a", "b", "b"].map(str::to_owned).into_iter().collect();
        let stored = serde_json::to_string(&set).unwrap();
        let set: PathSet = serde_json::from_str(&stored).unwrap();
        assert_eq!(set.len(), 2);
        assert!(set.contains("b") && set.contains("usr/bin/a") && !set.contains("usr/bin"));
    }
}
