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
}

impl Pattern {
    /// The most characters of a pattern.
    pub const MAX_LENGTH: usize = 255;

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

/// Reads the name once, with all the places of the pattern that it may have come to: what a pattern
/// costs is its length times the name's, however many stars somebody puts into it.
fn covers(pattern: &[u8], name: &[u8]) -> bool {
    if !pattern.contains(&b'*') {
        return pattern == name;
    }
    let mut places = [false; Pattern::MAX_LENGTH + 1];
    places[0] = true;
    skip_stars(pattern, &mut places);
    for byte in name {
        let mut next = [false; Pattern::MAX_LENGTH + 1];
        for (place, expected) in pattern.iter().enumerate().filter(|(place, _)| places[*place]) {
            if *expected != b'*' {
                next[place + 1] |= expected == byte;
            } else if *byte != b'/' || star(pattern, place) == 2 {
                next[place] = true;
            }
        }
        skip_stars(pattern, &mut next);
        places = next;
    }
    places[pattern.len()]
}

/// A star may stand for nothing: where it can be, what follows it can be.
fn skip_stars(pattern: &[u8], places: &mut [bool; Pattern::MAX_LENGTH + 1]) {
    for (place, byte) in pattern.iter().enumerate() {
        if places[place] && *byte == b'*' {
            places[place + star(pattern, place)] = true;
        }
    }
}

/// How many characters the star has that begins there.
fn star(pattern: &[u8], place: usize) -> usize {
    if pattern.get(place + 1) == Some(&b'*') { 2 } else { 1 }
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
            ("a**b", "a/b", true),
            ("a*b", "a/b", false),
            ("**a**", "b/a/c", true),
            ("*/**", "a/b/c", true),
            ("*/*", "a/b/c", false),
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
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(error));
        }
    }

    /// Patterns are regular expressions in other clothes.
    fn oracle(pattern: &str) -> regex::Regex {
        let escaped = regex::escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*");
        regex::Regex::new(&format!("^{escaped}$")).unwrap()
    }

    #[test]
    fn many_stars_cost_no_more_than_few() {
        let pattern: Pattern = format!("{}b", "*a".repeat(127)).parse().unwrap();
        assert!(!pattern.covers_text(&"a".repeat(255)));
    }

    proptest! {
        #[test]
        fn a_pattern_covers_what_its_regular_expression_matches(
            pattern in "[ab/*]{1,12}",
            name in "[ab/]{0,12}",
        ) {
            let pattern = pattern.parse::<Pattern>().unwrap();
            let expected = oracle(pattern.as_str()).is_match(&name);
            prop_assert_eq!(pattern.covers_text(&name), expected, "{} and {}", pattern, name);
        }

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
