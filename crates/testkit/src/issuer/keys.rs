//! The keys of an issuer, and signatures with them (RFC 7515), written down a second time.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// One key of each kind.
#[derive(Debug)]
pub(super) struct Keys {
    generation: u32,
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl Keys {
    pub(super) fn generate(generation: u32) -> Self {
        Self {
            generation,
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key"),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a P-256 key"),
            p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a P-384 key"),
            ed25519: Ed25519KeyPair::generate().expect("an Ed25519 key"),
        }
    }

    pub(super) const fn generation(&self) -> u32 {
        self.generation
    }

    /// The id of the key that an algorithm is used with. The RSA key is published twice: for RS256
    /// alone, as the large issuers do, and for every algorithm of its type.
    pub(super) fn id(&self, algorithm: &str) -> String {
        let kind = match algorithm {
            "RS256" => "rs256",
            "ES256" => "p256",
            "ES384" => "p384",
            "EdDSA" | "Ed25519" => "ed25519",
            _ => "rsa",
        };
        format!("{kind}-{}", self.generation)
    }

    pub(super) fn published(&self) -> Value {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public_key());
        let (n, e) = (encode(&public.n), encode(&public.e));
        json!({"keys": [
            {"kty": "RSA", "kid": self.id("RS256"), "use": "sig", "alg": "RS256", "n": n, "e": e},
            {"kty": "RSA", "kid": self.id("PS256"), "n": n, "e": e},
            self.point(&self.p256, "ES256", "P-256"),
            self.point(&self.p384, "ES384", "P-384"),
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "kid": self.id("EdDSA"),
                "alg": "EdDSA",
                "x": encode(self.ed25519.public_key().as_ref()),
            },
            // What issuers publish beside what we need.
            {"kty": "RSA", "kid": "for-encryption", "use": "enc", "n": n, "e": e},
            {"kty": "AKP", "kid": "of-the-future", "alg": "ML-DSA-44", "pub": "AAAA"},
        ]})
    }

    fn point(&self, key: &EcdsaKeyPair, algorithm: &str, curve: &str) -> Value {
        let point = key.public_key().as_ref();
        let (x, y) = point[1..].split_at(point.len() / 2);
        json!({
            "kty": "EC",
            "crv": curve,
            "kid": self.id(algorithm),
            "alg": algorithm,
            "x": encode(x),
            "y": encode(y),
        })
    }

    /// A token with this header, signed as its `alg` says.
    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let algorithm = header["alg"].as_str().expect("the header has an algorithm");
        let signature = self.signature(algorithm, message.as_bytes());
        format!("{message}.{}", encode(&signature))
    }

    /// A token signed with HMAC-SHA-256, the public RSA key being the secret.
    pub(super) fn forge(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let public = self.rsa.public_key().as_der().expect("a public key has a DER form");
        let secret = hmac::Key::new(hmac::HMAC_SHA256, public.as_ref());
        format!("{message}.{}", encode(hmac::sign(&secret, message.as_bytes()).as_ref()))
    }

    fn signature(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            let signed = self.rsa.sign(encoding, &random, message, &mut signature);
            signed.expect("an RSA signature");
            signature
        };
        let point = |key: &EcdsaKeyPair| {
            key.sign(&random, message).expect("an ECDSA signature").as_ref().to_vec()
        };
        match algorithm {
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS384" => rsa(&RSA_PKCS1_SHA384),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "PS384" => rsa(&RSA_PSS_SHA384),
            "PS512" => rsa(&RSA_PSS_SHA512),
            "ES256" => point(&self.p256),
            "ES384" => point(&self.p384),
            "EdDSA" | "Ed25519" => self.ed25519.sign(message).as_ref().to_vec(),
            other => panic!("nothing is signed with {other}"),
        }
    }
}

/// Header and claims, encoded: what is signed.
pub(super) fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| encode(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
