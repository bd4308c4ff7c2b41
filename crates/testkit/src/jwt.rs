//! JSON Web Tokens, taken apart and put together wrongly (RFC 7515).

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// A token in its parts, to be changed and signed again.
#[derive(Debug, Clone)]
pub struct Jwt {
    /// The header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
    /// The signature as it is.
    pub signature: Vec<u8>,
}

impl Jwt {
    /// Takes a token apart.
    #[track_caller]
    pub fn of(token: &str) -> Self {
        let parts: Vec<Vec<u8>> = token.split('.').map(decode).collect();
        let [header, claims, signature] = parts.as_slice() else { panic!("no token: {token}") };
        let json = |bytes: &[u8]| serde_json::from_slice(bytes).expect("parts of a token are JSON");
        Self { header: json(header), claims: json(claims), signature: signature.clone() }
    }

    /// The same with one claim set; `null` removes it.
    pub fn with(&self, claim: &str, value: Value) -> Self {
        let mut changed = self.clone();
        set(&mut changed.claims, claim, value);
        changed
    }

    /// The same with one field of the header set; `null` removes it.
    pub fn with_header(&self, field: &str, value: Value) -> Self {
        let mut changed = self.clone();
        set(&mut changed.header, field, value);
        changed
    }

    /// The text, with the signature that it had.
    pub fn unsigned_again(&self) -> String {
        format!("{}.{}", self.message(), encode(&self.signature))
    }

    /// The text without a signature.
    pub fn without_signature(&self) -> String {
        format!("{}.", self.message())
    }

    /// The text, signed with HMAC-SHA-256 and this secret.
    pub fn signed_with_secret(&self, secret: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let message = self.message();
        format!("{message}.{}", encode(hmac::sign(&key, message.as_bytes()).as_ref()))
    }

    /// The text, signed with the Ed25519 key in this PEM file's text: what nobody can who has not the
    /// server's files.
    #[track_caller]
    pub fn signed_with_key(&self, pem: &str) -> String {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let document = STANDARD.decode(body).expect("PEM holds base64");
        let pair = Ed25519KeyPair::from_pkcs8(&document).expect("an Ed25519 key");
        self.signed_by(&pair)
    }

    /// The text, signed with an Ed25519 key that nobody knows.
    pub fn signed_by_a_stranger(&self) -> String {
        self.signed_by(&Ed25519KeyPair::generate().expect("an Ed25519 key"))
    }

    fn signed_by(&self, pair: &Ed25519KeyPair) -> String {
        let message = self.message();
        format!("{message}.{}", encode(pair.sign(message.as_bytes()).as_ref()))
    }

    fn message(&self) -> String {
        let part = |value: &Value| encode(value.to_string().as_bytes());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }
}

fn set(object: &mut Value, field: &str, value: Value) {
    let fields = object.as_object_mut().expect("parts of a token are objects");
    match value {
        Value::Null => fields.remove(field),
        value => fields.insert(field.to_owned(), value),
    };
}

fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("parts of a token are base64url")
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
