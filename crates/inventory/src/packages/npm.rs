use serde::Deserialize;

use super::Found;
use crate::{
    Package, PackageKind,
    json::{Lenient, Names},
};

/// The few fields that are read of a `package.json`; anything may be written in the others.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    name: Lenient<String>,
    #[serde(default)]
    version: Lenient<String>,
    #[serde(default)]
    license: Lenient<Names>,
    #[serde(default)]
    licenses: Lenient<Names>,
}

/// Reads a `package.json`. Those that mark a directory and have no name or version say nothing.
pub fn read(bytes: &[u8], found: &mut Found) {
    let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) else { return };
    let (Some(name), Some(version)) = (manifest.name.0, manifest.version.0) else { return };
    if !is_name(&name) || !version.starts_with(|first: char| first.is_ascii_digit() || first == 'v')
    {
        return;
    }
    let licenses = [manifest.license.0, manifest.licenses.0];
    let licenses = licenses.iter().flatten().flat_map(|names| names.0.iter().map(String::as_str));
    let package = Package::new(PackageKind::Npm, &name, &version);
    found.push(package.map(|package| package.with_licenses(licenses)));
}

/// `name` or `@scope/name`.
fn is_name(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && !part.contains(['/', ' ', '%', '@']);
    match name.strip_prefix('@') {
        Some(scoped) => {
            scoped.split_once('/').is_some_and(|(scope, name)| part(scope) && part(name))
        }
        None => part(name),
    }
}
