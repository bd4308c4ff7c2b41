//! Packages, from what images are known to have to what advisories know them by.

use plura_advisories::{Ecosystem, Package};
use plura_inventory::{OsRelease, PackageKind};
use serde::Deserialize;

use crate::Error;

/// A package as the database keeps it.
#[derive(Debug, Deserialize)]
#[serde(from = "Written")]
pub(crate) struct PackageDocument {
    pub(crate) package: plura_inventory::Package,
    pub(crate) purl: String,
    /// The operating system of the images that have it, where that matters.
    pub(crate) distribution: Option<OsRelease>,
}

/// The same as it is written: the package's own fields are at the side of the others, or by themselves.
#[derive(Deserialize)]
struct Written {
    #[serde(flatten)]
    package: PackageFields,
    #[serde(default)]
    purl: String,
    #[serde(default)]
    distribution: Option<OsRelease>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PackageFields {
    Apart { package: plura_inventory::Package },
    Beside(plura_inventory::Package),
}

impl From<Written> for PackageDocument {
    fn from(written: Written) -> Self {
        let Written { package, purl, distribution } = written;
        let package = match package {
            PackageFields::Apart { package } | PackageFields::Beside(package) => package,
        };
        Self { package, purl, distribution }
    }
}

impl PackageDocument {
    pub(crate) fn read(document: &str) -> Result<Self, Error> {
        serde_json::from_str(document).map_err(|error| {
            plura_meta::Error::Corrupt(format!("package.document: {error}")).into()
        })
    }

    /// The package as advisories know it; nothing where nobody publishes advisories about such.
    pub(crate) fn advised(&self) -> Option<Package> {
        let ecosystem = self.ecosystem()?;
        let package = Package::new(ecosystem, &self.package.name, &self.package.version);
        Some(match &self.package.source {
            Some(source) => package.built_from(&source.name, &source.version),
            None => package,
        })
    }

    /// What to call the place that it comes from, also where there are no advisories of that.
    pub(crate) fn origin(&self) -> String {
        if let Some(ecosystem) = self.ecosystem() {
            return canonical(&ecosystem);
        }
        match &self.distribution {
            Some(distribution) => distribution.distro(),
            None => format!("{:?}", self.package.kind).to_lowercase(),
        }
    }

    fn ecosystem(&self) -> Option<Ecosystem> {
        let kind = match self.package.kind {
            PackageKind::Apk | PackageKind::Deb | PackageKind::Rpm => {
                let system = self.distribution.as_ref()?;
                return Ecosystem::of_operating_system(&system.id, &system.version_id);
            }
            PackageKind::Python => "pypi",
            PackageKind::Npm => "npm",
            PackageKind::Go => "golang",
            PackageKind::Cargo => "cargo",
            PackageKind::Java => "maven",
            PackageKind::Gem => "gem",
            PackageKind::Composer => "composer",
            PackageKind::Nuget => "nuget",
        };
        Ecosystem::of_purl_type(kind)
    }
}

/// An ecosystem such that all spellings of one release are alike.
pub(crate) fn canonical(ecosystem: &Ecosystem) -> String {
    let release = ecosystem.canonical_release();
    let family = ecosystem.family().as_str();
    if release.is_empty() { family.to_owned() } else { format!("{family}:{release}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_known_by_their_distribution_or_language() {
        let deb = r#"{"package":{"kind":"deb","name":"libssl3","version":"3.0.11-1",
            "source":{"name":"openssl","version":"3.0.11-1"}},"purl":"pkg:deb/debian/libssl3",
            "distribution":{"id":"debian","version_id":"12"}}"#;
        let read = PackageDocument::read(deb).unwrap();
        let expected =
            Package::new("Debian:12", "libssl3", "3.0.11-1").built_from("openssl", "3.0.11-1");
        assert_eq!((read.advised(), read.origin().as_str()), (Some(expected), "Debian:12"));
        let npm = r#"{"package":{"kind":"npm","name":"a","version":"1"},"distribution":null}"#;
        let read = PackageDocument::read(npm).unwrap();
        assert_eq!(read.advised(), Some(Package::new("npm", "a", "1")));
        let beside = r#"{"kind":"npm","name":"a","version":"1","purl":"pkg:npm/a@1"}"#;
        let read = PackageDocument::read(beside).unwrap();
        assert_eq!(
            (read.advised(), read.purl.as_str()),
            (Some(Package::new("npm", "a", "1")), "pkg:npm/a@1")
        );
        let other = r#"{"package":{"kind":"rpm","name":"a","version":"1"},"purl":"",
            "distribution":{"id":"fedora","version_id":"40"}}"#;
        let read = PackageDocument::read(other).unwrap();
        assert_eq!((read.advised(), read.origin().as_str()), (None, "fedora-40"));
        assert!(PackageDocument::read("{}").is_err());
    }
}
