use serde::Deserialize;

use super::{Found, Unreadable};
use crate::{
    Package, PackageKind,
    json::{self, Lenient},
};

#[derive(Deserialize)]
struct Library {
    #[serde(default, rename = "type")]
    kind: Lenient<String>,
}

/// Reads an application's `*.deps.json`. Its own projects are not packages of `NuGet`.
pub fn read(bytes: &[u8], found: &mut Found) -> Result<(), Unreadable> {
    let each = |key: &str, library: Library| {
        let Some((name, version)) = key.rsplit_once('/') else { return };
        let name = match library.kind.0.as_deref() {
            Some("package") => name,
            Some("runtimepack") => name.strip_prefix("runtimepack.").unwrap_or(name),
            _ => return,
        };
        found.push(Package::new(PackageKind::Nuget, name, version));
    };
    json::each_member_of(bytes, "libraries", each)
        .map_err(|_| Unreadable("it is not the JSON of a dependency file"))
}
