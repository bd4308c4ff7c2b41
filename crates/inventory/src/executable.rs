//! The three formats of executables, as far as it takes to find a section by its name.

use crate::packages::{self, Found, Unreadable};

/// A section of an executable: the part of the file that has a name.
pub(crate) struct Section<'a> {
    pub(crate) data: &'a [u8],
}

/// Whether the file begins as an executable or a shared library does.
pub(crate) fn is_executable(beginning: &[u8]) -> bool {
    is_elf(beginning) || is_pe(beginning) || is_mach_o(beginning)
}

fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

fn is_pe(bytes: &[u8]) -> bool {
    bytes.starts_with(b"MZ") && bytes.len() >= 64
}

fn is_mach_o(bytes: &[u8]) -> bool {
    matches!(bytes, [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..])
}

/// Reads what a compiler recorded in an executable about the packages that are linked into it.
pub fn packages(bytes: &[u8], found: &mut Found) -> Result<(), Unreadable> {
    packages::go(bytes, bytes.len(), 0, found);
    match section(bytes, ".dep-v0") {
        Some(section) => packages::cargo(section.data, found),
        None => Ok(()),
    }
}

/// Looks for the same in an executable that is seen in parts.
///
/// Where its sections are is mostly told at its end. What is looked for can be told without that: the
/// one by a mark, the other by what it decompresses to.
pub(crate) struct Scan {
    offset: u64,
    go: bool,
    cargo: bool,
    /// How often decompressing may be tried: once for each four kibibytes, where it is by chance that
    /// two bytes look like a beginning once for each sixteen or more.
    tries: u64,
}

impl Scan {
    pub(crate) fn new(size: u64) -> Self {
        Self { offset: 0, go: false, cargo: false, tries: 64 + size / 4096 }
    }

    /// Looks at what begins in the first `step` bytes of a part, with as much behind them as is there.
    pub(crate) fn look(&mut self, part: &[u8], step: usize, found: &mut Found) {
        self.go = self.go || packages::go(part, step, self.offset, found);
        self.cargo = self.cargo || packages::find_cargo(part, step, &mut self.tries, found);
        self.offset += step as u64;
    }

    pub(crate) fn finish(self) -> Result<(), Unreadable> {
        if self.tries == 0 && !self.cargo {
            return Err(Unreadable("too much of it looks like a list of crates"));
        }
        Ok(())
    }
}

/// The section of that name, if there is one and the file holds all of it.
pub(crate) fn section<'a>(bytes: &'a [u8], name: &str) -> Option<Section<'a>> {
    if is_elf(bytes) {
        elf_section(bytes, name)
    } else if is_pe(bytes) {
        pe_section(bytes, name)
    } else if is_mach_o(bytes) {
        mach_o_section(bytes, name)
    } else {
        None
    }
}

/// Numbers at offsets, in the byte order and the width of the file.
#[derive(Clone, Copy)]
struct Numbers<'a> {
    bytes: &'a [u8],
    big: bool,
    wide: bool,
}

impl<'a> Numbers<'a> {
    fn array<const N: usize>(self, at: u64) -> Option<[u8; N]> {
        slice(self.bytes, at, N as u64)?.try_into().ok()
    }

    fn u16(self, at: u64) -> Option<u64> {
        let bytes = self.array(at)?;
        Some(u64::from(if self.big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }))
    }

    fn u32(self, at: u64) -> Option<u64> {
        let bytes = self.array(at)?;
        Some(u64::from(if self.big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }))
    }

    /// An address or an offset.
    fn word(self, at: u64) -> Option<u64> {
        if !self.wide {
            return self.u32(at);
        }
        let bytes = self.array(at)?;
        Some(if self.big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// The name that begins at `at` and ends with a zero, or with its field.
    fn name(self, at: u64, most: u64) -> Option<&'a [u8]> {
        let end = at.checked_add(most)?.min(self.bytes.len() as u64);
        let name = slice(self.bytes, at, end.checked_sub(at)?)?;
        Some(&name[..memchr::memchr(0, name).unwrap_or(name.len())])
    }
}

fn slice(bytes: &[u8], at: u64, length: u64) -> Option<&[u8]> {
    let at = usize::try_from(at).ok()?;
    let end = at.checked_add(usize::try_from(length).ok()?)?;
    bytes.get(at..end)
}

/// Longer names are not the one that is looked for.
const LONGEST_NAME: u64 = 64;

fn elf_section<'a>(bytes: &'a [u8], name: &str) -> Option<Section<'a>> {
    let (wide, big) = (*bytes.get(4)? == 2, *bytes.get(5)? == 2);
    let numbers = Numbers { bytes, big, wide };
    let (table, size, count, names) = if wide { (40, 58, 60, 62) } else { (32, 46, 48, 50) };
    let table = numbers.word(table)?;
    let (size, count, names) = (numbers.u16(size)?, numbers.u16(count)?, numbers.u16(names)?);
    let header = |index: u64| table.checked_add(index.checked_mul(size)?);
    let (offset, length) = if wide { (24, 32) } else { (16, 20) };
    let names = numbers.word(header(names)?.checked_add(offset)?)?;
    for index in 0..count {
        let header = header(index)?;
        let own_name = names.checked_add(numbers.u32(header)?)?;
        if numbers.name(own_name, LONGEST_NAME) == Some(name.as_bytes()) {
            let start = numbers.word(header.checked_add(offset)?)?;
            let length = numbers.word(header.checked_add(length)?)?;
            return Some(Section { data: slice(bytes, start, length)? });
        }
    }
    None
}

fn pe_section<'a>(bytes: &'a [u8], name: &str) -> Option<Section<'a>> {
    let numbers = Numbers { bytes, big: false, wide: false };
    let header = numbers.u32(60)?;
    if slice(bytes, header, 4)? != b"PE\0\0" {
        return None;
    }
    let (count, optional) = (numbers.u16(header + 6)?, numbers.u16(header + 20)?);
    let table = header + 24 + optional;
    for index in 0..count {
        let section = table + index * 40;
        if numbers.name(section, 8)? == name.as_bytes() {
            let (size, stored) = (numbers.u32(section + 8)?, numbers.u32(section + 16)?);
            return Some(Section {
                data: slice(bytes, numbers.u32(section + 20)?, size.min(stored))?,
            });
        }
    }
    None
}

fn mach_o_section<'a>(bytes: &'a [u8], name: &str) -> Option<Section<'a>> {
    let big = bytes[0] == 0xfe;
    let wide = if big { bytes[3] == 0xcf } else { bytes[0] == 0xcf };
    let numbers = Numbers { bytes, big, wide };
    let mut command = if wide { 32 } else { 28 };
    // A segment command, the offset of its count of sections, of the first, and a section's length.
    let (segment, count_at, first, length) =
        if wide { (0x19, 64, 72, 80) } else { (0x1, 48, 56, 68) };
    for _ in 0..numbers.u32(16)? {
        let size = numbers.u32(command + 4)?;
        if numbers.u32(command)? == segment {
            let count = numbers.u32(command + count_at)?.min(size / length);
            for index in 0..count {
                let section = command + first + index * length;
                if numbers.name(section, 16)? == name.as_bytes() {
                    let (size, at) = if wide { (40, 48) } else { (36, 40) };
                    let size = numbers.word(section + size)?;
                    return Some(Section { data: slice(bytes, numbers.u32(section + at)?, size)? });
                }
            }
        }
        // Every command has its kind and size.
        command += size.max(8);
    }
    None
}
