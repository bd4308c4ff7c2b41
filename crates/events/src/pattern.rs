//! Which events somebody wants.

use std::{fmt, str::FromStr};

use crate::catalogue;

/// Events by their types: one, `tag.set`; a family, `tag.*`; or all, `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPattern(String);

/// The text names no events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no events; expected a type such as `tag.set`, a family such as `tag.*`, or `*`"
)]
pub struct ParseEventPatternError(String);

/// The longest that is read.
const LONGEST: usize = 64;

impl EventPattern {
    /// Whether events of that type are meant.
    pub fn matches(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => self.0 == kind,
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventPattern {
    type Err = ParseEventPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = text == "*"
            || text
                .strip_suffix(".*")
                .is_some_and(|family| catalogue::is_event(&format!("{family}.")))
            || (catalogue::is_event(text) && !text.ends_with(['.', '*']));
        let plain = |byte: u8| byte.is_ascii_lowercase() || b"_.*".contains(&byte);
        if known && text.len() <= LONGEST && text.bytes().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(ParseEventPatternError(text.chars().take(LONGEST).collect()))
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_types_families_and_everything() {
        for (pattern, kind, expected) in [
            ("*", "tag.set", true),
            ("tag.*", "tag.set", true),
            ("tag.*", "tags.set", false),
            ("tag.set", "tag.set", true),
            ("tag.set", "tag.delete", false),
            ("quota.exceeded", "quota.exceeded", true),
        ] {
            let pattern: EventPattern = pattern.parse().expect("a pattern");
            assert_eq!(pattern.matches(kind), expected, "{pattern} {kind}");
        }
    }

    #[test]
    fn what_no_event_has_is_refused() {
        for text in
            ["", "tag", "tag.", "login", "user.*", "tag.**", "t*", "tag.SET", ".*", "tag. set"]
        {
            assert!(text.parse::<EventPattern>().is_err(), "{text}");
        }
    }
}
