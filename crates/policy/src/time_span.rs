use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How long something takes, in whole seconds, as people write it: `90s`, `15m`, `1h30m`, `7d`, `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeSpan(i64);

/// The text is not a time span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as `90s`, `15m`, `1h30m`, `7d` or `2w`, of at most 36525 days")]
pub struct ParseTimeSpanError;

/// The units, the longest first, in seconds.
const UNITS: [(char, i64); 5] =
    [('w', 7 * 86_400), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl TimeSpan {
    /// Nobody waits longer, and nothing is kept longer: a hundred years.
    pub const MAX: Self = Self(36_525 * 86_400);

    /// A span of so many seconds; what is longer than [`Self::MAX`] is cut.
    pub const fn from_seconds(seconds: u32) -> Self {
        // Widened by hand: `i64::from` is no constant function.
        let seconds = seconds as i64;
        if seconds > Self::MAX.0 { Self::MAX } else { Self(seconds) }
    }

    /// The span in seconds.
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// The time when the span is over that began at `start`.
    pub fn after(self, start: Timestamp) -> Timestamp {
        start.saturating_add(SignedDuration::from_secs(self.0)).unwrap_or(Timestamp::MAX)
    }

    /// How long ago `start` was, to the second; nothing where that is in the future.
    pub fn between(start: Timestamp, now: Timestamp) -> Self {
        Self(now.as_second().saturating_sub(start.as_second()).max(0))
    }

    /// Only the largest units, for people: 3 d 4 h rather than 3 d 4 h 12 min 9 s.
    #[must_use]
    pub fn roughly(self) -> Self {
        let unit = match self.0 {
            172_800.. => 86_400,
            7_200.. => 3_600,
            120.. => 60,
            _ => 1,
        };
        Self(self.0 / unit * unit)
    }
}

impl FromStr for TimeSpan {
    type Err = ParseTimeSpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rest = text;
        let mut total: i64 = 0;
        let mut units = UNITS.as_slice();
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let count: i64 = rest[..digits].parse().map_err(|_| ParseTimeSpanError)?;
            let unit = rest[digits..].chars().next().ok_or(ParseTimeSpanError)?;
            // Each unit once and in order, so that there is one way to read it.
            let place = units.iter().position(|(known, _)| *known == unit);
            let place = place.ok_or(ParseTimeSpanError)?;
            let seconds = count.checked_mul(units[place].1).ok_or(ParseTimeSpanError)?;
            total = total.checked_add(seconds).ok_or(ParseTimeSpanError)?;
            units = &units[place + 1..];
            rest = &rest[digits + 1..];
        }
        if text.is_empty() || total > Self::MAX.0 {
            return Err(ParseTimeSpanError);
        }
        Ok(Self(total))
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Weeks are written as days: nobody wants to read `12w6d`.
        let mut rest = self.0;
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, seconds) in &UNITS[1..] {
            let count = rest / seconds;
            rest %= seconds;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, written) in [
            ("90s", Some("1m30s")),
            ("15m", Some("15m")),
            ("1h30m", Some("1h30m")),
            ("2w", Some("14d")),
            ("7d", Some("7d")),
            ("0s", Some("0s")),
            ("36525d", Some("36525d")),
            ("36526d", None),
            ("", None),
            ("15", None),
            ("m", None),
            ("-5m", None),
            ("30m1h", None),
            ("1h1h", None),
            ("1 h", None),
            ("1h ", None),
            ("1é", None),
            ("99999999999999999999s", None),
            ("9999999999999999w", None),
        ] {
            let span = text.parse::<TimeSpan>().ok().map(|span| span.to_string());
            assert_eq!(span.as_deref(), written, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_span_is_read_back(seconds in 0u32..315_360_000) {
            let span = TimeSpan::from_seconds(seconds);
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
