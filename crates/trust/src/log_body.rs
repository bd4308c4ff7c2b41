//! What a log entry says: which signature of which key over what. A promise or proof about an entry
//! says nothing about a signature that the entry does not name (CVE-2022-36056).

use aws_lc_rs::digest;
use plura_oci::Digest;
use serde::Deserialize;

use crate::{Certificate, PublicKey, Reason, Refusal, json::read, log_kinds};

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
    pub(crate) over: Vec<Over>,
    pub(crate) signers: Vec<Signer>,
}

/// What the entry is about; all of it must be so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Message(Hash),
    Payload(Hash),
    Envelope(Hash),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hash {
    pub(crate) algorithm: String,
    pub(crate) value: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signer {
    /// Nothing where the kind of entry only has the hash of the whole envelope.
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) verifier: Verifier,
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
            ("hashedrekord", "0.0.1") => log_kinds::hashed_rekord_1(spec),
            ("hashedrekord", "0.0.2") => log_kinds::hashed_rekord_2(spec),
            ("dsse", "0.0.1") => log_kinds::dsse_1(spec),
            ("dsse", "0.0.2") => log_kinds::dsse_2(spec),
            ("intoto", "0.0.1") => log_kinds::in_toto_1(spec),
            ("intoto", "0.0.2") => log_kinds::in_toto_2(spec),
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
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, Refusal> {
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
            (Self::Key(logged), _) if *logged == found.key.spki() => Ok(()),
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
