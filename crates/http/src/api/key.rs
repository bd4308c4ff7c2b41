//! Keys and names in paths that no other crate parses.

use std::{fmt, str::FromStr};

/// The key of something that has no name of its own: a token, a membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key(String);

/// The name of a trust entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrustName(String);

/// What a key that tokens are signed with goes by: its thumbprint (RFC 7638).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thumbprint(String);

/// The text is not what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected(&'static str);

impl Key {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TrustName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Thumbprint {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Thumbprint {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        const LENGTH: usize = 43;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.len() == LENGTH && text.bytes().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(Expected("expected the `kid` of a key, as /auth/keys shows it"))
    }
}

impl FromStr for Key {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let parsed = text.parse::<uuid::Uuid>().map(|key| key.to_string());
        // There is one way to write a key.
        match parsed {
            Ok(key) if key == text => Ok(Self(key)),
            _ => Err(Expected("expected a key, as lists show it")),
        }
    }
}

impl FromStr for TrustName {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        const LONGEST: usize = 64;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(plain);
        if text.len() <= LONGEST && text.split(['.', '_', '-']).all(is_word) {
            return Ok(Self(text.to_owned()));
        }
        Err(Expected("expected lower-case letters and digits with `.`, `_` or `-` between them"))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_in_one_way() {
        let key = "0190163d-8694-739b-aea5-966c26f8ad90";
        assert_eq!(key.parse::<Key>().unwrap().as_str(), key);
        for text in [
            "",
            "1",
            "0190163D-8694-739B-AEA5-966C26F8AD90",
            "0190163d8694739baea5966c26f8ad90",
            "{0190163d-8694-739b-aea5-966c26f8ad90}",
            "0190163d-8694-739b-aea5-966c26f8ad9",
        ] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_thumbprint_has_one_length_and_no_way_out_of_a_path() {
        let kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(kid.parse::<Thumbprint>().unwrap().as_str(), kid);
        for text in ["", "absent", &kid[1..], &format!("{kid}a"), &kid.replace('_', "/")] {
            assert!(text.parse::<Thumbprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_trust_entries_are_of_the_grammar() {
        let longest = "a".repeat(64);
        for text in ["github-main", "a", "a.b_c-1", &longest] {
            assert_eq!(text.parse::<TrustName>().unwrap().as_str(), text);
        }
        let too_long = "a".repeat(65);
        for text in ["", "-a", "a-", "a--b", "A", "a/b", "a b", "ä", &too_long] {
            assert!(text.parse::<TrustName>().is_err(), "{text}");
        }
    }
}
