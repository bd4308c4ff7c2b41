use super::{Found, LARGEST_HEADER, Unreadable, add, index, result, u16_be, u32_be};

const MAGIC: &[u8] = b"SQLite format 3\0";
const FILE_HEADER: usize = 100;
const INTERIOR: u8 = 0x05;
const LEAF: u8 = 0x0d;
/// A tree of 512-byte pages with four billion rows is not deeper.
const DEEPEST: u32 = 32;

/// Reads the table `Packages` of `rpmdb.sqlite` (file format of `SQLite`, sections 1.6 and 2.3).
pub fn read(bytes: &[u8], found: &mut Found) -> Result<(), Unreadable> {
    let database =
        Database::open(bytes).ok_or(Unreadable("it is not an rpm database of the kind SQLite"))?;
    let mut walk = Walk::over(&database);
    let mut root = None;
    // type, name, table, root page, statement
    walk.table(1, 0, &mut |row| {
        let is_packages = row.text(0) == Some(b"table") && row.text(1) == Some(b"Packages");
        if is_packages {
            root = row.integer(3);
        }
        root.is_none()
    });
    let root = root.and_then(|root| u32::try_from(root).ok());
    let root = root.ok_or(Unreadable("it has no table of packages"))?;
    let mut walk = Walk::over(&database);
    let mut damaged = false;
    // number, header
    walk.table(root, 0, &mut |row| {
        match row.blob(1) {
            Some(header) => add(header, found, &mut damaged),
            None => damaged = true,
        }
        !found.is_full()
    });
    result(damaged || walk.damaged)
}

struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    /// What of a page is the format's.
    usable: usize,
}

impl<'a> Database<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(MAGIC) || bytes.len() < FILE_HEADER {
            return None;
        }
        let page_size = match u16_be(bytes, 16)? {
            1 => 65_536,
            size => usize::from(size),
        };
        let usable = page_size.checked_sub(usize::from(bytes[20]))?;
        let valid = page_size.is_power_of_two() && page_size >= 512 && usable >= 480;
        valid.then_some(Self { bytes, page_size, usable })
    }

    /// Pages are counted from one.
    fn page(&self, number: u32) -> Option<&'a [u8]> {
        let start = index(number.checked_sub(1)?).checked_mul(self.page_size)?;
        self.bytes.get(start..start.checked_add(self.page_size)?)
    }
}

struct Walk<'a> {
    database: &'a Database<'a>,
    /// Pages that may still be visited, of trees and of chains: each belongs to one of them, so a walk
    /// over more than there are goes in a circle.
    pages: usize,
    /// Bytes that rows may still have, for the same reason.
    bytes: usize,
    damaged: bool,
}

impl<'a> Walk<'a> {
    fn over(database: &'a Database<'a>) -> Self {
        let pages = database.bytes.len() / database.page_size;
        Self { database, pages, bytes: database.bytes.len(), damaged: false }
    }

    fn page(&mut self, number: u32) -> Option<&'a [u8]> {
        self.pages = self.pages.checked_sub(1)?;
        self.database.page(number)
    }

    /// Hands the rows of a table to `each`, until that says no.
    fn table(&mut self, number: u32, depth: u32, each: &mut impl FnMut(&Row<'_>) -> bool) -> bool {
        let walked = self.node(number, depth, each);
        self.damaged |= walked.is_none();
        walked.unwrap_or(true)
    }

    fn node(
        &mut self,
        number: u32,
        depth: u32,
        each: &mut impl FnMut(&Row<'_>) -> bool,
    ) -> Option<bool> {
        let page = self.page(number).filter(|_| depth < DEEPEST)?;
        // The first page begins with the header of the file.
        let start = if number == 1 { FILE_HEADER } else { 0 };
        let kind = *page.get(start)?;
        let cells = usize::from(u16_be(page, start + 3)?);
        let pointers = start + if kind == INTERIOR { 12 } else { 8 };
        for cell in 0..cells {
            let at = usize::from(u16_be(page, pointers + 2 * cell)?);
            let go_on = match kind {
                LEAF => self.row(page, at, each),
                INTERIOR => self.table(u32_be(page, at)?, depth + 1, each),
                _ => return None,
            };
            if !go_on {
                return Some(false);
            }
        }
        if kind == INTERIOR {
            return Some(self.table(u32_be(page, start + 8)?, depth + 1, each));
        }
        Some(true)
    }

    fn row(&mut self, page: &'a [u8], at: usize, each: &mut impl FnMut(&Row<'_>) -> bool) -> bool {
        if let Some(row) = self.payload(page, at).as_deref().and_then(Row::parse) {
            return each(&row);
        }
        self.damaged = true;
        true
    }

    /// A row's bytes, of which the page holds the beginning and a chain of pages the rest.
    fn payload(&mut self, page: &'a [u8], at: usize) -> Option<std::borrow::Cow<'a, [u8]>> {
        let (length, at) = varint(page, at)?;
        let (_, at) = varint(page, at)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= LARGEST_HEADER)?;
        self.bytes = self.bytes.checked_sub(length)?;
        let usable = self.database.usable;
        let local = local_bytes(length, usable);
        let start = page.get(at..at.checked_add(local)?)?;
        if local == length {
            return Some(start.into());
        }
        // What a chain promises must be in the file.
        let step = usable - 4;
        if (length - local).div_ceil(step) > self.pages {
            return None;
        }
        let mut payload = start.to_vec();
        let mut next = u32_be(page, at + local)?;
        while payload.len() < length {
            let page = self.page(next)?;
            let take = step.min(length - payload.len());
            payload.extend_from_slice(page.get(4..4 + take)?);
            next = u32_be(page, 0)?;
        }
        Some(payload.into())
    }
}

/// How much of a row is on the page itself (section 1.6, "B-tree Cell Format").
fn local_bytes(length: usize, usable: usize) -> usize {
    let most = usable - 35;
    if length <= most {
        return length;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let local = least + (length - least) % (usable - 4);
    if local <= most { local } else { least }
}

/// A record: serial types, then values.
struct Row<'a> {
    types: Vec<u64>,
    values: &'a [u8],
}

/// The tables that are read have five columns at most.
const MOST_COLUMNS: usize = 8;

impl<'a> Row<'a> {
    fn parse(payload: &'a [u8]) -> Option<Self> {
        let (header, mut at) = varint(payload, 0)?;
        let header = usize::try_from(header).ok()?;
        let values = payload.get(header..)?;
        let mut types = Vec::new();
        while at < header && types.len() < MOST_COLUMNS {
            let (serial, next) = varint(payload, at)?;
            types.push(serial);
            at = next;
        }
        Some(Self { types, values })
    }

    fn value(&self, column: usize) -> Option<(u64, &'a [u8])> {
        let start = self
            .types
            .get(..column)?
            .iter()
            .try_fold(0_usize, |sum, serial| sum.checked_add(length(*serial)?))?;
        let serial = *self.types.get(column)?;
        let value = self.values.get(start..start.checked_add(length(serial)?)?)?;
        Some((serial, value))
    }

    fn blob(&self, column: usize) -> Option<&'a [u8]> {
        let (serial, value) = self.value(column)?;
        (serial >= 12 && serial % 2 == 0).then_some(value)
    }

    fn text(&self, column: usize) -> Option<&'a [u8]> {
        let (serial, value) = self.value(column)?;
        (serial >= 13 && serial % 2 == 1).then_some(value)
    }

    fn integer(&self, column: usize) -> Option<u64> {
        let (serial, value) = self.value(column)?;
        match serial {
            1..=6 => Some(value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))),
            8 | 9 => Some(serial - 8),
            _ => None,
        }
    }
}

/// How long a value of that serial type is.
fn length(serial: u64) -> Option<usize> {
    match serial {
        0 | 8 | 9 => Some(0),
        1..=4 => usize::try_from(serial).ok(),
        5 => Some(6),
        6 | 7 => Some(8),
        10 | 11 => None,
        _ => usize::try_from((serial - 12) / 2).ok(),
    }
}

/// A number of one to nine bytes, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for index in 0..9 {
        let byte = *bytes.get(at.checked_add(index)?)?;
        if index == 8 {
            return Some((number << 8 | u64::from(byte), at + 9));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, at + index + 1));
        }
    }
    None
}
