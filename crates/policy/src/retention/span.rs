use std::{fmt, str::FromStr};

use crate::TimeSpan;

/// A time between two events that is longer than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span(TimeSpan);

impl Span {
    /// Whether so much time has passed since then, both in milliseconds. What is yet to come is not over.
    pub(super) fn is_over(self, since: i64, now: i64) -> bool {
        let passed = i128::from(now) - i128::from(since);
        passed > i128::from(self.0.seconds()) * 1000
    }
}

impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let span: TimeSpan = text.parse().map_err(|_| ())?;
        if span.seconds() == 0 { Err(()) } else { Ok(Self(span)) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_longer_than_nothing() {
        for (text, printed) in [("180d", "180d"), ("2w", "14d"), ("36h", "1d12h"), ("48h", "2d")] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()), Ok(printed.to_owned()));
        }
        for wrong in ["", "d", "7", "0d", "-1d", "+1d", "1.5d", "1 d", "7D", "36526d", "7ö"] {
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
