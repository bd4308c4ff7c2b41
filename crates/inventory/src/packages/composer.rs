use serde::Deserialize;

use super::{Found, Unreadable};
use crate::{
    Package, PackageKind,
    json::{self, Lenient, Names},
};

#[derive(Deserialize)]
struct Installed {
    #[serde(default)]
    name: Lenient<String>,
    #[serde(default)]
    version: Lenient<String>,
    #[serde(default)]
    license: Lenient<Names>,
}

/// Reads Composer's `installed.json`: a list, which version 2 puts into an object.
pub fn read(bytes: &[u8], found: &mut Found) -> Result<(), Unreadable> {
    let each = |installed: Installed| add(&installed, found);
    let read = if bytes.trim_ascii_start().starts_with(b"[") {
        json::each(bytes, each)
    } else {
        json::each_of(bytes, "packages", each)
    };
    read.map_err(|_| Unreadable("it is not the JSON that Composer writes"))
}

fn add(installed: &Installed, found: &mut Found) {
    let (Some(name), Some(version)) = (&installed.name.0, &installed.version.0) else { return };
    let licenses = installed.license.0.iter().flat_map(|names| names.0.iter().map(String::as_str));
    let package = Package::new(PackageKind::Composer, name, version);
    found.push(package.map(|package| package.with_licenses(licenses)));
}
