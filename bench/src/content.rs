//! Blobs that are unique, cost nothing to produce while the clock runs, and whose digest is known
//! before it starts.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use sha2::{Digest as _, Sha256};

const MIB: u64 = 1024 * 1024;
const BLOCK: usize = 8 * 1024 * 1024;
const HEADER: usize = 64;

/// Counts the unique values of one run.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A number that no other content of this run has.
pub(crate) fn unique() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The noise that large blobs repeat behind their unique header.
#[derive(Clone)]
pub(crate) struct Noise(Arc<[u8]>);

impl Default for Noise {
    fn default() -> Self {
        Self(noise(0x9e37_79b9_7f4a_7c15, BLOCK).into())
    }
}

/// A blob of any size: a unique header, then one block of noise over and over.
pub(crate) struct Content {
    header: [u8; HEADER],
    noise: Noise,
    size: u64,
    pub(crate) digest: String,
}

impl Content {
    /// Makes a blob of `size` bytes, at least as many as the header has.
    pub(crate) fn new(noise: &Noise, size: u64) -> Result<Self> {
        let mut header = [0; HEADER];
        header.copy_from_slice(&self::noise(unique(), HEADER));
        let mut content = Self { header, noise: noise.clone(), size, digest: String::new() };
        let mut hash = Sha256::new();
        for slice in content.slices(0..size)? {
            hash.update(slice);
        }
        content.digest = digest_text(&hash.finalize());
        Ok(content)
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of a range, as slices in order.
    pub(crate) fn slices(&self, range: Range<u64>) -> Result<Vec<&[u8]>> {
        let mut slices = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let slice = self.slice_at(at)?;
            let wanted = usize::try_from(range.end - at)?.min(slice.len());
            slices.push(&slice[..wanted]);
            at += wanted as u64;
        }
        Ok(slices)
    }

    fn slice_at(&self, at: u64) -> Result<&[u8]> {
        let at = usize::try_from(at)?;
        Ok(match at.checked_sub(HEADER) {
            None => &self.header[at..],
            Some(behind) => &self.noise.0[behind % BLOCK..],
        })
    }
}

/// A whole number of MiB in bytes.
pub(crate) const fn mib(count: u64) -> u64 {
    count * MIB
}

/// The digest of bytes as registries write it.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    digest_text(&Sha256::digest(bytes))
}

/// Writes a finished SHA-256 as registries do.
pub(crate) fn digest_text(hash: &[u8]) -> String {
    hash.iter().fold(String::from("sha256:"), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes that do not compress, other ones for every seed below the largest (xorshift).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    // An odd factor maps different seeds to different states, and none of them to zero.
    let mut state = (seed + 1).wrapping_mul(0x2545_f491_4f6c_dd1d);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(content: &Content, range: Range<u64>) -> Vec<u8> {
        content.slices(range).unwrap().concat()
    }

    #[test]
    fn ranges_join_to_the_whole_and_the_digest_is_of_the_whole() {
        let content = Content::new(&Noise::default(), 20 * MIB + 3).unwrap();
        let whole = bytes(&content, 0..content.size());
        let joined = [
            bytes(&content, 0..10),
            bytes(&content, 10..9 * MIB),
            bytes(&content, 9 * MIB..20 * MIB + 3),
        ]
        .concat();
        assert!(whole == joined);
        assert_eq!(content.digest, digest_of(&whole));
    }

    #[test]
    fn no_two_contents_are_the_same() {
        let noise = Noise::default();
        let digests: std::collections::BTreeSet<_> =
            (0..100).map(|_| Content::new(&noise, 100).unwrap().digest).collect();
        assert_eq!(digests.len(), 100);
    }
}
