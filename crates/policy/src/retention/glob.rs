use std::{fmt, str::FromStr};

/// A pattern of tags, or of names of channels: a [`crate::Glob`] that has nothing which is in none of
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Glob(crate::Glob);

/// Longer than any tag, and than the name of any channel.
const MAX_LENGTH: usize = 255;

impl Glob {
    pub(super) fn covers(&self, name: &str) -> bool {
        self.0.covers(name)
    }

    /// What every name begins with that it covers.
    pub(super) fn literal_prefix(&self) -> &str {
        self.0.as_str().split('*').next().unwrap_or_default()
    }
}

impl FromStr for Glob {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-:/*".contains(&byte);
        if text.len() > MAX_LENGTH || !text.bytes().all(allowed) {
            return Err(());
        }
        text.parse().map(Self).map_err(|_| ())
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_in_no_tag_is_in_no_pattern() {
        for wrong in ["", "a b", "v?", "{a,b}", "ö", &"a".repeat(256)] {
            assert_eq!(wrong.parse::<Glob>(), Err(()), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_covers_what_its_regular_expression_matches(
            pattern in "[ab*]{1,8}",
            name in "[ab]{0,10}",
        ) {
            let glob: Glob = pattern.parse().expect("a pattern");
            let oracle = regex::Regex::new(&format!("^{}$", pattern.replace('*', ".*"))).expect("one");
            prop_assert_eq!(glob.covers(&name), oracle.is_match(&name));
        }
    }
}
