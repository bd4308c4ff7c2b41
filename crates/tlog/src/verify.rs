use crate::{
    Bundle, Damage, Error, Hash, Resource, Source, TILE_WIDTH, Tile,
    prove::root_above,
    range,
    read::{Reader, fetch, read_tile},
};

/// Reads the whole log and makes its tree again from its entries, which have to lead to that root.
/// Otherwise it names the first part that is not what was logged. Memory is bounded by one bundle of
/// entries and one tile of each level.
pub fn verify_log(source: &dyn Source, size: u64, root: &Hash) -> Result<(), Error> {
    let mut walk = Walk { source, size, levels: Vec::new(), first: None };
    for index in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        walk.read_entries(index)?;
    }
    walk.finish()?;
    let found = walk.root();
    match &walk.first {
        None if found == *root => Ok(()),
        None => Err(Error::OtherRoot { found, expected: *root }),
        // The entries are those that were signed, so the tile is not.
        Some(difference) if found == *root => Err(difference.of_tile()),
        Some(difference) => Err(walk.accuse(difference, root)),
    }
}

struct Walk<'a> {
    source: &'a dyn Source,
    size: u64,
    /// What was made of the entries so far: the hashes of the tile of each level that is not full.
    levels: Vec<Level>,
    first: Option<Difference>,
}

#[derive(Default)]
struct Level {
    index: u64,
    hashes: Vec<Hash>,
}

/// A tile that is not what its part of the log is hashed to.
struct Difference {
    resource: Resource,
    level: u8,
    index: u64,
    place: u16,
    stored: Hash,
}

impl Difference {
    fn of_tile(&self) -> Error {
        Error::damaged(self.resource, Damage::OtherHash(self.place))
    }

    /// The number of the hash among those of its level.
    fn number(&self) -> u64 {
        self.index * u64::from(TILE_WIDTH) + u64::from(self.place)
    }
}

impl Walk<'_> {
    fn read_entries(&mut self, index: u64) -> Result<(), Error> {
        let Some(resource) = Resource::entries(index, self.size) else { return Ok(()) };
        let read = fetch(self.source, &resource)?;
        let malformed = |error| Error::damaged(resource, Damage::Malformed(error));
        let bundle = Bundle::from_bytes(&read.bytes).map_err(malformed)?;
        read.check(bundle.entries().len(), resource.width()).map_err(malformed)?;
        for hash in bundle.first(resource.width()).map_err(malformed)?.tile().hashes() {
            self.push(*hash)?;
        }
        Ok(())
    }

    fn push(&mut self, leaf: Hash) -> Result<(), Error> {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Level::default());
            }
            let here = &mut self.levels[level];
            here.hashes.push(hash);
            if here.hashes.len() < usize::from(TILE_WIDTH) {
                break;
            }
            let (index, hashes) = (here.index, std::mem::take(&mut here.hashes));
            here.index += 1;
            let made = Tile(hashes);
            hash = made.root();
            self.compare(level, index, &made)?;
        }
        Ok(())
    }

    /// The tiles that are not full.
    fn finish(&mut self) -> Result<(), Error> {
        for level in 0..self.levels.len() {
            let here = &self.levels[level];
            let (index, made) = (here.index, Tile(here.hashes.clone()));
            if !made.hashes().is_empty() {
                self.compare(level, index, &made)?;
            }
        }
        Ok(())
    }

    fn compare(&mut self, level: usize, index: u64, made: &Tile) -> Result<(), Error> {
        #[expect(clippy::cast_possible_truncation, reason = "2^64 entries have eight levels")]
        let level = level as u8;
        let stored = read_tile(self.source, level, index, self.size)?;
        if self.first.is_some() {
            return Ok(());
        }
        let Some(resource) = Resource::hashes(level, index, self.size) else { return Ok(()) };
        let mut pairs = (0..).zip(stored.hashes().iter().zip(made.hashes()));
        let found = pairs.find(|(_, (stored, made))| stored != made);
        self.first = found.map(|(place, (stored, _))| Difference {
            resource,
            level,
            index,
            place,
            stored: *stored,
        });
        Ok(())
    }

    fn root(&self) -> Hash {
        let levels = self.levels.iter().rev();
        range::fold(&mut levels.flat_map(|level| range::subtrees(&level.hashes)).collect())
    }

    /// Which of the two lies, the tile or what is below it: a hash that leads to the root does not.
    fn accuse(&self, difference: &Difference, root: &Hash) -> Error {
        if !self.leads_to(root, difference) {
            return difference.of_tile();
        }
        let number = difference.number();
        let below = match difference.level.checked_sub(1) {
            Some(level) => Resource::hashes(level, number, self.size)
                .map(|resource| Error::damaged(resource, Damage::OtherPart)),
            None => Resource::entries(difference.index, self.size)
                .map(|resource| Error::damaged(resource, Damage::OtherEntry(number))),
        };
        below.unwrap_or_else(|| difference.of_tile())
    }

    fn leads_to(&self, root: &Hash, difference: &Difference) -> bool {
        let height = 8 * difference.level;
        let reader = Reader::new(self.source, self.size);
        let below = range::inclusion(difference.number() << height, self.size);
        let above = below.into_iter().skip(usize::from(height));
        let Ok(path) = above.map(|range| reader.range(range)).collect::<Result<Vec<_>, _>>() else {
            return false;
        };
        let last = (self.size - 1) >> height;
        root_above(difference.stored, difference.number(), last, &path) == Some(*root)
    }
}
