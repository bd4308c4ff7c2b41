use jiff::Timestamp;
use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{Form, Identity, Logged, statement::PredicateKind};

/// A signature that was verified: who said what, when, about which digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = VerifiedSignature)]
pub struct Fact {
    /// What was signed.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The form that the signature has.
    pub form: Form,
    /// What was said.
    pub kind: PredicateKind,
    /// The type of the statement, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicate_type: Option<String>,
    /// Who signed.
    pub signer: Who,
    /// When.
    pub signed: When,
    /// The logs that have it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub logged: Vec<Logged>,
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[schema(as = Signer)]
pub enum Who {
    /// The holder of a key.
    Key {
        /// The holder, as the policy names it.
        name: String,
        /// Where the key is used.
        #[serde(skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// The SHA-256 of the key.
        #[schema(value_type = String)]
        fingerprint: Digest,
    },
    /// An identity that an authority vouched for.
    Identity {
        /// What the policy calls it.
        name: String,
        /// Who it is.
        identity: Identity,
        /// The SHA-256 of its certificate.
        #[schema(value_type = String)]
        certificate: Digest,
        /// The certificate log that has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        certificate_log: Option<String>,
    },
    /// A certificate of an authority that the policy names.
    Notation {
        /// What the policy calls the authority.
        name: String,
        /// The leaf's subject.
        subject: String,
        /// The SHA-256 of the leaf.
        #[schema(value_type = String)]
        certificate: Digest,
    },
}

impl Who {
    /// What the policy calls the signer.
    pub fn name(&self) -> &str {
        match self {
            Self::Key { name, .. } | Self::Identity { name, .. } | Self::Notation { name, .. } => {
                name
            }
        }
    }
}

/// When something was signed, at the latest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SigningTime)]
pub struct When {
    /// The time.
    #[schema(value_type = String)]
    pub time: Timestamp,
    /// What proves it.
    pub evidence: Evidence,
}

/// What proves a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case", tag = "by", content = "name")]
#[schema(as = SigningTimeProof)]
pub enum Evidence {
    /// A log's promise.
    Log(String),
    /// A timestamp.
    TimestampAuthority(String),
    /// The signature was here by then.
    Arrival,
}
