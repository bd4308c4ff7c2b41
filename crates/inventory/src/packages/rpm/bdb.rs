use super::{Found, LARGEST_HEADER, Unreadable, add, index, result};

const HASH_MAGIC: u32 = 0x0006_1561;
const PAGE_HEADER: usize = 26;
const UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const SORTED: u8 = 13;
const ON_PAGE: u8 = 1;
const OFF_PAGE: u8 = 3;

/// Reads `Packages` of Berkeley DB: a hash table whose keys are numbers and whose values are the
/// headers, mostly on pages of their own that are chained.
pub fn read(bytes: &[u8], found: &mut Found) -> Result<(), Unreadable> {
    let database = Database::open(bytes)
        .ok_or(Unreadable("it is not an rpm database of the kind Berkeley DB hash"))?;
    let mut damaged = false;
    // Chains may meet, but what they yield together is not more than the file.
    let mut room = bytes.len();
    for page in bytes.chunks_exact(database.page_size).skip(1) {
        if !matches!(page[25], UNSORTED | SORTED) {
            continue;
        }
        for value in (1..database.entries(page)).step_by(2) {
            if found.is_full() {
                return result(damaged);
            }
            match database.value(page, value, &mut room) {
                // The first record counts the packages.
                Some(value) if value.len() <= 8 => {}
                Some(value) => add(&value, found, &mut damaged),
                None => damaged = true,
            }
        }
    }
    result(damaged || !database.is_whole())
}

struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    big: bool,
}

impl<'a> Database<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let magic: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
        let big = match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (HASH_MAGIC, _) => false,
            (_, HASH_MAGIC) => true,
            _ => return None,
        };
        let database = Self { bytes, page_size: 0, big };
        let page_size = index(database.u32(bytes, 20)?);
        let encrypted = *bytes.get(24)? != 0;
        let valid = page_size.is_power_of_two() && (512..=65_536).contains(&page_size);
        (valid && !encrypted).then_some(Self { page_size, ..database })
    }

    /// Whether the last page that it counts is there.
    fn is_whole(&self) -> bool {
        let pages = self.bytes.len() / self.page_size;
        self.u32(self.bytes, 32).is_some_and(|last| index(last) < pages)
    }

    fn u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn u16(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let bytes = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        let number = if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        Some(usize::from(number))
    }

    fn entries(&self, page: &[u8]) -> usize {
        let most = (self.page_size - PAGE_HEADER) / 2;
        self.u16(page, 20).unwrap_or(0).min(most)
    }

    fn value(&self, page: &[u8], entry: usize, room: &mut usize) -> Option<Vec<u8>> {
        let start = self.u16(page, PAGE_HEADER + 2 * entry)?;
        match *page.get(start)? {
            ON_PAGE => {
                // Items fill the page from its end.
                let end = self.u16(page, PAGE_HEADER + 2 * (entry - 1))?;
                let value = page.get(start + 1..end)?;
                *room = room.checked_sub(value.len())?;
                Some(value.to_vec())
            }
            OFF_PAGE => self.chain(self.u32(page, start + 4)?, self.u32(page, start + 8)?, room),
            _ => None,
        }
    }

    fn chain(&self, mut number: u32, length: u32, room: &mut usize) -> Option<Vec<u8>> {
        let length = index(length);
        if length > LARGEST_HEADER {
            return None;
        }
        *room = room.checked_sub(length)?;
        let mut value = Vec::new();
        while value.len() < length {
            let start = index(number).checked_mul(self.page_size)?;
            let page = self.bytes.get(start..start.checked_add(self.page_size)?)?;
            let used = self.u16(page, 22)?;
            // A page without data would be a chain without end.
            if number == 0 || page[25] != OVERFLOW || used == 0 {
                return None;
            }
            value.extend_from_slice(page.get(PAGE_HEADER..PAGE_HEADER.checked_add(used)?)?);
            number = self.u32(page, 16)?;
        }
        value.truncate(length);
        Some(value)
    }
}
