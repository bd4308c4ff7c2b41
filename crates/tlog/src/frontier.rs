use crate::{
    Bundle, Damage, EntryError, Error, Hash, MAX_ENTRY, Resource, Source, TILE_WIDTH, Tile,
    leaf_hash, range,
    read::{fetch, read_tile},
    tile::push_entry,
};

/// What has to be known of a log to add to it: its size, and what is in the tiles that are not full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The partial tile of each level; one may be empty where a higher one is not.
    levels: Vec<Vec<Hash>>,
    /// The partial bundle of entries, as it is kept.
    bundle: Vec<u8>,
}

/// Something to be written. Resources never change: what is there already is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where to.
    pub resource: Resource,
    /// What.
    pub bytes: Vec<u8>,
}

impl Frontier {
    /// Reads the frontier of a log with that head, and whether it is the head's.
    pub fn load(source: &dyn Source, size: u64, root: &Hash) -> Result<Self, Error> {
        let mut frontier = Self { size, ..Self::default() };
        for level in 0..8 {
            let hashes = size >> (8 * u32::from(level));
            let partial = !hashes.is_multiple_of(u64::from(TILE_WIDTH));
            let index = hashes / u64::from(TILE_WIDTH);
            let tile = if partial { read_tile(source, level, index, size)? } else { Tile(vec![]) };
            frontier.levels.push(tile.0);
        }
        while frontier.levels.pop_if(|tile| tile.is_empty()).is_some() {}
        let found = frontier.root();
        if found != *root {
            return Err(Error::OtherRoot { found, expected: *root });
        }
        frontier.load_entries(source)?;
        Ok(frontier)
    }

    /// The entries that the next bundle to be written begins with.
    fn load_entries(&mut self, source: &dyn Source) -> Result<(), Error> {
        let index = self.size / u64::from(TILE_WIDTH);
        let Some(resource) = Resource::entries(index, self.size) else { return Ok(()) };
        let read = fetch(source, &resource)?;
        let malformed = |error| Error::damaged(resource, Damage::Malformed(error));
        let bundle = Bundle::from_bytes(&read.bytes).map_err(malformed)?;
        read.check(bundle.entries().len(), resource.width()).map_err(malformed)?;
        let bundle = bundle.first(resource.width()).map_err(malformed)?;
        let known = self.levels.first().map_or(&[][..], Vec::as_slice);
        let first = index * u64::from(TILE_WIDTH);
        for ((entry, hash), number) in bundle.entries().iter().zip(known).zip(first..) {
            if leaf_hash(entry) != *hash {
                return Err(Error::damaged(resource, Damage::OtherEntry(number)));
            }
            push_entry(&mut self.bundle, entry).ok_or(EntryError::TooLarge(entry.len()))?;
        }
        Ok(())
    }

    /// How many entries the log has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of its tree.
    pub fn root(&self) -> Hash {
        // From the top: there are the largest parts of the tree, which are its left ones.
        let levels = self.levels.iter().rev();
        range::fold(&mut levels.flat_map(|hashes| range::subtrees(hashes)).collect())
    }

    /// The log with these entries behind the others, and what has to be written before its checkpoint
    /// is, in this order. Whoever publishes checkpoints of sizes in between adds them one by one.
    pub fn append<E: AsRef<[u8]>>(&self, entries: &[E]) -> Result<(Self, Vec<Write>), Error> {
        let mut next = self.clone();
        let mut writes = Vec::new();
        let mut highest = None;
        for entry in entries {
            highest = highest.max(Some(next.push(entry.as_ref(), &mut writes)?));
        }
        if let Some(highest) = highest {
            next.write_partial(highest, &mut writes);
        }
        writes.sort_unstable_by_key(|write| write.resource);
        Ok((next, writes))
    }

    /// The highest level that changed.
    fn push(&mut self, entry: &[u8], writes: &mut Vec<Write>) -> Result<usize, Error> {
        if entry.len() > MAX_ENTRY {
            return Err(EntryError::TooLarge(entry.len()).into());
        }
        let index = self.size / u64::from(TILE_WIDTH);
        self.size = self.size.checked_add(1).ok_or(Error::Full)?;
        push_entry(&mut self.bundle, entry).ok_or(EntryError::TooLarge(entry.len()))?;
        if self.size.is_multiple_of(u64::from(TILE_WIDTH)) {
            let resource = Resource::Entries { index, width: TILE_WIDTH };
            writes.push(Write { resource, bytes: std::mem::take(&mut self.bundle) });
        }
        Ok(self.push_hash(leaf_hash(entry), writes))
    }

    fn push_hash(&mut self, leaf: Hash, writes: &mut Vec<Write>) -> usize {
        let (mut hash, mut index) = (leaf, self.size - 1);
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let tile = &mut self.levels[level];
            tile.push(hash);
            if tile.len() < usize::from(TILE_WIDTH) {
                return level;
            }
            let full = Tile(std::mem::take(tile));
            index /= u64::from(TILE_WIDTH);
            hash = full.root();
            writes.push(Write {
                resource: tile_at(level, index, TILE_WIDTH),
                bytes: full.to_bytes(),
            });
        }
        0
    }

    /// What is not full, as far as it changed.
    fn write_partial(&self, highest: usize, writes: &mut Vec<Write>) {
        let index = self.size / u64::from(TILE_WIDTH);
        if let Some(resource) = Resource::entries(index, self.size) {
            writes.push(Write { resource, bytes: self.bundle.clone() });
        }
        for (level, hashes) in self.levels.iter().enumerate().take(highest + 1) {
            let index = (0..=level).fold(self.size, |index, _| index / u64::from(TILE_WIDTH));
            if let Ok(width) = u16::try_from(hashes.len())
                && width > 0
            {
                let bytes = Tile(hashes.clone()).to_bytes();
                writes.push(Write { resource: tile_at(level, index, width), bytes });
            }
        }
    }
}

fn tile_at(level: usize, index: u64, width: u16) -> Resource {
    #[expect(clippy::cast_possible_truncation, reason = "2^64 entries have eight levels")]
    let level = level as u8;
    Resource::Hashes { level, index, width }
}
