use std::{fmt, str::FromStr};

use aws_lc_rs::{
    rand::{SecureRandom as _, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::{encoding, hash::sha256};

/// The type of a signature by Ed25519 (signed-note, "Signature types").
const ED25519_TYPE: u8 = 1;
/// The longest key as text.
const MAX_TEXT: usize = 512;
const PRIVATE: &str = "PRIVATE+KEY+";

/// The name of a key, which is also that of the log: its address without a scheme.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(Box<str>);

/// Why a text is not a key, or not a key's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty, too long, or with characters that would end it.
    #[error("a key's name has 1 to {} characters, no spaces and no `+`", KeyName::MAX_LENGTH)]
    Name,
    /// Not of the form.
    #[error("expected a key as `name+identifier+base64`")]
    Malformed,
    /// Of another algorithm.
    #[error("the key is not one of Ed25519")]
    Algorithm,
    /// The identifier belongs to another key or another name.
    #[error("the key's identifier is not that of the key")]
    OtherIdentifier,
    /// The machine has no random numbers.
    #[error("no key could be generated")]
    NotGenerated,
}

impl KeyName {
    /// The most characters.
    pub const MAX_LENGTH: usize = 255;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.len() > Self::MAX_LENGTH || text.contains(wrong) {
            return Err(KeyError::Name);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeyName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A key that verifies notes; as text, `name+identifier+base64`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: KeyName,
    id: u32,
    key: [u8; 32],
}

impl VerifierKey {
    fn new(name: KeyName, key: [u8; 32]) -> Self {
        let id = sha256(&[name.as_str().as_bytes(), b"\n", &[ED25519_TYPE], &key]);
        let [a, b, c, d, ..] = *id.as_bytes();
        Self { name, id: u32::from_be_bytes([a, b, c, d]), key }
    }

    /// The key's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// What signatures name the key by, together with its name.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether the signature is the key's over the text.
    pub fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[ED25519_TYPE][..], &self.key].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id, encoding::encode(&typed))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, id, key) = read(text)?;
        let key = Self::new(name, *key);
        if key.id == id { Ok(key) } else { Err(KeyError::OtherIdentifier) }
    }
}

impl Serialize for VerifierKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VerifierKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A key that signs notes. It is shown nowhere.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: Zeroizing<[u8; 32]>,
    verifier: VerifierKey,
}

impl SigningKey {
    /// A new key.
    pub fn generate(name: KeyName) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut *seed).map_err(|_| KeyError::NotGenerated)?;
        Self::new(name, seed)
    }

    /// Reads `PRIVATE+KEY+name+identifier+base64`.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let (name, id, seed) = read(text.strip_prefix(PRIVATE).ok_or(KeyError::Malformed)?)?;
        let key = Self::new(name, seed)?;
        if key.verifier.id == id { Ok(key) } else { Err(KeyError::OtherIdentifier) }
    }

    fn new(name: KeyName, seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::Malformed)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Malformed)?;
        Ok(Self { pair, seed, verifier: VerifierKey::new(name, public) })
    }

    /// The same key under another name.
    pub fn renamed(&self, name: KeyName) -> Result<Self, KeyError> {
        Self::new(name, self.seed.clone())
    }

    /// The key as text. Whoever has it can sign.
    pub fn to_text(&self) -> Zeroizing<String> {
        let typed = Zeroizing::new([&[ED25519_TYPE][..], &*self.seed].concat());
        let encoded = Zeroizing::new(encoding::encode(&typed));
        let VerifierKey { name, id, .. } = &self.verifier;
        Zeroizing::new(format!("{PRIVATE}{name}+{id:08x}+{}", *encoded))
    }

    /// The key that verifies what this one signs.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// The name, the identifier and the bytes of a key of Ed25519.
fn read(text: &str) -> Result<(KeyName, u32, Zeroizing<[u8; 32]>), KeyError> {
    if text.len() > MAX_TEXT {
        return Err(KeyError::Malformed);
    }
    let mut fields = text.splitn(3, '+');
    let mut field = || fields.next().ok_or(KeyError::Malformed);
    let (name, id, encoded) = (field()?.parse()?, field()?, field()?);
    let number = u32::from_str_radix(id, 16).map_err(|_| KeyError::Malformed)?;
    // One way to write it: eight digits, in lower case, no sign.
    if format!("{number:08x}") != id {
        return Err(KeyError::Malformed);
    }
    let typed = Zeroizing::new(encoding::decode(encoded).ok_or(KeyError::Malformed)?);
    let (kind, key) = typed.split_first().ok_or(KeyError::Malformed)?;
    if *kind != ED25519_TYPE {
        return Err(KeyError::Algorithm);
    }
    let key = key.try_into().map_err(|_| KeyError::Malformed)?;
    Ok((name, number, Zeroizing::new(key)))
}
