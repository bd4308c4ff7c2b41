use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use zeroize::Zeroizing;

use crate::{
    PublicKey, Reason, Refusal,
    der::{Malformed, Reader, tag},
    encrypted_key, json,
};

/// The most bytes of a private key in PEM.
const MAX_SIZE: usize = 32 * 1024;

/// A key that signs. It is shown nowhere.
pub struct PrivateKey {
    pair: Pair,
    /// PKCS #8, encoded.
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("public", &self.public.fingerprint())
            .finish_non_exhaustive()
    }
}

impl PrivateKey {
    /// A new key of the kind that cosign makes: ECDSA over P-256.
    pub fn generate() -> Result<Self, Refusal> {
        let failed = |_| Refusal::new(Reason::Unsupported, "no key could be generated");
        let document = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .and_then(|pair| pair.to_pkcs8v1())
            .map_err(failed)?;
        Self::from_pkcs8(document.as_ref())
    }

    /// Reads a key in PEM: PKCS #8, or what OpenSSL wrote before it, as it is; or encrypted as cosign
    /// does it.
    pub fn from_pem(text: &str, password: Option<&[u8]>) -> Result<Self, Refusal> {
        json::check_size("private key", text.as_bytes(), MAX_SIZE)?;
        let wrong = || Refusal::malformed("the private key is not PEM with one key in it");
        let block = pem::parse(text).map_err(|_| wrong())?;
        let tag = block.tag().to_owned();
        let contents = Zeroizing::new(block.into_contents());
        match tag.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(&contents),
            encrypted_key::TAG | encrypted_key::OLD_TAG => {
                let password = password.ok_or_else(|| {
                    Refusal::malformed("the private key is encrypted").requiring("its password")
                })?;
                Self::from_pkcs8(&encrypted_key::open(&contents, password)?)
            }
            "EC PRIVATE KEY" => Self::from_sec1(&contents),
            "RSA PRIVATE KEY" => Self::from_pkcs1(&contents),
            _ => Err(wrong().requiring(
                "a `PRIVATE KEY` (PKCS #8), an `EC PRIVATE KEY` (SEC 1), an `RSA PRIVATE KEY` \
                 (PKCS #1), or one encrypted by cosign",
            )),
        }
    }

    /// SEC 1, C.4: the curve may be left out, so that each has to be tried.
    fn from_sec1(der: &[u8]) -> Result<Self, Refusal> {
        let curves = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING];
        let mut pairs = curves
            .into_iter()
            .filter_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok());
        let document = pairs.next().and_then(|pair| pair.to_pkcs8v1().ok());
        Self::from_pkcs8(document.ok_or_else(unsupported)?.as_ref())
    }

    /// RFC 8017, A.1.2.
    fn from_pkcs1(der: &[u8]) -> Result<Self, Refusal> {
        let pair = RsaKeyPair::from_der(der).map_err(|_| unsupported())?;
        let document: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| unsupported())?;
        Self::from_pkcs8(document.as_ref())
    }

    /// Reads an encoded PKCS #8.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, Refusal> {
        let pair = match kind(pkcs8).map_err(|Malformed| unsupported())? {
            Kind::Ecdsa(algorithm) => {
                Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).map_err(|_| unsupported())?)
            }
            Kind::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8);
                Pair::Ed25519(pair.map_err(|_| unsupported())?)
            }
            Kind::Rsa => Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| unsupported())?),
        };
        let public = PublicKey::from_spki(&pair.spki().ok_or_else(unsupported)?)?;
        Ok(Self { pair, pkcs8: Zeroizing::new(pkcs8.to_vec()), public })
    }

    /// The key that verifies what this one signs.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The signature over the message, with the hash that verifiers expect of such a key.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Refusal> {
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, message).map(|s| s.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
        };
        signature.map_err(|_| Refusal::new(Reason::Unsupported, "the key does not sign"))
    }

    /// The key in PEM as it is. Whoever has it can sign.
    pub fn to_pem(&self) -> Zeroizing<String> {
        encrypted_key::pem_of("PRIVATE KEY", self.pkcs8.to_vec())
    }

    /// The key in PEM as cosign encrypts it.
    pub fn to_encrypted_pem(&self, password: &[u8]) -> Result<Zeroizing<String>, Refusal> {
        let sealed = encrypted_key::seal(&self.pkcs8, password)?;
        Ok(encrypted_key::pem_of(encrypted_key::TAG, sealed))
    }
}

impl Pair {
    fn spki(&self) -> Option<Vec<u8>> {
        let spki: Result<PublicKeyX509Der<'_>, _> = match self {
            Self::Ecdsa(pair) => pair.public_key().as_der(),
            Self::Ed25519(pair) => pair.public_key().as_der(),
            Self::Rsa(pair) => pair.public_key().as_der(),
        };
        spki.ok().map(|spki| spki.as_ref().to_vec())
    }
}

fn unsupported() -> Refusal {
    Refusal::new(Reason::Unsupported, "a private key of another kind")
        .requiring("ECDSA over P-256 or P-384, Ed25519, or RSA with 2,048 bits or more")
}

enum Kind {
    Ecdsa(&'static EcdsaSigningAlgorithm),
    Ed25519,
    Rsa,
}

/// RFC 5208: a version, then the algorithm.
fn kind(pkcs8: &[u8]) -> Result<Kind, Malformed> {
    use crate::key::oid;

    let mut fields = Reader::only(pkcs8, tag::SEQUENCE)?.inner();
    fields.read(tag::INTEGER)?;
    let mut algorithm = fields.sequence()?;
    match algorithm.read(tag::OID)?.value {
        oid::EC => match algorithm.read(tag::OID)?.value {
            oid::P256 => Ok(Kind::Ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING)),
            oid::P384 => Ok(Kind::Ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING)),
            _ => Err(Malformed),
        },
        oid::ED25519 => Ok(Kind::Ed25519),
        oid::RSA => Ok(Kind::Rsa),
        _ => Err(Malformed),
    }
}
