//! Values of conditions: exact, or with `*` for any run of characters.

/// Whether all of `value` is what `pattern` describes.
pub(super) fn matches(pattern: &str, value: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| value.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    // Taking each part where it comes first leaves most to the others, so nothing is tried twice.
    let rest = parts.try_fold(rest, |rest, part| rest.split_once(part).map(|(_, after)| after));
    rest.is_some_and(|rest| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::matches;

    #[test]
    fn a_star_is_any_run_and_the_rest_is_exact() {
        for (pattern, value, expected) in [
            ("refs/heads/main", "refs/heads/main", true),
            ("refs/heads/main", "refs/heads/main2", false),
            ("refs/heads/main", "xrefs/heads/main", false),
            ("refs/heads/main", "refs/heads/Main", false),
            ("refs/tags/v*", "refs/tags/v1.2.3", true),
            ("refs/tags/v*", "refs/tags/v", true),
            ("refs/tags/v*", "refs/tags/w1", false),
            ("refs/tags/v*", "refs/heads/refs/tags/v1", false),
            ("*", "", true),
            ("*", "a/b", true),
            ("*@refs/heads/main", "o/r/.github/workflows/x.yml@refs/heads/main", true),
            ("*@refs/heads/main", "o/r/.github/workflows/x.yml@refs/heads/main2", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("a**b", "ab", true),
            ("", "", true),
            ("", "a", false),
            ("ä*", "äö", true),
        ] {
            assert_eq!(matches(pattern, value), expected, "{pattern} and {value}");
        }
    }

    /// Written down a second time, slowly and obviously.
    fn by_trying(pattern: &[u8], value: &[u8]) -> bool {
        match pattern.split_first() {
            None => value.is_empty(),
            Some((b'*', rest)) => (0..=value.len()).any(|skip| by_trying(rest, &value[skip..])),
            Some((first, rest)) => value
                .split_first()
                .is_some_and(|(found, value)| found == first && by_trying(rest, value)),
        }
    }

    proptest! {
        #[test]
        fn it_is_what_trying_everything_finds(pattern in "[ab*]{0,8}", value in "[ab]{0,10}") {
            prop_assert_eq!(
                matches(&pattern, &value),
                by_trying(pattern.as_bytes(), value.as_bytes())
            );
        }
    }
}
