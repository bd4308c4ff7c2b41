use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap, hash_map},
    hash::BuildHasher,
};

use crate::{
    Damage, Error, Hash, Resource, TILE_WIDTH, Tile, TileError,
    range::{self, Range, WholeNode},
};

/// Why nothing can be read.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Where the tiles and entries of a log are.
pub trait Source {
    /// The bytes of the resource; nothing if it is not there. They are not believed.
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, SourceError>;
}

impl<S: Source + ?Sized> Source for &S {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, SourceError> {
        (**self).read(resource)
    }
}

impl Source for BTreeMap<Resource, Vec<u8>> {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.get(resource).cloned())
    }
}

impl<H: BuildHasher> Source for HashMap<Resource, Vec<u8>, H> {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.get(resource).cloned())
    }
}

/// Reads the hashes of a tree of one size, each tile once.
pub(crate) struct Reader<'a> {
    source: &'a dyn Source,
    size: u64,
    tiles: RefCell<HashMap<(u8, u64), Tile>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a dyn Source, size: u64) -> Self {
        Self { source, size, tiles: RefCell::default() }
    }

    pub(crate) fn tile(&self, level: u8, index: u64) -> Result<Tile, Error> {
        let mut tiles = self.tiles.borrow_mut();
        match tiles.entry((level, index)) {
            hash_map::Entry::Occupied(known) => Ok(known.get().clone()),
            hash_map::Entry::Vacant(free) => {
                let tile = read_tile(self.source, level, index, self.size)?;
                Ok(free.insert(tile).clone())
            }
        }
    }

    /// The hash of the node over these entries.
    pub(crate) fn range(&self, range: Range) -> Result<Hash, Error> {
        let roots = range.whole_nodes().into_iter().map(|node| self.node(node));
        Ok(range::fold(&mut roots.collect::<Result<_, _>>()?))
    }

    fn node(&self, node: WholeNode) -> Result<Hash, Error> {
        let place = Place::of(node);
        let tile = self.tile(place.level, place.tile)?;
        let hashes = tile.hashes().get(place.first..place.first + place.count);
        hashes.map(range::root).ok_or(Error::NoSuchEntry { index: node.index, size: self.size })
    }
}

/// The tile of a tree of that size, which has it.
pub(crate) fn read_tile(
    source: &dyn Source,
    level: u8,
    index: u64,
    size: u64,
) -> Result<Tile, Error> {
    let resource = Resource::hashes(level, index, size)
        .ok_or(Error::NoSuchEntry { index: u64::from(TILE_WIDTH).saturating_mul(index), size })?;
    let read = fetch(source, &resource)?;
    let tile = Tile::from_bytes(&read.bytes).and_then(|tile| {
        read.check(tile.hashes().len(), resource.width())?;
        tile.first(resource.width())
    });
    tile.map_err(|error| Error::damaged(resource, Damage::Malformed(error)))
}

/// What was read for a resource.
pub(crate) struct Read {
    pub(crate) bytes: Vec<u8>,
    /// It is the whole one, which was there in place of a part of it.
    pub(crate) grown: bool,
}

impl Read {
    /// Whether it has as much as it should have: only one that has grown has more.
    pub(crate) fn check(&self, found: usize, expected: u16) -> Result<(), TileError> {
        if self.grown || found == usize::from(expected) {
            Ok(())
        } else {
            Err(TileError::Width { found, expected })
        }
    }
}

/// The resource, or what has grown out of it: a log may forget partial tiles once there are full ones.
pub(crate) fn fetch(source: &dyn Source, resource: &Resource) -> Result<Read, Error> {
    let read = |resource: Resource| {
        source.read(&resource).map_err(|source| Error::Unreadable { resource, source })
    };
    if let Some(bytes) = read(*resource)? {
        return Ok(Read { bytes, grown: false });
    }
    let grown = if resource.is_partial() { read(resource.full())? } else { None };
    let bytes = grown.ok_or_else(|| Error::damaged(*resource, Damage::Missing))?;
    Ok(Read { bytes, grown: true })
}

/// Where a tile has the hashes that a node is made of.
struct Place {
    level: u8,
    tile: u64,
    first: usize,
    count: usize,
}

impl Place {
    fn of(node: WholeNode) -> Self {
        let (level, within) = (node.height / 8, node.height % 8);
        let hash = node.index << within;
        #[expect(clippy::cast_possible_truncation, reason = "a place within a tile is below 256")]
        let first = (hash % u64::from(TILE_WIDTH)) as usize;
        Self { level, tile: hash / u64::from(TILE_WIDTH), first, count: 1 << within }
    }
}

/// The tiles that the nodes over these entries are read from.
pub(crate) fn resources(ranges: &[Range], size: u64) -> BTreeSet<Resource> {
    let nodes = ranges.iter().flat_map(|range| range.whole_nodes());
    let places = nodes.map(Place::of);
    places.filter_map(|place| Resource::hashes(place.level, place.tile, size)).collect()
}
