use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Which names an exception is about: `*` stands for any characters but `/`, `**` for any at all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Glob(Box<str>);

/// The text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseGlobError {
    /// An empty pattern would cover nothing, which nobody means.
    #[error("a pattern is not empty; `**` covers everything")]
    Empty,
    /// More than a name has.
    #[error("a pattern has at most {most} bytes", most = Glob::MAX_LENGTH)]
    TooLong,
    /// Something that is in no name.
    #[error("a pattern has no control characters")]
    Control,
}

impl Glob {
    /// The most bytes of a pattern.
    pub const MAX_LENGTH: usize = 255;

    /// Whether the pattern covers all of the name. It costs at most its length times the name's.
    pub fn covers(&self, name: &str) -> bool {
        let pattern = self.0.as_bytes();
        // Which places of the pattern the name may have come to.
        let mut places = vec![false; pattern.len() + 1];
        let mut next = places.clone();
        places[0] = true;
        skip_stars(pattern, &mut places);
        for byte in name.bytes() {
            next.fill(false);
            for place in (0..pattern.len()).filter(|place| places[*place]) {
                if pattern[place] != b'*' {
                    next[place + 1] |= pattern[place] == byte;
                } else if byte != b'/' || star(pattern, place) > 1 {
                    next[place] = true;
                }
            }
            skip_stars(pattern, &mut next);
            std::mem::swap(&mut places, &mut next);
        }
        places[pattern.len()]
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A star may stand for nothing: where it can be, what follows it can be.
fn skip_stars(pattern: &[u8], places: &mut [bool]) {
    for place in 0..pattern.len() {
        if places[place] && pattern[place] == b'*' {
            places[place + star(pattern, place)] = true;
        }
    }
}

/// How many characters the star has that begins there.
fn star(pattern: &[u8], place: usize) -> usize {
    if pattern.get(place + 1) == Some(&b'*') { 2 } else { 1 }
}

impl FromStr for Glob {
    type Err = ParseGlobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseGlobError::Empty);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(ParseGlobError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ParseGlobError::Control);
        }
        // Three stars say no more than two.
        let mut text = text.to_owned();
        while text.contains("***") {
            text = text.replace("***", "**");
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_end_at_slashes_unless_doubled() {
        for (pattern, name, covered) in [
            ("apps/*", "apps/search", true),
            ("apps/*", "apps/search/web", false),
            ("apps/**", "apps/search/web", true),
            ("**", "", true),
            ("@babel/*", "@babel/core", true),
            ("openssl*", "openssl-libs", true),
            ("openssl", "openssl-libs", false),
            ("a*b*c", "aXbYc", true),
            ("a*b", "a/b", false),
            ("*a", "ba", true),
            ("org.apache.*:log4j-*", "org.apache.logging.log4j:log4j-core", true),
        ] {
            let pattern: Glob = pattern.parse().unwrap();
            assert_eq!(pattern.covers(name), covered, "{pattern} and {name}");
        }
    }

    #[test]
    fn many_stars_cost_no_more_than_few() {
        let pattern: Glob = format!("{}b", "*a".repeat(127)).parse().unwrap();
        assert!(!pattern.covers(&"a".repeat(1000)));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        assert_eq!("".parse::<Glob>(), Err(ParseGlobError::Empty));
        assert_eq!("a\n".parse::<Glob>(), Err(ParseGlobError::Control));
        assert_eq!("a".repeat(256).parse::<Glob>(), Err(ParseGlobError::TooLong));
    }
}
