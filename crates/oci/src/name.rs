use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a repository: lower-case path components joined by slashes.
///
/// Grammar: distribution-spec, "Pulling manifests",
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`, and at most 255
/// characters, the length that clients rely on.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Arc<str>);

/// Why a text is not a repository name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNameError {
    /// Longer than [`RepositoryName::MAX_LENGTH`].
    #[error("a repository name has at most 255 characters")]
    TooLong,
    /// Not of the grammar.
    #[error(
        "a repository name consists of components joined by `/`; a component is lower-case letters \
         and digits, separated inside by `.`, `_`, `__` or any number of `-`"
    )]
    Malformed,
}

impl RepositoryName {
    /// The longest name, in characters (all of which are ASCII).
    pub const MAX_LENGTH: usize = 255;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::MAX_LENGTH {
            return Err(ParseNameError::TooLong);
        }
        if !text.split('/').all(|component| is_component(component.as_bytes())) {
            return Err(ParseNameError::Malformed);
        }
        Ok(Self(text.into()))
    }
}

/// Alphanumeric runs with one separator between each two.
fn is_component(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        let run = rest.iter().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).count();
        if run == 0 {
            return false;
        }
        rest = &rest[run..];
        if rest.is_empty() {
            return true;
        }
        let separator = match rest {
            [b'_', b'_', ..] => 2,
            [b'_' | b'.', ..] => 1,
            _ => rest.iter().take_while(|b| **b == b'-').count(),
        };
        if separator == 0 {
            return false;
        }
        rest = &rest[separator..];
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RepositoryName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RepositoryName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_accepted_exactly_as_the_grammar_says() {
        let longest = "a".repeat(255);
        for name in ["a", "0", "a/b/c", "a.b", "a_b", "a__b", "a-b", "a---b", "apps/search/api.v2"]
            .into_iter()
            .chain([longest.as_str()])
        {
            assert_eq!(name.parse::<RepositoryName>().map(|n| n.to_string()), Ok(name.to_owned()));
        }
        for name in [
            "", "/", "a/", "/a", "a//b", "A", "a/B", ".a", "a.", "a..b", "a___b", "a._b", "-a",
            "a-", "a.-b", "..", "a/../b", "a b", "a\0", "é", "a:b", "a%2fb",
        ] {
            assert_eq!(name.parse::<RepositoryName>(), Err(ParseNameError::Malformed), "{name:?}");
        }
        assert_eq!("a".repeat(256).parse::<RepositoryName>(), Err(ParseNameError::TooLong));
    }
}
