use std::io::Read as _;

use flate2::read::ZlibDecoder;
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
    let mut list = Vec::new();
    let decoder = ZlibDecoder::new(section).take(MOST_BYTES + 1);
    let read = { decoder }.read_to_end(&mut list);
    if read.is_err() {
        return Err(Unreadable("the list of its crates does not decompress"));
    }
    if list.len() as u64 > MOST_BYTES {
        return Err(Unreadable("the list of its crates is too large"));
    }
    let each = |dependency: Dependency| {
        let (Some(name), Some(version)) = (dependency.name.0, dependency.version.0) else { return };
        if dependency.kind.0.as_deref() != Some("build") {
            found.push(Package::new(PackageKind::Cargo, &name, &version));
        }
    };
    json::each_of(&list, "packages", each)
        .map_err(|_| Unreadable("the list of its crates is not JSON"))
}
