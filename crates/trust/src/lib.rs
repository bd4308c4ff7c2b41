//! Signatures, attestations and identities: bytes in, verified facts or a reason out.
//!
//! No I/O, no clock: what was found, whom to trust and what time it is are arguments. A [`Signature`] is
//! read from any of the forms that tools write; [`verify`] makes it a [`Fact`] or a [`Refusal`], and
//! [`judge`] decides about everything that was found about one digest.

mod bundle;
mod certificate;
mod certificate_log;
mod chain;
mod checkpoint;
mod cosign;
mod cross_check;
mod der;
mod dsse;
mod encrypted_key;
mod evidence;
mod fact;
mod identity;
mod json;
mod key;
mod log;
mod log_body;
mod log_kinds;
mod matcher;
mod merge;
mod merkle;
mod notation;
mod open_vex;
mod policy;
mod private_key;
mod provenance;
mod reason;
mod root;
mod sign;
mod signature;
mod simple_signing;
mod statement;
mod timestamp;
mod verdict;
mod verify;

pub use certificate::Certificate;
pub use cosign::annotations;
pub use cross_check::{Pushed, cross_check};
pub use dsse::{Envelope, EnvelopeSignature, IN_TOTO, signed_bytes};
pub use fact::{Evidence, Fact, When, Who};
pub use identity::{Identity, extension_names};
pub use key::{KeyKind, PublicKey};
pub use log::{LogEntry, Logged};
pub use matcher::Matcher;
pub use merge::{MAX_LAYERS, Merged, merge, signature_identities, signature_identity};
pub use notation::JwsAlgorithm;
pub use open_vex::{OpenVex, Product, VexStatement, VexStatus, Vulnerability};
pub use policy::{
    Demand, IdentityDocument, KeyDocument, NotationDocument, PolicyDocument, TrustPolicy,
    TrustedIdentity, TrustedKey, TrustedNotation,
};
pub use private_key::PrivateKey;
pub use provenance::{Dependency, Provenance, Source};
pub use reason::{Reason, Refusal};
pub use root::{Authority, LogKey, TrustRoot, Validity};
pub use sign::{
    Layer, Verifier, attestation_layer, bundle, signature_statement, simple_signing_layer,
    statement, statement_to_be_signed, verification_summary,
};
pub use signature::{Content, Form, Signature, Signer};
pub use simple_signing::SimpleSigning;
pub use statement::{PredicateKind, Statement, Subject, predicate_types};
pub use verdict::{Found, Inputs, MAX_SIGNATURES, Presented, Verdict, judge};
pub use verify::{Question, verify};

/// Media types that signatures are stored under.
pub mod media_types {
    pub use crate::bundle::MEDIA_TYPE as BUNDLE;
    pub use crate::notation::MEDIA_TYPE as NOTATION_JWS;
    pub use crate::simple_signing::MEDIA_TYPE as SIMPLE_SIGNING;
    /// A DSSE envelope.
    pub const DSSE: &str = "application/vnd.dsse.envelope.v1+json";
}
