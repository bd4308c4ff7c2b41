//! What a log entry says: which signature of which key over what. A promise or proof about an entry
//! says nothing about a signature that the entry does not name (CVE-2022-36056).

use aws_lc_rs::digest;
use plura_oci::Digest;
use serde::Deserialize;

use crate::{
    Certificate, PublicKey, Reason, Refusal,
    json::{Base64, decode_base64, read, unreadable},
    log::unhex,
};

const MAX_SIZE: usize = 128 * 1024;

/// What was signed, or what is known of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message<'a> {
    Bytes(&'a [u8]),
    Digest(&'a Digest),
}

/// A signature as it was found, to be compared with what the log has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    /// What the signature is over.
    pub(crate) message: Message<'a>,
    /// What the envelope has in it.
    pub(crate) payload: Option<&'a [u8]>,
    /// The SHA-256 of the envelope as it was stored.
    pub(crate) envelope: Option<&'a Digest>,
    pub(crate) signature: &'a [u8],
    pub(crate) key: &'a PublicKey,
    pub(crate) certificate: Option<&'a Certificate>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Body {
    over: Vec<Over>,
    signers: Vec<Signer>,
}

/// What the entry is about; all of it must be so.
#[derive(Debug, PartialEq, Eq)]
enum Over {
    Message(Hash),
    Payload(Hash),
    Envelope(Hash),
}

#[derive(Debug, PartialEq, Eq)]
struct Hash {
    algorithm: String,
    value: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
struct Signer {
    /// Nothing where the kind of entry only has the hash of the whole envelope.
    signature: Option<Vec<u8>>,
    verifier: Verifier,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verifier {
    Key(Vec<u8>),
    Certificate(Vec<u8>),
}

impl Body {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let entry: Entry = read("log entry", body, MAX_SIZE)?;
        let spec = entry.spec.get();
        match (entry.kind.as_str(), entry.api_version.as_str()) {
            ("hashedrekord", "0.0.1") => hashed_rekord_1(part(spec)?),
            ("hashedrekord", "0.0.2") => hashed_rekord_2(part(spec)?),
            ("dsse", "0.0.1") => dsse_1(part(spec)?),
            ("dsse", "0.0.2") => dsse_2(part(spec)?),
            ("intoto", "0.0.1") => in_toto_1(part(spec)?),
            ("intoto", "0.0.2") => in_toto_2(part(spec)?),
            (kind, version) => {
                let observed = format!("a log entry of kind {kind} {version}");
                Err(Refusal::new(Reason::Unsupported, crate::json::shortened(&observed))
                    .requiring("hashedrekord, dsse or intoto"))
            }
        }
    }

    /// Whether the entry is about this signature and no other.
    pub(crate) fn names(&self, found: &Found<'_>) -> Result<(), Refusal> {
        let same = |signer: &&Signer| {
            signer.signature.as_deref().is_none_or(|signature| signature == found.signature)
        };
        let Some(signer) = self.signers.iter().find(same) else {
            return Err(foreign("the log entry is about another signature"));
        };
        if !self.over.iter().all(|over| over.is(found)) {
            return Err(foreign("the log entry is about another payload"));
        }
        signer.verifier.is(found)
    }

    /// Whether it is about that certificate, whatever else it says.
    pub(crate) fn has_certificate(&self, certificate: &Certificate) -> bool {
        let verifiers = self.signers.iter().map(|signer| &signer.verifier);
        verifiers.into_iter().any(|one| *one == Verifier::Certificate(certificate.der.clone()))
    }

    /// Whether it is about that signature, whatever else it says.
    pub(crate) fn has_signature(&self, signature: &[u8]) -> bool {
        self.signers.iter().any(|signer| signer.signature.as_deref() == Some(signature))
    }

    /// The keys it names.
    pub(crate) fn keys(&self) -> impl Iterator<Item = PublicKey> {
        self.signers.iter().filter_map(|signer| match &signer.verifier {
            Verifier::Key(spki) => PublicKey::from_spki(spki).ok(),
            Verifier::Certificate(_) => None,
        })
    }
}

fn foreign(observed: &str) -> Refusal {
    Refusal::new(Reason::ForeignLogEntry, observed)
}

impl Verifier {
    /// From what version 1 has: PEM of either.
    fn from_pem(pem: &[u8]) -> Result<Self, Refusal> {
        let block = pem::parse(pem)
            .map_err(|_| Refusal::malformed("the log entry's verifier is not PEM"))?;
        match block.tag() {
            "CERTIFICATE" => Ok(Self::Certificate(block.into_contents())),
            "PUBLIC KEY" => Ok(Self::Key(block.into_contents())),
            _ => Err(Refusal::malformed("the log entry's verifier is no key and no certificate")),
        }
    }

    fn is(&self, found: &Found<'_>) -> Result<(), Refusal> {
        match (self, found.certificate) {
            (Self::Certificate(logged), Some(certificate)) if *logged == certificate.der => Ok(()),
            (Self::Key(logged), None) if *logged == found.key.spki() => Ok(()),
            (Self::Key(_), None) => Err(Refusal::new(
                Reason::BroughtKey,
                "the log entry names a public key that is not the trusted one",
            )),
            _ => Err(foreign("the log entry names another key or certificate")),
        }
    }
}

impl Over {
    fn is(&self, found: &Found<'_>) -> bool {
        match self {
            Self::Message(hash) => match found.message {
                Message::Bytes(bytes) => hash.is_of(bytes),
                Message::Digest(digest) => hash.is(digest),
            },
            Self::Payload(hash) => found.payload.is_some_and(|payload| hash.is_of(payload)),
            Self::Envelope(hash) => found.envelope.is_some_and(|digest| hash.is(digest)),
        }
    }
}

impl Hash {
    fn is(&self, digest: &Digest) -> bool {
        self.algorithm == digest.algorithm().to_string() && self.value == digest.hash()
    }

    fn is_of(&self, bytes: &[u8]) -> bool {
        let algorithm = match self.algorithm.as_str() {
            "sha256" | "SHA2_256" => &digest::SHA256,
            "sha384" | "SHA2_384" => &digest::SHA384,
            "sha512" | "SHA2_512" => &digest::SHA512,
            _ => return false,
        };
        digest::digest(algorithm, bytes).as_ref() == self.value
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    api_version: String,
    kind: String,
    spec: Box<serde_json::value::RawValue>,
}

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

fn hashed_rekord_1(spec: HashedRekord1) -> Result<Body, Refusal> {
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

fn dsse_1(spec: Dsse1) -> Result<Body, Refusal> {
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
fn in_toto_1(spec: InToto1) -> Result<Body, Refusal> {
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

fn in_toto_2(spec: InToto2) -> Result<Body, Refusal> {
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

fn hashed_rekord_2(spec: HashedRekord2) -> Result<Body, Refusal> {
    let spec = spec.hashed_rekord_v002;
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

fn dsse_2(spec: Dsse2) -> Result<Body, Refusal> {
    let spec = spec.dsse_v002;
    Ok(Body {
        over: vec![Over::Payload(spec.payload_hash.into())],
        signers: spec.signatures.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
    })
}
