use regex::bytes::{Regex, RegexBuilder};

use crate::{Reason, Refusal, json::shortened};

/// The most characters of a name or pattern in a policy.
const MAX_LENGTH: usize = 2048;
/// The most bytes that a compiled pattern may take.
const MAX_COMPILED: usize = 256 * 1024;

/// A name that must be so: exactly, or as an anchored pattern.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// This text and no other.
    Exact(String),
    /// What matches as a whole.
    Pattern {
        /// As it was written.
        text: String,
        /// As it is matched.
        regex: Regex,
    },
}

impl Matcher {
    /// From a policy: one of the two, not both and not neither.
    pub(crate) fn new(
        what: &str,
        exact: Option<&str>,
        pattern: Option<&str>,
    ) -> Result<Self, Refusal> {
        match (exact.filter(|text| !text.is_empty()), pattern.filter(|text| !text.is_empty())) {
            (Some(exact), None) => Ok(Self::Exact(exact.to_owned())),
            (None, Some(pattern)) => Self::pattern(what, pattern),
            (Some(_), Some(_)) => Err(Refusal::new(
                Reason::InvalidPolicy,
                format!("an identity has its {what} both as it is and as a pattern"),
            )),
            (None, None) => Err(Refusal::new(
                Reason::EmptyIdentity,
                format!("an identity of the trust policy names no {what}"),
            )),
        }
    }

    /// Alternatives bind weaker than anchors, so the whole is put into a group: `^a|b$` means what
    /// its author thinks.
    fn pattern(what: &str, text: &str) -> Result<Self, Refusal> {
        let ends = text.ends_with('$') && !text.ends_with("\\$");
        if !text.starts_with('^') || !ends {
            let observed = format!("the pattern `{}` for the {what}", shortened(text));
            return Err(Refusal::new(Reason::UnanchoredPattern, observed));
        }
        let regex = anchored(text).ok_or_else(|| {
            let observed = format!("the pattern `{}` for the {what}", shortened(text));
            Refusal::new(Reason::InvalidPolicy, observed)
                .requiring("a regular expression without look-around and back-references")
        })?;
        // Texts that no identity has: what matches them matches everybody.
        let nobody = ["", "-", "?", "\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}"];
        if nobody.iter().any(|text| regex.is_match(text.as_bytes())) {
            let observed = format!("the pattern `{}` matches every {what}", shortened(text));
            return Err(Refusal::new(Reason::EmptyIdentity, observed));
        }
        Ok(Self::Pattern { text: text.to_owned(), regex })
    }

    /// Whether the name is so.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Pattern { regex, .. } => regex.is_match(name.as_bytes()),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Pattern { text, .. } => text,
        }
    }
}

fn anchored(text: &str) -> Option<Regex> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    // Parsed on its own first, so that nothing closes the group that follows.
    build(text)?;
    build(&format!("^(?:{text})$"))
}

fn build(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).unicode(false).size_limit(MAX_COMPILED).build().ok()
}

/// Which repositories a policy is for: `*` within a segment, `**` for anything; the whole name.
pub(crate) fn repositories(pattern: &str) -> Result<Regex, Refusal> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*".contains(c);
    let regex = regex::escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*");
    Some(pattern)
        .filter(|text| !text.is_empty() && text.len() <= 255 && text.chars().all(known))
        .and_then(|_| build(&format!("^(?:{regex})$")))
        .ok_or_else(|| {
            let observed = format!("the repository pattern `{}`", shortened(pattern));
            Refusal::new(Reason::InvalidPolicy, observed)
                .requiring("a repository's name, with `*` or `**` in it; `**` for all")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(pattern: &str, expected: Reason) {
        let refusal = Matcher::new("subject", None, Some(pattern)).unwrap_err();
        assert_eq!(refusal.reason, expected, "{pattern}");
    }

    #[test]
    fn a_pattern_is_anchored_at_both_ends() {
        for pattern in ["acme", "^acme", "acme$", r"^acme\$", ".*"] {
            refused(pattern, Reason::UnanchoredPattern);
        }
    }

    #[test]
    fn a_pattern_for_everybody_is_empty() {
        for pattern in ["^.*$", "^.+$", "^$", "^(a|.*)$", "^a*$", "^[^a]+$"] {
            refused(pattern, Reason::EmptyIdentity);
        }
    }

    #[test]
    fn a_pattern_compiles_within_bounds() {
        for pattern in ["^($", "^(a{1000}){1000}$", "^(?=a)a$", "^a)(b$"] {
            refused(pattern, Reason::InvalidPolicy);
        }
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        let pattern = r"^https://github\.com/acme/.+@refs/heads/main|x$";
        let matcher = Matcher::new("subject", None, Some(pattern)).unwrap();
        assert!(matcher.matches("https://github.com/acme/web@refs/heads/main"));
        assert!(matcher.matches("x"));
        assert!(!matcher.matches("https://github.com/acme/web@refs/heads/main.evil.example"));
        assert!(!matcher.matches("evil-x"));
        assert!(!matcher.matches("https://github_com/acme/web@refs/heads/main"));
    }

    #[test]
    fn repositories_are_covered_as_a_whole() {
        for (pattern, name, covered) in [
            ("apps/*", "apps/web", true),
            ("apps/*", "apps/web/api", false),
            ("apps/**", "apps/web/api", true),
            ("apps", "apps2", false),
            ("a.b", "axb", false),
        ] {
            let regex = repositories(pattern).unwrap();
            assert_eq!(regex.is_match(name.as_bytes()), covered, "{pattern} and {name}");
        }
        assert!(repositories("").is_err() && repositories("Apps").is_err());
    }
}
