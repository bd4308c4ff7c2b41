use aws_lc_rs::{
    digest::{self, SHA256, SHA384, SHA512},
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1,
        ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1,
        ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
        UnparsedPublicKey, VerificationAlgorithm,
    },
};
use plura_oci::{Algorithm, Digest};

use crate::{
    Reason, Refusal,
    der::{Malformed, Reader, tag},
};

/// The most bytes of a public key: RSA with 8,192 bits has about 1,100.
const MAX_SIZE: usize = 4 * 1024;

/// A key that can verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The `SubjectPublicKeyInfo`, encoded.
    spki: Vec<u8>,
    /// The key itself, as its kind writes it.
    bytes: Vec<u8>,
    kind: KeyKind,
}

/// What a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA over NIST P-256.
    EcdsaP256,
    /// ECDSA over NIST P-384.
    EcdsaP384,
    /// ECDSA over NIST P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// RSA with at least 2,048 bits, PKCS #1 v1.5 or PSS.
    Rsa,
}

pub(crate) mod oid {
    pub(crate) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    pub(crate) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    pub(crate) const P384: &[u8] = &[0x2b, 0x81, 4, 0, 34];
    pub(crate) const P521: &[u8] = &[0x2b, 0x81, 4, 0, 35];
    pub(crate) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    pub(crate) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
}

impl PublicKey {
    /// Reads a `PUBLIC KEY` in PEM.
    pub fn from_pem(text: &str) -> Result<Self, Refusal> {
        crate::json::check_size("public key", text.as_bytes(), MAX_SIZE)?;
        let wrong = || Refusal::malformed("the public key is not PEM with one `PUBLIC KEY` in it");
        let blocks = pem::parse_many(text).map_err(|_| wrong())?;
        match &blocks[..] {
            [block] if block.tag() == "PUBLIC KEY" => Self::from_spki(block.contents()),
            _ => Err(wrong()),
        }
    }

    /// Reads an encoded `SubjectPublicKeyInfo`.
    pub fn from_spki(spki: &[u8]) -> Result<Self, Refusal> {
        crate::json::check_size("public key", spki, MAX_SIZE)?;
        match parse(spki) {
            Ok(Some((kind, bytes))) => {
                Ok(Self { spki: spki.to_vec(), bytes: bytes.to_vec(), kind })
            }
            Ok(None) => Err(Refusal::new(Reason::Unsupported, "a key of another kind").requiring(
                "ECDSA over P-256, P-384 or P-521, Ed25519, or RSA with 2,048 to 8,192 bits",
            )),
            Err(Malformed) => Err(Refusal::malformed("the public key cannot be read")),
        }
    }

    /// As PEM.
    pub fn to_pem(&self) -> String {
        let line_feeds = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("PUBLIC KEY", self.spki.clone()), line_feeds)
    }

    /// The encoded `SubjectPublicKeyInfo`.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// What it can do.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The SHA-256 of the encoded key, by which it is known everywhere.
    pub fn fingerprint(&self) -> Digest {
        Digest::sha256(&self.spki)
    }

    /// Whether the signature is the key's over the message.
    ///
    /// A scheme is recorded nowhere in these formats, so whichever fits the key counts; the hash is
    /// almost always SHA-256.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.algorithms().iter().any(|one| self.verifies_by(*one, message, signature))
    }

    /// Whether the signature is the key's over the message, by one algorithm.
    pub(crate) fn verifies_by(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(message, signature).is_ok()
    }

    /// The same for a message that only its SHA-256 is known of. Ed25519 cannot do that.
    pub fn verifies_digest(&self, message: &Digest, signature: &[u8]) -> bool {
        if message.algorithm() != Algorithm::Sha256 || self.kind == KeyKind::Ed25519 {
            return false;
        }
        let Ok(hash) = digest::Digest::import_less_safe(message.hash(), &SHA256) else {
            return false;
        };
        self.algorithms_of_sha256().iter().any(|algorithm| {
            UnparsedPublicKey::new(*algorithm, &self.bytes).verify_digest(&hash, signature).is_ok()
        })
    }

    /// Those with a hash that is recorded beside the signature.
    pub(crate) fn algorithms_with(
        &self,
        hash: &digest::Algorithm,
    ) -> &'static [&'static dyn VerificationAlgorithm] {
        if *hash == SHA256 {
            return self.algorithms_of_sha256();
        }
        match (self.kind, *hash == SHA384, *hash == SHA512) {
            (KeyKind::EcdsaP256, true, _) => &[&ECDSA_P256_SHA384_ASN1],
            (KeyKind::EcdsaP256, _, true) => &[&ECDSA_P256_SHA512_ASN1],
            (KeyKind::EcdsaP384, true, _) => &[&ECDSA_P384_SHA384_ASN1],
            (KeyKind::EcdsaP384, _, true) => &[&ECDSA_P384_SHA512_ASN1],
            (KeyKind::EcdsaP521, true, _) => &[&ECDSA_P521_SHA384_ASN1],
            (KeyKind::EcdsaP521, _, true) => &[&ECDSA_P521_SHA512_ASN1],
            (KeyKind::Rsa, true, _) => &[&RSA_PKCS1_2048_8192_SHA384, &RSA_PSS_2048_8192_SHA384],
            (KeyKind::Rsa, _, true) => &[&RSA_PKCS1_2048_8192_SHA512, &RSA_PSS_2048_8192_SHA512],
            (KeyKind::Ed25519, _, true) => &[&ED25519],
            _ => &[],
        }
    }

    fn algorithms_of_sha256(&self) -> &'static [&'static dyn VerificationAlgorithm] {
        match self.kind {
            KeyKind::EcdsaP256 => &[&ECDSA_P256_SHA256_ASN1],
            KeyKind::EcdsaP384 => &[&ECDSA_P384_SHA256_ASN1],
            KeyKind::EcdsaP521 => &[&ECDSA_P521_SHA256_ASN1],
            KeyKind::Ed25519 => &[],
            KeyKind::Rsa => &[&RSA_PKCS1_2048_8192_SHA256, &RSA_PSS_2048_8192_SHA256],
        }
    }

    /// The likeliest first.
    fn algorithms(&self) -> &'static [&'static dyn VerificationAlgorithm] {
        match self.kind {
            KeyKind::EcdsaP256 => &[&ECDSA_P256_SHA256_ASN1],
            KeyKind::EcdsaP384 => &[&ECDSA_P384_SHA384_ASN1, &ECDSA_P384_SHA256_ASN1],
            KeyKind::EcdsaP521 => &[&ECDSA_P521_SHA512_ASN1, &ECDSA_P521_SHA256_ASN1],
            KeyKind::Ed25519 => &[&ED25519],
            KeyKind::Rsa => &[
                &RSA_PKCS1_2048_8192_SHA256,
                &RSA_PSS_2048_8192_SHA256,
                &RSA_PKCS1_2048_8192_SHA384,
                &RSA_PKCS1_2048_8192_SHA512,
                &RSA_PSS_2048_8192_SHA384,
                &RSA_PSS_2048_8192_SHA512,
            ],
        }
    }
}

fn parse(spki: &[u8]) -> Result<Option<(KeyKind, &[u8])>, Malformed> {
    let mut outer = Reader::only(spki, tag::SEQUENCE)?.inner();
    let mut algorithm = outer.sequence()?;
    let bytes = outer.read(tag::BIT_STRING)?.bits()?;
    outer.end()?;
    let kind = match algorithm.read(tag::OID)?.value {
        oid::EC => match algorithm.read(tag::OID)?.value {
            oid::P256 => KeyKind::EcdsaP256,
            oid::P384 => KeyKind::EcdsaP384,
            oid::P521 => KeyKind::EcdsaP521,
            _ => return Ok(None),
        },
        oid::ED25519 => KeyKind::Ed25519,
        oid::RSA if (2048..=8192).contains(&modulus_bits(bytes)?) => KeyKind::Rsa,
        _ => return Ok(None),
    };
    Ok(Some((kind, bytes)))
}

/// RFC 8017, A.1.1.
fn modulus_bits(key: &[u8]) -> Result<usize, Malformed> {
    let modulus = Reader::only(key, tag::SEQUENCE)?.inner().read(tag::INTEGER)?.value;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let leading = modulus.first().ok_or(Malformed)?.leading_zeros() as usize;
    Ok(modulus.len() * 8 - leading)
}
