use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    Reason, Refusal,
    json::{Base64, encode_base64, read},
};

/// The payload type of in-toto statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// The most bytes of an envelope. A bill of materials may be large.
pub(crate) const MAX_ENVELOPE: usize = 32 * 1024 * 1024;
/// The most signatures in one.
const MAX_SIGNATURES: usize = 32;

/// A DSSE envelope: bytes of a type, with signatures over both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// What is signed, together with its type.
    pub payload: Vec<u8>,
    /// The signatures.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature in an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// What the signer calls the key; believed by nobody.
    pub key_id: String,
    /// The signature.
    pub bytes: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireEnvelope {
    payload_type: String,
    payload: Base64,
    signatures: Vec<WireSignature>,
}

#[derive(Deserialize)]
struct WireSignature {
    sig: Base64,
    keyid: Option<String>,
}

impl Envelope {
    /// Reads an envelope.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        read::<WireEnvelope>("envelope", bytes, MAX_ENVELOPE)?.try_into()
    }

    /// What the signatures are over: the pre-authentication encoding of DSSE version 1.
    pub fn signed_bytes(&self) -> Vec<u8> {
        signed_bytes(&self.payload_type, &self.payload)
    }

    /// As JSON.
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Printed<'a> {
            payload_type: &'a str,
            payload: String,
            signatures: Vec<PrintedSignature<'a>>,
        }
        #[derive(Serialize)]
        struct PrintedSignature<'a> {
            keyid: &'a str,
            sig: String,
        }
        let signatures = self.signatures.iter();
        let printed = Printed {
            payload_type: &self.payload_type,
            payload: encode_base64(&self.payload),
            signatures: signatures
                .map(|one| PrintedSignature { keyid: &one.key_id, sig: encode_base64(&one.bytes) })
                .collect(),
        };
        // Texts as values of fixed keys are always JSON.
        serde_json::to_vec(&printed).unwrap_or_default()
    }

    /// The SHA-256 of the payload.
    pub fn payload_digest(&self) -> Digest {
        Digest::sha256(&self.payload)
    }
}

/// The pre-authentication encoding of DSSE version 1.
pub fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl TryFrom<WireEnvelope> for Envelope {
    type Error = Refusal;

    fn try_from(wire: WireEnvelope) -> Result<Self, Refusal> {
        let count = wire.signatures.len();
        if count == 0 {
            return Err(Refusal::new(Reason::Unsigned, "the envelope has no signature"));
        }
        if count > MAX_SIGNATURES {
            let observed = format!("the envelope has {count} signatures");
            return Err(Refusal::new(Reason::TooManySignatures, observed)
                .requiring(format!("at most {MAX_SIGNATURES} signatures in one envelope")));
        }
        let signature = |one: WireSignature| EnvelopeSignature {
            key_id: one.keyid.unwrap_or_default(),
            bytes: one.sig.0,
        };
        Ok(Self {
            payload_type: wire.payload_type,
            payload: wire.payload.0,
            signatures: wire.signatures.into_iter().map(signature).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        let bytes = signed_bytes("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    proptest! {
        #[test]
        fn an_envelope_is_read_as_it_was_written(
            payload_type in "[a-z/+.\"\\\\é]{0,20}",
            payload in prop::collection::vec(any::<u8>(), 0..100),
            signatures in prop::collection::vec(("[a-z]{0,5}", any::<[u8; 7]>()), 1..4),
        ) {
            let signatures = signatures.into_iter().map(|(key_id, bytes)| EnvelopeSignature {
                key_id,
                bytes: bytes.to_vec(),
            });
            let envelope = Envelope { payload_type, payload, signatures: signatures.collect() };
            prop_assert_eq!(Envelope::read(&envelope.to_json()), Ok(envelope));
        }
    }
}
