//! Zip archives in files, read by their central directory, a member at a time.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    os::unix::fs::FileExt,
};

use flate2::read::DeflateDecoder;

use crate::ImportError;

/// What every zip archive begins with that has something in it.
pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";

const END: &[u8] = b"PK\x05\x06";
const END_BYTES: u64 = 22;
/// The end is followed by a comment at most.
const LONGEST_COMMENT: u64 = 65_535;
const WIDE_LOCATOR: &[u8] = b"PK\x06\x07";
const WIDE_LOCATOR_BYTES: u64 = 20;
const WIDE_END: &[u8] = b"PK\x06\x06";
const WIDE_END_BYTES: u64 = 56;
const DIRECTORY: &[u8] = b"PK\x01\x02";
const DIRECTORY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Sizes and offsets that do not fit are in an extra field of this kind.
const WIDE_EXTRA: u16 = 1;
const WIDE: u32 = u32::MAX;

/// An archive.
pub(crate) struct Archive<'f> {
    file: &'f File,
    directory: BufReader<Part<'f>>,
    left: u64,
}

/// A file of an archive.
pub(crate) struct Member<'f> {
    file: &'f File,
    /// Its path inside the archive.
    pub(crate) name: String,
    method: u16,
    stored: u64,
    header: u64,
}

/// Bytes of a file from one place to another.
struct Part<'f> {
    file: &'f File,
    at: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl<'f> Archive<'f> {
    /// Opens an archive by the directory at its end.
    pub(crate) fn open(file: &'f File) -> Result<Self, ImportError> {
        let damaged = |_| ImportError::Archive("its end cannot be read");
        let length = file.metadata().map_err(damaged)?.len();
        let tail_begin = length.saturating_sub(END_BYTES + LONGEST_COMMENT);
        let tail = bytes(file, tail_begin, length - tail_begin).map_err(damaged)?;
        let end = tail.windows(END.len()).rposition(|window| window == END);
        let end = end.ok_or(ImportError::Archive("it has no directory"))?;
        let fields = tail.get(end..).filter(|fields| fields.len() as u64 >= END_BYTES);
        let fields = fields.ok_or(ImportError::Archive("it ends too early"))?;
        let mut count = u64::from(u16_at(fields, 10));
        let (mut size, mut offset) = (u64::from(u32_at(fields, 12)), u64::from(u32_at(fields, 16)));
        if let Some(wide) = wide_end(file, tail_begin + end as u64) {
            (count, size, offset) = wide;
        }
        let end = offset.checked_add(size).filter(|end| *end <= length);
        let end = end.ok_or(ImportError::Archive("its directory lies outside of it"))?;
        let directory = BufReader::with_capacity(1 << 16, Part { file, at: offset, end });
        Ok(Self { file, directory, left: count })
    }

    /// The next member; nothing behind the last.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member<'f>>, ImportError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let damaged = ImportError::Archive("its directory is damaged");
        self.read_member().map(Some).ok_or(damaged)
    }

    fn read_member(&mut self) -> Option<Member<'f>> {
        let mut fields = [0; DIRECTORY_BYTES];
        self.directory.read_exact(&mut fields).ok()?;
        if !fields.starts_with(DIRECTORY) {
            return None;
        }
        let mut rest = |length: u16| {
            let mut bytes = vec![0; usize::from(length)];
            self.directory.read_exact(&mut bytes).ok().map(|()| bytes)
        };
        let name = rest(u16_at(&fields, 28))?;
        let extra = rest(u16_at(&fields, 30))?;
        rest(u16_at(&fields, 32))?;
        let (stored, size, header) =
            (u32_at(&fields, 20), u32_at(&fields, 24), u32_at(&fields, 42));
        let mut wide = wide_extra(&extra).into_iter();
        // They stand in this order, those that fit left out (APPNOTE 4.5.3).
        let mut value = |narrow: u32| match narrow {
            WIDE => wide.next().unwrap_or(u64::from(WIDE)),
            narrow => u64::from(narrow),
        };
        let (_size, stored, header) = (value(size), value(stored), value(header));
        let name = String::from_utf8_lossy(&name).into_owned();
        Some(Member { file: self.file, name, method: u16_at(&fields, 10), stored, header })
    }
}

impl Member<'_> {
    /// Its data, if that is at most `most` bytes, whatever it claims.
    pub(crate) fn data(&self, most: usize) -> Result<Vec<u8>, &'static str> {
        let mut local = [0; LOCAL_BYTES];
        let outside = "lies outside of the archive";
        self.file.read_exact_at(&mut local, self.header).map_err(|_| outside)?;
        if !local.starts_with(MAGIC) {
            return Err(outside);
        }
        let skip = u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        let at = self.header.checked_add(LOCAL_BYTES as u64 + skip).ok_or(outside)?;
        let end = at.checked_add(self.stored).ok_or(outside)?;
        let part = BufReader::new(Part { file: self.file, at, end });
        match self.method {
            STORED => whole(part, most),
            DEFLATED => whole(DeflateDecoder::new(part), most),
            _ => Err("is compressed in a way that is not known"),
        }
    }
}

fn whole(from: impl Read, most: usize) -> Result<Vec<u8>, &'static str> {
    let mut data = Vec::new();
    let mut from = from.take(most as u64 + 1);
    from.read_to_end(&mut data).map_err(|_| "does not decompress")?;
    if data.len() > most { Err("is too large") } else { Ok(data) }
}

/// The end of archives with more than 65,535 members: count, size and offset of the directory.
fn wide_end(file: &File, end: u64) -> Option<(u64, u64, u64)> {
    let at = end.checked_sub(WIDE_LOCATOR_BYTES)?;
    let locator = bytes(file, at, WIDE_LOCATOR_BYTES).ok()?;
    if !locator.starts_with(WIDE_LOCATOR) {
        return None;
    }
    let wide = bytes(file, u64_at(&locator, 8), WIDE_END_BYTES).ok()?;
    let found = wide.starts_with(WIDE_END);
    found.then(|| (u64_at(&wide, 32), u64_at(&wide, 40), u64_at(&wide, 48)))
}

fn wide_extra(mut extra: &[u8]) -> Vec<u64> {
    while let [kind, kind_high, length, length_high, rest @ ..] = extra {
        let length = usize::from(u16::from_le_bytes([*length, *length_high]));
        let Some(data) = rest.get(..length) else { break };
        if u16::from_le_bytes([*kind, *kind_high]) == WIDE_EXTRA {
            return data.chunks_exact(8).map(|chunk| u64_at(chunk, 0)).collect();
        }
        extra = &rest[length..];
    }
    Vec::new()
}

/// A few bytes of a file; callers ask for less than 100 KiB.
fn bytes(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// What lies outside reads as zeros; callers have checked the length.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let found = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    found.map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    found.map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let found = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    found.map_or(0, u64::from_le_bytes)
}
