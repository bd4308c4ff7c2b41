use std::cmp::Ordering;

/// The version that a tag names, so that `v1.10.0` is newer than `v1.9.0`: two to four numbers, then
/// what semantic versions call a pre-release. What is behind `_` says which build it was, since `+` is in
/// no tag, and is not ordered.
#[derive(Clone, Debug)]
pub(super) struct Version<'a> {
    numbers: Vec<u64>,
    pre_release: Option<&'a str>,
}

impl<'a> Version<'a> {
    /// The version of a tag that a pattern covers. What is before the version in the pattern
    /// (`search-v*`) is passed over.
    pub(super) fn of(tag: &'a str, prefix: &str) -> Option<Self> {
        let before = prefix.trim_end_matches(|c: char| c.is_ascii_digit() || ".vV".contains(c));
        Self::read(tag).or_else(|| Self::read(tag.strip_prefix(before)?))
    }

    fn read(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let text = text.split_once('_').map_or(text, |(version, _build)| version);
        let (core, pre_release) = match text.split_once('-') {
            Some((core, pre_release)) => (core, Some(pre_release)),
            None => (text, None),
        };
        let numbers: Option<Vec<u64>> = core.split('.').take(5).map(number).collect();
        // A number alone is more often a part of a commit or of a date than a version.
        let numbers = numbers.filter(|numbers| (2..=4).contains(&numbers.len()))?;
        Some(Self { numbers, pre_release })
    }
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let pre_release = match (self.pre_release, other.pre_release) {
            (None, None) => Ordering::Equal,
            // What was released is newer than what came before it.
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) => compare_pre_releases(one, other),
        };
        self.numbers.cmp(&other.numbers).then(pre_release)
    }
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version<'_> {}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Semantic Versioning 2.0.0, section 11.4: numbers below words, and fewer fields below more.
fn compare_pre_releases(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let (one, other) = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => (one, other),
        };
        let order = match (number(one), number(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => one.cmp(other),
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_ordered_as_versions() {
        let tags = [
            "1.0",
            "1.0.0-alpha",
            "v1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "v1.0.0",
            "1.9.0_abc1234",
            "1.10.0",
            "1.10.0.1",
            "2.0.0-rc1_f00",
            "V2.0.0_0f0f",
            "2024.05.01",
            "2024.11.1",
        ];
        let versions: Vec<_> = tags
            .iter()
            .map(|tag| Version::of(tag, "").unwrap_or_else(|| panic!("{tag}")))
            .collect();
        for pair in versions.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
        assert_eq!(Version::of("1.2.3_one", ""), Version::of("v1.2.3_other", ""));
    }

    #[test]
    fn a_version_may_stand_behind_a_name() {
        for (tag, pattern) in [
            ("search-v1.2.3", "search-v"),
            ("search-v1.2.3", "search-v1.2."),
            ("v1.2.3", "v1."),
            ("search-1.2.3", "search-"),
        ] {
            assert_eq!(Version::of(tag, pattern), Version::of("1.2.3", ""), "{tag} {pattern}");
        }
    }

    #[test]
    fn what_is_no_version_has_none() {
        for tag in [
            "latest",
            "v1",
            "1234567",
            "abc.def",
            "1..2",
            "1.2.3.4.5",
            ".1",
            "1.",
            "1.2.99999999999999999999",
            "main-1.2.3",
            "_1.2",
        ] {
            assert_eq!(Version::of(tag, ""), None, "{tag}");
        }
    }
}
