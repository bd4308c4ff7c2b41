//! Every kind of log entry, about the right signature and about others.

use std::collections::BTreeMap;

use plura_oci::Digest;
use plura_trust::{Demand, Envelope, PrivateKey, PublicKey, Reason, Signature, TrustRoot};
use serde_json::{Value, json};

use crate::{
    fixtures::{Case, annotations, cosign_policy, read, text, time},
    log::{Log, base64},
};

/// What an entry is about.
struct About {
    envelope: Vec<u8>,
    payload: Vec<u8>,
    signed: Vec<u8>,
    signature: Vec<u8>,
    key: String,
}

impl About {
    /// cosign's attestation.
    fn right() -> Self {
        let envelope = Envelope::read(&read("cosign/att.layer")).unwrap();
        Self {
            envelope: read("cosign/att.layer"),
            signed: envelope.signed_bytes(),
            signature: envelope.signatures[0].bytes.clone(),
            payload: envelope.payload,
            key: text("cosign/cosign.pub"),
        }
    }

    fn spki(&self) -> String {
        base64(PublicKey::from_pem(&self.key).unwrap().spki())
    }
}

fn sha256(bytes: &[u8]) -> Value {
    json!({ "algorithm": "sha256", "value": Digest::sha256(bytes).hex() })
}

fn sha2_256(bytes: &[u8]) -> Value {
    json!({ "algorithm": "SHA2_256", "digest": base64(Digest::sha256(bytes).hash()) })
}

fn body(kind: &str, version: &str, spec: &Value) -> Vec<u8> {
    json!({ "apiVersion": version, "kind": kind, "spec": spec }).to_string().into_bytes()
}

/// The kinds of entries that can be about an attestation, with all that each says.
fn kinds(about: &About) -> Vec<Vec<u8>> {
    let pem = base64(about.key.as_bytes());
    let signature = base64(&about.signature);
    let verifier = json!({
        "keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": { "rawBytes": about.spki() },
    });
    let signed = json!({ "content": signature, "verifier": verifier });
    vec![
        body(
            "hashedrekord",
            "0.0.1",
            &json!({
                "data": { "hash": sha256(&about.signed) },
                "signature": { "content": signature, "publicKey": { "content": pem } },
            }),
        ),
        body(
            "hashedrekord",
            "0.0.2",
            &json!({
                "hashedRekordV002": { "data": sha2_256(&about.signed), "signature": signed },
            }),
        ),
        body(
            "dsse",
            "0.0.1",
            &json!({
                "envelopeHash": sha256(&about.envelope),
                "payloadHash": sha256(&about.payload),
                "signatures": [{ "signature": signature, "verifier": pem }],
            }),
        ),
        body(
            "dsse",
            "0.0.2",
            &json!({
                "dsseV002": { "payloadHash": sha2_256(&about.payload), "signatures": [signed] },
            }),
        ),
        body(
            "intoto",
            "0.0.1",
            &json!({
                "content": { "hash": sha256(&about.envelope), "payloadHash": sha256(&about.payload) },
                "publicKey": pem,
            }),
        ),
        body(
            "intoto",
            "0.0.2",
            &json!({
                "content": {
                    "envelope": {
                        "payloadType": "application/vnd.in-toto+json",
                        "signatures": [{ "publicKey": pem, "sig": base64(signature.as_bytes()) }],
                    },
                    "hash": sha256(&about.envelope),
                    "payloadHash": sha256(&about.payload),
                },
            }),
        ),
    ]
}

/// cosign's attestation with that entry, under a policy that wants one.
fn check(body: &[u8], expected: Result<(), &[Reason]>) {
    let log = Log::new();
    let mut annotations: BTreeMap<_, _> = annotations("cosign/att.manifest.json");
    annotations.extend([log.annotation(body, time("2026-01-01T00:00:00Z"))]);
    let signatures = Signature::from_attestation(&read("cosign/att.layer"), &annotations).unwrap();
    let root = TrustRoot { logs: vec![log.trusted()], ..TrustRoot::default() };
    let mut case = Case::new(&cosign_policy(), root);
    case.policy.log = Some(Demand::Required);
    let shown = String::from_utf8_lossy(body);
    match (case.verify(&signatures[0]), expected) {
        (Ok(fact), Ok(())) => assert_eq!(fact.logged.len(), 1, "{shown}"),
        (Err(refusal), Err(reasons)) => {
            assert!(reasons.contains(&refusal.reason), "{refusal:?}: {shown}");
        }
        (found, _) => panic!("{found:?}: {shown}"),
    }
}

#[test]
fn an_entry_of_any_kind_is_believed_about_its_own_signature() {
    for body in kinds(&About::right()) {
        check(&body, Ok(()));
    }
}

#[test]
fn an_entry_of_any_kind_is_refused_about_another_payload() {
    let other = b"another".to_vec();
    let about =
        About { envelope: other.clone(), payload: other.clone(), signed: other, ..About::right() };
    for body in kinds(&about) {
        check(&body, Err(&[Reason::ForeignLogEntry]));
    }
}

#[test]
fn an_entry_of_any_kind_is_refused_about_another_key() {
    let key = PrivateKey::generate().unwrap().public_key().to_pem();
    for body in kinds(&About { key, ..About::right() }) {
        check(&body, Err(&[Reason::BroughtKey]));
    }
}

#[test]
fn an_entry_is_refused_about_another_signature() {
    let about = About { signature: b"another".to_vec(), ..About::right() };
    for body in kinds(&about) {
        // This kind names the envelope instead, which has the signature in it.
        if String::from_utf8_lossy(&body).contains(r#""apiVersion":"0.0.1","kind":"intoto""#) {
            continue;
        }
        check(&body, Err(&[Reason::ForeignLogEntry]));
    }
}

#[test]
fn an_entry_that_cannot_be_read_is_refused() {
    for unreadable in [
        body("rpm", "0.0.1", &json!({})),
        body("hashedrekord", "0.0.3", &json!({})),
        body("hashedrekord", "0.0.1", &json!({})),
        body("dsse", "0.0.1", &json!({ "payloadHash": sha256(b""), "signatures": [] })),
        b"{}".to_vec(),
        Vec::new(),
    ] {
        let reasons = [Reason::Unsupported, Reason::Malformed, Reason::ForeignLogEntry];
        check(&unreadable, Err(&reasons));
    }
}
