use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json::{self, Lenient, Names};

/// A package as another's document lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ForeignPackage {
    /// Its name, with its group or scope in front if the document keeps that apart.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its package URL.
    pub purl: Option<String>,
    /// License names or expressions.
    pub licenses: Vec<String>,
}

/// Why a document cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SbomError {
    /// It is not read at all.
    #[error("the SBOM is larger than {0} bytes")]
    TooLarge(usize),
    /// More than any image has.
    #[error("the SBOM lists more than {0} packages")]
    TooManyPackages(usize),
    /// Neither of the formats.
    #[error("the document is neither CycloneDX nor SPDX 2 in JSON")]
    UnknownFormat,
    /// Not JSON, or not of the shape.
    #[error("the SBOM is not valid JSON of its format")]
    Malformed,
}

const LARGEST: usize = 64 << 20;
const MOST_PACKAGES: usize = 200_000;
/// Components inside of components, and statements around documents.
const DEEPEST: usize = 8;

/// Reads the packages of a `CycloneDX` or SPDX 2 document in JSON, bare or as the predicate of an
/// in-toto statement. Fields that are not as they should be are left out, and nothing else.
pub fn read_sbom(bytes: &[u8]) -> Result<Vec<ForeignPackage>, SbomError> {
    if bytes.len() > LARGEST {
        return Err(SbomError::TooLarge(LARGEST));
    }
    let mut packages = Packages::default();
    read_document(bytes, 0, &mut packages)?;
    if packages.found.len() > MOST_PACKAGES {
        return Err(SbomError::TooManyPackages(MOST_PACKAGES));
    }
    packages.found.sort_unstable();
    packages.found.dedup();
    Ok(packages.found)
}

#[derive(Default)]
struct Packages {
    found: Vec<ForeignPackage>,
}

impl Packages {
    fn push(&mut self, package: Option<ForeignPackage>) {
        // One more than allowed is kept, which tells that there are too many.
        if self.found.len() <= MOST_PACKAGES {
            self.found.extend(package);
        }
    }
}

fn read_document(bytes: &[u8], depth: usize, packages: &mut Packages) -> Result<(), SbomError> {
    let mut known = false;
    let mut inner = None;
    json::members(bytes, |key, value| {
        match key {
            "bomFormat" | "spdxVersion" => known = true,
            "components" => components(value.get(), depth, packages),
            "packages" => spdx_packages(value.get(), packages),
            "predicate" | "Data" => inner = Some(value.to_owned()),
            _ => {}
        }
        Ok(())
    })
    .map_err(|_| SbomError::Malformed)?;
    match inner {
        Some(inner) if !known && depth < DEEPEST => {
            read_document(inner.get().as_bytes(), depth + 1, packages)
        }
        _ if known => Ok(()),
        _ => Err(SbomError::UnknownFormat),
    }
}

#[derive(Deserialize)]
struct Component {
    #[serde(default, rename = "type")]
    kind: Lenient<String>,
    #[serde(default)]
    group: Lenient<String>,
    #[serde(default)]
    name: Lenient<String>,
    #[serde(default)]
    version: Lenient<String>,
    #[serde(default)]
    purl: Lenient<String>,
    #[serde(default)]
    licenses: Lenient<Names>,
    #[serde(default)]
    components: Lenient<Box<RawValue>>,
}

fn components(list: &str, depth: usize, packages: &mut Packages) {
    // What is no list holds no components.
    drop(json::each(list.as_bytes(), |component: Component| {
        if let Some(inner) = &component.components.0
            && depth < DEEPEST
        {
            components(inner.get(), depth + 1, packages);
        }
        packages.push(component.package());
    }));
}

impl Component {
    fn package(self) -> Option<ForeignPackage> {
        let kind = self.kind.0.unwrap_or_default();
        if matches!(kind.as_str(), "operating-system" | "file" | "container" | "device" | "data") {
            return None;
        }
        let name = self.name.0?;
        let name = match self.group.0.filter(|group| !group.is_empty()) {
            Some(group) => format!("{group}/{name}"),
            None => name,
        };
        let licenses = self.licenses.0.unwrap_or_default().0;
        let version = self.version.0.unwrap_or_default();
        Some(ForeignPackage { name, version, purl: self.purl.0, licenses })
    }
}

#[derive(Deserialize)]
struct SpdxPackage {
    #[serde(default)]
    name: Lenient<String>,
    #[serde(default, rename = "versionInfo")]
    version: Lenient<String>,
    #[serde(default, rename = "primaryPackagePurpose")]
    purpose: Lenient<String>,
    #[serde(default, rename = "licenseDeclared")]
    license: Lenient<String>,
    #[serde(default, rename = "externalRefs")]
    references: Lenient<Box<RawValue>>,
}

#[derive(Deserialize)]
struct SpdxReference {
    #[serde(default, rename = "referenceType")]
    kind: Lenient<String>,
    #[serde(default, rename = "referenceLocator")]
    locator: Lenient<String>,
}

fn spdx_packages(list: &str, packages: &mut Packages) {
    // What is no list holds no packages.
    drop(json::each(list.as_bytes(), |package: SpdxPackage| packages.push(package.package())));
}

impl SpdxPackage {
    fn package(self) -> Option<ForeignPackage> {
        let purpose = self.purpose.0.unwrap_or_default();
        if matches!(
            purpose.as_str(),
            "CONTAINER" | "OPERATING-SYSTEM" | "OPERATING_SYSTEM" | "FILE"
        ) {
            return None;
        }
        let mut purl = None;
        let reference = |reference: SpdxReference| {
            if reference.kind.0.as_deref() == Some("purl") && purl.is_none() {
                purl = reference.locator.0;
            }
        };
        if let Some(references) = self.references.0 {
            // A package without readable references has no URL.
            drop(json::each(references.get().as_bytes(), reference));
        }
        // Documents about images list the image as well, mostly with this type only.
        if purl.as_deref().is_some_and(|purl| purl.starts_with("pkg:oci/")) {
            return None;
        }
        let license =
            self.license.0.filter(|license| license != "NOASSERTION" && license != "NONE");
        let version = self.version.0.unwrap_or_default();
        Some(ForeignPackage {
            name: self.name.0?,
            version,
            purl,
            licenses: license.into_iter().collect(),
        })
    }
}
