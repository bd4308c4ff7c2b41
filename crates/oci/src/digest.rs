use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Algorithm;

/// A content digest, `algorithm:hex`, of an algorithm that plura verifies.
///
/// Grammar: image-spec, "Digests"; the encoded part of the registered algorithms is lower-case hex
/// of exactly the hash's length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    /// The hash, zero-filled behind the algorithm's length.
    hash: [u8; 64],
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDigestError {
    /// No colon, or an encoded part that the algorithm does not allow.
    #[error("expected `sha256:` and 64, or `sha512:` and 128 lower-case hexadecimal characters")]
    Malformed,
    /// An algorithm that plura does not compute.
    #[error("digest algorithm `{0}` is not supported; use sha256 or sha512")]
    UnsupportedAlgorithm(String),
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = algorithm.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The SHA-256 digest of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    pub(crate) fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Self {
        let mut all = [0; 64];
        all[..algorithm.length()].copy_from_slice(hash);
        Self { algorithm, hash: all }
    }

    /// The algorithm in front of the colon.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash itself.
    pub fn hash(&self) -> &[u8] {
        &self.hash[..self.algorithm.length()]
    }

    /// The part behind the colon.
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(self.algorithm.length() * 2);
        for byte in self.hash() {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }

    /// The first twelve hexadecimal characters, for people.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (algorithm, hex) = text.split_once(':').ok_or(ParseDigestError::Malformed)?;
        if algorithm.is_empty() {
            return Err(ParseDigestError::Malformed);
        }
        let algorithm: Algorithm = algorithm.parse()?;
        if hex.len() != algorithm.length() * 2 {
            return Err(ParseDigestError::Malformed);
        }
        let mut hash = [0; 64];
        for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
        }
        Ok(Self { algorithm, hash })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

fn hex_value(digit: u8) -> Result<u8, ParseDigestError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(ParseDigestError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_prints_as_it_was_read() {
        assert_eq!(EMPTY.parse::<Digest>().unwrap().to_string(), EMPTY);
        assert_eq!(Digest::sha256(b"").to_string(), EMPTY);
        let sha512 = Digest::of(Algorithm::Sha512, b"abc");
        assert_eq!(sha512.to_string().parse(), Ok(sha512));
    }

    #[test]
    fn what_is_not_a_digest_is_refused() {
        let upper = EMPTY.replace('e', "E");
        let short = &EMPTY[..EMPTY.len() - 1];
        for text in ["", ":", "sha256", "sha256:", ":abc", "sha256:baddigeststring", &upper, short]
        {
            assert_eq!(text.parse::<Digest>(), Err(ParseDigestError::Malformed), "{text}");
        }
        let md5 = "md5:d41d8cd98f00b204e9800998ecf8427e".parse::<Digest>();
        assert_eq!(md5, Err(ParseDigestError::UnsupportedAlgorithm("md5".into())));
    }
}
