use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// Stands for texts: `*` for any characters, also for none; everything else for itself. It covers the
/// whole text, never a part of it. For repositories there is [`crate::Pattern`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

/// The text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a pattern of 1 to {} characters, in which `*` stands for anything",
    Glob::MAX_LENGTH
)]
pub struct ParseGlobError;

impl Glob {
    /// The most bytes of a pattern.
    pub const MAX_LENGTH: usize = 512;

    /// Whether the pattern stands for the text.
    pub fn covers(&self, text: &str) -> bool {
        covers(self.0.as_bytes(), text.as_bytes())
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Each piece between stars is taken where it first occurs; only the last star ever has to give way,
/// so what it costs is at most the lengths multiplied.
fn covers(pattern: &[u8], text: &[u8]) -> bool {
    let (mut place, mut at) = (0, 0);
    // Where to go on if what follows the last star does not fit: behind the star, one byte later.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(place) {
            Some(b'*') => {
                place += 1;
                star = Some((place, at));
            }
            Some(expected) if *expected == text[at] => {
                place += 1;
                at += 1;
            }
            _ => match star {
                Some((behind, from)) => {
                    place = behind;
                    at = from + 1;
                    star = Some((behind, at));
                }
                None => return false,
            },
        }
    }
    pattern[place..].iter().all(|byte| *byte == b'*')
}

impl FromStr for Glob {
    type Err = ParseGlobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > Self::MAX_LENGTH || text.chars().any(char::is_control) {
            return Err(ParseGlobError);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, covered) in [
            ("latest", "latest", true),
            ("latest", "latest2", false),
            ("v*", "v1.2.3", true),
            ("v*", "1.2.3", false),
            ("*-rc*", "1.0-rc1", true),
            ("*", "", true),
            ("https://github.com/acme/*", "https://github.com/acme/a/b", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-", false),
            ("*é", "caf\u{e9}", true),
        ] {
            assert_eq!(pattern.parse::<Glob>().unwrap().covers(text), covered, "{pattern}, {text}");
        }
        assert!("".parse::<Glob>().is_err());
        assert!("a\n".parse::<Glob>().is_err());
        assert!("*".repeat(513).parse::<Glob>().is_err());
    }

    proptest! {
        #[test]
        fn it_covers_what_the_regular_expression_matches(
            pattern in "[ab*]{1,12}",
            text in "[ab]{0,14}",
        ) {
            let expression = format!("^{}$", regex::escape(&pattern).replace(r"\*", ".*"));
            // Without tables of Unicode a dot must not stand for them.
            let expression = regex::bytes::RegexBuilder::new(&expression).unicode(false).build();
            let expected = expression.unwrap().is_match(text.as_bytes());
            prop_assert_eq!(pattern.parse::<Glob>().unwrap().covers(&text), expected);
        }
    }
}
