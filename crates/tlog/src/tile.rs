use crate::{Hash, MAX_ENTRY, hash::leaf_hash, range};

/// How many hashes a full tile has.
pub const TILE_WIDTH: u16 = 256;

/// Why bytes are not a tile or a bundle of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Another length than so many hashes have.
    #[error("has {0} bytes, which is not the length of a tile")]
    Length(usize),
    /// Fewer or more hashes or entries than it has to have.
    #[error("has {found} hashes or entries in place of {expected}")]
    Width {
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: u16,
    },
    /// An entry is cut off.
    #[error("ends within an entry")]
    CutOff,
}

/// Hashes of one level, next to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tile(pub(crate) Vec<Hash>);

impl Tile {
    /// Reads a tile of 1 to 256 hashes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TileError> {
        let (hashes, rest) = bytes.as_chunks::<{ Hash::LENGTH }>();
        if !rest.is_empty() || hashes.is_empty() || hashes.len() > usize::from(TILE_WIDTH) {
            return Err(TileError::Length(bytes.len()));
        }
        Ok(Self(hashes.iter().copied().map(Hash::new).collect()))
    }

    /// The first hashes of it.
    pub(crate) fn first(mut self, width: u16) -> Result<Self, TileError> {
        first(&mut self.0, width).map(|()| self)
    }

    /// The tile as it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// The hashes.
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }

    /// The root of its part of the tree, which the level above has of a full one.
    pub fn root(&self) -> Hash {
        range::root(&self.0)
    }
}

/// Entries next to each other, each with its length before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle<'a>(Vec<&'a [u8]>);

impl<'a> Bundle<'a> {
    /// The most bytes of a bundle.
    pub const MAX_SIZE: usize = TILE_WIDTH as usize * (MAX_ENTRY + 2);

    /// Reads a bundle of 1 to 256 entries.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, TileError> {
        let mut entries = Vec::new();
        let mut rest = bytes;
        while let Some((length, behind)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let (entry, behind) = behind.split_at_checked(length).ok_or(TileError::CutOff)?;
            if entries.len() == usize::from(TILE_WIDTH) {
                return Err(TileError::Length(bytes.len()));
            }
            entries.push(entry);
            rest = behind;
        }
        if !rest.is_empty() {
            return Err(TileError::CutOff);
        }
        if entries.is_empty() {
            return Err(TileError::Length(0));
        }
        Ok(Self(entries))
    }

    /// The first entries of it.
    pub(crate) fn first(mut self, width: u16) -> Result<Self, TileError> {
        first(&mut self.0, width).map(|()| self)
    }

    /// The entries.
    pub fn entries(&self) -> &[&'a [u8]] {
        &self.0
    }

    /// The tile of level 0 that belongs to it.
    pub fn tile(&self) -> Tile {
        Tile(self.0.iter().map(|entry| leaf_hash(entry)).collect())
    }
}

fn first<T>(all: &mut Vec<T>, width: u16) -> Result<(), TileError> {
    if all.len() < usize::from(width) {
        return Err(TileError::Width { found: all.len(), expected: width });
    }
    all.truncate(usize::from(width));
    Ok(())
}

/// Adds an entry, which is not too long, to a bundle.
pub(crate) fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let length = u16::try_from(entry.len()).ok()?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_its_entries_behind_their_lengths() {
        let mut bytes = Vec::new();
        let long = vec![7; MAX_ENTRY];
        for entry in [&b""[..], b"ab", &long] {
            push_entry(&mut bytes, entry).expect("not too long");
        }
        assert_eq!(&bytes[..8], [0, 0, 0, 2, b'a', b'b', 0xff, 0xff]);
        assert_eq!(
            Bundle::from_bytes(&bytes).expect("a bundle").entries(),
            [b"", &b"ab"[..], &long]
        );
        assert_eq!(push_entry(&mut bytes, &vec![0; MAX_ENTRY + 1]), None);
        assert_eq!(Bundle::from_bytes(&bytes[..5]), Err(TileError::CutOff));
        assert_eq!(Bundle::from_bytes(&[0]), Err(TileError::CutOff));
        assert_eq!(Bundle::from_bytes(&[]), Err(TileError::Length(0)));
        assert_eq!(Bundle::from_bytes(&[0; 514]), Err(TileError::Length(514)));
    }

    #[test]
    fn a_tile_has_whole_hashes() {
        for length in [0, 1, 31, 33, 8191, 8193, 8224] {
            assert_eq!(Tile::from_bytes(&vec![0; length]), Err(TileError::Length(length)));
        }
        let bytes: Vec<u8> = (0..=255).cycle().take(8192).collect();
        assert_eq!(Tile::from_bytes(&bytes).expect("a tile").to_bytes(), bytes);
    }
}
