//! One key, and the set of those in use.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use jsonwebtoken::{DecodingKey, EncodingKey};
use plura_meta::Timestamp;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::random::NoRandomness;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// Longest PKCS#8 document that is looked at; one of Ed25519 has 48 bytes, or 83 with the public key.
const LONGEST_DOCUMENT: usize = 256;

/// The thumbprint of a key (RFC 7638, RFC 8037): SHA-256 in 43 characters of base64url.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyId(String);

impl KeyId {
    /// Only what a thumbprint can be: nothing else is looked up, logged or made part of a path.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (text.len() == 43 && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    fn of(public: &str) -> Self {
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#);
        Self(Base64UrlUnpadded::encode_string(&Sha256::digest(canonical.as_bytes())))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An Ed25519 key pair. The library hides the private half from `Debug` and overwrites it.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: KeyId,
    /// In whole seconds, as in the name of its file.
    pub(super) made: Timestamp,
    pub(super) signing: EncodingKey,
    pub(super) verifying: DecodingKey,
    /// The public half in base64url.
    public: String,
}

impl Key {
    /// A new key, and the text of its file.
    pub(super) fn generate(now: Timestamp) -> Result<(Self, Zeroizing<String>), NoRandomness> {
        let pair = Ed25519KeyPair::generate().map_err(|_| NoRandomness)?;
        // The first version of the format, which is what OpenSSL reads and the token library takes.
        let document = pair.to_pkcs8v1().map_err(|_| NoRandomness)?;
        let made = Timestamp(now.0.div_euclid(1000) * 1000);
        let encoded = Zeroizing::new(Base64::encode_string(document.as_ref()));
        let pem = Zeroizing::new(format!("{BEGIN}\n{}\n{END}\n", encoded.as_str()));
        Ok((Self::new(&pair, document.as_ref(), made), pem))
    }

    /// The key in the text of a file.
    pub(super) fn read(pem: &str, made: Timestamp) -> Option<Self> {
        let body = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
        let body: Zeroizing<String> =
            Zeroizing::new(body.chars().filter(|char| !char.is_ascii_whitespace()).collect());
        let mut buffer = Zeroizing::new([0; LONGEST_DOCUMENT]);
        let document = Base64::decode(body.as_bytes(), buffer.as_mut_slice()).ok()?;
        let pair = Ed25519KeyPair::from_pkcs8(document).ok()?;
        let document = pair.to_pkcs8v1().ok()?;
        Some(Self::new(&pair, document.as_ref(), made))
    }

    fn new(pair: &Ed25519KeyPair, document: &[u8], made: Timestamp) -> Self {
        let public = Base64UrlUnpadded::encode_string(pair.public_key().as_ref());
        Self {
            id: KeyId::of(&public),
            made,
            signing: EncodingKey::from_ed_der(document),
            verifying: DecodingKey::from_ed_der(pair.public_key().as_ref()),
            public,
        }
    }

    /// The public half as a JSON Web Key.
    pub(super) fn jwk(&self) -> serde_json::Value {
        serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": self.public,
            "kid": self.id.0, "use": "sig", "alg": "EdDSA",
        })
    }
}

/// Keys in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Vec<Key>);

impl Keys {
    pub(super) fn new(mut keys: Vec<Key>) -> Self {
        keys.sort_by(|a, b| {
            (a.made, &a.id).partial_cmp(&(b.made, &b.id)).unwrap_or(std::cmp::Ordering::Equal)
        });
        Self(keys)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// The one that signs.
    pub(super) fn newest(&self) -> Option<&Key> {
        self.0.last()
    }

    pub(super) fn get(&self, id: &KeyId) -> Option<&Key> {
        self.0.iter().find(|key| key.id == *id)
    }

    /// The key, unless it was replaced longer ago than `overlap`: also before its file is removed.
    pub(super) fn accepted(&self, id: &KeyId, overlap: Duration, now: Timestamp) -> Option<&Key> {
        let index = self.0.iter().position(|key| key.id == *id)?;
        if self.expired(index, overlap, now) { None } else { self.0.get(index) }
    }

    pub(super) fn with(&self, key: Key) -> Self {
        let mut keys = self.0.clone();
        keys.push(key);
        Self::new(keys)
    }

    /// Those that were replaced longer ago than `overlap`, and the others.
    pub(super) fn split(&self, overlap: Duration, now: Timestamp) -> (Self, Self) {
        let (mut expired, mut kept) = (Vec::new(), Vec::new());
        for (index, key) in self.0.iter().enumerate() {
            let side = if self.expired(index, overlap, now) { &mut expired } else { &mut kept };
            side.push(key.clone());
        }
        (Self(expired), Self(kept))
    }

    /// A key signs until the next one is made, however late that is: its last tokens are accepted for
    /// the overlap from then on.
    fn expired(&self, index: usize, overlap: Duration, now: Timestamp) -> bool {
        self.0.get(index + 1).is_some_and(|next| next.made.after(overlap) <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_thumbprint_of_the_standard() {
        // RFC 8037, A.3.
        let id = KeyId::of("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(id.to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_of_openssl_is_read() {
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                   -----END PRIVATE KEY-----\n";
        // The private key of RFC 8037, A.1.
        let key = Key::read(pem, Timestamp(0)).unwrap();
        assert_eq!(key.public, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert!(Key::read(&pem.replace('\n', "\r\n"), Timestamp(0)).is_some());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let (_, pem) = Key::generate(Timestamp(0)).unwrap();
        assert!(Key::read(&pem, Timestamp(0)).is_some());
        for wrong in [
            String::new(),
            BEGIN.to_owned(),
            format!("{BEGIN}{END}"),
            format!("{BEGIN}\n{}\n{END}", "A".repeat(64)),
            format!("{BEGIN}\n{}\n{END}", "A".repeat(4000)),
            pem.replace("PRIVATE", "PUBLIC"),
            pem.replace("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vx"),
        ] {
            assert!(Key::read(&wrong, Timestamp(0)).is_none(), "{wrong}");
        }
    }

    #[test]
    fn debug_hides_the_private_half() {
        let (key, pem) = Key::generate(Timestamp(0)).unwrap();
        let document = pem.lines().nth(1).unwrap();
        let shown = format!("{key:?}");
        assert!(shown.contains("redacted") && !shown.contains(document), "{shown}");
        assert!(!shown.contains(&format!("{:?}", &key.signing.as_bytes()[16..20])), "{shown}");
    }

    #[test]
    fn only_a_thumbprint_is_an_id() {
        let (key, _) = Key::generate(Timestamp(0)).unwrap();
        assert_eq!(KeyId::parse(&key.id.to_string()), Some(key.id));
        for wrong in [
            "",
            "a",
            "../../../../../../../../../../../../etc/passwd",
            &"é".repeat(43),
            &"A".repeat(44),
        ] {
            assert_eq!(KeyId::parse(wrong), None, "{wrong}");
        }
    }
}
