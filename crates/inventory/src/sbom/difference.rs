use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::ForeignPackage;
use crate::ImagePackage;

/// How what we read and what a document lists differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// How many packages both have in the same version.
    pub same: usize,
    /// Packages that only we found, `type/name@version`.
    pub only_own: Vec<String>,
    /// Packages that only the document lists.
    pub only_theirs: Vec<String>,
    /// Packages that both have, in other versions.
    pub versions: Vec<VersionDifference>,
}

/// A package of which the versions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionDifference {
    /// `type/name`
    pub name: String,
    /// Versions that only we found.
    pub own: Vec<String>,
    /// Versions that only the document lists.
    pub theirs: Vec<String>,
}

type Versions = BTreeMap<String, BTreeSet<String>>;

/// Compares by package URL; qualifiers and the vendors of operating systems do not count.
pub fn difference(own: &[ImagePackage], theirs: &[ForeignPackage]) -> Difference {
    let own = versions(own.iter().filter_map(|package| coordinates(package.purl.as_str())));
    let theirs = versions(theirs.iter().map(|package| {
        let named = || (package.name.to_lowercase(), package.version.clone());
        package.purl.as_deref().and_then(coordinates).unwrap_or_else(named)
    }));
    let mut difference = Difference::default();
    for (name, versions) in &own {
        let Some(other) = theirs.get(name) else {
            difference.only_own.extend(versions.iter().map(|version| format!("{name}@{version}")));
            continue;
        };
        difference.same += versions.intersection(other).count();
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
        if versions != other {
            let (own, theirs) = (only(versions, other), only(other, versions));
            difference.versions.push(VersionDifference { name: name.clone(), own, theirs });
        }
    }
    for (name, versions) in theirs.iter().filter(|(name, _)| !own.contains_key(*name)) {
        difference.only_theirs.extend(versions.iter().map(|version| format!("{name}@{version}")));
    }
    difference
}

fn versions(packages: impl Iterator<Item = (String, String)>) -> Versions {
    let mut versions = Versions::new();
    for (name, version) in packages {
        versions.entry(name).or_default().insert(version);
    }
    versions
}

/// `type/namespace/name` and the version with its epoch, which some write as a qualifier.
fn coordinates(purl: &str) -> Option<(String, String)> {
    let rest = purl.strip_prefix("pkg:")?.trim_start_matches('/');
    let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (path, version) =
        rest.rsplit_once('@').filter(|(_, v)| !v.contains('/')).unwrap_or((rest, ""));
    let (kind, name) = path.split_once('/')?;
    let kind = kind.to_lowercase();
    let name = decoded(name).to_lowercase();
    let name = match kind.as_str() {
        "apk" | "deb" | "rpm" => name.rsplit('/').next().unwrap_or_default().to_owned(),
        // Some write the end of a module's path there.
        "golang" if !subpath.is_empty() => format!("{name}/{}", decoded(subpath).to_lowercase()),
        "pypi" => name.replace(['_', '.'], "-"),
        _ => name,
    };
    let version = decoded(version);
    let epoch = qualifiers.split('&').find_map(|qualifier| qualifier.strip_prefix("epoch="));
    let version = match epoch {
        Some(epoch) if epoch != "0" && !version.contains(':') => format!("{epoch}:{version}"),
        _ => version,
    };
    Some((format!("{kind}/{name}"), version))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        let escaped = if *byte == b'%' { tail.get(..2) } else { None };
        let escaped = escaped.and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &tail[2..];
            }
            None => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Package, PackageKind, purl};

    fn own(kind: PackageKind, name: &str, version: &str) -> ImagePackage {
        let package = Package::new(kind, name, version).unwrap();
        let purl = purl(&package, None);
        ImagePackage { package, path: String::new(), layer: 0, purl }
    }

    fn theirs(purl: &str) -> ForeignPackage {
        let (name, version, licenses) = (String::new(), String::new(), Vec::new());
        ForeignPackage { name, version, purl: Some(purl.to_owned()), licenses }
    }

    #[test]
    fn packages_are_the_same_whatever_their_qualifiers() {
        let own = [
            own(PackageKind::Deb, "libc6", "1:2.36+x"),
            own(PackageKind::Rpm, "dbus", "1:1.12-8"),
            own(PackageKind::Npm, "@babel/core", "7.0.0"),
            own(PackageKind::Python, "six", "1.16.0"),
            own(PackageKind::Gem, "json", "2.6"),
            own(PackageKind::Go, "github.com/Azure/go/v3", "v3.1.0"),
        ];
        let theirs = [
            theirs("pkg:deb/ubuntu/libc6@1%3A2.36%2Bx?arch=amd64"),
            theirs("pkg:rpm/rhel/dbus@1.12-8?epoch=1"),
            theirs("pkg:npm/%40babel/core@7.0.0"),
            theirs("pkg:golang/github.com/azure/go@v3.1.0#v3"),
            theirs("pkg:pypi/six@1.15.0"),
            theirs("pkg:cargo/serde@1.0.0"),
        ];
        let difference = difference(&own, &theirs);
        assert_eq!(difference.same, 4);
        assert_eq!(difference.only_own, ["gem/json@2.6"]);
        assert_eq!(difference.only_theirs, ["cargo/serde@1.0.0"]);
        assert_eq!(difference.versions[0].own, ["1.16.0"]);
    }
}
