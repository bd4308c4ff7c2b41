use std::collections::{BTreeMap, HashMap};

use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    Evidence, Finding, LayerFacts, Note, OsRelease, Package, PackageKind, Purl, path_set, purl,
};

/// A layer of an image, for [`combine`].
#[derive(Clone, Copy, Debug)]
pub struct ImageLayer<'a> {
    /// The layer's blob.
    pub digest: Digest,
    /// What was read from it.
    pub facts: &'a LayerFacts,
}

/// What is in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The layers, lowest first.
    pub layers: Vec<Digest>,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<OsRelease>,
    /// The packages that a container of the image sees.
    pub packages: Vec<ImagePackage>,
    /// The secrets that whoever can pull the image can read, those that upper layers hide included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<ImageFinding>,
    /// What could not be read, with the number of its layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<(usize, Note)>,
    /// Bytes of all layers, uncompressed.
    pub expanded_bytes: u64,
}

/// A package of an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImagePackage {
    /// The package.
    #[serde(flatten)]
    pub package: Package,
    /// The file that says so.
    pub path: String,
    /// The layer that first brought it, counted from zero.
    pub layer: usize,
    /// How others call it.
    pub purl: Purl,
}

/// A secret in a layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFinding {
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// In which layer.
    pub layer: usize,
}

/// Puts the layers of an image, lowest first, on top of each other.
///
/// A file of an upper layer replaces the one below it, a whiteout removes a path and all under it, an
/// opaque directory all that lower layers have in it. A package that the file of an upper layer
/// repeats stays attributed to the layer that brought it.
pub fn combine(layers: &[ImageLayer<'_>]) -> ImageFacts {
    let mut visible = Visible::default();
    let mut facts = ImageFacts::default();
    for (number, layer) in layers.iter().enumerate() {
        visible.cover(layer.facts);
        visible.add(layer.facts, number);
        facts.layers.push(layer.digest);
        facts.expanded_bytes = facts.expanded_bytes.saturating_add(layer.facts.expanded_bytes);
        let finding = |finding: &Finding| ImageFinding { finding: finding.clone(), layer: number };
        facts.findings.extend(layer.facts.findings.iter().map(finding));
        facts.notes.extend(layer.facts.notes.iter().map(|note| (number, note.clone())));
    }
    facts.os = visible.os();
    facts.packages = visible.packages(facts.os.as_ref());
    facts
}

/// The evidence that is seen so far, by path.
#[derive(Default)]
struct Visible<'a> {
    files: BTreeMap<&'a str, Seen<'a>>,
}

struct Seen<'a> {
    evidence: &'a Evidence,
    /// For each of its packages, the layer that brought it.
    brought_by: Vec<usize>,
    /// Set when the file below is about to be replaced by one of the same path.
    covered: bool,
    /// The path and the directories that it is in, as sets of paths know them.
    own_hash: u64,
    directories: Vec<u64>,
}

impl<'a> Seen<'a> {
    fn new(evidence: &'a Evidence, brought_by: Vec<usize>) -> Self {
        let path = evidence.path.as_str();
        let directories = path.match_indices('/').map(|(end, _)| path_set::hash(&path[..end]));
        let directories = directories.collect();
        Self { evidence, brought_by, covered: false, own_hash: path_set::hash(path), directories }
    }
}

impl<'a> Visible<'a> {
    /// Takes away what the layer hides. Files that it replaces by evidence of its own stay until then,
    /// for what they attribute.
    fn cover(&mut self, layer: &LayerFacts) {
        for directory in &layer.opaque {
            self.remove_below(directory);
        }
        for path in &layer.removed {
            self.files.remove(path.as_str());
            self.remove_below(path);
        }
        if layer.covers.is_empty() {
            return;
        }
        self.files.retain(|_, seen| {
            seen.covered = layer.covers.contains_hash(seen.own_hash);
            !seen.directories.iter().any(|directory| layer.covers.contains_hash(*directory))
        });
    }

    fn remove_below(&mut self, directory: &str) {
        if directory.is_empty() {
            self.files.clear();
            return;
        }
        // `0` is the character behind `/`.
        let (from, to) = (format!("{directory}/"), format!("{directory}0"));
        let range = self.files.range::<str, _>((
            std::ops::Bound::Included(from.as_str()),
            std::ops::Bound::Excluded(to.as_str()),
        ));
        let below: Vec<&str> = range.map(|(path, _)| *path).collect();
        for path in below {
            self.files.remove(path);
        }
    }

    fn add(&mut self, layer: &'a LayerFacts, number: usize) {
        for evidence in &layer.evidence {
            let below = self.files.remove(evidence.path.as_str());
            let brought_by = attribute(evidence, below.as_ref(), number);
            self.files.insert(&evidence.path, Seen::new(evidence, brought_by));
        }
        self.files.retain(|_, seen| !std::mem::take(&mut seen.covered));
    }

    /// `etc/os-release`, which is mostly a link to the other, and then not read.
    fn os(&self) -> Option<OsRelease> {
        let at = |path: &str| self.files.get(path)?.evidence.os_release.clone();
        at("etc/os-release").or_else(|| at("usr/lib/os-release"))
    }

    fn packages(&self, os: Option<&OsRelease>) -> Vec<ImagePackage> {
        let declared: HashMap<&str, &[String]> = self.files.values().filter_map(licenses).collect();
        let mut packages = Vec::new();
        for (path, seen) in &self.files {
            for (package, layer) in seen.evidence.packages.iter().zip(&seen.brought_by) {
                let mut package = package.clone();
                if package.kind == PackageKind::Deb
                    && let Some(licenses) = declared.get(package.name.as_str())
                {
                    package.licenses = licenses.to_vec();
                }
                let purl = purl(&package, os);
                let path = (*path).to_owned();
                packages.push(ImagePackage { package, path, layer: *layer, purl });
            }
        }
        packages.sort_unstable();
        packages
    }
}

/// Which layer brought each package of a file that lies over the one `below`.
fn attribute(evidence: &Evidence, below: Option<&Seen<'_>>, number: usize) -> Vec<usize> {
    let Some(below) = below else { return vec![number; evidence.packages.len()] };
    let earlier =
        below.evidence.packages.iter().map(identity).zip(below.brought_by.iter().copied());
    let earlier: HashMap<_, _> = earlier.collect();
    let layer = |package| earlier.get(&identity(package)).copied().unwrap_or(number);
    evidence.packages.iter().map(layer).collect()
}

fn identity(package: &Package) -> (PackageKind, &str, &str, Option<&str>) {
    (package.kind, &package.name, &package.version, package.architecture.as_deref())
}

fn licenses<'a>(seen: &Seen<'a>) -> Option<(&'a str, &'a [String])> {
    Some((seen.evidence.licenses_of.as_deref()?, &seen.evidence.licenses))
}
