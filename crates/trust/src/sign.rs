//! What is signed, and what becomes of a signature. The signature itself may be made elsewhere: by a
//! [`crate::PrivateKey`], or by a service that keeps the key.

use std::collections::BTreeMap;

use plura_oci::Digest;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    Envelope, EnvelopeSignature, IN_TOTO, PublicKey, SimpleSigning, Verdict, annotations,
    dsse::signed_bytes, json::encode_base64, media_types, statement::predicate_types,
};

/// Something to be stored as a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What it is.
    pub media_type: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
    /// What is written beside it.
    pub annotations: BTreeMap<String, String>,
}

/// A layer of a `.sig` manifest: a signature over [`SimpleSigning::to_json`].
pub fn simple_signing_layer(payload: &SimpleSigning, signature: &[u8]) -> Layer {
    let signature = (annotations::SIGNATURE.to_owned(), encode_base64(signature));
    Layer {
        media_type: media_types::SIMPLE_SIGNING,
        bytes: payload.to_json(),
        annotations: BTreeMap::from([signature]),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PrintedStatement<'a> {
    #[serde(rename = "_type")]
    statement_type: &'a str,
    subject: [PrintedSubject<'a>; 1],
    predicate_type: &'a str,
    predicate: &'a RawValue,
}

#[derive(Serialize)]
struct PrintedSubject<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    digest: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// A statement, version 1, about one digest.
pub fn statement(
    name: &str,
    digest: &Digest,
    predicate_type: &str,
    predicate: &RawValue,
) -> Vec<u8> {
    printed((name, digest, &BTreeMap::new()), predicate_type, predicate)
}

/// The statement that cosign 3 signs where nothing but a signature is wanted, with what the signer adds.
pub fn signature_statement(digest: &Digest, annotations: &BTreeMap<String, String>) -> Vec<u8> {
    let nothing =
        RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned());
    printed(("", digest, annotations), predicate_types::SIGNATURE, &nothing)
}

fn printed(
    (name, digest, annotations): (&str, &Digest, &BTreeMap<String, String>),
    predicate_type: &str,
    predicate: &RawValue,
) -> Vec<u8> {
    let digest = BTreeMap::from([(digest.algorithm().to_string(), digest.hex())]);
    let printed = PrintedStatement {
        statement_type: predicate_types::STATEMENT,
        subject: [PrintedSubject { name, digest, annotations }],
        predicate_type,
        predicate,
    };
    // Texts as values of fixed keys are always JSON.
    serde_json::to_vec(&printed).unwrap_or_default()
}

/// What a signature over a statement is over.
pub fn statement_to_be_signed(statement: &[u8]) -> Vec<u8> {
    signed_bytes(IN_TOTO, statement)
}

/// The envelope of a signed statement, as a layer of an `.att` manifest.
pub fn attestation_layer(statement: Vec<u8>, predicate_type: &str, signature: Vec<u8>) -> Layer {
    let envelope = envelope(statement, signature);
    Layer {
        media_type: media_types::DSSE,
        bytes: envelope.to_json(),
        annotations: BTreeMap::from([
            // cosign wants the annotation there, and the signature in the envelope.
            (annotations::SIGNATURE.to_owned(), String::new()),
            ("predicateType".to_owned(), predicate_type.to_owned()),
        ]),
    }
}

fn envelope(statement: Vec<u8>, signature: Vec<u8>) -> Envelope {
    let signature = EnvelopeSignature { key_id: String::new(), bytes: signature };
    Envelope { payload_type: IN_TOTO.to_owned(), payload: statement, signatures: vec![signature] }
}

/// A bundle of a signed statement, version 0.3, that names its key the way cosign 3 does.
pub fn bundle(statement: &[u8], signature: &[u8], key: &PublicKey) -> Vec<u8> {
    let printed = json!({
        "mediaType": media_types::BUNDLE,
        "verificationMaterial": {
            "publicKey": { "hint": encode_base64(key.fingerprint().hash()) },
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payloadType": IN_TOTO,
            "payload": encode_base64(statement),
            "signatures": [{ "sig": encode_base64(signature), "keyid": "" }],
        },
    });
    printed.to_string().into_bytes()
}

/// Who verified, for a verification summary.
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'a> {
    /// The verifier's URI.
    pub id: &'a str,
    /// The URI of what was verified, such as `registry.example.com/apps/web@sha256:...`.
    pub resource: &'a str,
    /// The URI of the policy.
    pub policy: &'a str,
}

/// A verification summary of a verdict: a predicate of the type
/// `https://slsa.dev/verification_summary/v1`.
pub fn verification_summary(verdict: &Verdict, verifier: &Verifier<'_>) -> Box<RawValue> {
    let hex = |digest: &Digest| json!({ digest.algorithm().to_string(): digest.hex() });
    // A place is a manifest, and which of its layers.
    let manifest = |place: &str| place.split('#').next().unwrap_or_default().parse::<Digest>().ok();
    let inputs = verdict.facts.iter().filter_map(|found| manifest(&found.place));
    let inputs: Vec<Value> =
        inputs.map(|digest| json!({ "uri": digest.to_string(), "digest": hex(&digest) })).collect();
    let result = if verdict.verified { "PASSED" } else { "FAILED" };
    let summary = json!({
        "verifier": { "id": verifier.id },
        "timeVerified": verdict.inputs.now.to_string(),
        "resourceUri": verifier.resource,
        "policy": { "uri": verifier.policy, "digest": hex(&verdict.inputs.policy) },
        "inputAttestations": inputs,
        "verificationResult": result,
        // What was verified is who signed; a level of the build follows from provenance, elsewhere.
        "verifiedLevels": [],
        "slsaVersion": "1.0",
    });
    RawValue::from_string(summary.to_string()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
