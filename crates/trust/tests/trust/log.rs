//! A log that a test can make say anything.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use plura_oci::Digest;
use plura_trust::{LogKey, PrivateKey, Validity, annotations as names};
use serde_json::{Value, json};

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// A log of the test's own, which says what it is told to.
pub(crate) struct Log {
    key: PrivateKey,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { key: PrivateKey::generate().unwrap() }
    }

    fn id(&self) -> Vec<u8> {
        self.key.public_key().fingerprint().hash().to_vec()
    }

    pub(crate) fn trusted(&self) -> LogKey {
        LogKey {
            name: "https://log.example.com".to_owned(),
            id: self.id(),
            key: self.key.public_key().clone(),
            valid: Validity::default(),
        }
    }

    /// An entry of version 1, with a promise and with a proof in a tree of one.
    pub(crate) fn entry(&self, body: &[u8], time: Timestamp) -> Value {
        let root = Digest::sha256(&[&[0], body].concat());
        let note = format!("log.example.com - 1\n1\n{}\n", base64(root.hash()));
        let signed = [&self.id()[..4], &self.key.sign(note.as_bytes()).unwrap()].concat();
        let checkpoint = format!("{note}\n\u{2014} log.example.com {}\n", base64(&signed));
        let promise = self.key.sign(self.promised(body, time).as_bytes()).unwrap();
        json!({
            "logIndex": "7",
            "logId": { "keyId": base64(&self.id()) },
            "kindVersion": { "kind": "hashedrekord", "version": "0.0.1" },
            "integratedTime": time.as_second().to_string(),
            "inclusionPromise": { "signedEntryTimestamp": base64(&promise) },
            "inclusionProof": {
                "logIndex": "0", "treeSize": "1", "rootHash": base64(root.hash()), "hashes": [],
                "checkpoint": { "envelope": checkpoint },
            },
            "canonicalizedBody": base64(body),
        })
    }

    fn promised(&self, body: &[u8], time: Timestamp) -> String {
        format!(
            r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":7}}"#,
            base64(body),
            time.as_second(),
            self.key.public_key().fingerprint().hex()
        )
    }

    /// The annotation that cosign writes for an entry.
    pub(crate) fn annotation(&self, body: &[u8], time: Timestamp) -> (String, String) {
        let promise = self.key.sign(self.promised(body, time).as_bytes()).unwrap();
        let annotation = json!({
            "SignedEntryTimestamp": base64(&promise),
            "Payload": {
                "body": base64(body), "integratedTime": time.as_second(), "logIndex": 7,
                "logID": self.key.public_key().fingerprint().hex(),
            },
        });
        (names::BUNDLE.to_owned(), annotation.to_string())
    }
}

/// The body of an entry about a signature over a message by a key or certificate in PEM.
pub(crate) fn body(message: &[u8], signature: &[u8], verifier: &str) -> Vec<u8> {
    let hash = Digest::sha256(message).hex();
    json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": hash } },
            "signature": {
                "content": base64(signature),
                "publicKey": { "content": base64(verifier.as_bytes()) },
            },
        },
    })
    .to_string()
    .into_bytes()
}
