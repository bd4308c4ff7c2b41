//! API tokens, robot secrets, refresh tokens and sessions: random, recognisable, stored as a hash.
//!
//! `plura_pt_` + 43 characters for 32 random bytes + 8 for a CRC-32 of what precedes them. The prefix
//! lets scanners of source code find a leaked one; the checksum lets a typing error, or a scan with
//! made-up values, be refused without asking the database.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::random::{self, NoRandomness};

const PREFIX: &str = "plura_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of base 62 that hold 32 bytes.
const BODY: usize = 43;
const CHECKSUM: usize = 8;
const BODY_AT: usize = PREFIX.len() + 3;
const CHECKSUM_AT: usize = BODY_AT + BODY;
const LENGTH: usize = CHECKSUM_AT + CHECKSUM;

/// What a secret is good for. It is part of the text, so that one kind is never taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// A person's API token, `pt`.
    ApiToken,
    /// The secret of a robot, `rs`.
    Robot,
    /// A refresh token, `rf`.
    Refresh,
    /// The session of a browser, `se`.
    Session,
    /// What gives the right to undo a move of a channel, `rb`. It stands for nobody: who shows it as a
    /// credential is not let in.
    Rollback,
}

impl SecretKind {
    const ALL: [Self; 5] =
        [Self::ApiToken, Self::Robot, Self::Refresh, Self::Session, Self::Rollback];

    /// The two letters that name the kind in the text.
    pub fn letters(self) -> &'static str {
        match self {
            Self::ApiToken => "pt",
            Self::Robot => "rs",
            Self::Refresh => "rf",
            Self::Session => "se",
            Self::Rollback => "rb",
        }
    }
}

/// A secret in clear text, as its owner presents it. It is shown once and never stored.
#[derive(Clone)]
pub struct Secret {
    kind: SecretKind,
    text: Zeroizing<String>,
}

impl Secret {
    /// A new one, from the randomness of the system.
    pub fn generate(kind: SecretKind) -> Result<Self, NoRandomness> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        text.push_str(kind.letters());
        text.push('_');
        push_base62(&mut text, Zeroizing::new(random::bytes()?));
        let checksum = checksum(text.as_bytes());
        text.push_str(&checksum);
        Ok(Self { kind, text })
    }

    /// Whether a text claims to be one of ours, and so is no password of a person.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// What it is good for.
    pub fn kind(&self) -> SecretKind {
        self.kind
    }

    /// The text, to be shown to its owner once.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text. A slow hash would add nothing: there are 2^256 texts to try.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// What is stored of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash(hexadecimal(&self.fingerprint()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secret").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A text is not a secret of ours. It does not say what was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a plura secret, or mistyped: `plura_`, two letters, `_` and 51 characters")]
pub struct NotASecret;

impl FromStr for Secret {
    type Err = NotASecret;

    fn from_str(text: &str) -> Result<Self, NotASecret> {
        // The length first: the cost of a refusal does not depend on what was sent.
        if text.len() != LENGTH || !text.is_ascii() {
            return Err(NotASecret);
        }
        let rest = text.strip_prefix(PREFIX).ok_or(NotASecret)?;
        let kind = |kind: &SecretKind| rest.starts_with(kind.letters());
        let kind = SecretKind::ALL.into_iter().find(kind).ok_or(NotASecret)?;
        let (checked, checksum_of_it) = text.split_at(CHECKSUM_AT);
        let (head, body) = checked.split_at(BODY_AT);
        let plain = body.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !head.ends_with('_') || !plain || checksum(checked.as_bytes()) != checksum_of_it {
            return Err(NotASecret);
        }
        Ok(Self { kind, text: Zeroizing::new(text.to_owned()) })
    }
}

/// The SHA-256 of a secret as 64 hexadecimal digits: all that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretHash(String);

impl SecretHash {
    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        hash.0
    }
}

/// A stored text is not the hash of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits in lower case")]
pub struct NotASecretHash;

impl TryFrom<String> for SecretHash {
    type Error = NotASecretHash;

    fn try_from(text: String) -> Result<Self, NotASecretHash> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == 64 && digits { Ok(Self(text)) } else { Err(NotASecretHash) }
    }
}

impl FromStr for SecretHash {
    type Err = NotASecretHash;

    fn from_str(text: &str) -> Result<Self, NotASecretHash> {
        text.to_owned().try_into()
    }
}

/// 32 bytes as one number in base 62, the least significant digit first.
fn push_base62(text: &mut String, mut number: Zeroizing<[u8; 32]>) {
    for _ in 0..BODY {
        let mut remainder = 0_u16;
        for byte in number.iter_mut() {
            let dividend = remainder << 8 | u16::from(*byte);
            *byte = (dividend / 62).to_le_bytes()[0];
            remainder = dividend % 62;
        }
        text.push(char::from(ALPHABET[usize::from(remainder)]));
    }
}

/// CRC-32 as in Ethernet, gzip and the tokens of other forges.
fn checksum(bytes: &[u8]) -> String {
    let mut state = u32::MAX;
    for byte in bytes {
        state ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = if state & 1 == 1 { 0xEDB8_8320 } else { 0 };
            state = state >> 1 ^ carry;
        }
    }
    format!("{:08x}", !state)
}

fn hexadecimal(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn secret(kind: SecretKind) -> Secret {
        Secret::generate(kind).unwrap()
    }

    #[test]
    fn a_secret_reads_back() {
        for kind in SecretKind::ALL {
            let made = secret(kind);
            assert_eq!(made.expose().len(), LENGTH);
            assert!(made.expose().starts_with(&format!("plura_{}_", kind.letters())));
            assert!(Secret::is_one(made.expose()));
            let read: Secret = made.expose().parse().unwrap();
            assert_eq!(read.kind(), kind);
            assert_eq!(read.hash(), made.hash());
        }
    }

    #[test]
    fn no_two_secrets_are_alike() {
        let texts: HashSet<_> =
            (0..500).map(|_| secret(SecretKind::Robot).expose().to_owned()).collect();
        assert_eq!(texts.len(), 500);
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let text = secret(SecretKind::ApiToken).expose().to_owned();
        for at in 0..text.len() {
            for wrong in ['0', 'A', 'z', '_', ' ', '\u{0}'] {
                let mut changed: Vec<char> = text.chars().collect();
                if changed[at] == wrong {
                    continue;
                }
                changed[at] = wrong;
                let changed: String = changed.into_iter().collect();
                assert_eq!(changed.parse::<Secret>().unwrap_err(), NotASecret, "{at} {wrong:?}");
            }
        }
    }

    #[test]
    fn another_kind_is_not_claimed_by_editing_it() {
        let text = secret(SecretKind::ApiToken).expose().replace("plura_pt_", "plura_se_");
        assert!(text.parse::<Secret>().is_err());
    }

    #[test]
    fn neither_debug_nor_errors_show_it() {
        let secret = secret(SecretKind::Session);
        assert_eq!(format!("{secret:?}"), "Secret { kind: Session, .. }");
        let error = secret.expose()[..LENGTH - 1].parse::<Secret>().unwrap_err();
        assert!(!error.to_string().contains(&secret.expose()[BODY_AT..BODY_AT + 6]));
    }

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(checksum(b"123456789"), "cbf43926");
        assert_eq!(hexadecimal(&[0, 9, 0xAF, 255]), "0009afff");
    }

    #[test]
    fn base62_holds_every_number() {
        let digits = |bytes| {
            let mut text = String::new();
            push_base62(&mut text, Zeroizing::new(bytes));
            text
        };
        assert_eq!(digits([0; 32]), "0".repeat(BODY));
        let mut one_hundred = [0; 32];
        one_hundred[31] = 100;
        assert_eq!(digits(one_hundred), format!("c1{}", "0".repeat(BODY - 2)));
        assert_ne!(digits([255; 32]).as_bytes()[BODY - 1], b'0', "the last digit is used");
    }

    #[test]
    fn a_hash_is_64_digits() {
        let hash = secret(SecretKind::Refresh).hash();
        assert_eq!(hash.as_str().parse::<SecretHash>(), Ok(hash.clone()));
        for wrong in ["", "abc", &hash.as_str().to_uppercase(), &format!("{hash}0")] {
            assert_eq!(wrong.parse::<SecretHash>(), Err(NotASecretHash), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_refused(text in ".{0,80}") {
            prop_assert!(text.parse::<Secret>().is_err());
        }

        #[test]
        fn nearly_right_text_is_refused(text in "plura_(pt|rs|rf|se)_[0-9A-Za-z]{43}[0-9a-f]{8}") {
            // One in 2^32 of these is right; the property is that it then reads back.
            if let Ok(secret) = text.parse::<Secret>() {
                prop_assert_eq!(secret.expose(), text);
            }
        }
    }
}
