use std::fmt;

use plura_oci::{Digest, UploadId};

/// Where a blob's bytes are, relative to the store; opaque outside this crate.
///
/// On a directory it is `sha256/ab/<hex>.<upload>`: the hash for people and for disaster recovery, the
/// upload that brought the bytes so that **no key is ever used twice**. A blob that is collected
/// while the same content arrives again is therefore two files under two keys, and deleting the one
/// can never take the other.
///
/// In a bucket it is `ab/<upload>.<attempt>`: an object is written once, under its final key, before
/// its digest is known, and every attempt to write has a key of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobKey(String);

impl BlobKey {
    /// The key of content that came by `upload`.
    pub fn new(digest: &Digest, upload: &UploadId) -> Self {
        let hex = digest.hex();
        Self(format!("{}/{}/{hex}.{upload}", digest.algorithm(), &hex[..2]))
    }

    /// A key in a bucket, for one attempt of `upload` to write an object.
    pub(crate) fn of_attempt(upload: &UploadId, attempt: u64) -> Self {
        Self(format!("{}{attempt:016x}", Self::of_upload(upload)))
    }

    /// What all keys of an upload in a bucket begin with. The end of an identifier is what differs
    /// between uploads of the same time.
    pub(crate) fn of_upload(upload: &UploadId) -> String {
        let id = upload.as_str();
        let shard = &id[id.len().saturating_sub(2)..];
        format!("{shard}/{id}.")
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

    /// The upload that brought the bytes, if the key has a form that plura gives.
    pub fn upload(&self) -> Option<UploadId> {
        if self.digest().is_some() {
            return self.0.rsplit_once('.')?.1.parse().ok();
        }
        let (_, file) = self.0.split_once('/')?;
        let (upload, _) = file.split_once('.')?;
        let upload = upload.parse().ok()?;
        self.0.starts_with(&Self::of_upload(&upload)).then_some(upload)
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
    fn a_key_tells_its_upload_in_both_stores() {
        for id in ["0-1", "7", "01997a6b2c3d4e5f8a9b0c1d2e3f4a5b"] {
            let upload: UploadId = id.parse().unwrap();
            let keys = [
                BlobKey::new(&Digest::sha256(b"x"), &upload),
                BlobKey::of_attempt(&upload, 3),
                BlobKey::of_attempt(&upload, u64::MAX),
            ];
            for key in keys {
                assert_eq!(key.upload(), Some(upload.clone()), "{key}");
                assert_eq!(BlobKey::from_stored(key.to_string()), Some(key));
            }
        }
        for text in ["aa/b.c", "ab/ab", "README", "sha256/ab/x", "damaged/ab/ab.1"] {
            assert_eq!(BlobKey::from_stored(text.to_owned()).unwrap().upload(), None, "{text}");
        }
    }

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
