//! How each kind of log entry is written.

use serde::Deserialize;

use crate::{
    Refusal,
    json::{Base64, decode_base64, unreadable},
    log::unhex,
    log_body::{Body, Hash, Over, Signer, Verifier},
};

fn part<T: for<'de> Deserialize<'de>>(spec: &str) -> Result<T, Refusal> {
    serde_json::from_str(spec).map_err(|error| unreadable("log entry", &error))
}

#[derive(Deserialize)]
struct HexHash {
    algorithm: String,
    value: String,
}

impl HexHash {
    fn read(self) -> Result<Hash, Refusal> {
        let value = unhex(&self.value)
            .ok_or_else(|| Refusal::malformed("a hash of the log entry is not hexadecimal"))?;
        Ok(Hash { algorithm: self.algorithm, value })
    }
}

#[derive(Deserialize)]
struct HashedRekord1 {
    data: HashedData1,
    signature: HashedSignature1,
}

#[derive(Deserialize)]
struct HashedData1 {
    hash: HexHash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedSignature1 {
    content: Base64,
    public_key: Content,
}

#[derive(Deserialize)]
struct Content {
    content: Base64,
}

pub(crate) fn hashed_rekord_1(spec: &str) -> Result<Body, Refusal> {
    let spec: HashedRekord1 = part(spec)?;
    let verifier = Verifier::from_pem(&spec.signature.public_key.content.0)?;
    Ok(Body {
        over: vec![Over::Message(spec.data.hash.read()?)],
        signers: vec![Signer { signature: Some(spec.signature.content.0), verifier }],
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse1 {
    payload_hash: HexHash,
    signatures: Vec<DsseSignature1>,
}

#[derive(Deserialize)]
struct DsseSignature1 {
    signature: Base64,
    verifier: Base64,
}

pub(crate) fn dsse_1(spec: &str) -> Result<Body, Refusal> {
    let spec: Dsse1 = part(spec)?;
    let signer = |one: DsseSignature1| {
        let verifier = Verifier::from_pem(&one.verifier.0)?;
        Ok(Signer { signature: Some(one.signature.0), verifier })
    };
    Ok(Body {
        over: vec![Over::Payload(spec.payload_hash.read()?)],
        signers: spec.signatures.into_iter().map(signer).collect::<Result<_, Refusal>>()?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InToto1 {
    content: InTotoContent1,
    public_key: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InTotoContent1 {
    hash: HexHash,
    payload_hash: Option<HexHash>,
}

/// This kind has no signature in it, but the hash of the envelope that has.
pub(crate) fn in_toto_1(spec: &str) -> Result<Body, Refusal> {
    let spec: InToto1 = part(spec)?;
    let mut over = vec![Over::Envelope(spec.content.hash.read()?)];
    if let Some(hash) = spec.content.payload_hash {
        over.push(Over::Payload(hash.read()?));
    }
    let verifier = Verifier::from_pem(&spec.public_key.0)?;
    Ok(Body { over, signers: vec![Signer { signature: None, verifier }] })
}

#[derive(Deserialize)]
struct InToto2 {
    content: InTotoContent2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InTotoContent2 {
    envelope: InTotoEnvelope2,
    payload_hash: HexHash,
}

#[derive(Deserialize)]
struct InTotoEnvelope2 {
    signatures: Vec<InTotoSignature2>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InTotoSignature2 {
    /// Base64 of base64.
    sig: Base64,
    public_key: Base64,
}

pub(crate) fn in_toto_2(spec: &str) -> Result<Body, Refusal> {
    let spec: InToto2 = part(spec)?;
    let signer = |one: InTotoSignature2| {
        let signature = std::str::from_utf8(&one.sig.0).ok().and_then(decode_base64);
        let signature = signature
            .ok_or_else(|| Refusal::malformed("the log entry's signature cannot be read"))?;
        let verifier = Verifier::from_pem(&one.public_key.0)?;
        Ok(Signer { signature: Some(signature), verifier })
    };
    let signatures = spec.content.envelope.signatures.into_iter();
    Ok(Body {
        over: vec![Over::Payload(spec.content.payload_hash.read()?)],
        signers: signatures.map(signer).collect::<Result<_, Refusal>>()?,
    })
}

#[derive(Deserialize)]
struct ByteHash {
    algorithm: String,
    digest: Base64,
}

impl From<ByteHash> for Hash {
    fn from(wire: ByteHash) -> Self {
        Self { algorithm: wire.algorithm.replace("SHA2_", "sha"), value: wire.digest.0 }
    }
}

#[derive(Deserialize)]
struct Signature2 {
    content: Base64,
    verifier: Verifier2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifier2 {
    public_key: Option<Raw>,
    x509_certificate: Option<Raw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    raw_bytes: Base64,
}

impl TryFrom<Signature2> for Signer {
    type Error = Refusal;

    fn try_from(wire: Signature2) -> Result<Self, Refusal> {
        let verifier = match (wire.verifier.public_key, wire.verifier.x509_certificate) {
            (Some(key), None) => Verifier::Key(key.raw_bytes.0),
            (None, Some(certificate)) => Verifier::Certificate(certificate.raw_bytes.0),
            _ => return Err(Refusal::malformed("the log entry has no verifier, or two")),
        };
        Ok(Self { signature: Some(wire.content.0), verifier })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedRekord2 {
    hashed_rekord_v002: HashedSpec2,
}

#[derive(Deserialize)]
struct HashedSpec2 {
    data: ByteHash,
    signature: Signature2,
}

pub(crate) fn hashed_rekord_2(spec: &str) -> Result<Body, Refusal> {
    let spec = part::<HashedRekord2>(spec)?.hashed_rekord_v002;
    Ok(Body {
        over: vec![Over::Message(spec.data.into())],
        signers: vec![spec.signature.try_into()?],
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse2 {
    dsse_v002: DsseSpec2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseSpec2 {
    payload_hash: ByteHash,
    signatures: Vec<Signature2>,
}

pub(crate) fn dsse_2(spec: &str) -> Result<Body, Refusal> {
    let spec = part::<Dsse2>(spec)?.dsse_v002;
    Ok(Body {
        over: vec![Over::Payload(spec.payload_hash.into())],
        signers: spec.signatures.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
    })
}
