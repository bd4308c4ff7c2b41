//! Digests, computed without the code under test.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256, Sha512};

/// The two digest algorithms the image specification registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `sha256:` and 64 hexadecimal digits.
    Sha256,
    /// `sha512:` and 128 hexadecimal digits.
    Sha512,
}

impl Algorithm {
    /// Both algorithms, for tests that hold for each.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The part of a digest before the colon.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The digest of `bytes`, such as `sha256:e3b0…`.
    pub fn digest(self, bytes: &[u8]) -> String {
        match self {
            Self::Sha256 => spell(self, &Sha256::digest(bytes)),
            Self::Sha512 => spell(self, &Sha512::digest(bytes)),
        }
    }
}

/// The SHA-256 digest of `bytes`: what everybody means by "the digest".
pub fn digest(bytes: &[u8]) -> String {
    Algorithm::Sha256.digest(bytes)
}

fn spell(algorithm: Algorithm, hash: &[u8]) -> String {
    let mut text = format!("{}:", algorithm.name());
    for byte in hash {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_published_one() {
        assert_eq!(
            digest(b""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert!(Algorithm::Sha512.digest(b"").starts_with("sha512:cf83e1357eefb8bdf1542850d66d"));
    }
}
