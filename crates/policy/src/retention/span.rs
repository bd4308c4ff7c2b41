use std::{fmt, str::FromStr};

/// A time between two events, as operators write it: `180d`, `12h`, `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span(u64);

/// The longest, about a hundred years: more is a slip of the pen.
const MAX_DAYS: u64 = 36_525;
const DAY: u64 = 24 * 60 * 60 * 1000;
/// What a number may be followed by, in milliseconds; the largest first.
const UNITS: [(char, u64); 5] =
    [('w', 7 * DAY), ('d', DAY), ('h', DAY / 24), ('m', 60_000), ('s', 1000)];

impl Span {
    /// Whether so much time has passed since then. What is yet to come is not over.
    pub(super) fn is_over(self, since: i64, now: i64) -> bool {
        let passed = i128::from(now) - i128::from(since);
        passed > i128::from(self.0)
    }
}

impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let unit = text.chars().next_back().ok_or(())?;
        let (_, length) = UNITS.iter().find(|(known, _)| *known == unit).ok_or(())?;
        let number = &text[..text.len() - 1];
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(());
        }
        let whole = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*length));
        let fits = |whole: &u64| (1..=MAX_DAYS * DAY).contains(whole);
        whole.filter(fits).map(Self).ok_or(())
    }
}

/// In days where it can be, since windows are compared in days.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = UNITS.iter().skip(1);
        let (unit, length) = units
            .into_iter()
            .find(|(_, length)| self.0.is_multiple_of(*length))
            .unwrap_or(&('s', 1000));
        write!(f, "{}{unit}", self.0 / length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_units() {
        for (text, printed) in [
            ("180d", "180d"),
            ("2w", "14d"),
            ("36h", "36h"),
            ("48h", "2d"),
            ("90s", "90s"),
            ("1m", "1m"),
        ] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()), Ok(printed.to_owned()));
        }
        for wrong in [
            "",
            "d",
            "7",
            "0d",
            "-1d",
            "+1d",
            "1.5d",
            "1 d",
            "7D",
            "36526d",
            "7ö",
            "99999999999999999999d",
        ] {
            assert_eq!(wrong.parse::<Span>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn what_is_yet_to_come_is_not_over() {
        let day: Span = "1d".parse().expect("a span");
        assert!(!day.is_over(0, 86_400_000));
        assert!(day.is_over(0, 86_400_001));
        assert!(!day.is_over(i64::MAX, i64::MIN));
        assert!(day.is_over(i64::MIN, i64::MAX));
    }
}
