use std::{fmt, str::FromStr};

use crate::TILE_WIDTH;

/// The highest level that a path can name; a tree of 2^64 entries has eight.
const MAX_LEVEL: u8 = 63;
/// The longest path of a resource: an index has at most 20 digits.
const MAX_PATH: usize = 64;

/// Something that is written once and served: a tile of hashes, or the bundle of the entries that the
/// hashes of a tile of level 0 are of (tlog-tiles, "Merkle Tree" and "Log entries"). As text, the path
/// below the log's prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Entries: `tile/entries/<N>[.p/<W>]`.
    Entries {
        /// The how manieth bundle it is.
        index: u64,
        /// How many entries it has, 1 to 256.
        width: u16,
    },
    /// Hashes: `tile/<L>/<N>[.p/<W>]`.
    Hashes {
        /// Zero for hashes of entries; each further level has the roots of full tiles below it.
        level: u8,
        /// The how manieth tile of its level it is.
        index: u64,
        /// How many hashes it has, 1 to 256.
        width: u16,
    },
}

/// The text is not the path of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `tile/<level>/<index>` or `tile/entries/<index>`, as `tile/0/x001/067.p/12`")]
pub struct ParseResourceError;

impl Resource {
    /// The tile of a tree of that size; nothing if it would be empty.
    pub fn hashes(level: u8, index: u64, size: u64) -> Option<Self> {
        width(level, index, size).map(|width| Self::Hashes { level, index, width })
    }

    /// The bundle of entries of a tree of that size; nothing if it would be empty.
    pub fn entries(index: u64, size: u64) -> Option<Self> {
        width(0, index, size).map(|width| Self::Entries { index, width })
    }

    /// Everything that a tree of that size consists of: entries first, then hashes from below.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        let entries = (0..count(0, size)).filter_map(move |index| Self::entries(index, size));
        let hashes = (0..=7).flat_map(move |level| {
            (0..count(level, size)).filter_map(move |index| Self::hashes(level, index, size))
        });
        entries.chain(hashes)
    }

    /// How many entries or hashes it has.
    pub fn width(&self) -> u16 {
        match self {
            Self::Entries { width, .. } | Self::Hashes { width, .. } => *width,
        }
    }

    /// Whether it can still grow.
    pub fn is_partial(&self) -> bool {
        self.width() < TILE_WIDTH
    }

    /// The same when it has grown to its whole width, which may be there in place of a partial one.
    #[must_use]
    pub fn full(self) -> Self {
        match self {
            Self::Entries { index, .. } => Self::Entries { index, width: TILE_WIDTH },
            Self::Hashes { level, index, .. } => Self::Hashes { level, index, width: TILE_WIDTH },
        }
    }

    /// Whether a tree of that size has it, or had it when it was smaller.
    pub fn is_within(&self, size: u64) -> bool {
        let (level, index, wanted) = match *self {
            Self::Entries { index, width } => (0, index, width),
            Self::Hashes { level, index, width } => (level, index, width),
        };
        width(level, index, size).is_some_and(|width| wanted <= width)
    }
}

/// How many hashes the tile has in a tree of that size.
fn width(level: u8, index: u64, size: u64) -> Option<u16> {
    let before = index.checked_mul(u64::from(TILE_WIDTH))?;
    let here = hashes(level, size).checked_sub(before)?.min(u64::from(TILE_WIDTH));
    u16::try_from(here).ok().filter(|width| *width > 0)
}

/// How many hashes a level has.
fn hashes(level: u8, size: u64) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

fn count(level: u8, size: u64) -> u64 {
    hashes(level, size).div_ceil(u64::from(TILE_WIDTH))
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, width) = match self {
            Self::Entries { index, width } => {
                f.write_str("tile/entries")?;
                (*index, *width)
            }
            Self::Hashes { level, index, width } => {
                write!(f, "tile/{level}")?;
                (*index, *width)
            }
        };
        write_index(f, index)?;
        if width < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
    }
}

/// Groups of three digits; all but the last begin with an `x`, so that no file is where a directory has
/// to be.
fn write_index(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    let mut groups = Vec::new();
    let mut rest = index;
    while rest >= 1000 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    groups.push(rest);
    while let Some(group) = groups.pop() {
        let mark = if groups.is_empty() { "" } else { "x" };
        write!(f, "/{mark}{group:03}")?;
    }
    Ok(())
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Resource {
    type Err = ParseResourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let resource = parse(text).ok_or(ParseResourceError)?;
        // There is one way to write a path: no other zeros, signs and groups.
        if resource.to_string() == text { Ok(resource) } else { Err(ParseResourceError) }
    }
}

fn parse(text: &str) -> Option<Resource> {
    if text.len() > MAX_PATH {
        return None;
    }
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok()?),
        None => (rest, TILE_WIDTH),
    };
    let index = parse_index(index)?;
    if width == 0 || width > TILE_WIDTH {
        return None;
    }
    if kind == "entries" {
        return Some(Resource::Entries { index, width });
    }
    let level = kind.parse().ok().filter(|level| *level <= MAX_LEVEL)?;
    Some(Resource::Hashes { level, index, width })
}

fn parse_index(text: &str) -> Option<u64> {
    let mut index: u64 = 0;
    for group in text.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let value: u64 = digits.parse().ok().filter(|_| digits.len() == 3)?;
        index = index.checked_mul(1000)?.checked_add(value)?;
    }
    Some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(resource: Resource, path: &str) {
        assert_eq!(resource.to_string(), path);
        assert_eq!(path.parse(), Ok(resource));
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        check(Resource::Hashes { level: 0, index: 0, width: 256 }, "tile/0/000");
        check(Resource::Hashes { level: 0, index: 1_234_067, width: 256 }, "tile/0/x001/x234/067");
        check(Resource::Hashes { level: 2, index: 0, width: 1 }, "tile/2/000.p/1");
        check(Resource::Entries { index: 1_234_067, width: 8 }, "tile/entries/x001/x234/067.p/8");
        check(Resource::Entries { index: 999, width: 255 }, "tile/entries/999.p/255");
        check(Resource::Entries { index: 1000, width: 256 }, "tile/entries/x001/000");
        check(
            Resource::Hashes { level: 63, index: u64::MAX, width: 256 },
            "tile/63/x018/x446/x744/x073/x709/x551/615",
        );
    }

    #[test]
    fn a_path_is_written_one_way() {
        for path in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001",
            "tile/00/001",
            "tile/64/001",
            "tile/+1/001",
            "tile/0/+01",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/data/000",
            "/tile/0/000",
            "tile/0/000/",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/8/0/000",
            "tile/0/x001/../067",
        ] {
            assert_eq!(path.parse::<Resource>(), Err(ParseResourceError), "{path}");
        }
    }

    /// The example of the specification, "Partial Tiles".
    #[test]
    fn a_tree_of_70_000_has_the_tiles_of_the_example() {
        let all: Vec<_> = Resource::all(70_000).collect();
        let level = |wanted| {
            let of =
                |r: &&Resource| matches!(r, Resource::Hashes { level, .. } if *level == wanted);
            let tiles: Vec<_> = all.iter().filter(of).collect();
            let full = tiles.iter().filter(|r| !r.is_partial()).count();
            (full, tiles.iter().find(|r| r.is_partial()).map(|r| r.width()))
        };
        assert_eq!(level(0), (273, Some(112)));
        assert_eq!(level(1), (1, Some(17)));
        assert_eq!(level(2), (0, Some(1)));
        assert_eq!(level(3), (0, None));
        assert_eq!(
            Resource::all(256).map(|r| r.to_string()).collect::<Vec<_>>(),
            ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"],
        );
        assert_eq!(Resource::all(0).count(), 0);
    }

    #[test]
    fn a_tree_has_what_it_had_when_it_was_smaller() {
        let within = |path: &str, size| path.parse::<Resource>().expect(path).is_within(size);
        assert!(within("tile/0/000.p/3", 3));
        assert!(within("tile/0/000.p/3", 300));
        assert!(!within("tile/0/000.p/3", 2));
        assert!(!within("tile/0/000", 255));
        assert!(within("tile/entries/001.p/44", 300));
        assert!(!within("tile/entries/001.p/45", 300));
        assert!(!within("tile/9/000", u64::MAX));
        assert!(within("tile/7/000.p/255", u64::MAX));
        assert!(!within("tile/7/000", u64::MAX));
    }
}
