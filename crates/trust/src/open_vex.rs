use serde::{Deserialize, Deserializer, Serialize};

use crate::{Refusal, dsse::MAX_ENVELOPE, json};

/// An `OpenVEX` document: which vulnerabilities matter to a product. Only a signed one counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenVex {
    /// Its identifier.
    #[serde(rename = "@id", default)]
    pub id: String,
    /// Who says so.
    #[serde(default)]
    pub author: String,
    /// When it was said.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// What is said.
    #[serde(default)]
    pub statements: Vec<VexStatement>,
}

/// What is said about one vulnerability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VexStatement {
    /// The vulnerability.
    #[serde(deserialize_with = "named")]
    pub vulnerability: Vulnerability,
    /// What it is said of.
    #[serde(default)]
    pub products: Vec<Product>,
    /// What is said.
    pub status: VexStatus,
    /// Why a product is not affected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// Why a product is not affected, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact_statement: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_statement: Option<String>,
    /// When it was said, if not with the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
}

/// A vulnerability by its names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vulnerability {
    /// The name.
    #[serde(default)]
    pub name: String,
    /// Other names of the same.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// A product or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Product {
    /// Its identifier, mostly a package URL.
    #[serde(rename = "@id")]
    pub id: String,
    /// The parts of it that are meant.
    pub subcomponents: Vec<String>,
}

/// What is said about a vulnerability in a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VexStatus {
    /// It does not matter there.
    NotAffected,
    /// It does.
    Affected,
    /// It did.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}

impl OpenVex {
    /// Reads a document.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        json::read("OpenVEX document", bytes, MAX_ENVELOPE)
    }
}

/// Before version 0.2 a vulnerability was its name.
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vulnerability, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Name(String),
        Object(Vulnerability),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Name(name) => Vulnerability { name, aliases: Vec::new() },
        Either::Object(object) => object,
    })
}

impl<'de> Deserialize<'de> for Product {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            #[serde(rename = "@id", default)]
            id: String,
            #[serde(default)]
            identifiers: Identifiers,
            #[serde(default)]
            subcomponents: Vec<Product>,
        }
        #[derive(Default, Deserialize)]
        struct Identifiers {
            purl: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Id(String),
            Object(Object),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Id(id) => Self { id, subcomponents: Vec::new() },
            Either::Object(object) => Self {
                id: object.identifiers.purl.filter(|_| object.id.is_empty()).unwrap_or(object.id),
                subcomponents: object.subcomponents.into_iter().map(|part| part.id).collect(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/1",
        "author": "acme", "timestamp": "2026-01-02T03:04:05Z", "version": 1,
        "statements": [
            {
                "vulnerability": {"name": "CVE-2026-1", "aliases": ["GHSA-1"]},
                "products": [{
                    "@id": "pkg:oci/web@sha256:00",
                    "subcomponents": [{"@id": "pkg:apk/alpine/busybox"}]
                }],
                "status": "not_affected", "justification": "component_not_present"
            },
            {
                "vulnerability": "CVE-2026-2",
                "products": ["pkg:oci/web", {"identifiers": {"purl": "pkg:oci/api"}}],
                "status": "under_investigation"
            }
        ]
    }"#;

    #[test]
    fn a_document_of_either_version_is_read() {
        let document = OpenVex::read(DOCUMENT.as_bytes()).unwrap();
        let [first, second] = &document.statements[..] else { panic!("not two") };
        assert_eq!(document.author, "acme");
        assert_eq!(
            (first.vulnerability.name.as_str(), first.status),
            ("CVE-2026-1", VexStatus::NotAffected)
        );
        assert_eq!(first.products[0].subcomponents, ["pkg:apk/alpine/busybox"]);
        assert_eq!(first.justification.as_deref(), Some("component_not_present"));
        assert_eq!(second.vulnerability.name, "CVE-2026-2");
        let products: Vec<_> = second.products.iter().map(|product| product.id.as_str()).collect();
        assert_eq!(products, ["pkg:oci/web", "pkg:oci/api"]);
    }

    #[test]
    fn a_status_that_nobody_knows_is_refused() {
        let unknown = DOCUMENT.replace("not_affected", "harmless");
        assert!(OpenVex::read(unknown.as_bytes()).is_err());
    }
}
