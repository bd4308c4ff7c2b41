use std::{fmt, str::FromStr};

/// A text with stars, each of which stands for any characters. It covers the whole of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Glob(Box<str>);

/// Longer than any tag, and than the name of any channel.
const MAX_LENGTH: usize = 255;

impl Glob {
    /// Costs at most the product of the lengths: only the last star is ever gone back to, since what an
    /// earlier one could still take, the last one can take as well.
    pub(super) fn covers(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at, mut here) = (0, 0);
        let mut star = None;
        while here < name.len() {
            if pattern.get(at) == Some(&b'*') {
                star = Some((at, here));
                at += 1;
            } else if pattern.get(at) == Some(&name[here]) {
                at += 1;
                here += 1;
            } else if let Some((place, taken)) = star {
                star = Some((place, taken + 1));
                at = place + 1;
                here = taken + 1;
            } else {
                return false;
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }

    /// What every name begins with that it covers.
    pub(super) fn literal_prefix(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }
}

impl FromStr for Glob {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-:/*".contains(&byte);
        if text.is_empty() || text.len() > MAX_LENGTH || !text.bytes().all(allowed) {
            return Err(());
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
