//! Zip archives that are held in memory, read by their central directory.

use std::{borrow::Cow, io::Read as _};

use flate2::read::DeflateDecoder;

use crate::packages::Unreadable;

/// A file of an archive.
pub struct Member<'a> {
    archive: &'a [u8],
    /// Its path inside the archive.
    pub name: Cow<'a, str>,
    method: u16,
    stored: u32,
    /// How large it claims to be.
    pub size: u32,
    header: u64,
}

const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
/// The end is followed by a comment at most.
const LONGEST_COMMENT: usize = 65_535;
const DIRECTORY: &[u8] = b"PK\x01\x02";
const DIRECTORY_BYTES: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const LONGEST_NAME: usize = 4096;

/// Hands each member to `each`, until that says no. What lies outside of the archive is left out.
pub fn visit<'a>(
    archive: &'a [u8],
    most: u64,
    mut each: impl FnMut(Member<'a>) -> bool,
) -> Result<(), Unreadable> {
    let directory = directory(archive).ok_or(Unreadable("it has no directory of a zip archive"))?;
    let archive = usize::try_from(directory.before).ok().and_then(|before| archive.get(before..));
    let archive = archive.unwrap_or_default();
    let mut rest = directory.bytes;
    let mut seen = 0;
    while let Some((member, next)) = member(archive, rest) {
        seen += 1;
        if seen > most {
            return Err(Unreadable("it has too many members"));
        }
        if member.name.len() <= LONGEST_NAME && !each(member) {
            return Ok(());
        }
        rest = next;
    }
    if seen < directory.count { Err(Unreadable("its directory is damaged")) } else { Ok(()) }
}

impl<'a> Member<'a> {
    /// Whether its data is in the archive as it is.
    pub fn is_stored(&self) -> bool {
        self.method == STORED
    }

    /// Its data, if that is at most `most` bytes, whatever it claims.
    pub fn data(&self, most: u64) -> Result<Cow<'a, [u8]>, Unreadable> {
        let outside = Unreadable("a member lies outside of it");
        let stored = self.stored_data().ok_or(outside)?;
        match self.method {
            STORED if stored.len() as u64 <= most => Ok(Cow::Borrowed(stored)),
            STORED => Err(Unreadable("a member is too large")),
            DEFLATED => inflate(stored, most).map(Cow::Owned),
            _ => Err(Unreadable("a member is compressed in a way that is not known")),
        }
    }

    fn stored_data(&self) -> Option<&'a [u8]> {
        let header = usize::try_from(self.header).ok()?;
        let local = self.archive.get(header..header.checked_add(LOCAL_BYTES)?)?;
        if !local.starts_with(LOCAL) {
            return None;
        }
        let skip = usize::from(u16_at(local, 26)?) + usize::from(u16_at(local, 28)?);
        let start = header.checked_add(LOCAL_BYTES)?.checked_add(skip)?;
        let length = usize::try_from(self.stored).ok()?;
        self.archive.get(start..start.checked_add(length)?)
    }
}

fn inflate(stored: &[u8], most: u64) -> Result<Vec<u8>, Unreadable> {
    let mut data = Vec::new();
    let mut decoder = DeflateDecoder::new(stored).take(most.saturating_add(1));
    if decoder.read_to_end(&mut data).is_err() {
        return Err(Unreadable("a member does not decompress"));
    }
    if data.len() as u64 > most { Err(Unreadable("a member is too large")) } else { Ok(data) }
}

/// Where the members are listed.
struct Directory<'a> {
    bytes: &'a [u8],
    /// How many there are at least.
    count: u64,
    /// What stands in front of the archive, such as a script that starts it, and is not counted in
    /// its offsets.
    before: u64,
}

fn directory(archive: &[u8]) -> Option<Directory<'_>> {
    let earliest = archive.len().saturating_sub(END_BYTES + LONGEST_COMMENT);
    let at = earliest + memchr::memmem::rfind(&archive[earliest..], END)?;
    let end = archive.get(at..at + END_BYTES)?;
    let (count, size) = (u64::from(u16_at(end, 10)?), u64::from(u32_at(end, 12)?));
    let offset = u64::from(u32_at(end, 16)?);
    let (at, count, size, offset) = wide_end(archive, at).unwrap_or((at, count, size, offset));
    if count == 0 && size == 0 {
        return Some(Directory { bytes: &[], count, before: 0 });
    }
    // The directory ends where its end begins, wherever it says that it is.
    let start = (at as u64).checked_sub(size)?;
    let bytes = archive.get(usize::try_from(start).ok()?..at)?;
    let before = start.checked_sub(offset)?;
    bytes.starts_with(DIRECTORY).then_some(Directory { bytes, count, before })
}

/// The end of archives with more than 65,535 members: where it begins, the count, size and offset.
fn wide_end(archive: &[u8], end: usize) -> Option<(usize, u64, u64, u64)> {
    let locator =
        archive.get(end.checked_sub(20)?..end).filter(|l| l.starts_with(b"PK\x06\x07"))?;
    // It is as long as it was in the first version, and right in front of what locates it.
    let at = end.checked_sub(20 + 56).filter(|_| locator.len() == 20)?;
    let wide = archive.get(at..at + 56).filter(|wide| wide.starts_with(b"PK\x06\x06"))?;
    Some((at, u64_at(wide, 32)?, u64_at(wide, 40)?, u64_at(wide, 48)?))
}

/// The first member of a directory, and the directory behind it.
fn member<'a>(archive: &'a [u8], directory: &'a [u8]) -> Option<(Member<'a>, &'a [u8])> {
    let fields = directory.get(..DIRECTORY_BYTES).filter(|fields| fields.starts_with(DIRECTORY))?;
    let name_length = usize::from(u16_at(fields, 28)?);
    let others = usize::from(u16_at(fields, 30)?) + usize::from(u16_at(fields, 32)?);
    let name = directory.get(DIRECTORY_BYTES..DIRECTORY_BYTES + name_length)?;
    let next = directory.get(DIRECTORY_BYTES + name_length + others..)?;
    let member = Member {
        archive,
        name: String::from_utf8_lossy(name),
        method: u16_at(fields, 10)?,
        stored: u32_at(fields, 20)?,
        size: u32_at(fields, 24)?,
        header: u64::from(u32_at(fields, 42)?),
    };
    Some((member, next))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
