use jiff::Timestamp;
use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{Form, Identity, Logged, statement::PredicateKind};

/// A signature that was verified: who said what, when, about which digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What was signed.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Who {
    /// The holder of a key.
    Key {
        /// The holder, as the policy names it.
        name: String,
        /// Where the key is used.
        #[serde(skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// The SHA-256 of the key.
        fingerprint: Digest,
    },
    /// An identity that an authority vouched for.
    Identity {
        /// What the policy calls it.
        name: String,
        /// Who it is.
        identity: Identity,
        /// The SHA-256 of its certificate.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// The time.
    pub time: Timestamp,
    /// What proves it.
    pub evidence: Evidence,
}

/// What proves a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by", content = "name")]
pub enum Evidence {
    /// A log's promise.
    Log(String),
    /// A timestamp.
    TimestampAuthority(String),
    /// The signature was here by then.
    Arrival,
}
