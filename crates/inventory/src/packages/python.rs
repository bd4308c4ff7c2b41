use super::Found;
use crate::{Package, PackageKind};

/// Reads the header of `METADATA` or `PKG-INFO` (core metadata specification).
pub fn read(bytes: &[u8], found: &mut Found) {
    let (mut name, mut version) = (None, None);
    let (mut license, mut expression) = (None, None);
    // The header ends at the first empty line; what follows is a description.
    let header = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    for line in header.take_while(|line| !line.is_empty()) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let value = Some(String::from_utf8_lossy(line[colon + 1..].trim_ascii()));
        match &line[..colon] {
            b"Name" => name = value,
            b"Version" => version = value,
            b"License" => license = value,
            b"License-Expression" => expression = value,
            _ => {}
        }
    }
    let (Some(name), Some(version)) = (name, version) else { return };
    let license = expression.or(license);
    let package = Package::new(PackageKind::Python, &name, &version);
    found.push(package.map(|package| package.with_licenses(license.as_deref())));
}
