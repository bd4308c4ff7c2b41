//! How each ecosystem orders versions.
//!
//! A version is turned into a [`VersionKey`] once, and keys are compared as bytes. So every order is a
//! total order by construction, and comparing costs the same however a version is spelled.

mod apk;
mod components;
mod composer;
mod dpkg;
mod gem;
mod go;
mod key;
mod maven;
mod nuget;
mod pep440;
mod rpm;
mod semver;

use std::{cmp::Ordering, fmt};

pub use key::VersionKey;

/// The rules by which an ecosystem compares versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VersionOrder {
    /// `deb-version(7)`: Debian, Ubuntu.
    Dpkg,
    /// apk-tools 3: Alpine, Wolfi, Chainguard.
    Apk,
    /// `rpmvercmp` over epoch, version and release.
    Rpm,
    /// Semantic Versioning 2.0.0, components missing at the end being 0.
    SemVer,
    /// The same as node-semver reads it when told to be loose.
    Npm,
    /// PEP 440, "Version specifiers".
    Pep440,
    /// Maven's `ComparableVersion`.
    Maven,
    /// `Gem::Version`.
    Gem,
    /// `NuGetVersion`: four components, labels without case.
    NuGet,
    /// Composer's normalised versions under PHP's `version_compare`.
    Composer,
    /// Versions of modules and of the Go toolchain.
    Go,
    /// Semantic versions with a revision of the package behind them.
    Bitnami,
    /// Lists of numbers: CRAN, Hackage.
    Components,
}

/// The text is not a version of its ecosystem, so that nothing can be said about what it is affected
/// by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{version}` is not a version in the order of {order}: {reason}")]
pub struct UnparsableVersion {
    /// By which rules it was read.
    pub order: VersionOrder,
    /// The text, shortened.
    pub version: Box<str>,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The key, or what is wrong with the text.
type Parsed = Result<VersionKey, &'static str>;

impl VersionOrder {
    /// The most bytes of a version.
    pub const MAX_LENGTH: usize = 512;

    /// Every order.
    pub const ALL: [Self; 13] = [
        Self::Dpkg,
        Self::Apk,
        Self::Rpm,
        Self::SemVer,
        Self::Npm,
        Self::Pep440,
        Self::Maven,
        Self::Gem,
        Self::NuGet,
        Self::Composer,
        Self::Go,
        Self::Bitnami,
        Self::Components,
    ];

    /// The place of `version` in this order.
    pub fn key(self, version: &str) -> Result<VersionKey, UnparsableVersion> {
        self.parse(version).map_err(|reason| UnparsableVersion {
            order: self,
            version: shortened(version).escape_debug().to_string().into(),
            reason,
        })
    }

    /// How `left` compares to `right`. Equal versions may be spelled differently.
    pub fn compare(self, left: &str, right: &str) -> Result<Ordering, UnparsableVersion> {
        Ok(self.key(left)?.cmp(&self.key(right)?))
    }

    fn parse(self, version: &str) -> Parsed {
        if version.is_empty() {
            return Err("it is empty");
        }
        if version.len() > Self::MAX_LENGTH {
            return Err("it is longer than 512 bytes");
        }
        if version.chars().any(char::is_control) {
            return Err("it has a control character");
        }
        match self {
            Self::Dpkg => dpkg::key(version),
            Self::Apk => apk::key(version),
            Self::Rpm => Ok(rpm::key(version)),
            Self::SemVer => semver::key(version),
            Self::Npm => semver::loose_key(version),
            Self::Pep440 => pep440::key(version),
            Self::Maven => Ok(maven::key(version)),
            Self::Gem => gem::key(version),
            Self::NuGet => nuget::key(version),
            Self::Composer => composer::key(version),
            Self::Go => go::key(version),
            Self::Bitnami => semver::key_with_revision(version),
            Self::Components => components::key(version),
        }
    }
}

impl fmt::Display for VersionOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dpkg => "dpkg",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::SemVer => "semver",
            Self::Npm => "npm",
            Self::Pep440 => "PEP 440",
            Self::Maven => "Maven",
            Self::Gem => "RubyGems",
            Self::NuGet => "NuGet",
            Self::Composer => "Composer",
            Self::Go => "Go",
            Self::Bitnami => "Bitnami",
            Self::Components => "number lists",
        })
    }
}

fn shortened(version: &str) -> &str {
    let end = (0..=64).rev().find(|end| version.is_char_boundary(*end)).unwrap_or(0);
    &version[..end]
}
