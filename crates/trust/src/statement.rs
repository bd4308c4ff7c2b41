use std::collections::BTreeMap;

use plura_oci::Digest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{OpenVex, Provenance, Reason, Refusal, dsse::MAX_ENVELOPE, json};

/// The most bytes of a predicate's type; facts carry it.
const MAX_TYPE: usize = 1024;

/// An in-toto statement: what is said about what.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it is about.
    pub subjects: Vec<Subject>,
    /// What kind of thing is said.
    pub predicate_type: String,
    /// What is said, as JSON.
    pub predicate: Box<RawValue>,
}

/// What a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// What the signer calls it.
    #[serde(default)]
    pub name: String,
    /// Its digests in hexadecimal, by algorithm.
    #[serde(default)]
    pub digest: BTreeMap<String, String>,
}

/// The kinds of statements that mean something here.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PredicateKind {
    /// Nothing but that it was signed: what cosign 3 writes as a signature.
    Signature,
    /// SLSA provenance.
    Provenance,
    /// A bill of materials as `CycloneDX`.
    CycloneDx,
    /// A bill of materials as SPDX.
    Spdx,
    /// Which vulnerabilities matter.
    OpenVex,
    /// What a scanner found.
    Vulnerabilities,
    /// What a verifier decided.
    VerificationSummary,
    /// Anything else.
    Other,
}

/// Types of predicates that are written here.
pub mod predicate_types {
    /// A signature of cosign 3.
    pub const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
    /// SLSA provenance, version 1.
    pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
    /// A verification summary.
    pub const VERIFICATION_SUMMARY: &str = "https://slsa.dev/verification_summary/v1";
    /// The type of statements.
    pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
}

impl PredicateKind {
    /// The kind that a type belongs to.
    pub fn of(predicate_type: &str) -> Self {
        match predicate_type {
            predicate_types::SIGNATURE => Self::Signature,
            "https://slsa.dev/provenance/v0.2" | predicate_types::PROVENANCE => Self::Provenance,
            predicate_types::VERIFICATION_SUMMARY => Self::VerificationSummary,
            "https://cosign.sigstore.dev/attestation/vuln/v1" => Self::Vulnerabilities,
            _ => Self::of_family(predicate_type),
        }
    }

    /// These occur with a version behind the name, and without.
    fn of_family(predicate_type: &str) -> Self {
        let is = |family: &str| {
            predicate_type
                .strip_prefix(family)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if is("https://cyclonedx.org/bom") {
            Self::CycloneDx
        } else if is("https://spdx.dev/Document") {
            Self::Spdx
        } else if is("https://openvex.dev/ns") {
            Self::OpenVex
        } else if is("https://in-toto.io/attestation/vulns") {
            Self::Vulnerabilities
        } else {
            Self::Other
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "_type")]
    statement_type: String,
    #[serde(default)]
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Option<Box<RawValue>>,
}

impl Statement {
    /// Reads a statement, version 0.1 or 1.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let wire: Wire = json::read("statement", bytes, MAX_ENVELOPE)?;
        match wire.statement_type.as_str() {
            "https://in-toto.io/Statement/v0.1" | predicate_types::STATEMENT => {}
            other => {
                let observed = format!("a statement of type `{}`", json::shortened(other));
                return Err(Refusal::new(Reason::Unsupported, observed)
                    .requiring("https://in-toto.io/Statement/v0.1 or /v1"));
            }
        }
        if wire.subject.is_empty() {
            return Err(Refusal::malformed("the statement is about nothing"));
        }
        if wire.predicate_type.len() > MAX_TYPE {
            return Err(Refusal::new(Reason::TooLarge, "the statement's type is too long")
                .requiring(format!("at most {MAX_TYPE} bytes")));
        }
        let predicate = wire.predicate.unwrap_or_else(|| RawValue::NULL.to_owned());
        Ok(Self { subjects: wire.subject, predicate_type: wire.predicate_type, predicate })
    }

    /// The kind of its predicate.
    pub fn kind(&self) -> PredicateKind {
        PredicateKind::of(&self.predicate_type)
    }

    /// Whether it is about that digest.
    pub fn is_about(&self, digest: &Digest) -> bool {
        let (algorithm, hex) = (digest.algorithm().to_string(), digest.hex());
        self.subjects.iter().any(|subject| subject.digest.get(&algorithm) == Some(&hex))
    }

    /// The digests that it is about, of the algorithms that are known here.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        let digests = self.subjects.iter().flat_map(|subject| &subject.digest);
        digests.filter_map(|(algorithm, hex)| format!("{algorithm}:{hex}").parse().ok())
    }

    /// How it was built, if the statement says that.
    pub fn provenance(&self) -> Result<Option<Provenance>, Refusal> {
        match self.kind() {
            PredicateKind::Provenance => Provenance::read(self).map(Some),
            _ => Ok(None),
        }
    }

    /// Which vulnerabilities matter, if the statement says that.
    pub fn open_vex(&self) -> Result<Option<OpenVex>, Refusal> {
        match self.kind() {
            PredicateKind::OpenVex => OpenVex::read(self.predicate.get().as_bytes()).map(Some),
            _ => Ok(None),
        }
    }
}

impl PartialEq for Statement {
    fn eq(&self, other: &Self) -> bool {
        self.subjects == other.subjects
            && self.predicate_type == other.predicate_type
            && self.predicate.get() == other.predicate.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicate_types_belong_to_kinds() {
        for (predicate_type, kind) in [
            ("https://slsa.dev/provenance/v0.2", PredicateKind::Provenance),
            ("https://slsa.dev/provenance/v1", PredicateKind::Provenance),
            ("https://slsa.dev/provenance/v2", PredicateKind::Other),
            ("https://cyclonedx.org/bom", PredicateKind::CycloneDx),
            ("https://cyclonedx.org/bom/v1.6", PredicateKind::CycloneDx),
            ("https://cyclonedx.org/bomb", PredicateKind::Other),
            ("https://spdx.dev/Document", PredicateKind::Spdx),
            ("https://spdx.dev/Document/v2.3", PredicateKind::Spdx),
            ("https://openvex.dev/ns", PredicateKind::OpenVex),
            ("https://openvex.dev/ns/v0.2.0", PredicateKind::OpenVex),
            ("https://cosign.sigstore.dev/attestation/vuln/v1", PredicateKind::Vulnerabilities),
            ("https://in-toto.io/attestation/vulns/v0.2", PredicateKind::Vulnerabilities),
            ("https://slsa.dev/verification_summary/v1", PredicateKind::VerificationSummary),
            ("https://sigstore.dev/cosign/sign/v1", PredicateKind::Signature),
            ("https://cosign.sigstore.dev/attestation/v1", PredicateKind::Other),
        ] {
            assert_eq!(PredicateKind::of(predicate_type), kind, "{predicate_type}");
        }
    }

    #[track_caller]
    fn check(statement: &str, expected: Option<Reason>) {
        let found = Statement::read(statement.as_bytes()).err().map(|refusal| refusal.reason);
        assert_eq!(found, expected, "{statement}");
    }

    #[test]
    fn statements_are_read_strictly() {
        let with = |version: &str, subject: &str, predicate_type: &str| {
            format!(
                r#"{{"_type":"https://in-toto.io/Statement/{version}","subject":{subject},
                    "predicateType":"{predicate_type}","predicate":{{}},"more":1}}"#
            )
        };
        let subject = r#"[{"name":"a","digest":{"sha256":"00"}}]"#;
        check(&with("v0.1", subject, "x"), None);
        check(&with("v1", subject, "x"), None);
        check(&with("v2", subject, "x"), Some(Reason::Unsupported));
        check(&with("v1", "[]", "x"), Some(Reason::Malformed));
        check(&with("v1", subject, &"x".repeat(2000)), Some(Reason::TooLarge));
        let twice = r#"[{"digest":{"sha256":"00","sha256":"11"}}]"#;
        check(&with("v1", twice, "x"), Some(Reason::DuplicatedKey));
    }
}
