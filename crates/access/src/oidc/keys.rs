//! The public keys of an issuer (RFC 7517), and what each may be used for.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::{FetchError, TokenError};

/// Keys that are read of one set; issuers have two or three.
const MOST_KEYS: usize = 100;

/// Keys by their id.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// What the key's own type and `alg` allow. A header chooses among these and nothing else.
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

/// One key as it is published. What is not read here (`x5u`, `x5c`) is not followed either.
#[derive(Deserialize)]
struct Published {
    kty: String,
    alg: Option<String>,
    crv: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys of kinds that we do not use are passed over, as RFC 7517 wants; a set without
    /// any that we use is a mistake that somebody should hear about.
    pub(super) fn parse(address: &str, bytes: &[u8]) -> Result<Self, FetchError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(bytes)
            .map_err(|error| FetchError::malformed(address, &error))?;
        let keys: Vec<_> = set.keys.into_iter().take(MOST_KEYS).filter_map(Key::parse).collect();
        if keys.is_empty() {
            let reason = "it has no key that can verify a signature".to_owned();
            return Err(FetchError::Malformed { address: address.to_owned(), reason });
        }
        Ok(Self(keys))
    }

    /// The key that a header names. Without a name there must not be a choice.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Key, TokenError> {
        let named = |key: &&Key| id.is_none() || key.id.as_deref() == id;
        let mut found = self.0.iter().filter(named).peekable();
        if found.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        if id.is_none() && self.0.len() > 1 {
            return Err(TokenError::KeyIdMissing);
        }
        found.find(|key| key.algorithms.contains(&algorithm)).ok_or(TokenError::AlgorithmMismatch)
    }
}

impl Key {
    fn parse(published: Value) -> Option<Self> {
        let published: Published = serde_json::from_value(published).ok()?;
        let algorithms = published.algorithms();
        if algorithms.is_empty() || !published.is_for_verification() {
            return None;
        }
        let public = published.public()?;
        Some(Self { id: published.kid, algorithms, public })
    }

    /// Whether `signature` is this key's over `message`.
    pub(super) fn verifies(&self, message: &str, signature: &str, algorithm: Algorithm) -> bool {
        let verified =
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.public, algorithm);
        self.algorithms.contains(&algorithm) && verified.unwrap_or(false)
    }
}

impl Published {
    fn is_for_verification(&self) -> bool {
        let may_verify = |operations: &Vec<String>| operations.iter().any(|name| name == "verify");
        self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(may_verify)
    }

    /// Symmetric keys (`oct`) have none: what verifies with them could sign with them, too.
    fn algorithms(&self) -> Vec<Algorithm> {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let of_type: &[Algorithm] = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => &[RS256, RS384, RS512, PS256, PS384, PS512],
            ("EC", Some("P-256")) => &[ES256],
            ("EC", Some("P-384")) => &[ES384],
            ("OKP", Some("Ed25519")) => &[EdDSA],
            _ => &[],
        };
        match self.alg.as_deref() {
            None => of_type.to_vec(),
            Some(name) => {
                algorithm(name).into_iter().filter(|named| of_type.contains(named)).collect()
            }
        }
    }

    fn public(&self) -> Option<DecodingKey> {
        let key = match self.kty.as_str() {
            "RSA" => DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?),
            "EC" => DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?),
            "OKP" => DecodingKey::from_ed_components(self.x.as_deref()?),
            _ => return None,
        };
        key.ok()
    }
}

/// The algorithms that a token may be signed with. `none` and the symmetric ones are not among them.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        // RFC 9864 gives the second name to what RFC 8037 calls by the first.
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn algorithms(published: Value) -> Vec<Algorithm> {
        Key::parse(published).map(|key| key.algorithms).unwrap_or_default()
    }

    #[test]
    fn a_key_allows_what_its_type_and_its_alg_allow() {
        use Algorithm::{ES256, ES384, EdDSA, PS256};
        let p256 =
            |alg: Value| json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "alg": alg});
        assert_eq!(algorithms(p256(Value::Null)), [ES256]);
        assert_eq!(algorithms(p256(json!("ES256"))), [ES256]);
        assert_eq!(algorithms(p256(json!("ES384"))), []);
        assert_eq!(algorithms(p256(json!("HS256"))), []);
        assert_eq!(algorithms(p256(json!("none"))), []);
        let p384 = json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"});
        assert_eq!(algorithms(p384), [ES384]);
        assert_eq!(algorithms(json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"})), [EdDSA]);
        assert_eq!(algorithms(json!({"kty": "OKP", "crv": "X25519", "x": "AA"})), []);
        assert_eq!(algorithms(json!({"kty": "RSA", "n": "AA", "e": "AQAB"})).len(), 6);
        let pss = json!({"kty": "RSA", "n": "AA", "e": "AQAB", "alg": "PS256"});
        assert_eq!(algorithms(pss), [PS256]);
        assert_eq!(algorithms(json!({"kty": "RSA", "n": "AA"})), []);
        assert_eq!(algorithms(json!({"kty": "oct", "k": "AA", "alg": "HS256"})), []);
        assert_eq!(algorithms(json!({"kty": "oct", "k": "AA", "alg": "RS256"})), []);
    }

    #[test]
    fn a_key_for_something_else_is_passed_over() {
        let key = |extra: Value| {
            let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"});
            key.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            algorithms(key).len()
        };
        assert_eq!(key(json!({"use": "sig", "key_ops": ["verify"]})), 1);
        assert_eq!(key(json!({"use": "enc"})), 0);
        assert_eq!(key(json!({"key_ops": ["encrypt"]})), 0);
    }

    #[test]
    fn a_set_without_a_usable_key_is_an_error() {
        for bytes in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":[1,{"kty":"oct","k":"AA"}]}"#] {
            let parsed = KeySet::parse("https://a.example/jwks", bytes.as_bytes());
            assert!(matches!(parsed, Err(FetchError::Malformed { .. })), "{bytes}");
        }
    }

    #[test]
    fn a_header_without_a_name_leaves_no_choice() {
        let key = |id: &str| json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": id});
        let set = |keys: Value| KeySet::parse("a", json!({"keys": keys}).to_string().as_bytes());
        let one = set(json!([key("a")])).unwrap();
        assert!(one.find(None, Algorithm::EdDSA).is_ok());
        assert!(matches!(one.find(Some("b"), Algorithm::EdDSA), Err(TokenError::UnknownKey)));
        assert!(matches!(
            one.find(Some("a"), Algorithm::ES256),
            Err(TokenError::AlgorithmMismatch)
        ));
        let two = set(json!([key("a"), key("b")])).unwrap();
        assert!(matches!(two.find(None, Algorithm::EdDSA), Err(TokenError::KeyIdMissing)));
    }
}
