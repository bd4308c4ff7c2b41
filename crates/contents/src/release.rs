//! Tags that name releases, and which of two is the later one.

/// The numbers of a tag, and what is around them: `12.5-slim` is `12` and `5` in `.-slim`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    shape: Vec<String>,
    numbers: Vec<u64>,
}

/// From here on, a number in front is that of a year and not of what is compatible.
const YEAR: u64 = 1990;

impl Release {
    /// The release that a tag names; none where there is nothing to count by, or where there is but one
    /// number that is no date: what `12` stands on moves with the tag.
    pub(crate) fn of(tag: &str) -> Option<Self> {
        let (mut shape, mut numbers) = (vec![String::new()], Vec::new());
        let mut rest = tag;
        while let Some(first) = rest.chars().next() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits > 0 {
                numbers.push(rest[..digits].parse().ok()?);
                shape.push(String::new());
                rest = &rest[digits..];
            } else {
                shape.last_mut()?.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        let counts = match numbers.as_slice() {
            [] => false,
            [only] => *only >= YEAR,
            _ => true,
        };
        // Letters among hexadecimal digits are no release: so are commits and digests called.
        let is_hash = tag.len() >= 7 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_date = shape.iter().all(String::is_empty);
        (counts && (is_date || !is_hash)).then_some(Self { shape, numbers })
    }

    /// Whether this is a later release of the same line: named in the same way, with the same first number
    /// unless that is a date.
    pub(crate) fn follows(&self, earlier: &Self) -> bool {
        let line = |release: &Self| release.numbers.first().copied().filter(|first| *first < YEAR);
        self.shape == earlier.shape && line(self) == line(earlier) && self.numbers > earlier.numbers
    }

    /// Compares releases of one shape.
    pub(crate) fn order(&self) -> &[u64] {
        &self.numbers
    }
}

/// How many numbers a tag has: the more, the narrower is what it names.
pub(crate) fn narrowness(tag: &str) -> usize {
    tag.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follows(later: &str, earlier: &str) -> bool {
        let (Some(later), Some(earlier)) = (Release::of(later), Release::of(earlier)) else {
            return false;
        };
        later.follows(&earlier)
    }

    #[test]
    fn a_later_release_has_a_higher_number_in_the_same_place_of_the_same_line() {
        for (later, earlier) in [
            ("12.6", "12.5"),
            ("12.10-slim", "12.9-slim"),
            ("v1.2.3", "v1.2.2"),
            ("20260102", "20251231"),
            ("bookworm-20260102", "bookworm-20260101"),
            ("2026.1", "2025.12"),
        ] {
            assert!(follows(later, earlier), "{later} after {earlier}");
            assert!(!follows(earlier, later), "{earlier} after {later}");
        }
    }

    #[test]
    fn other_lines_other_shapes_and_what_is_no_release_do_not_follow() {
        for (later, earlier) in [
            ("13.1", "12.5"),
            ("12.6-slim", "12.5"),
            ("12.5.1", "12.5"),
            ("13", "12"),
            ("latest", "latest"),
            ("trixie", "bookworm"),
            ("abc1235", "abc1234"),
            ("12.5", "12.5"),
            ("99999999999999999999999.1", "1.1"),
        ] {
            assert!(!follows(later, earlier), "{later} after {earlier}");
        }
    }

    #[test]
    fn more_numbers_name_less() {
        let counts = ["latest", "12", "12.5-slim", "v1.2.3"].map(narrowness);
        assert_eq!(counts, [0, 1, 2, 3]);
    }
}
