use std::sync::Arc;

use jiff::Timestamp;
use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    Certificate, JwsAlgorithm, Reason, Refusal, Statement,
    dsse::{self, Envelope, IN_TOTO},
    log::LogEntry,
    log_body::Message,
    simple_signing::SimpleSigning,
    statement::PredicateKind,
};

/// One signature as it was found, whichever form it had. Nothing about it is verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// The form it was found in.
    pub form: Form,
    /// What was signed. The signatures of one envelope share it.
    pub content: Arc<Content>,
    /// The signature itself.
    pub bytes: Vec<u8>,
    /// What it says about who made it.
    pub signer: Signer,
    /// What logs said about it.
    pub log_entries: Vec<LogEntry>,
    /// What timestamp authorities said about it, encoded.
    pub timestamps: Vec<Vec<u8>>,
}

/// The forms that tools write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = SignatureForm)]
pub enum Form {
    /// A payload with annotations: `.sig` of cosign 1 and 2.
    SimpleSigning,
    /// An envelope with annotations: `.att` of cosign 1 and 2.
    Attestation,
    /// A Sigstore bundle: cosign 3.
    Bundle,
    /// A Notation envelope.
    Notation,
}

/// What was signed.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A payload of cosign's first format.
    Simple {
        /// What it says.
        payload: SimpleSigning,
        /// The bytes that were signed.
        bytes: Vec<u8>,
    },
    /// A statement in an envelope.
    Statement {
        /// What it says.
        statement: Statement,
        /// The bytes that were signed, the statement at their end.
        signed: Vec<u8>,
        /// How long the statement is.
        length: usize,
        /// The SHA-256 of the envelope, where it was stored on its own.
        envelope: Option<Digest>,
    },
    /// The image's manifest itself, known by its digest.
    Manifest(Digest),
    /// A Notation payload.
    Notation {
        /// What it says.
        target: Digest,
        /// How it says that it was signed.
        algorithm: JwsAlgorithm,
        /// When it ceases to count, if the signer said so.
        expiry: Option<Timestamp>,
        /// The bytes that were signed.
        signed: Vec<u8>,
    },
}

/// What a signature says about who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// Nothing, or a hint that proves nothing: a key that the verifier must know.
    Key {
        /// What the signer calls it.
        hint: String,
    },
    /// A certificate, with what is between it and its authority.
    Certificate {
        /// The leaf first.
        chain: Vec<Certificate>,
    },
}

impl Content {
    /// The statement of an envelope.
    pub(crate) fn of_envelope(envelope: &Envelope, stored: Option<&[u8]>) -> Result<Self, Refusal> {
        if envelope.payload_type != IN_TOTO {
            let observed = crate::json::shortened(&envelope.payload_type);
            let observed = format!("an envelope with a payload of type `{observed}`");
            return Err(Refusal::new(Reason::Unsupported, observed).requiring(IN_TOTO));
        }
        Ok(Self::Statement {
            statement: Statement::read(&envelope.payload)?,
            signed: dsse::signed_bytes(&envelope.payload_type, &envelope.payload),
            length: envelope.payload.len(),
            envelope: stored.map(Digest::sha256),
        })
    }

    /// The digests that it is about.
    pub fn digests(&self) -> Vec<Digest> {
        match self {
            Self::Simple { payload, .. } => vec![payload.digest],
            Self::Statement { statement, .. } => statement.digests().collect(),
            Self::Manifest(digest) | Self::Notation { target: digest, .. } => vec![*digest],
        }
    }

    /// Whether it is about that digest.
    pub fn is_about(&self, digest: &Digest) -> bool {
        match self {
            Self::Statement { statement, .. } => statement.is_about(digest),
            _ => self.digests().contains(digest),
        }
    }

    /// What it says: that it was signed, or more.
    pub fn kind(&self) -> PredicateKind {
        match self {
            Self::Statement { statement, .. } => statement.kind(),
            _ => PredicateKind::Signature,
        }
    }

    /// The statement, if it is one.
    pub fn statement(&self) -> Option<&Statement> {
        match self {
            Self::Statement { statement, .. } => Some(statement),
            _ => None,
        }
    }

    pub(crate) fn message(&self) -> Message<'_> {
        match self {
            Self::Simple { bytes: signed, .. }
            | Self::Statement { signed, .. }
            | Self::Notation { signed, .. } => Message::Bytes(signed),
            Self::Manifest(digest) => Message::Digest(digest),
        }
    }

    pub(crate) fn payload(&self) -> Option<&[u8]> {
        match self {
            Self::Statement { signed, length, .. } => Some(&signed[signed.len() - length..]),
            _ => None,
        }
    }

    pub(crate) fn envelope(&self) -> Option<&Digest> {
        match self {
            Self::Statement { envelope, .. } => envelope.as_ref(),
            _ => None,
        }
    }
}
