use std::{fmt, str::FromStr};

use plura_oci::RepositoryName;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Which repositories a rule is about: `*` stands for any characters within a path segment, `**` for
/// any characters at all. The pattern covers the whole name, never a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(Box<str>);

/// The text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePatternError {
    /// An empty pattern would cover nothing, which nobody means.
    #[error("a pattern is not empty; `**` covers every repository")]
    Empty,
    /// A character that no repository name has.
    #[error("`{0}` occurs in no repository name; expected a name with `*` or `**` in it")]
    Character(char),
    /// More than a name can have.
    #[error("a pattern has at most {} characters", Pattern::MAX_LENGTH)]
    TooLong,
    /// Too many stars would take too long to match.
    #[error("a pattern has at most {} groups of stars", Pattern::MAX_STARS)]
    TooManyStars,
}

impl Pattern {
    /// The most characters of a pattern.
    pub const MAX_LENGTH: usize = 255;
    /// The most groups of stars: matching takes at most this many walks over a name.
    pub const MAX_STARS: usize = 8;

    /// Whether the pattern covers the repository.
    pub fn covers(&self, repository: &RepositoryName) -> bool {
        self.covers_text(repository.as_str())
    }

    /// The same for the text of a name.
    pub fn covers_text(&self, name: &str) -> bool {
        covers(self.0.as_bytes(), name.as_bytes())
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn covers(pattern: &[u8], name: &[u8]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    if *first != b'*' {
        return name.split_first().is_some_and(|(byte, tail)| byte == first && covers(rest, tail));
    }
    let (rest, across) = match rest.split_first() {
        Some((b'*', rest)) => (rest, true),
        _ => (rest, false),
    };
    let limit = if across { None } else { name.iter().position(|byte| *byte == b'/') };
    (0..=limit.unwrap_or(name.len())).any(|taken| covers(rest, &name[taken..]))
}

impl FromStr for Pattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*".contains(c);
        if text.is_empty() {
            return Err(ParsePatternError::Empty);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(ParsePatternError::TooLong);
        }
        if let Some(character) = text.chars().find(|c| !allowed(*c)) {
            return Err(ParsePatternError::Character(character));
        }
        // Three stars say no more than two.
        let mut text = text.to_owned();
        while text.contains("***") {
            text = text.replace("***", "**");
        }
        let groups = text.split('*').filter(|part| !part.is_empty()).count();
        if text.contains('*') && groups > Self::MAX_STARS {
            return Err(ParsePatternError::TooManyStars);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_end_at_segments_unless_doubled() {
        for (pattern, name, covered) in [
            ("apps/*", "apps/search", true),
            ("apps/*", "apps/search/web", false),
            ("apps/**", "apps/search/web", true),
            ("apps/**", "apps", false),
            ("**", "anything/at/all", true),
            ("*", "one", true),
            ("*", "one/two", false),
            ("apps/*-api", "apps/search-api", true),
            ("apps/*-api", "apps/search-api-2", false),
            ("**/web", "apps/search/web", true),
            ("apps", "apps2", false),
            ("apps/a*/b*c", "apps/ax/bxxc", true),
        ] {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(pattern.covers_text(name), covered, "{pattern} and {name}");
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, error) in [
            ("", ParsePatternError::Empty),
            ("Apps", ParsePatternError::Character('A')),
            ("a?", ParsePatternError::Character('?')),
            ("*a*b*c*d*e*f*g*h*i", ParsePatternError::TooManyStars),
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(error));
        }
    }

    proptest! {
        #[test]
        fn a_name_is_covered_by_itself(name in "[a-z0-9]{1,9}(/[a-z0-9]{1,9}){0,3}") {
            prop_assert!(name.parse::<Pattern>().unwrap().covers_text(&name));
            prop_assert!("**".parse::<Pattern>().unwrap().covers_text(&name));
        }

        #[test]
        fn a_longer_name_is_not_covered(name in "[a-z]{1,9}", more in "[a-z/]{1,9}") {
            let longer = format!("{name}{more}");
            prop_assert!(!name.parse::<Pattern>().unwrap().covers_text(&longer));
        }
    }
}
