//! Sigstore bundles, versions 0.1 to 0.3, as protobuf's JSON.

use std::sync::Arc;

use plura_oci::Digest;
use serde::Deserialize;

use crate::{
    Certificate, Content, Envelope, Form, Reason, Refusal, Signature, Signer,
    dsse::{MAX_ENVELOPE, WireEnvelope},
    json::{self, Base64},
    log::{LogEntry, WireEntry},
};

/// The media type of the current version.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The most bytes of a bundle.
const MAX_SIZE: usize = MAX_ENVELOPE;
/// The most log entries, and the most timestamps, of one signature.
const MAX_EVIDENCE: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    V01,
    V02,
    V03,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Option<WireEnvelope>,
    message_signature: Option<MessageSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    certificate: Option<Raw>,
    x509_certificate_chain: Option<Chain>,
    public_key: Option<PublicKeyHint>,
    tlog_entries: Option<Vec<WireEntry>>,
    timestamp_verification_data: Option<Timestamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    raw_bytes: Base64,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<Raw>,
}

#[derive(Deserialize)]
struct PublicKeyHint {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timestamps {
    #[serde(default)]
    rfc3161_timestamps: Vec<SignedTimestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedTimestamp {
    signed_timestamp: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    message_digest: MessageDigest,
    signature: Base64,
}

#[derive(Deserialize)]
struct MessageDigest {
    algorithm: String,
    digest: Base64,
}

impl Signature {
    /// Reads a bundle. It has one signature.
    pub fn from_bundle(bytes: &[u8]) -> Result<Self, Refusal> {
        let wire: Wire = json::read("bundle", bytes, MAX_SIZE)?;
        let version = version(&wire.media_type)?;
        let material = wire.verification_material;
        let log_entries = log_entries(material.tlog_entries.unwrap_or_default(), version)?;
        let timestamps = material.timestamp_verification_data.map(|data| data.rfc3161_timestamps);
        let timestamps = timestamps.unwrap_or_default();
        check_count("timestamps", timestamps.len())?;
        let timestamps = timestamps.into_iter().map(|one| one.signed_timestamp.0).collect();
        let (content, signature, key_id) = content(wire.dsse_envelope, wire.message_signature)?;
        let signer = signer(
            material.certificate,
            material.x509_certificate_chain,
            material.public_key,
            version,
        )?;
        let signer = match signer {
            Signer::Key { hint } if hint.is_empty() => Signer::Key { hint: key_id },
            signer => signer,
        };
        let content = Arc::new(content);
        Ok(Self { form: Form::Bundle, content, bytes: signature, signer, log_entries, timestamps })
    }
}

/// Both ways to write it: with the version in the name, and as a parameter.
fn version(media_type: &str) -> Result<Version, Refusal> {
    match media_type {
        "application/vnd.dev.sigstore.bundle+json;version=0.1" => Ok(Version::V01),
        "application/vnd.dev.sigstore.bundle+json;version=0.2" => Ok(Version::V02),
        MEDIA_TYPE | "application/vnd.dev.sigstore.bundle+json;version=0.3" => Ok(Version::V03),
        other => {
            let observed = format!("a bundle of type `{}`", json::shortened(other));
            Err(Refusal::new(Reason::Unsupported, observed)
                .requiring("application/vnd.dev.sigstore.bundle, version 0.1 to 0.3"))
        }
    }
}

fn check_count(what: &str, count: usize) -> Result<(), Refusal> {
    if count <= MAX_EVIDENCE {
        return Ok(());
    }
    Err(Refusal::new(Reason::TooLarge, format!("the bundle has {count} {what}"))
        .requiring(format!("at most {MAX_EVIDENCE}")))
}

/// Version 0.1 has a promise; from 0.2 on there is a proof, which leads to a signed checkpoint.
fn log_entries(wire: Vec<WireEntry>, version: Version) -> Result<Vec<LogEntry>, Refusal> {
    check_count("log entries", wire.len())?;
    let entries: Vec<LogEntry> =
        wire.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
    let complete = |entry: &LogEntry| match version {
        Version::V01 => entry.promise.is_some(),
        Version::V02 | Version::V03 => {
            entry.proof.as_ref().is_some_and(|proof| proof.checkpoint.is_some())
        }
    };
    if entries.iter().all(complete) {
        return Ok(entries);
    }
    let observed = "a log entry of the bundle has no promise, or no proof with checkpoint";
    Err(Refusal::new(Reason::InvalidLogEntry, observed))
}

fn content(
    envelope: Option<WireEnvelope>,
    message: Option<MessageSignature>,
) -> Result<(Content, Vec<u8>, String), Refusal> {
    match (envelope, message) {
        (Some(envelope), None) => {
            let envelope = Envelope::try_from(envelope)?;
            let content = Content::of_envelope(&envelope, None)?;
            match <[_; 1]>::try_from(envelope.signatures) {
                Ok([signature]) => Ok((content, signature.bytes, signature.key_id)),
                Err(_) => Err(Refusal::malformed("the bundle's envelope has several signatures")),
            }
        }
        (None, Some(message)) => {
            let digest = message_digest(&message.message_digest)?;
            Ok((Content::Manifest(digest), message.signature.0, String::new()))
        }
        (None, None) => Err(Refusal::new(Reason::Unsigned, "the bundle has no signature")),
        (Some(_), Some(_)) => Err(Refusal::malformed("the bundle has two kinds of content")),
    }
}

/// The digest that plura knows manifests by in practice; a signature by digest needs it.
fn message_digest(wire: &MessageDigest) -> Result<Digest, Refusal> {
    if wire.algorithm != "SHA2_256" {
        return Err(Refusal::new(Reason::Unsupported, "a message digest of another algorithm")
            .requiring("SHA2_256"));
    }
    let text = format!("sha256:{}", crate::log::hex(&wire.digest.0));
    text.parse().map_err(|_| Refusal::malformed("the bundle's message digest cannot be read"))
}

fn signer(
    certificate: Option<Raw>,
    chain: Option<Chain>,
    key: Option<PublicKeyHint>,
    version: Version,
) -> Result<Signer, Refusal> {
    let chain = match (certificate, chain, key) {
        (None, None, Some(key)) => return Ok(Signer::Key { hint: key.hint }),
        (Some(certificate), None, None) => vec![certificate],
        // From version 0.3 on there is the leaf alone, since chains are the trust root's.
        (None, Some(chain), None) if version < Version::V03 => chain.certificates,
        _ => {
            return Err(Refusal::malformed(
                "the bundle does not have exactly one of a certificate, a chain and a key's hint",
            ));
        }
    };
    let chain = chain.iter().map(|one| one.raw_bytes.0.as_slice());
    Ok(Signer::Certificate { chain: Certificate::chain_from_der(chain)? })
}
