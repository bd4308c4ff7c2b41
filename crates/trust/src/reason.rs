use std::fmt;

use serde::{Deserialize, Serialize};

/// Why something is not believed. Each way to deceive has its own.
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
#[schema(as = TrustReason)]
pub enum Reason {
    /// It is not what it says it is.
    Malformed,
    /// A form, version or algorithm that is not known here.
    Unsupported,
    /// More bytes than anything of its kind needs.
    TooLarge,
    /// Nested deeper than anything of its kind is.
    TooDeep,
    /// An object names a key twice, so that two readers could read two things.
    DuplicatedKey,
    /// The policy itself is wrong.
    InvalidPolicy,
    /// The policy trusts an identity that is everybody.
    EmptyIdentity,
    /// The policy has a pattern that would match a part of a name.
    UnanchoredPattern,
    /// Nothing was signed.
    Unsigned,
    /// It is about another digest.
    OtherDigest,
    /// It is about a child of the index that it was presented for.
    ChildDigest,
    /// The bytes that were signed are not these.
    TamperedPayload,
    /// None of the trusted keys made it.
    OtherKey,
    /// It is consistent with a key that it brings itself, and that nobody trusts.
    BroughtKey,
    /// The certificate belongs to another signature.
    ReplayedCertificate,
    /// The certificate is not from an authority that is trusted.
    UntrustedCertificate,
    /// The certificate was not valid when it was signed.
    ExpiredCertificate,
    /// The key was not valid when it was signed.
    ExpiredKey,
    /// The signature says itself that it is over.
    ExpiredSignature,
    /// The identity's issuer is another.
    OtherIssuer,
    /// The identity's subject is another.
    OtherSubject,
    /// The identity's certificate says something else about the build.
    OtherExtension,
    /// Nothing proves when it was signed.
    NoTime,
    /// What proves the time names one that has not come yet.
    FutureTime,
    /// The timestamp is not valid for this signature.
    InvalidTimestamp,
    /// It is not in a transparency log.
    NoLogEntry,
    /// The log entry is about something else.
    ForeignLogEntry,
    /// The log is not one that is trusted.
    UnknownLog,
    /// The log's promise or proof does not hold.
    InvalidLogEntry,
    /// The certificate is not in a certificate transparency log.
    NoCertificateTimestamp,
    /// The certificate transparency log's promise does not hold.
    InvalidCertificateTimestamp,
    /// More signatures than are looked at.
    TooManySignatures,
    /// Fewer signers than the policy wants.
    TooFewSigners,
    /// A statement that the policy wants is not there.
    MissingAttestation,
    /// The provenance names another commit than the image.
    OtherCommit,
    /// The provenance names another build than the one that pushed.
    OtherPusher,
}

/// Something that is not believed: what was seen, what was wanted, and what to do about it.
#[derive(
    Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema,
)]
#[error("{observed}; expected {required}")]
#[schema(as = TrustRefusal)]
pub struct Refusal {
    /// Which kind of wrong it is.
    pub reason: Reason,
    /// What was seen.
    pub observed: String,
    /// What had to be there.
    pub required: String,
    /// What to do.
    pub fix: String,
}

impl Refusal {
    /// A refusal with the words that belong to its reason.
    pub fn new(reason: Reason, observed: impl Into<String>) -> Self {
        let (required, fix) = reason.words();
        Self {
            reason,
            observed: observed.into(),
            required: required.to_owned(),
            fix: fix.to_owned(),
        }
    }

    /// With what exactly was wanted here.
    #[must_use]
    pub fn requiring(mut self, required: impl Into<String>) -> Self {
        self.required = required.into();
        self
    }

    pub(crate) fn malformed(observed: impl Into<String>) -> Self {
        Self::new(Reason::Malformed, observed)
    }
}

impl Reason {
    /// What is required, and what to do where it is not so.
    fn words(self) -> (&'static str, &'static str) {
        self.words_of_form()
            .or_else(|| self.words_of_signer())
            .unwrap_or_else(|| self.words_of_evidence())
    }

    fn words_of_form(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Malformed => ("the form that its media type names", "sign again"),
            Self::Unsupported => ("a form that plura reads", "sign with a current cosign"),
            Self::TooLarge => ("less than the limit for its kind", "sign something smaller"),
            Self::TooDeep => ("less nesting", "write the statement with a usual tool"),
            Self::DuplicatedKey => ("every key once", "sign a document that reads one way only"),
            Self::InvalidPolicy => ("a policy that can be met", "correct the trust policy"),
            Self::EmptyIdentity => (
                "an issuer and a subject that leave somebody out",
                "name the issuer and the subject of the identity in the trust policy",
            ),
            Self::UnanchoredPattern => (
                "a pattern that begins with ^ and ends with $",
                "write the whole name as ^...$ and escape its dots",
            ),
            Self::Unsigned => ("a signature", "sign the digest, e.g. with `plura sign`"),
            Self::OtherDigest => ("a signature over this digest", "sign this digest"),
            Self::ChildDigest => ("a signature over the index itself", "sign the index"),
            Self::TamperedPayload => ("the bytes that were signed", "sign again"),
            Self::TooManySignatures => (
                "no more signatures on one digest than are looked at",
                "remove signatures that nobody needs, or build and sign anew",
            ),
            _ => return None,
        })
    }

    fn words_of_signer(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::OtherKey => (
                "a signature by a key of the trust policy",
                "sign with a trusted key, or add this one to the trust policy",
            ),
            Self::BroughtKey => (
                "a key of the trust policy, not one that comes with the signature",
                "sign with a trusted key",
            ),
            Self::ReplayedCertificate => (
                "a certificate that was issued for this signature's key",
                "sign with a certificate of your own",
            ),
            Self::UntrustedCertificate => (
                "a certificate by an authority of the trust root",
                "sign with a trusted authority, or add this one to the trust root",
            ),
            Self::ExpiredCertificate => ("a certificate valid at signing time", "sign again"),
            Self::ExpiredKey => (
                "a key valid at signing time",
                "sign with the current key, or correct the key's validity in the trust policy",
            ),
            Self::ExpiredSignature => ("a signature that has not expired", "sign again"),
            Self::OtherIssuer | Self::OtherSubject | Self::OtherExtension => (
                "an identity of the trust policy",
                "sign as a trusted identity, or add this one to the trust policy",
            ),
            Self::TooFewSigners => (
                "signatures by as many trusted signers as the policy wants",
                "let more of the trusted signers sign",
            ),
            Self::MissingAttestation => (
                "a signed statement of the type that the policy wants",
                "attest it, e.g. with `plura attest`",
            ),
            _ => return None,
        })
    }

    fn words_of_evidence(self) -> (&'static str, &'static str) {
        match self {
            Self::NoTime => (
                "a log's promise or a timestamp that proves when it was signed",
                "sign with a transparency log or a timestamp authority",
            ),
            Self::FutureTime => {
                ("a time that has come", "check the clocks of this server and of the signer")
            }
            Self::InvalidTimestamp => (
                "a timestamp over this signature by an authority of the trust root",
                "sign again, or add the timestamp authority to the trust root",
            ),
            Self::NoLogEntry => (
                "an entry of a transparency log of the trust root",
                "sign with a transparency log, or do not require one in the trust policy",
            ),
            Self::ForeignLogEntry => (
                "a log entry that names this signature, its key and its payload",
                "sign again; keep the entry that was made with the signature",
            ),
            Self::UnknownLog => (
                "an entry of a log of the trust root",
                "add the log to the trust root, or sign with one that is in it",
            ),
            Self::InvalidLogEntry => ("a proof that holds", "sign again"),
            Self::NoCertificateTimestamp | Self::InvalidCertificateTimestamp => (
                "a promise of a certificate transparency log of the trust root",
                "sign with an authority that logs what it issues",
            ),
            Self::OtherCommit => (
                "the commit of the image's revision label",
                "build from the commit that the label names",
            ),
            Self::OtherPusher => {
                ("provenance of the build that pushed", "let the build push what it has built")
            }
            _ => ("something else", "sign again"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Serialize::serialize(self, f)
    }
}
