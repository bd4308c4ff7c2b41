use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::{OsRelease, Package, PackageKind};

/// A package URL, as printed by [`purl`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Purl(String);

impl Purl {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL without its qualifiers: what the same package has in every document.
    pub fn without_qualifiers(text: &str) -> &str {
        let end = text.find(['?', '#']).unwrap_or(text.len());
        &text[..end]
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The package URL (purl specification) of a package of an image with that operating system.
pub fn purl(package: &Package, os: Option<&OsRelease>) -> Purl {
    let mut url = String::from("pkg:");
    url.push_str(type_of(package.kind));
    let (namespace, name) = name_parts(package, os);
    for part in namespace.split('/').filter(|part| !part.is_empty()) {
        url.push('/');
        encode(&mut url, part);
    }
    url.push('/');
    encode(&mut url, &name);
    url.push('@');
    let (epoch, version) = version_parts(package);
    encode(&mut url, version);
    qualifiers(&mut url, package, epoch, os);
    Purl(url)
}

fn type_of(kind: PackageKind) -> &'static str {
    match kind {
        PackageKind::Apk => "apk",
        PackageKind::Deb => "deb",
        PackageKind::Rpm => "rpm",
        PackageKind::Python => "pypi",
        PackageKind::Npm => "npm",
        PackageKind::Go => "golang",
        PackageKind::Cargo => "cargo",
        PackageKind::Java => "maven",
        PackageKind::Gem => "gem",
        PackageKind::Composer => "composer",
        PackageKind::Nuget => "nuget",
    }
}

/// The namespace and the name, spelled as the type's own rules say.
fn name_parts(package: &Package, os: Option<&OsRelease>) -> (String, String) {
    let name = package.name.as_str();
    match package.kind {
        PackageKind::Apk | PackageKind::Deb => {
            (distribution(package.kind, os).to_owned(), name.to_lowercase())
        }
        PackageKind::Rpm => (distribution(package.kind, os).to_owned(), name.to_owned()),
        PackageKind::Python => (String::new(), name.to_lowercase().replace(['_', '.'], "-")),
        PackageKind::Npm => split(name, '/'),
        PackageKind::Go | PackageKind::Composer => split(&name.to_lowercase(), '/'),
        PackageKind::Java => match split(name, ':') {
            // The type requires a group; the artifact's own name is what others write there.
            (group, artifact) if group.is_empty() => (artifact.clone(), artifact),
            parts => parts,
        },
        PackageKind::Cargo | PackageKind::Gem | PackageKind::Nuget => {
            (String::new(), name.to_owned())
        }
    }
}

fn split(name: &str, separator: char) -> (String, String) {
    let (namespace, name) = name.rsplit_once(separator).unwrap_or(("", name));
    (namespace.to_owned(), name.to_owned())
}

/// The vendor, which is what os-release calls itself but for these.
fn distribution(kind: PackageKind, os: Option<&OsRelease>) -> &str {
    let vendor = match kind {
        PackageKind::Apk => "alpine",
        PackageKind::Deb => "debian",
        _ => "",
    };
    match os.map(|os| os.id.as_str()) {
        None => vendor,
        Some("rhel") => "redhat",
        Some("sles" | "sled") => "suse",
        Some(id) if id.starts_with("opensuse") => "opensuse",
        Some(id) => id,
    }
}

/// The epoch of an rpm is a qualifier; that of a deb belongs to its version.
fn version_parts(package: &Package) -> (Option<&str>, &str) {
    match package.version.split_once(':') {
        Some((epoch, version)) if package.kind == PackageKind::Rpm => (Some(epoch), version),
        _ => (None, &package.version),
    }
}

/// In the order of their names, which the canonical form has.
fn qualifiers(url: &mut String, package: &Package, epoch: Option<&str>, os: Option<&OsRelease>) {
    if !matches!(package.kind, PackageKind::Apk | PackageKind::Deb | PackageKind::Rpm) {
        return;
    }
    let mut mark = '?';
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = write!(url, "{mark}{name}=");
            encode(url, value);
            mark = '&';
        }
    };
    add("arch", package.architecture.as_deref().unwrap_or_default());
    add("distro", &os.map(OsRelease::distro).unwrap_or_default());
    add("epoch", epoch.unwrap_or_default());
    if let Some(source) = &package.source
        && source.name != package.name
    {
        let same = source.version == package.version;
        let version = if same { String::new() } else { format!("@{}", source.version) };
        add("upstream", &format!("{}{version}", source.name));
    }
}

/// Percent-encodes all but what the specification leaves as it is.
fn encode(url: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(package: &Package, os: Option<&OsRelease>, expected: &str) {
        assert_eq!(purl(package, os).as_str(), expected);
    }

    fn package(kind: PackageKind, name: &str, version: &str) -> Package {
        Package::new(kind, name, version).unwrap()
    }

    #[test]
    fn packages_of_operating_systems_name_theirs() {
        let os = |id: &str, version: &str| {
            let (id, version_id) = (id.to_owned(), version.to_owned());
            OsRelease { id, version_id, ..OsRelease::default() }
        };
        let libc = package(PackageKind::Deb, "libc6", "1:2.36-9+deb12u4")
            .with_architecture(Some("amd64"))
            .with_source(Some("glibc"), Some("2.36-9"));
        check(
            &libc,
            Some(&os("debian", "12")),
            "pkg:deb/debian/libc6@1:2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc%402.36-9",
        );
        let dbus = package(PackageKind::Rpm, "dbus-libs", "1:1.12.20-8.el9")
            .with_architecture(Some("x86_64"))
            .with_source(Some("dbus"), Some("1.12.20-8.el9"));
        check(
            &dbus,
            Some(&os("rhel", "9.4")),
            "pkg:rpm/redhat/dbus-libs@1.12.20-8.el9?arch=x86_64&distro=rhel-9.4&epoch=1&\
             upstream=dbus%401.12.20-8.el9",
        );
        let busybox =
            package(PackageKind::Apk, "busybox", "1.36.1-r28").with_source(Some("busybox"), None);
        check(
            &busybox,
            Some(&os("wolfi", "20230201")),
            "pkg:apk/wolfi/busybox@1.36.1-r28?distro=wolfi-20230201",
        );
        check(&busybox, None, "pkg:apk/alpine/busybox@1.36.1-r28");
    }

    #[test]
    fn packages_of_languages_are_spelled_by_their_types() {
        let check =
            |kind, name, version, expected| check(&package(kind, name, version), None, expected);
        check(PackageKind::Python, "Jinja2_Ext", "3.1", "pkg:pypi/jinja2-ext@3.1");
        check(PackageKind::Npm, "@babel/core", "7.0.0", "pkg:npm/%40babel/core@7.0.0");
        check(
            PackageKind::Go,
            "github.com/Azure/go",
            "v1.0.0+incompatible",
            "pkg:golang/github.com/azure/go@v1.0.0%2Bincompatible",
        );
        check(PackageKind::Go, "stdlib", "1.22.1", "pkg:golang/stdlib@1.22.1");
        check(PackageKind::Java, "org.slf4j:slf4j-api", "2.0", "pkg:maven/org.slf4j/slf4j-api@2.0");
        check(PackageKind::Java, "tool", "1", "pkg:maven/tool/tool@1");
        check(PackageKind::Composer, "Symfony/Yaml", "v6", "pkg:composer/symfony/yaml@v6");
        check(PackageKind::Nuget, "Newtonsoft.Json", "13.0.1", "pkg:nuget/Newtonsoft.Json@13.0.1");
        check(PackageKind::Cargo, "serde", "1.0.0", "pkg:cargo/serde@1.0.0");
        check(PackageKind::Gem, "json", "2.6.1", "pkg:gem/json@2.6.1");
    }
}
