//! The three databases that rpm has had, all of which hold the same headers.

mod bdb;
mod header;
mod ndb;
mod sqlite;

pub use bdb::read as bdb;
pub use ndb::read as ndb;
pub use sqlite::read as sqlite;

use super::{Found, Unreadable};

/// No header of a package is larger; those with a hundred thousand files have twenty mebibytes.
const LARGEST_HEADER: usize = 64 << 20;

/// Adds a header that was found in a database, counting those that do not read.
fn add(header: &[u8], found: &mut Found, damaged: &mut bool) {
    match header::package(header) {
        Ok(package) => found.push(package),
        Err(_) => *damaged = true,
    }
}

fn result(damaged: bool) -> Result<(), Unreadable> {
    if damaged { Err(Unreadable("a package's header is damaged")) } else { Ok(()) }
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u16_be(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
