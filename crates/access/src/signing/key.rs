//! One key.

use std::fmt;

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
pub(crate) struct KeyId(String);

impl KeyId {
    /// Only what a thumbprint can be: nothing else is looked up, logged or made part of a path.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (text.len() == 43 && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
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
pub(crate) struct Key {
    pub(crate) id: KeyId,
    /// In whole seconds, as in the name of its file.
    pub(crate) made: Timestamp,
    pub(super) signing: EncodingKey,
    /// The public half in base64url.
    pub(crate) public: String,
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
        Self { id: KeyId::of(&public), made, signing: EncodingKey::from_ed_der(document), public }
    }
}

/// The public half of a key, of whichever process.
#[derive(Clone)]
pub(crate) struct PublicKey {
    pub(crate) id: KeyId,
    pub(super) verifying: DecodingKey,
    public: String,
}

impl PublicKey {
    /// The key in this text, if it is the one of that name: the name is made of the key, so that nobody
    /// who can write to the database gives a known name to another key.
    pub(crate) fn read(id: &KeyId, public: &str) -> Option<Self> {
        let mut buffer = [0; 32];
        let bytes = Base64UrlUnpadded::decode(public.as_bytes(), &mut buffer).ok()?;
        let verifying = DecodingKey::from_ed_der(bytes);
        let is_whole = bytes.len() == 32 && KeyId::of(public) == *id;
        is_whole.then(|| Self { id: id.clone(), verifying, public: public.to_owned() })
    }

    /// The key as a JSON Web Key.
    pub(crate) fn jwk(&self) -> serde_json::Value {
        serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": self.public,
            "kid": self.id.0, "use": "sig", "alg": "EdDSA",
        })
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
    fn a_public_key_goes_by_its_own_name_alone() {
        let (key, _) = Key::generate(Timestamp(0)).unwrap();
        let (other, _) = Key::generate(Timestamp(0)).unwrap();
        assert!(PublicKey::read(&key.id, &key.public).is_some());
        assert!(PublicKey::read(&key.id, &other.public).is_none());
        for wrong in ["", "AA", "not base64url!", &"A".repeat(44), &"A".repeat(4000)] {
            let id = KeyId::of(wrong);
            assert!(PublicKey::read(&id, wrong).is_none(), "{wrong}");
        }
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
