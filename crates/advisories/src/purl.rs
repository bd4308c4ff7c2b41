//! Package URLs, as far as documents of other tools name packages by them.

use crate::{Ecosystem, Package, normalised};

/// `pkg:type/namespace/name@version?qualifiers`, its parts decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Purl {
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) distro: Option<String>,
    pub(crate) repository_url: Option<String>,
}

impl Purl {
    /// purl-spec, "How to parse a purl string in its components".
    pub(crate) fn parse(text: &str) -> Option<Self> {
        const LONGEST: usize = 2048;
        let text = text.strip_prefix("pkg:").filter(|text| text.len() <= LONGEST)?;
        let text = text.split('#').next().unwrap_or_default();
        let (path, qualifiers) = text.split_once('?').unwrap_or((text, ""));
        let (kind, path) = path.trim_start_matches('/').split_once('/')?;
        let (path, version) = match path.rsplit_once('@') {
            // The scope of npm begins with one as well, and then it is not decoded.
            Some((path, version)) if !path.is_empty() && !version.contains('/') => {
                (path, Some(decode(version)?))
            }
            _ => (path, None),
        };
        let (namespace, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
        let qualifier = |wanted: &str| {
            let mut pairs = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == wanted).and_then(|(_, value)| decode(value))
        };
        Some(Self {
            kind: kind.to_ascii_lowercase(),
            namespace: decode(namespace)?,
            name: decode(name)?,
            version,
            distro: qualifier("distro"),
            repository_url: qualifier("repository_url"),
        })
    }

    /// Where the package comes from, if advisories are published for it.
    pub(crate) fn ecosystem(&self) -> Option<Ecosystem> {
        if !["deb", "apk", "rpm"].contains(&self.kind.as_str()) {
            return Ecosystem::of_purl_type(&self.kind);
        }
        let namespace = self.namespace.as_str();
        let distro = self.distro.as_deref().unwrap_or_default();
        // `distro` is `debian-12`, `3.19.1` or `alpine-3.19.1`, depending on the tool.
        let release = distro.rsplit_once('-').map_or(distro, |(_, release)| release);
        Ecosystem::of_operating_system(namespace, release)
    }

    /// The name as the ecosystem spells it.
    pub(crate) fn full_name(&self) -> String {
        if self.namespace.is_empty() || ["deb", "apk", "rpm"].contains(&self.kind.as_str()) {
            return self.name.clone();
        }
        let separator = if self.kind == "maven" { ':' } else { '/' };
        format!("{}{separator}{}", self.namespace, self.name)
    }

    /// Whether it is this package, as far as it says.
    pub(crate) fn names(&self, package: &Package) -> bool {
        let family = package.ecosystem.family();
        let same_family = self.ecosystem().is_some_and(|own| own.family() == family);
        let own_name = self.full_name();
        let own_name = normalised(family, &own_name);
        let is = |name: &str, version: &str| {
            normalised(family, name) == own_name
                && self.version.as_deref().is_none_or(|own| own == version)
        };
        let source = package.source.as_ref();
        same_family
            && (is(&package.name, &package.version)
                || source.is_some_and(|source| is(&source.name, &source.version)))
    }
}

/// Percent-encoding; nothing for what is no text.
fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_url_names_its_package() {
        for (purl, package) in [
            ("pkg:npm/%40babel/core@7.0.0", Package::new("npm", "@babel/core", "7.0.0")),
            ("pkg:npm/@babel/core", Package::new("npm", "@babel/core", "7.0.0")),
            (
                "pkg:maven/org.apache.commons/commons-lang3@3.12",
                Package::new("Maven", "org.apache.commons:commons-lang3", "3.12"),
            ),
            (
                "pkg:golang/golang.org/x/sys@v0.1.0",
                Package::new("Go", "golang.org/x/sys", "v0.1.0"),
            ),
            ("pkg:pypi/zope-interface", Package::new("PyPI", "Zope.Interface", "1")),
            (
                "pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12",
                Package::new("Debian:12", "libssl3", "3.0.11-1").built_from("openssl", "3.0.11-1"),
            ),
            ("pkg:apk/alpine/busybox", Package::new("Alpine:v3.19", "busybox", "1.36.1-r15")),
        ] {
            assert!(Purl::parse(purl).unwrap().names(&package), "{purl}");
        }
    }

    #[test]
    fn another_package_is_not_named() {
        let package = Package::new("npm", "@babel/core", "7.0.0");
        for purl in [
            "pkg:npm/%40babel/core@7.0.1",
            "pkg:npm/core@7.0.0",
            "pkg:cargo/%40babel/core",
            "pkg:npm/%40babel/",
        ] {
            assert!(!Purl::parse(purl).is_some_and(|purl| purl.names(&package)), "{purl}");
        }
        for text in ["", "npm/x", "pkg:npm", "pkg:npm/%zz", "pkg:npm/%e"] {
            assert_eq!(Purl::parse(text), None, "{text}");
        }
    }
}
