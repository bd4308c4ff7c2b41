use super::Found;
use crate::{Package, PackageKind};

/// Reads a gem's specification, which `RubyGems` writes one assignment a line.
pub fn read(bytes: &[u8], found: &mut Found) {
    let text = String::from_utf8_lossy(bytes);
    let (mut name, mut version, mut licenses) = (None, None, Vec::new());
    for line in text.lines() {
        let Some((target, value)) = line.split_once('=') else { continue };
        let Some((_, attribute)) = target.trim().rsplit_once('.') else { continue };
        match attribute {
            "name" if name.is_none() => name = strings(value).next(),
            "version" if version.is_none() => version = strings(value).next(),
            "license" | "licenses" if licenses.is_empty() => licenses.extend(strings(value)),
            _ => {}
        }
    }
    let (Some(name), Some(version)) = (name, version) else { return };
    let package = Package::new(PackageKind::Gem, name, version);
    found.push(package.map(|package| package.with_licenses(licenses)));
}

/// The quoted strings of a line.
fn strings(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let start = rest.find(['"', '\''])?;
        let quote = rest[start..].chars().next()?;
        let inner = &rest[start + 1..];
        let end = inner.find(quote)?;
        rest = &inner[end + 1..];
        Some(&inner[..end])
    })
}
