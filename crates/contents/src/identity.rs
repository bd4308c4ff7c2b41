//! Packages as rows: what makes one another than all others, and what is kept of it.

use plura_inventory::{ImagePackage, OsRelease, Package, PackageKind, Purl, SourcePackage};
use plura_meta::contents::package::NewPackage;
use serde::{Deserialize, Serialize};

/// What is kept of a package, whichever images have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageDocument {
    /// The package.
    #[serde(flatten)]
    pub package: Package,
    /// How others call it.
    pub purl: Purl,
    /// The operating system that it is a package of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<OsRelease>,
}

/// What advisories tell packages apart by, in this order.
#[derive(Serialize)]
struct Identity<'a> {
    kind: PackageKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<(&'a str, &'a str)>,
    name: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a SourcePackage>,
}

/// The packages of an image with that operating system, each once.
pub(crate) fn rows(packages: &[ImagePackage], os: Option<&OsRelease>) -> Vec<NewPackage> {
    let mut rows: Vec<NewPackage> = packages.iter().map(|package| row(package, os)).collect();
    rows.sort_unstable();
    rows.dedup_by(|a, b| a.identity == b.identity);
    rows
}

fn row(found: &ImagePackage, os: Option<&OsRelease>) -> NewPackage {
    let package = &found.package;
    let os = os.filter(|_| is_of_distribution(package.kind));
    let identity = Identity {
        kind: package.kind,
        distribution: os.map(|os| (os.id.as_str(), os.version_id.as_str())),
        name: &package.name,
        version: &package.version,
        architecture: package.architecture.as_deref(),
        source: package.source.as_ref(),
    };
    let distribution = os.map(|os| OsRelease { pretty_name: String::new(), ..os.clone() });
    let document =
        PackageDocument { package: package.clone(), purl: found.purl.clone(), distribution };
    NewPackage {
        identity: json(&identity),
        ecosystem: ecosystem(package.kind, os),
        name: package.name.clone(),
        version: package.version.clone(),
        document: json(&document),
    }
}

/// `deb:debian:12`, `npm`
fn ecosystem(kind: PackageKind, os: Option<&OsRelease>) -> String {
    let mut words = word(kind).to_owned();
    for part in os.iter().flat_map(|os| [&os.id, &os.version_id]).filter(|part| !part.is_empty()) {
        words.push(':');
        words.push_str(part);
    }
    words
}

/// Whether the same name and version mean something else in each distribution.
fn is_of_distribution(kind: PackageKind) -> bool {
    matches!(kind, PackageKind::Apk | PackageKind::Deb | PackageKind::Rpm)
}

/// A kind, as it is asked for.
pub(crate) fn word(kind: PackageKind) -> &'static str {
    match kind {
        PackageKind::Apk => "apk",
        PackageKind::Deb => "deb",
        PackageKind::Rpm => "rpm",
        PackageKind::Python => "python",
        PackageKind::Npm => "npm",
        PackageKind::Go => "go",
        PackageKind::Cargo => "cargo",
        PackageKind::Java => "java",
        PackageKind::Gem => "gem",
        PackageKind::Composer => "composer",
        PackageKind::Nuget => "nuget",
    }
}

fn json<T: Serialize>(value: &T) -> String {
    // Texts and lists of texts are always written.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use plura_inventory::purl;

    use super::*;

    fn image_package(kind: PackageKind, name: &str, path: &str, os: &OsRelease) -> ImagePackage {
        let package = Package::new(kind, name, "1.0").unwrap();
        let purl = purl(&package, Some(os));
        ImagePackage { package, path: path.to_owned(), layer: 0, purl }
    }

    #[test]
    fn a_package_is_one_row_wherever_it_lies() {
        let os = OsRelease::parse(b"ID=debian\nVERSION_ID=12\nPRETTY_NAME=Debian\n").unwrap();
        let found = [
            image_package(PackageKind::Npm, "left-pad", "a/package.json", &os),
            image_package(PackageKind::Npm, "left-pad", "b/package.json", &os),
            image_package(PackageKind::Deb, "tar", "var/lib/dpkg/status", &os),
        ];
        let rows = rows(&found, Some(&os));
        let named: Vec<_> = rows.iter().map(|row| (&*row.ecosystem, &*row.identity)).collect();
        assert_eq!(
            named,
            [
                (
                    "deb:debian:12",
                    r#"{"kind":"deb","distribution":["debian","12"],"name":"tar","version":"1.0"}"#
                ),
                ("npm", r#"{"kind":"npm","name":"left-pad","version":"1.0"}"#),
            ]
        );
        let document: PackageDocument = serde_json::from_str(&rows[0].document).unwrap();
        assert_eq!(document.distribution.unwrap().id, "debian");
        assert_eq!(
            serde_json::to_value(PackageKind::Composer).unwrap(),
            word(PackageKind::Composer)
        );
    }
}
