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
    let (directory, count) =
        directory(archive).ok_or(Unreadable("it has no directory of a zip archive"))?;
    let mut rest = directory;
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
    if seen < count { Err(Unreadable("its directory is damaged")) } else { Ok(()) }
}

impl<'a> Member<'a> {
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

/// The central directory, and how many members the end of the archive promises at least.
fn directory(archive: &[u8]) -> Option<(&[u8], u64)> {
    let earliest = archive.len().saturating_sub(END_BYTES + LONGEST_COMMENT);
    let at = earliest + memchr::memmem::rfind(&archive[earliest..], END)?;
    let end = archive.get(at..at + END_BYTES)?;
    let size = usize::try_from(u32_at(end, 12)?).ok()?;
    let offset = usize::try_from(u32_at(end, 16)?).ok()?;
    let count = u64::from(u16_at(end, 10)?);
    // An executable archive has a script in front, which not every writer counts: the directory is
    // where its end says or right in front of the end. Very large archives say nothing here, and
    // theirs is found by the latter, as far as 64-bit ends do not lie between.
    let declared = archive.get(offset..).filter(|rest| rest.starts_with(DIRECTORY));
    let before = || archive.get(at.checked_sub(size)?..at).filter(|d| d.starts_with(DIRECTORY));
    match declared {
        Some(rest) => Some((rest, count)),
        None if count == 0 => Some((&[], 0)),
        None => Some((before()?, count)),
    }
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

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
