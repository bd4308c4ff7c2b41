use serde::{Deserialize, Serialize};

use crate::{Finding, OsRelease, Package, PathSet};

/// What one layer says, enough to combine it with others without reading it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// The files that tell of packages or of the operating system, by path, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Paths of lower layers that this one removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Directories of which nothing of lower layers is left; the root is the empty path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opaque: Vec<String>,
    /// Paths that would hide evidence of lower layers: every file that could be such itself by its
    /// name, is executable or is a link.
    #[serde(default, skip_serializing_if = "PathSet::is_empty")]
    pub covers: PathSet,
    /// Secrets that were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What could not be read, and why: the packages may be more than are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Entries of the archive.
    pub entries: u64,
    /// Regular files.
    pub files: u64,
    /// Paths that the archive holds more than once among those above; the last one counts.
    #[serde(default)]
    pub duplicates: u64,
    /// Bytes of the archive, uncompressed.
    pub expanded_bytes: u64,
}

/// One file and what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// From the root of the file system, without a leading slash.
    pub path: String,
    /// The packages that it tells of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<Package>,
    /// The operating system, if it is an os-release file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_release: Option<OsRelease>,
    /// The Debian package that this file declares the licenses of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licenses_of: Option<String>,
    /// Those licenses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<String>,
}

/// Something that was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The file.
    pub path: String,
    /// Why, for people.
    pub reason: String,
}

impl Evidence {
    pub(crate) fn at(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// What it keeps of memory, roughly.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let packages: u64 = self.packages.iter().map(Package::kept_bytes).sum();
        let licenses: usize = self.licenses.iter().map(|license| license.len() + 24).sum();
        packages + (size_of::<Self>() + self.path.len() + licenses) as u64
    }
}
