use std::collections::BTreeSet;

use jiff::Timestamp;
use plura_oci::{Digest, RepositoryName};
use plura_trust::{Form, PredicateKind, Provenance, Refusal, Verdict};
use serde::{Deserialize, Serialize};

/// What is known of a manifest of a repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ManifestEvidence {
    /// The repository.
    #[schema(value_type = String)]
    pub repository: RepositoryName,
    /// The manifest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Whether every trust policy for the repository is met; nothing where there is none.
    pub verified: Option<bool>,
    /// What each of the policies says, by name.
    pub verdicts: Vec<Verdict>,
    /// The signatures that were found, in the order they came in. What is here is not verified; the
    /// verdicts say what is.
    pub signatures: Vec<FoundSignature>,
    /// What is said about the manifest, signed or not.
    pub statements: Vec<FoundStatement>,
    /// When this was found out.
    #[schema(value_type = String)]
    pub gathered_at: Timestamp,
}

/// A signature as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FoundSignature {
    /// Where: the manifest or tag, and which of its layers.
    pub place: String,
    /// The form that it has, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// Since when it is here.
    #[schema(value_type = String)]
    pub arrived: Timestamp,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// Something that is said about the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FoundStatement {
    /// Where it was found.
    pub place: String,
    /// What kind of thing is said.
    pub kind: PredicateKind,
    /// Its type, as it says.
    pub predicate_type: String,
    /// Whether anybody signed it. One that nobody signed is there, and proves nothing.
    pub signed: bool,
    /// Those of the signers whom a policy trusts.
    pub signers: BTreeSet<String>,
    /// How the manifest was built, if that is what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// Which vulnerabilities matter, if that is what it says and a policy trusts a signer of it: an OpenVEX
    /// document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub open_vex: Option<serde_json::Value>,
    /// Where it contradicts what is known otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Refusal>,
}
