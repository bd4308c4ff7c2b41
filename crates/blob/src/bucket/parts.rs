use serde::{Deserialize, Serialize};

use super::options::LEAST_PART;
use crate::BlobKey;

/// Where the bytes of an upload are in a bucket: what any process needs to go on with it. Metadata
/// keeps it as text, beside the offset that it covers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    /// The multipart upload, if one was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) multipart: Option<Multipart>,
    /// The bytes behind its parts, as an object; without a multipart upload, all there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tail: Option<Tail>,
    /// Objects that the last request wrote over: needed until the row says what came in their place.
    #[serde(skip)]
    pub(super) strays: Vec<String>,
}

/// A multipart upload that was begun and not completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Multipart {
    /// What the object will be called.
    pub(super) key: String,
    /// What the object store calls the upload.
    pub(super) id: String,
    /// The parts: what the object store calls each, and its length.
    pub(super) parts: Vec<(String, u64)>,
}

/// Bytes in an object of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tail {
    pub(super) key: String,
    pub(super) length: u64,
}

/// As many as S3 takes for one object.
pub(super) const MOST_PARTS: usize = 10_000;
/// After this many parts, they become twice as large.
const DOUBLED_AFTER: usize = 1_000;

impl Parts {
    /// As metadata keeps it.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What metadata kept.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Objects that are not needed any more once these parts are recorded; a process that dies before
    /// they are removed leaves them to [`Bucket::sweep`](crate::Bucket::sweep).
    pub fn strays(&self) -> Vec<BlobKey> {
        self.strays.iter().cloned().filter_map(BlobKey::from_stored).collect()
    }

    /// How many bytes there are.
    pub(super) fn length(&self) -> u64 {
        self.in_parts() + self.tail.as_ref().map_or(0, |tail| tail.length)
    }

    /// How many bytes there are in parts.
    pub(super) fn in_parts(&self) -> u64 {
        let parts = self.multipart.iter().flat_map(|multipart| &multipart.parts);
        parts.map(|(_, length)| length).sum()
    }

    /// Whether an object of that key is needed.
    pub(super) fn needs(&self, key: &BlobKey) -> bool {
        let multipart = self.multipart.as_ref().map(|multipart| &multipart.key);
        let tail = self.tail.as_ref().map(|tail| &tail.key);
        multipart.into_iter().chain(tail).any(|needed| needed == key.as_str())
    }
}

/// How large parts are.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartSizes {
    pub(super) first: u64,
    pub(super) uniform: bool,
    /// What fits into memory.
    pub(super) most: u64,
}

impl PartSizes {
    /// The size of the part that comes after so many.
    pub(super) fn after(self, parts: usize) -> u64 {
        if self.uniform {
            return self.first;
        }
        let doubled = u32::try_from(parts / DOUBLED_AFTER).unwrap_or(u32::MAX);
        self.first.checked_shl(doubled).unwrap_or(u64::MAX).clamp(self.first, self.most)
    }

    /// How many bytes are gathered before a part is cut off them: so many that what is left makes a
    /// part, too, if nothing comes after it.
    pub(super) fn gathered(self, parts: usize) -> u64 {
        self.after(parts) + if self.uniform { 1 } else { LEAST_PART }
    }

    /// Whether so many bytes may stand as a part before others.
    pub(super) fn is_part(self, length: u64) -> bool {
        if self.uniform { length == self.first } else { length >= LEAST_PART }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_as_text() {
        let parts = Parts {
            multipart: Some(Multipart {
                key: "ab/1.1".into(),
                id: "u\"&".into(),
                parts: vec![("\"e\"".into(), 5)],
            }),
            tail: Some(Tail { key: "ab/1.2".into(), length: 3 }),
            strays: vec!["ab/1.0".into()],
        };
        let kept = Parts { strays: Vec::new(), ..parts.clone() };
        assert_eq!(Parts::from_text(&parts.to_text()), Some(kept));
        assert_eq!((parts.length(), parts.in_parts()), (8, 5));
        assert_eq!(Parts::from_text("{}"), Some(Parts::default()));
        for text in ["", "null", "7", "{\"other\":1}"] {
            assert_eq!(Parts::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn parts_grow_so_that_ten_thousand_hold_a_large_object() {
        let sizes = PartSizes { first: 8 << 20, uniform: false, most: 128 << 20 };
        assert_eq!(sizes.after(0), 8 << 20);
        assert_eq!(sizes.after(999), 8 << 20);
        assert_eq!(sizes.after(1_000), 16 << 20);
        assert_eq!(sizes.after(9_999), 128 << 20);
        let all: u64 = (0..MOST_PARTS).map(|part| sizes.after(part)).sum();
        assert!(all > 800 << 30);
        let uniform = PartSizes { uniform: true, ..sizes };
        assert_eq!(uniform.after(9_999), 8 << 20);
    }
}
