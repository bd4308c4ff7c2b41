//! Documents as they are kept: JSON, compressed with zstd, and bounded on both ways.

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

/// The most bytes of one, uncompressed.
const MOST: u64 = 128 << 20;
/// Most of it is names that repeat; more effort gains little.
const LEVEL: i32 = 3;

/// A document, packed, and how many bytes it has uncompressed; nothing if that is more than what is kept.
pub(crate) fn pack<T: Serialize>(document: &T) -> Option<(Vec<u8>, u64)> {
    let encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL).ok()?;
    let mut limited = Limited { inner: encoder, left: MOST };
    serde_json::to_writer(&mut limited, document).ok()?;
    let bytes = MOST - limited.left;
    Some((limited.inner.finish().ok()?, bytes))
}

/// The document, and how many bytes it has uncompressed; nothing if it was not packed by [`pack`].
pub(crate) fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Option<(T, u64)> {
    let decoder = zstd::stream::read::Decoder::new(packed).ok()?;
    let mut bytes = Vec::new();
    decoder.take(MOST + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MOST {
        return None;
    }
    Some((serde_json::from_slice(&bytes).ok()?, bytes.len() as u64))
}

/// A writer that takes only so much.
struct Limited<W> {
    inner: W,
    left: u64,
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        let left = self.left.checked_sub(written as u64);
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_what_is_too_much_is_not() {
        let document = vec!["usr/lib/os-release".to_owned(); 1000];
        let (packed, bytes) = pack(&document).unwrap();
        assert_eq!(bytes, 21_001);
        assert!(packed.len() < 1000);
        assert_eq!(unpack::<Vec<String>>(&packed).unwrap().0, document);
        assert!(unpack::<Vec<String>>(&packed[1..]).is_none());
        assert!(unpack::<u8>(&packed).is_none());
        let large = vec![0_u8; usize::try_from(MOST / 2 + 1).unwrap()];
        assert!(pack(&large).is_none());
    }
}
