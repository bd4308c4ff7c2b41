//! Any text as each of the files that say what is installed, as an os-release, as an image's
//! configuration and as an SBOM.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_inventory::{
    ImageConfiguration, OsRelease, Package, Purl,
    parse::{Found, apk, composer, debian_licenses, dotnet, dpkg, gemspec, npm, python},
    purl, read_sbom,
};

fuzz_target!(|data: &[u8]| {
    let mut found = Found::with_room(1000, 1 << 20);
    apk(data, &mut found);
    dpkg(data, &mut found);
    gemspec(data, &mut found);
    npm(data, &mut found);
    python(data, &mut found);
    let _ = composer(data, &mut found);
    let _ = dotnet(data, &mut found);
    let os = OsRelease::parse(data);
    for package in found.finish().unwrap_or_default() {
        check(&package, &purl(&package, os.as_ref()));
    }
    assert!(debian_licenses(data).len() <= 64);
    drop(ImageConfiguration::parse(data));
    drop(read_sbom(data));
});

fn check(package: &Package, purl: &Purl) {
    assert!(!package.name.is_empty() && !package.version.is_empty());
    assert!(purl.as_str().is_ascii() && purl.as_str().starts_with("pkg:"));
}
