use crate::VersionOrder;

/// An ecosystem without its release: what decides how versions compare and names are spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the variants are the names of OSV's table of ecosystems")]
pub enum Family {
    Debian,
    Ubuntu,
    Echo,
    Alpine,
    Alpaquita,
    Wolfi,
    Chainguard,
    MinimOs,
    RedHat,
    Rocky,
    Alma,
    Suse,
    OpenSuse,
    OpenEuler,
    Mageia,
    Photon,
    AzureLinux,
    Npm,
    PyPi,
    CratesIo,
    Go,
    Maven,
    RubyGems,
    Packagist,
    NuGet,
    Hex,
    Pub,
    Cran,
    Bioconductor,
    ConanCenter,
    SwiftUrl,
    Bitnami,
    Hackage,
    Ghc,
    GitHubActions,
    Julia,
    Other(Box<str>),
}

/// OSV's spelling of each family.
const NAMES: [(Family, &str); 36] = [
    (Family::Debian, "Debian"),
    (Family::Ubuntu, "Ubuntu"),
    (Family::Echo, "Echo"),
    (Family::Alpine, "Alpine"),
    (Family::Alpaquita, "Alpaquita"),
    (Family::Wolfi, "Wolfi"),
    (Family::Chainguard, "Chainguard"),
    (Family::MinimOs, "MinimOS"),
    (Family::RedHat, "Red Hat"),
    (Family::Rocky, "Rocky Linux"),
    (Family::Alma, "AlmaLinux"),
    (Family::Suse, "SUSE"),
    (Family::OpenSuse, "openSUSE"),
    (Family::OpenEuler, "openEuler"),
    (Family::Mageia, "Mageia"),
    (Family::Photon, "Photon OS"),
    (Family::AzureLinux, "Azure Linux"),
    (Family::Npm, "npm"),
    (Family::PyPi, "PyPI"),
    (Family::CratesIo, "crates.io"),
    (Family::Go, "Go"),
    (Family::Maven, "Maven"),
    (Family::RubyGems, "RubyGems"),
    (Family::Packagist, "Packagist"),
    (Family::NuGet, "NuGet"),
    (Family::Hex, "Hex"),
    (Family::Pub, "Pub"),
    (Family::Cran, "CRAN"),
    (Family::Bioconductor, "Bioconductor"),
    (Family::ConanCenter, "ConanCenter"),
    (Family::SwiftUrl, "SwiftURL"),
    (Family::Bitnami, "Bitnami"),
    (Family::Hackage, "Hackage"),
    (Family::Ghc, "GHC"),
    (Family::GitHubActions, "GitHub Actions"),
    (Family::Julia, "Julia"),
];

/// Which of a package's names its ecosystem's advisories use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// What it was built from: one advisory for all packages of one source.
    Source,
    /// Its own name.
    Binary,
    /// Either.
    Both,
}

impl Family {
    /// The family of that name.
    pub fn named(name: &str) -> Self {
        let known = NAMES.iter().find(|(_, known)| *known == name);
        known.map_or_else(|| Self::Other(name.into()), |(family, _)| family.clone())
    }

    /// As OSV spells it.
    pub fn as_str(&self) -> &str {
        if let Self::Other(name) = self {
            return name;
        }
        NAMES.iter().find(|(family, _)| family == self).map_or("", |(_, name)| name)
    }

    /// How its versions compare.
    pub fn order(&self) -> Option<VersionOrder> {
        Some(match self {
            Self::Debian | Self::Ubuntu | Self::Echo => VersionOrder::Dpkg,
            Self::Alpine | Self::Alpaquita | Self::Wolfi | Self::Chainguard | Self::MinimOs => {
                VersionOrder::Apk
            }
            Self::RedHat
            | Self::Rocky
            | Self::Alma
            | Self::Suse
            | Self::OpenSuse
            | Self::OpenEuler
            | Self::Mageia
            | Self::Photon
            | Self::AzureLinux => VersionOrder::Rpm,
            Self::Npm => VersionOrder::Npm,
            Self::PyPi => VersionOrder::Pep440,
            Self::Go => VersionOrder::Go,
            Self::Maven => VersionOrder::Maven,
            Self::RubyGems => VersionOrder::Gem,
            Self::Packagist => VersionOrder::Composer,
            Self::NuGet => VersionOrder::NuGet,
            Self::Bitnami => VersionOrder::Bitnami,
            Self::Cran | Self::Hackage | Self::Ghc => VersionOrder::Components,
            Self::CratesIo
            | Self::Hex
            | Self::Pub
            | Self::Bioconductor
            | Self::ConanCenter
            | Self::SwiftUrl
            | Self::GitHubActions
            | Self::Julia => VersionOrder::SemVer,
            Self::Other(_) => return None,
        })
    }

    /// Which name of a package its advisories use.
    pub fn named_by(&self) -> NamedBy {
        match self {
            Self::Debian | Self::Ubuntu | Self::Echo | Self::Alpine | Self::Alpaquita => {
                NamedBy::Source
            }
            Self::Wolfi
            | Self::Chainguard
            | Self::MinimOs
            | Self::Suse
            | Self::OpenSuse
            | Self::OpenEuler
            | Self::Mageia
            | Self::Photon
            | Self::AzureLinux => NamedBy::Both,
            _ => NamedBy::Binary,
        }
    }

    /// Whether it is an operating system, whose vendor knows best how severe something is there.
    pub fn is_operating_system(&self) -> bool {
        matches!(self.order(), Some(VersionOrder::Dpkg | VersionOrder::Apk | VersionOrder::Rpm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_printed() {
        for (family, name) in &NAMES {
            assert_eq!((family.as_str(), &Family::named(name)), (*name, family));
        }
        assert_eq!(Family::named("New").as_str(), "New");
    }
}
