//! OpenVEX documents (<https://openvex.dev/ns>), versions 0.0.1 to 0.2.0.

use jiff::Timestamp;
use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{ImageNames, Match, purl::Purl};

/// What somebody says about vulnerabilities of products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VexDocument {
    /// Its identifier.
    pub id: Box<str>,
    /// Who says it.
    pub author: Box<str>,
    /// The image that the document is attached to, which statements without a product are about.
    /// Not part of the document: whoever found it there knows.
    pub subject: Option<Digest>,
    /// Who signed it, as far as that was verified. Not part of the document either.
    pub signers: Vec<Box<str>>,
    /// What is said.
    pub statements: Vec<VexStatement>,
}

/// What is said about one vulnerability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VexStatement {
    /// The vulnerability by all names that the statement gives it.
    pub vulnerability: Vec<Box<str>>,
    /// What it is about.
    pub products: Vec<VexProduct>,
    /// Whether the products have it.
    pub status: VexStatus,
    /// Why they do not.
    pub justification: Option<Justification>,
    /// The same in words.
    pub impact_statement: Option<Box<str>>,
    /// When it was said.
    pub timestamp: Timestamp,
}

/// An image, or a package in any image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VexProduct {
    names: Vec<Box<str>>,
    sha256: Option<Box<str>>,
    subcomponents: Vec<Box<str>>,
}

/// Whether a product has a vulnerability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VexStatus {
    /// It does not.
    NotAffected,
    /// It does.
    Affected,
    /// It did.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}

/// Why a product does not have a vulnerability that one of its parts has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Justification {
    /// The part is not in it.
    ComponentNotPresent,
    /// The part is, the code with the vulnerability is not.
    VulnerableCodeNotPresent,
    /// The code is never run.
    VulnerableCodeNotInExecutePath,
    /// No attacker reaches the code.
    VulnerableCodeCannotBeControlledByAdversary,
    /// Something else prevents the attack.
    InlineMitigationsAlreadyExist,
}

/// The bytes are not an OpenVEX document.
#[derive(Debug, thiserror::Error)]
pub enum ReadVexError {
    /// More bytes than such a document has.
    #[error("a VEX document has at most {most} bytes, this one has {0}", most = VexDocument::MAX_BYTES)]
    TooLarge(usize),
    /// Not JSON, or not of the form.
    #[error("expected an OpenVEX document: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another kind of document.
    #[error("expected `@context` to begin with https://openvex.dev/ns, found `{0}`")]
    Context(Box<str>),
    /// A statement that says less than it must.
    #[error("statement {number} of the VEX document {problem}")]
    Statement {
        /// Counted from 1.
        number: usize,
        /// What is missing.
        problem: &'static str,
    },
}

impl VexDocument {
    /// The most bytes of a document.
    pub const MAX_BYTES: usize = 16 << 20;

    /// Reads a document.
    pub fn parse(json: &[u8]) -> Result<Self, ReadVexError> {
        if json.len() > Self::MAX_BYTES {
            return Err(ReadVexError::TooLarge(json.len()));
        }
        let document: wire::Document = serde_json::from_slice(json)?;
        if !document.context.starts_with("https://openvex.dev/ns") {
            return Err(ReadVexError::Context(document.context.chars().take(64).collect()));
        }
        let time = document.last_updated.unwrap_or(document.timestamp);
        let statements = document.statements.into_iter().enumerate().map(|(index, statement)| {
            let number = index + 1;
            statement.read(time).map_err(|problem| ReadVexError::Statement { number, problem })
        });
        Ok(Self {
            id: document.id,
            author: document.author,
            subject: None,
            signers: Vec::new(),
            statements: statements.collect::<Result<_, _>>()?,
        })
    }
}

impl VexStatement {
    /// Whether it is about what was found in the image. `attached_to` is the image that its document
    /// is attached to.
    pub fn is_about(
        &self,
        found: &Match,
        image: &ImageNames<'_>,
        attached_to: Option<&Digest>,
    ) -> bool {
        if !self.vulnerability.iter().any(|name| found.is_called(name)) {
            return false;
        }
        if self.products.is_empty() {
            return attached_to.is_some_and(|digest| image.digests.contains(digest));
        }
        self.products.iter().any(|product| product.is(found, image))
    }
}

impl VexProduct {
    fn is(&self, found: &Match, image: &ImageNames<'_>) -> bool {
        let is_package = |name: &str| Purl::parse(name).is_some_and(|p| p.names(&found.package));
        if self.is_image(image) {
            let parts = &self.subcomponents;
            return parts.is_empty() || parts.iter().any(|part| is_package(part));
        }
        self.names.iter().any(|name| is_package(name))
    }

    /// By its digest, or by its repository if no digest is said.
    fn is_image(&self, image: &ImageNames<'_>) -> bool {
        let has = |text: &str| image.digests.iter().any(|digest| digest.to_string() == text);
        let by_hash = |hash: &str| has(&format!("sha256:{hash}"));
        self.sha256.as_deref().is_some_and(by_hash)
            || self.names.iter().any(|name| match Purl::parse(name) {
                Some(purl) if purl.kind == "oci" => match &purl.version {
                    Some(version) => has(version),
                    None => purl.repository_url.is_some_and(|url| is_repository(&url, image)),
                },
                Some(_) => false,
                None => name.rsplit_once('@').is_some_and(|(_, digest)| has(digest)),
            })
    }
}

/// `host/repository`, whatever the registry is called that the image was pushed to.
fn is_repository(url: &str, image: &ImageNames<'_>) -> bool {
    url.split_once('/').is_some_and(|(_, repository)| repository == image.repository)
}

/// The document as it is written.
mod wire {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use serde::Deserialize;

    use super::{Justification, VexProduct, VexStatement, VexStatus};

    #[derive(Deserialize)]
    pub(super) struct Document {
        #[serde(rename = "@context")]
        pub(super) context: Box<str>,
        #[serde(rename = "@id", default)]
        pub(super) id: Box<str>,
        #[serde(default)]
        pub(super) author: Box<str>,
        pub(super) timestamp: Timestamp,
        #[serde(default)]
        pub(super) last_updated: Option<Timestamp>,
        pub(super) statements: Vec<Statement>,
    }

    #[derive(Deserialize)]
    pub(super) struct Statement {
        vulnerability: Vulnerability,
        #[serde(default)]
        products: Vec<Product>,
        status: VexStatus,
        #[serde(default)]
        justification: Option<Justification>,
        #[serde(rename = "impact_statement", default)]
        impact: Option<Box<str>>,
        #[serde(default)]
        timestamp: Option<Timestamp>,
        #[serde(default)]
        last_updated: Option<Timestamp>,
    }

    /// Before 0.2.0 a name, since then an object.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Vulnerability {
        Name(Box<str>),
        Object {
            #[serde(default)]
            name: Option<Box<str>>,
            #[serde(rename = "@id", default)]
            id: Option<Box<str>>,
            #[serde(default)]
            aliases: Vec<Box<str>>,
        },
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Product {
        Name(Box<str>),
        Object {
            #[serde(flatten)]
            component: Component,
            #[serde(default)]
            subcomponents: Vec<Part>,
        },
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Part {
        Name(Box<str>),
        Object(Component),
    }

    #[derive(Deserialize)]
    struct Component {
        #[serde(rename = "@id", default)]
        id: Option<Box<str>>,
        #[serde(default)]
        identifiers: BTreeMap<String, Box<str>>,
        #[serde(default)]
        hashes: BTreeMap<String, Box<str>>,
    }

    impl Component {
        fn names(&self) -> Vec<Box<str>> {
            let purl = self.identifiers.get("purl");
            self.id.iter().chain(purl).cloned().collect()
        }
    }

    impl Statement {
        pub(super) fn read(self, document: Timestamp) -> Result<VexStatement, &'static str> {
            let vulnerability: Vec<Box<str>> = match self.vulnerability {
                Vulnerability::Name(name) => vec![name],
                Vulnerability::Object { name, id, aliases } => {
                    // An `@id` is often the address of a page that has the name at its end.
                    let id = id.map(|id| id.rsplit('/').next().unwrap_or_default().into());
                    name.into_iter().chain(id).chain(aliases).collect()
                }
            };
            if vulnerability.iter().all(|name| name.is_empty()) {
                return Err("names no vulnerability");
            }
            let excused = self.justification.is_some() || self.impact.is_some();
            if self.status == VexStatus::NotAffected && !excused {
                return Err("says `not_affected` without `justification` or `impact_statement`");
            }
            Ok(VexStatement {
                vulnerability,
                products: self.products.into_iter().map(Product::read).collect(),
                status: self.status,
                justification: self.justification,
                impact_statement: self.impact,
                timestamp: self.last_updated.or(self.timestamp).unwrap_or(document),
            })
        }
    }

    impl Product {
        fn read(self) -> VexProduct {
            match self {
                Self::Name(name) => {
                    VexProduct { names: vec![name], sha256: None, subcomponents: Vec::new() }
                }
                Self::Object { component, subcomponents } => {
                    let parts = subcomponents.into_iter().flat_map(|part| match part {
                        Part::Name(name) => vec![name],
                        Part::Object(component) => component.names(),
                    });
                    VexProduct {
                        names: component.names(),
                        sha256: component.hashes.get("sha-256").cloned(),
                        subcomponents: parts.collect(),
                    }
                }
            }
        }
    }
}
