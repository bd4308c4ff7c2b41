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
