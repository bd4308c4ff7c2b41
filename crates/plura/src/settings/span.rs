//! Lengths of time as people write them: `90s`, `24h`, `14d`.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use super::text::{Rejected, Text, text_serde};

/// Milliseconds in each unit, the largest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time, possibly zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(Duration);

impl Span {
    /// The span as the standard library counts it.
    pub(crate) fn duration(self) -> Duration {
        self.0
    }
}

impl Text for Span {
    const EXPECTED: &'static str = r#"a duration such as "90s", "24h" or "14d""#;
}

impl FromStr for Span {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        milliseconds(text).map(|ms| Self(Duration::from_millis(ms))).ok_or(Self::reject(text))
    }
}

/// The largest unit that divides the span, days only from two days on: a day is read as `24h`.
impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let fits = |&&(name, unit): &&(&str, u64)| {
            let least = if name == "d" { 2 } else { 1 };
            ms.is_multiple_of(unit) && ms / unit >= least
        };
        let &(name, unit) = UNITS.iter().find(fits).unwrap_or(&("s", 1_000));
        write!(f, "{}{name}", ms / unit)
    }
}

text_serde!(Span);

/// A length of time above zero: the pause of a loop, or a limit that zero would make useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PositiveSpan(Span);

impl PositiveSpan {
    /// The span as the standard library counts it; never zero.
    pub(crate) fn duration(self) -> Duration {
        self.0.duration()
    }
}

impl Text for PositiveSpan {
    const EXPECTED: &'static str = r#"a duration above zero such as "90s", "24h" or "14d""#;
}

impl FromStr for PositiveSpan {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        match text.parse() {
            Ok(Span(Duration::ZERO)) | Err(_) => Err(Self::reject(text)),
            Ok(span) => Ok(Self(span)),
        }
    }
}

impl Display for PositiveSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_serde!(PositiveSpan);

/// How long something is kept: a span, or for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Until this long after it was last of use.
    For(Span),
    /// Never removed.
    Forever,
}

impl Text for Keep {
    const EXPECTED: &'static str = r#"a duration such as "24h" or "30d", or "forever""#;
}

impl FromStr for Keep {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        match text {
            "forever" => Ok(Self::Forever),
            _ => text.parse().map(Self::For).map_err(|_| Self::reject(text)),
        }
    }
}

impl Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(span) => span.fmt(f),
            Self::Forever => f.write_str("forever"),
        }
    }
}

text_serde!(Keep);

/// The milliseconds of `text`: a whole number and a unit, nothing between them.
fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Text>(text: &str, printed: &str) {
        assert_eq!(text.parse::<T>().map(|value| value.to_string()), Ok(printed.to_owned()));
    }

    #[track_caller]
    fn rejected<T: Text>(text: &str) {
        let error = text.parse::<T>().err().unwrap_or_else(|| panic!("{text:?} was accepted"));
        assert!(error.to_string().contains(T::EXPECTED), "{error}");
    }

    #[test]
    fn spans_print_in_the_largest_unit_that_divides_them() {
        for (text, printed) in [
            ("0s", "0s"),
            ("0d", "0s"),
            ("90s", "90s"),
            ("120s", "2m"),
            ("1500ms", "1500ms"),
            ("60m", "1h"),
            ("24h", "24h"),
            ("1d", "24h"),
            ("48h", "2d"),
            ("30d", "30d"),
        ] {
            check::<Span>(text, printed);
        }
    }

    #[test]
    fn other_text_is_not_a_span() {
        for text in ["", "s", "5", "-5s", "+5s", "1.5h", "5 s", "5S", "1h30m", "soon"] {
            rejected::<Span>(text);
        }
        rejected::<Span>("18446744073709551615d");
    }

    #[test]
    fn a_positive_span_is_not_zero() {
        check::<PositiveSpan>("1ms", "1ms");
        rejected::<PositiveSpan>("0s");
    }

    #[test]
    fn keeping_may_have_no_end() {
        check::<Keep>("forever", "forever");
        check::<Keep>("0s", "0s");
        rejected::<Keep>("always");
    }
}
