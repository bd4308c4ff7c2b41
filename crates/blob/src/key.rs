use std::fmt;

use plura_oci::{Digest, UploadId};

/// Where a blob's bytes are, relative to the store; opaque outside this crate.
///
/// On a directory it is `sha256/ab/<hex>.<upload>`: the hash for people and for disaster recovery, the
/// upload that brought the bytes so that **no key is ever used twice**. A blob that is collected
/// while the same content arrives again is therefore two files under two keys, and deleting the one
/// can never take the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobKey(String);

impl BlobKey {
    /// The key of content that came by `upload`.
    pub fn new(digest: &Digest, upload: &UploadId) -> Self {
        let hex = digest.hex();
        Self(format!("{}/{}/{hex}.{upload}", digest.algorithm(), &hex[..2]))
    }

    /// A key as it was stored. Keys that would leave the store are `None`.
    pub fn from_stored(text: String) -> Option<Self> {
        let inside = text.split('/').all(|part| !matches!(part, "" | "." | ".."));
        (inside && !text.contains('\0')).then_some(Self(text))
    }

    /// The key as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digest that the key was made for, if it has that form.
    pub fn digest(&self) -> Option<Digest> {
        let (algorithm, rest) = self.0.split_once('/')?;
        let (_, file) = rest.split_once('/')?;
        let (hex, _) = file.split_once('.')?;
        format!("{algorithm}:{hex}").parse().ok()
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_digest_and_stays_inside() {
        let digest = Digest::sha256(b"x");
        let key = BlobKey::new(&digest, &"0-1".parse().unwrap());
        assert_eq!(key.digest(), Some(digest));
        assert_eq!(BlobKey::from_stored(key.to_string()), Some(key));
        for text in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/\0"] {
            assert_eq!(BlobKey::from_stored(text.to_owned()), None, "{text}");
        }
    }
}
