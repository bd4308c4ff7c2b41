use super::{Found, LARGEST_HEADER, Unreadable, add, index, result, u32_le};

const MAGIC: u32 = u32::from_le_bytes(*b"RpmP");
const SLOT_MAGIC: u32 = u32::from_le_bytes(*b"Slot");
const BLOB_MAGIC: u32 = u32::from_le_bytes(*b"BlbS");
const PAGE: usize = 4096;
const SLOT: usize = 16;
const BLOCK: usize = 16;
const BLOB_HEADER: usize = 16;

/// Reads `Packages.db`: pages of slots, each of which points at the header of a package.
pub fn read(bytes: &[u8], found: &mut Found) -> Result<(), Unreadable> {
    if u32_le(bytes, 0) != Some(MAGIC) {
        return Err(Unreadable("it is not an rpm database of the kind ndb"));
    }
    let pages = index(u32_le(bytes, 12).unwrap_or(0));
    let slots = pages.saturating_mul(PAGE).min(bytes.len());
    let mut damaged = false;
    // A header may be pointed at once, so that slots cannot multiply what is in the file.
    let mut room = bytes.len();
    // The first two places are the database's own header.
    for at in (2 * SLOT..slots).step_by(SLOT) {
        if found.is_full() {
            break;
        }
        let Some(slot) = bytes.get(at..at + SLOT) else { break };
        let package = u32_le(slot, 4).unwrap_or(0);
        if u32_le(slot, 0) != Some(SLOT_MAGIC) || package == 0 {
            continue;
        }
        match blob(bytes, slot, package).filter(|blob| blob.len() <= room) {
            Some(blob) => {
                room -= blob.len();
                add(blob, found, &mut damaged);
            }
            None => damaged = true,
        }
    }
    result(damaged)
}

fn blob<'a>(bytes: &'a [u8], slot: &[u8], package: u32) -> Option<&'a [u8]> {
    let start = index(u32_le(slot, 8)?).checked_mul(BLOCK)?;
    let intact = u32_le(bytes, start)? == BLOB_MAGIC && u32_le(bytes, start + 4)? == package;
    let length = index(u32_le(bytes, start + 12)?);
    if !intact || length > LARGEST_HEADER {
        return None;
    }
    bytes.get(start + BLOB_HEADER..)?.get(..length)
}
