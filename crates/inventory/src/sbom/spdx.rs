use std::collections::BTreeMap;

use plura_oci::Digest;
use serde::Serialize;

use super::{SbomSubject, identifier, license};
use crate::{ImageFacts, ImagePackage};

/// The SPDX 2.3 document of an image, in JSON once it is serialized.
pub fn document<'a>(facts: &'a ImageFacts, subject: &SbomSubject<'a>) -> impl Serialize + use<'a> {
    let mut extracted = BTreeMap::new();
    let mut packages = vec![root(subject)];
    packages.extend(facts.packages.iter().map(|package| listed(package, facts, &mut extracted)));
    let contains = |package: &Package| Relationship {
        from: ROOT.to_owned(),
        kind: "CONTAINS",
        to: package.id.clone(),
    };
    let mut relationships =
        vec![Relationship { from: DOCUMENT.to_owned(), kind: "DESCRIBES", to: ROOT.to_owned() }];
    relationships.extend(packages.iter().skip(1).map(contains));
    Document {
        version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: format!("{}@{}", subject.name, subject.digest),
        namespace: format!("https://plura.invalid/spdx/{}", subject.uuid()),
        creation: Creation {
            created: subject.created,
            creators: [format!("Tool: plura-{}", subject.tool_version)],
        },
        packages,
        extracted: extracted.into_values().collect(),
        relationships,
    }
}

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const ROOT: &str = "SPDXRef-Image";
const NONE: &str = "NOASSERTION";

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "spdxVersion")]
    version: &'static str,
    #[serde(rename = "dataLicense")]
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    #[serde(rename = "documentNamespace")]
    namespace: String,
    #[serde(rename = "creationInfo")]
    creation: Creation<'a>,
    packages: Vec<Package>,
    #[serde(rename = "hasExtractedLicensingInfos", skip_serializing_if = "Vec::is_empty")]
    extracted: Vec<Extracted>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
struct Creation<'a> {
    created: &'a str,
    creators: [String; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    version_info: String,
    download_location: &'static str,
    files_analyzed: bool,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_package_purpose: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalReference>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Serialize)]
struct ExternalReference {
    #[serde(rename = "referenceCategory")]
    category: &'static str,
    #[serde(rename = "referenceType")]
    kind: &'static str,
    #[serde(rename = "referenceLocator")]
    locator: String,
}

#[derive(Serialize)]
struct Extracted {
    #[serde(rename = "licenseId")]
    id: String,
    name: String,
    #[serde(rename = "extractedText")]
    text: String,
}

#[derive(Serialize)]
struct Relationship {
    #[serde(rename = "spdxElementId")]
    from: String,
    #[serde(rename = "relationshipType")]
    kind: &'static str,
    #[serde(rename = "relatedSpdxElement")]
    to: String,
}

fn root(subject: &SbomSubject<'_>) -> Package {
    let algorithm = match subject.digest.algorithm() {
        plura_oci::Algorithm::Sha256 => "SHA256",
        plura_oci::Algorithm::Sha512 => "SHA512",
    };
    Package {
        id: ROOT.to_owned(),
        name: subject.name.to_owned(),
        version_info: subject.digest.to_string(),
        primary_package_purpose: Some("CONTAINER"),
        checksums: vec![Checksum { algorithm, checksum_value: subject.digest.hex() }],
        ..blank()
    }
}

fn blank() -> Package {
    Package {
        id: String::new(),
        name: String::new(),
        version_info: String::new(),
        download_location: NONE,
        files_analyzed: false,
        license_concluded: NONE,
        license_declared: NONE.to_owned(),
        copyright_text: NONE,
        source_info: None,
        primary_package_purpose: None,
        checksums: Vec::new(),
        external_refs: Vec::new(),
    }
}

fn listed(
    package: &ImagePackage,
    facts: &ImageFacts,
    extracted: &mut BTreeMap<String, Extracted>,
) -> Package {
    let layer = facts.layers.get(package.layer).map(ToString::to_string).unwrap_or_default();
    Package {
        id: format!("SPDXRef-Package-{}", identifier(package)),
        name: package.package.name.clone(),
        version_info: package.package.version.clone(),
        license_declared: declared(&package.package.licenses, extracted),
        source_info: Some(format!("{} in layer {layer}", package.path)),
        external_refs: vec![ExternalReference {
            category: "PACKAGE-MANAGER",
            kind: "purl",
            locator: package.purl.to_string(),
        }],
        ..blank()
    }
}

/// All that is declared, joined. What is no expression of known licenses gets an identifier of its own,
/// for which the document gives the words that were found.
fn declared(licenses: &[String], extracted: &mut BTreeMap<String, Extracted>) -> String {
    let several = licenses.len() > 1;
    let mut expressions = Vec::new();
    for name in licenses {
        let expression = license::expression(name).unwrap_or_else(|| reference(name, extracted));
        let compound = several && expression.contains(' ');
        expressions.push(if compound { format!("({expression})") } else { expression });
    }
    if expressions.is_empty() { NONE.to_owned() } else { expressions.join(" AND ") }
}

fn reference(name: &str, extracted: &mut BTreeMap<String, Extracted>) -> String {
    let id = format!("LicenseRef-{}", &Digest::sha256(name.as_bytes()).hex()[..12]);
    extracted.entry(id.clone()).or_insert_with(|| Extracted {
        id: id.clone(),
        name: name.to_owned(),
        text: name.to_owned(),
    });
    id
}
