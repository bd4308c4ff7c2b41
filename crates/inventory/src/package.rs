use serde::{Deserialize, Serialize};

/// Which packaging a package belongs to; how it is named, versioned and looked up in advisories
/// follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// Alpine, Wolfi, Chainguard
    Apk,
    /// Debian, Ubuntu
    Deb,
    /// Red Hat, SUSE and their relatives
    Rpm,
    /// `PyPI`
    Python,
    /// npm
    Npm,
    /// Go modules, as recorded in executables
    Go,
    /// Rust crates, as recorded in executables by cargo-auditable
    Cargo,
    /// Maven coordinates of Java archives
    Java,
    /// `RubyGems`
    Gem,
    /// Packagist
    Composer,
    /// `NuGet`
    Nuget,
}

/// A package, as the file says that tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Its packaging.
    pub kind: PackageKind,
    /// Its whole name in the spelling of its packaging: `@scope/name`, `group:artifact`,
    /// `vendor/name`, a module path.
    pub name: String,
    /// Its whole version, with an epoch that is not zero in front and the release behind.
    pub version: String,
    /// Its architecture, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// What it was built from: advisories of operating systems are about these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePackage>,
    /// License names or SPDX expressions, as declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<String>,
}

/// The package that another was built from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Longer names and versions are no names and versions.
const LONGEST: usize = 512;
/// Nobody means a longer one as the name of a license.
const LONGEST_LICENSE: usize = 200;

impl Package {
    /// A package without more than its name and version; nothing, if these cannot be such.
    pub fn new(kind: PackageKind, name: &str, version: &str) -> Option<Self> {
        let (name, version) = (name.trim(), version.trim());
        (is_word(name) && is_word(version)).then(|| Self {
            kind,
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: None,
            source: None,
            licenses: Vec::new(),
        })
    }

    pub(crate) fn with_architecture(mut self, architecture: Option<&str>) -> Self {
        self.architecture = architecture.map(str::trim).filter(|a| is_word(a)).map(str::to_owned);
        self
    }

    /// Built from `name` of `version`; the same version is assumed if none is said.
    pub(crate) fn with_source(mut self, name: Option<&str>, version: Option<&str>) -> Self {
        if let Some(name) = name.map(str::trim).filter(|name| is_word(name)) {
            let version = version.map(str::trim).filter(|version| is_word(version));
            let version = version.unwrap_or(&self.version).to_owned();
            self.source = Some(SourcePackage { name: name.to_owned(), version });
        }
        self
    }

    pub(crate) fn with_licenses<'a>(mut self, licenses: impl IntoIterator<Item = &'a str>) -> Self {
        for license in licenses {
            let license = license.split_whitespace().collect::<Vec<_>>().join(" ");
            let fits = !license.is_empty() && license.len() <= LONGEST_LICENSE;
            if fits && license != "UNKNOWN" && !self.licenses.contains(&license) {
                self.licenses.push(license);
            }
        }
        self
    }

    /// What it keeps of memory, roughly.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let source = self.source.as_ref().map_or(0, |s| s.name.len() + s.version.len());
        let licenses: usize = self.licenses.iter().map(|license| license.len() + 24).sum();
        let architecture = self.architecture.as_ref().map_or(0, String::len);
        (size_of::<Self>()
            + self.name.len()
            + self.version.len()
            + source
            + licenses
            + architecture) as u64
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)
}
