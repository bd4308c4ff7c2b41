//! Notation's signatures as JWS, by the signing scheme `notary.x509`: a certificate of an authority that
//! the policy itself names.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    VerificationAlgorithm,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use plura_oci::Digest;
use serde::Deserialize;

use crate::{
    Certificate, Content, Form, KeyKind, Logged, Question, Reason, Refusal, Signature, Signer,
    TrustedNotation,
    chain::{self, Usage},
    der::{Malformed, Reader, tag},
    fact::{Evidence, When, Who},
    json::{self, Base64, shortened},
    log_body::Message,
    timestamp,
};

/// The media type of the envelope.
pub const MEDIA_TYPE: &str = "application/jose+json";
const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";
const SCHEME: &str = "notary.x509";
const SCHEME_HEADER: &str = "io.cncf.notary.signingScheme";
const EXPIRY_HEADER: &str = "io.cncf.notary.expiry";
/// The most bytes of an envelope; its certificates take most of them.
const MAX_SIZE: usize = 256 * 1024;

/// How a JWS is signed: RFC 7518, the algorithms that Notation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsAlgorithm {
    /// ECDSA over P-256.
    Es256,
    /// ECDSA over P-384.
    Es384,
    /// ECDSA over P-521.
    Es512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// RSA PSS with SHA-384.
    Ps384,
    /// RSA PSS with SHA-512.
    Ps512,
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
    protected: String,
    header: Header,
    signature: String,
}

#[derive(Deserialize)]
struct Header {
    x5c: Vec<Base64>,
    #[serde(rename = "io.cncf.notary.timestampSignature")]
    timestamp: Option<Base64>,
}

#[derive(Deserialize)]
struct Protected {
    alg: String,
    cty: String,
    #[serde(default)]
    crit: Vec<String>,
    #[serde(rename = "io.cncf.notary.signingScheme")]
    scheme: String,
    #[serde(rename = "io.cncf.notary.expiry")]
    expiry: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    target_artifact: Target,
}

#[derive(Deserialize)]
struct Target {
    digest: Digest,
}

impl Signature {
    /// Reads a Notation envelope.
    pub fn from_notation(bytes: &[u8]) -> Result<Self, Refusal> {
        let envelope: Envelope = json::read("Notation envelope", bytes, MAX_SIZE)?;
        let protected = decoded(&envelope.protected)?;
        let protected: Protected = json::read("protected header", &protected, MAX_SIZE)?;
        check_header(&protected)?;
        let payload: Payload =
            json::read("Notation payload", &decoded(&envelope.payload)?, MAX_SIZE)?;
        let chain = envelope.header.x5c.iter().map(|one| one.0.as_slice());
        Ok(Self {
            form: Form::Notation,
            content: Arc::new(Content::Notation {
                target: payload.target_artifact.digest,
                algorithm: JwsAlgorithm::named(&protected.alg)?,
                expiry: protected.expiry,
                signed: format!("{}.{}", envelope.protected, envelope.payload).into_bytes(),
            }),
            bytes: decoded(&envelope.signature)?,
            signer: Signer::Certificate { chain: Certificate::chain_from_der(chain)? },
            log_entries: Vec::new(),
            timestamps: envelope.header.timestamp.into_iter().map(|one| one.0).collect(),
        })
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| Refusal::malformed("a part of the Notation envelope is not base64url"))
}

/// What must be understood is; what must be marked so is marked: RFC 7515, section 4.1.11, and
/// Notation's signature specification.
fn check_header(header: &Protected) -> Result<(), Refusal> {
    if header.cty != PAYLOAD_TYPE || header.scheme != SCHEME {
        let observed = format!("{} by {}", shortened(&header.cty), shortened(&header.scheme));
        return Err(Refusal::new(Reason::Unsupported, observed)
            .requiring(format!("{PAYLOAD_TYPE} by {SCHEME}")));
    }
    let known = |name: &String| [SCHEME_HEADER, EXPIRY_HEADER].contains(&name.as_str());
    if let Some(unknown) = header.crit.iter().find(|name| !known(name)) {
        let observed = format!("the critical header `{}`", shortened(unknown));
        return Err(Refusal::new(Reason::Unsupported, observed));
    }
    let marked = |name: &str| header.crit.iter().any(|one| one == name);
    if !marked(SCHEME_HEADER) || marked(EXPIRY_HEADER) != header.expiry.is_some() {
        return Err(Refusal::malformed("the Notation envelope does not mark its critical headers"));
    }
    Ok(())
}

impl JwsAlgorithm {
    fn named(name: &str) -> Result<Self, Refusal> {
        Ok(match name {
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            other => {
                let observed = format!("the algorithm `{}`", shortened(other));
                return Err(Refusal::new(Reason::Unsupported, observed)
                    .requiring("ES256, ES384, ES512, PS256, PS384 or PS512"));
            }
        })
    }

    /// The algorithm, for a key that it is for: which one it is must not be the signer's choice.
    fn of_key(self, kind: KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
        match (self, kind) {
            (Self::Es256, KeyKind::EcdsaP256) => Some(&ECDSA_P256_SHA256_FIXED),
            (Self::Es384, KeyKind::EcdsaP384) => Some(&ECDSA_P384_SHA384_FIXED),
            (Self::Es512, KeyKind::EcdsaP521) => Some(&ECDSA_P521_SHA512_FIXED),
            (Self::Ps256, KeyKind::Rsa) => Some(&RSA_PSS_2048_8192_SHA256),
            (Self::Ps384, KeyKind::Rsa) => Some(&RSA_PSS_2048_8192_SHA384),
            (Self::Ps512, KeyKind::Rsa) => Some(&RSA_PSS_2048_8192_SHA512),
            _ => None,
        }
    }
}

/// What a Notation signature claims beside its digest.
#[derive(Clone, Copy)]
pub(crate) struct Claims<'a> {
    pub(crate) algorithm: JwsAlgorithm,
    pub(crate) expiry: Option<Timestamp>,
    pub(crate) signed: &'a [u8],
}

/// By an authority of the policy, at a time that a timestamp proves, or by which it was here. The
/// signing time that the envelope names proves nothing.
pub(crate) fn verify(
    signature: &Signature,
    chain: &[Certificate],
    claims: Claims<'_>,
    arrived: Timestamp,
    question: &Question<'_>,
) -> Result<(Who, When, Vec<Logged>), Refusal> {
    let (leaf, above) =
        chain.split_first().ok_or_else(|| Refusal::malformed("the chain is empty"))?;
    let key = leaf.public_key()?;
    let algorithm = claims.algorithm.of_key(key.kind());
    if !algorithm.is_some_and(|one| key.verifies_by(one, claims.signed, &signature.bytes)) {
        let observed = "the certificate's key did not sign these bytes";
        return Err(Refusal::new(Reason::TamperedPayload, observed));
    }
    if let Some(expiry) = claims.expiry.filter(|expiry| *expiry <= question.now) {
        let observed = format!("the signature expired on {expiry}");
        return Err(Refusal::new(Reason::ExpiredSignature, observed));
    }
    let signed = match signature.timestamps.first() {
        Some(token) => {
            let (time, name) =
                timestamp::verify(token, &[Message::Bytes(&signature.bytes)], question.root)?;
            When { time, evidence: Evidence::TimestampAuthority(name) }
        }
        None => When { time: arrived, evidence: Evidence::Arrival },
    };
    if !leaf.valid_at(signed.time) {
        let required = format!("between {} and {}", leaf.not_before, leaf.not_after);
        return Err(Refusal::new(Reason::ExpiredCertificate, format!("signed on {}", signed.time))
            .requiring(required));
    }
    let trusted = authority(leaf, above, signed.time, &question.policy.notation)?;
    let subject = attributes(&leaf.subject)
        .map_err(|Malformed| Refusal::malformed("the certificate's subject cannot be read"))?;
    check_subject(&subject, trusted)?;
    let subject: Vec<_> = subject.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let who = Who::Notation {
        name: trusted.name.clone(),
        subject: subject.join(", "),
        certificate: leaf.fingerprint(),
    };
    Ok((who, signed, Vec::new()))
}

fn authority<'a>(
    leaf: &Certificate,
    above: &[Certificate],
    time: Timestamp,
    trusted: &'a [TrustedNotation],
) -> Result<&'a TrustedNotation, Refusal> {
    let mut observed = "a certificate, and the policy trusts no authority of Notation".to_owned();
    for one in trusted {
        for root in &one.roots {
            match chain::verify(leaf, above.iter(), root, time, Usage::CodeSigningIfSaid) {
                Ok(()) => return Ok(one),
                Err(error) => observed = format!("not from {}: {error}", one.name),
            }
        }
    }
    Err(Refusal::new(Reason::UntrustedCertificate, observed))
}

fn check_subject(
    subject: &BTreeMap<&str, String>,
    trusted: &TrustedNotation,
) -> Result<(), Refusal> {
    for (name, wanted) in &trusted.subject {
        let found = subject.get(name.as_str()).map_or("", String::as_str);
        if found != wanted {
            let observed = format!("the subject's {name} is `{}`", shortened(found));
            return Err(Refusal::new(Reason::OtherSubject, observed)
                .requiring(format!("the {name} `{wanted}` of {}", trusted.name)));
        }
    }
    Ok(())
}

/// The attributes of a name that have a short name (RFC 4514, section 3), each at most once.
fn attributes(name: &[u8]) -> Result<BTreeMap<&'static str, String>, Malformed> {
    const PRINTABLE: u8 = 0x13;
    const IA5: u8 = 0x16;
    let mut parts = Reader::only(name, tag::SEQUENCE)?.inner();
    let mut attributes = BTreeMap::new();
    while !parts.is_empty() {
        let mut set = parts.read(tag::SET)?.inner();
        let mut attribute = set.sequence()?;
        set.end()?;
        let short = match attribute.read(tag::OID)?.value {
            [0x55, 4, 3] => "CN",
            [0x55, 4, 6] => "C",
            [0x55, 4, 7] => "L",
            [0x55, 4, 8] => "ST",
            [0x55, 4, 10] => "O",
            [0x55, 4, 11] => "OU",
            _ => continue,
        };
        let value = attribute.next()?;
        if ![tag::UTF8_STRING, PRINTABLE, IA5].contains(&value.tag) {
            return Err(Malformed);
        }
        let value = std::str::from_utf8(value.value).map_err(|_| Malformed)?;
        if attributes.insert(short, value.to_owned()).is_some() {
            return Err(Malformed);
        }
    }
    Ok(attributes)
}
