use std::{borrow::Cow, convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Family, VersionOrder};

/// Where a package comes from, as OSV spells it: `npm`, `Debian:12`, `Ubuntu:22.04:LTS`.
///
/// Reading never fails: what is unknown is kept, and matches packages of the same unknown ecosystem.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ecosystem {
    family: Family,
    /// Behind the first colon, as it was spelled.
    suffix: Box<str>,
}

impl Ecosystem {
    /// The ecosystem without a release.
    pub fn of(family: Family) -> Self {
        Self { family, suffix: Box::default() }
    }

    /// A release of the ecosystem.
    pub fn with_release(family: Family, release: &str) -> Self {
        Self { family, suffix: release.into() }
    }

    /// That of an operating system, by `ID` and `VERSION_ID` of its os-release(5); none if nobody
    /// publishes advisories of it in OSV format.
    pub fn of_operating_system(id: &str, version_id: &str) -> Option<Self> {
        let family = match id {
            "debian" => Family::Debian,
            "ubuntu" => Family::Ubuntu,
            "alpine" => Family::Alpine,
            "rhel" | "redhat" => Family::RedHat,
            "rocky" => Family::Rocky,
            "almalinux" => Family::Alma,
            "sles" | "sled" | "suse" => Family::Suse,
            "opensuse-leap" | "opensuse-tumbleweed" | "opensuse" => Family::OpenSuse,
            "wolfi" => Family::Wolfi,
            "chainguard" => Family::Chainguard,
            "minimos" => Family::MinimOs,
            "echo" => Family::Echo,
            "mageia" => Family::Mageia,
            "openEuler" | "openeuler" => Family::OpenEuler,
            "photon" => Family::Photon,
            "azurelinux" | "mariner" => Family::AzureLinux,
            _ => return None,
        };
        // `VERSION_ID` has a patch level that no advisory has.
        let release = canonical_release(&family, version_id).into_owned();
        Some(Self::with_release(family, &release_spelling(id, release)))
    }

    /// That of a package URL's type (`pkg:npm/...`). Types of operating systems have no ecosystem
    /// without a release.
    pub fn of_purl_type(kind: &str) -> Option<Self> {
        let family = match kind {
            "npm" => Family::Npm,
            "pypi" => Family::PyPi,
            "cargo" => Family::CratesIo,
            "golang" => Family::Go,
            "maven" => Family::Maven,
            "gem" => Family::RubyGems,
            "composer" => Family::Packagist,
            "nuget" => Family::NuGet,
            "hex" => Family::Hex,
            "pub" => Family::Pub,
            "cran" => Family::Cran,
            "bioconductor" => Family::Bioconductor,
            "conan" => Family::ConanCenter,
            "swift" => Family::SwiftUrl,
            "bitnami" => Family::Bitnami,
            "hackage" => Family::Hackage,
            "githubactions" => Family::GitHubActions,
            _ => return None,
        };
        Some(Self::of(family))
    }

    /// Without the release.
    pub fn family(&self) -> &Family {
        &self.family
    }

    /// The release as it was spelled; empty if there is none.
    pub fn release(&self) -> &str {
        &self.suffix
    }

    /// How versions compare here; nothing for an ecosystem whose rules are not known.
    pub fn order(&self) -> Option<VersionOrder> {
        self.family.order()
    }

    /// The release such that all spellings of one release are alike: `22.04` for `22.04:LTS`.
    pub fn canonical_release(&self) -> Cow<'_, str> {
        canonical_release(&self.family, &self.suffix)
    }
}

fn release_spelling(id: &str, release: String) -> String {
    match id {
        "alpine" if release.starts_with(|c: char| c.is_ascii_digit()) => format!("v{release}"),
        "sles" | "sled" | "suse" => suse_product(&release),
        "opensuse-leap" | "opensuse" => format!("Leap {release}"),
        "opensuse-tumbleweed" => "Tumbleweed".into(),
        _ => release,
    }
}

/// `15.4` is `Linux Enterprise Server 15 SP4`.
fn suse_product(release: &str) -> String {
    match release.split_once('.') {
        Some((major, "0")) => format!("Linux Enterprise Server {major}"),
        Some((major, pack)) if major.parse::<u32>().is_ok_and(|major| major < 16) => {
            format!("Linux Enterprise Server {major} SP{pack}")
        }
        _ => format!("Linux Enterprise Server {release}"),
    }
}

fn canonical_release<'a>(family: &Family, text: &'a str) -> Cow<'a, str> {
    match family {
        Family::Ubuntu => text.strip_suffix(":LTS").unwrap_or(text).into(),
        Family::Alpine => components(text.strip_prefix('v').unwrap_or(text), 2).into(),
        Family::Debian | Family::Rocky | Family::Alma | Family::Mageia => {
            components(text, 1).into()
        }
        Family::RedHat => red_hat_release(text).into(),
        // They have no releases; what os-release calls one is the day of the image.
        Family::Wolfi | Family::Chainguard | Family::MinimOs | Family::Echo => "".into(),
        _ => text.into(),
    }
}

/// The major release of the plain product; products and streams of their own are kept apart.
fn red_hat_release(text: &str) -> &str {
    let plain = text
        .strip_prefix("enterprise_linux:")
        .or_else(|| text.starts_with(|c: char| c.is_ascii_digit()).then_some(text));
    match plain {
        Some(plain) => components(plain.split(':').next().unwrap_or_default(), 1),
        None => text,
    }
}

/// The first components of a dotted number; any other text as it is.
fn components(text: &str, count: usize) -> &str {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return text;
    }
    let end = text.match_indices('.').nth(count - 1).map_or(text.len(), |(index, _)| index);
    &text[..end]
}

impl FromStr for Ecosystem {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (family, suffix) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self { family: Family::named(family), suffix: suffix.into() })
    }
}

impl From<&str> for Ecosystem {
    fn from(text: &str) -> Self {
        let Ok(ecosystem) = text.parse();
        ecosystem
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.family.as_str())?;
        if !self.suffix.is_empty() {
            write!(f, ":{}", self.suffix)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Ecosystem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ecosystem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(Cow::<'de, str>::deserialize(deserializer)?.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ecosystem_prints_as_it_was_read() {
        for text in [
            "npm",
            "Debian:12",
            "Ubuntu:22.04:LTS",
            "Ubuntu:Pro:18.04:LTS",
            "Red Hat:enterprise_linux:9::appstream",
            "SUSE:Linux Enterprise Server 15 SP4",
            "Maven:https://repo.example.com/maven2",
            "A new one:with:colons",
            "",
        ] {
            assert_eq!(Ecosystem::from(text).to_string(), text);
        }
    }

    #[test]
    fn spellings_of_one_release_are_alike() {
        for (text, release) in [
            ("Ubuntu:22.04:LTS", "22.04"),
            ("Ubuntu:23.10", "23.10"),
            ("Ubuntu:Pro:18.04:LTS", "Pro:18.04"),
            ("Alpine:v3.19", "3.19"),
            ("Alpine:3.19.1", "3.19"),
            ("Alpine:edge", "edge"),
            ("Debian:12", "12"),
            ("Debian:12.5", "12"),
            ("Debian", ""),
            ("Rocky Linux:9.3", "9"),
            ("Red Hat:enterprise_linux:9::baseos", "9"),
            ("Red Hat:9.4", "9"),
            ("Red Hat:rhel_eus:9.2::baseos", "rhel_eus:9.2::baseos"),
        ] {
            assert_eq!(Ecosystem::from(text).canonical_release(), release, "{text}");
        }
    }

    #[test]
    fn operating_systems_are_spelled_as_their_advisories_spell_them() {
        for (id, version, text) in [
            ("debian", "12", "Debian:12"),
            ("alpine", "3.19.1", "Alpine:v3.19"),
            ("ubuntu", "22.04", "Ubuntu:22.04"),
            ("rhel", "9.4", "Red Hat:9"),
            ("almalinux", "8.9", "AlmaLinux:8"),
            ("sles", "15.4", "SUSE:Linux Enterprise Server 15 SP4"),
            ("opensuse-leap", "15.5", "openSUSE:Leap 15.5"),
            ("wolfi", "20230201", "Wolfi"),
        ] {
            let ecosystem = Ecosystem::of_operating_system(id, version).unwrap();
            assert_eq!(ecosystem.to_string(), text);
        }
        assert_eq!(Ecosystem::of_operating_system("plan9", "4"), None);
    }
}
