use std::io::Read as _;

use flate2::{Decompress, FlushDecompress, read::ZlibDecoder};
use serde::Deserialize;

use super::{Found, Unreadable};
use crate::{
    Package, PackageKind,
    json::{self, Lenient},
};

/// The list of a workspace of a thousand crates takes a tenth of a mebibyte.
const MOST_BYTES: u64 = 8 << 20;

#[derive(Deserialize)]
struct Dependency {
    #[serde(default)]
    name: Lenient<String>,
    #[serde(default)]
    version: Lenient<String>,
    #[serde(default)]
    kind: Lenient<String>,
}

/// Reads the section in which cargo-auditable recorded the crates, compressed with zlib. What was
/// only used while building is not in the executable.
pub(crate) fn read(section: &[u8], found: &mut Found) -> Result<(), Unreadable> {
    parse(&decompressed(section)?, found)
}

/// What every list begins with.
const BEGINNING: &[u8] = b"{\"packages\":[";

/// Searches the first `step` bytes for the beginning of such a section: a header of zlib behind which
/// a list comes out. Each try is paid with one of `tries`.
pub(crate) fn find(bytes: &[u8], step: usize, tries: &mut u64, found: &mut Found) -> bool {
    let mut decoder = Decompress::new(true);
    for at in memchr::memchr_iter(0x78, &bytes[..step.min(bytes.len())]) {
        // The level is the default one or, as cargo-auditable sets it, higher (RFC 1950, section 2.2).
        // Text is compressed, not stored: the block's type is one of the two that do.
        let level = matches!(bytes.get(at + 1), Some(0x9c | 0xda));
        let block = matches!(bytes.get(at + 2).map(|byte| byte >> 1 & 3), Some(1 | 2));
        if !level || !block || *tries == 0 {
            continue;
        }
        *tries -= 1;
        decoder.reset(true);
        let mut beginning = [0; BEGINNING.len()];
        let end = bytes.len().min(at + 1024);
        // What does not decompress is something else, as it mostly is.
        drop(decoder.decompress(&bytes[at..end], &mut beginning, FlushDecompress::None));
        if beginning == *BEGINNING
            && let Ok(list) = decompressed(&bytes[at..])
            && parse(&list, found).is_ok()
        {
            return true;
        }
    }
    false
}

fn decompressed(section: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut list = Vec::new();
    let decoder = ZlibDecoder::new(section).take(MOST_BYTES + 1);
    let read = { decoder }.read_to_end(&mut list);
    if read.is_err() {
        return Err(Unreadable("the list of its crates does not decompress"));
    }
    if list.len() as u64 > MOST_BYTES {
        return Err(Unreadable("the list of its crates is too large"));
    }
    Ok(list)
}

fn parse(list: &[u8], found: &mut Found) -> Result<(), Unreadable> {
    let each = |dependency: Dependency| {
        let (Some(name), Some(version)) = (dependency.name.0, dependency.version.0) else { return };
        if dependency.kind.0.as_deref() != Some("build") {
            found.push(Package::new(PackageKind::Cargo, &name, &version));
        }
    };
    json::each_of(list, "packages", each)
        .map_err(|_| Unreadable("the list of its crates is not JSON"))
}
