//! Instants as text.

use plura_meta::Timestamp;

/// An instant as RFC 3339 has it, to the second.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let seconds = jiff::Timestamp::from_second(at.0.div_euclid(1000)).unwrap_or_default();
    seconds.to_string()
}

/// The instant of a text in RFC 3339, or of a date.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let instant: Option<jiff::Timestamp> = text.parse().ok();
    let midnight = || format!("{text}T00:00:00Z").parse::<jiff::Timestamp>().ok();
    Some(Timestamp(instant.or_else(midnight)?.as_millisecond()))
}

/// An instant as RFC 3339 has it, to the millisecond.
pub(crate) fn rfc3339_millis(at: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    format!("{instant:.3}")
}
