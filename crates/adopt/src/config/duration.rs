//! Durations as Go writes them (`time.ParseDuration`), as plura does: a whole number and one unit.

/// The duration in plura's words; `None` if it is none, or below a millisecond.
pub(super) fn translate(text: &str) -> Option<String> {
    let millis = match text.parse::<u64>() {
        // A bare number is nanoseconds.
        Ok(nanos) => nanos / 1_000_000,
        Err(_) => parse(text)?,
    };
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let whole = |(_, unit): &(&str, u64)| millis > 0 && millis.is_multiple_of(*unit);
    let (name, unit) = units.into_iter().find(whole)?;
    // Two days read better than forty-eight hours; one does not.
    let (name, unit) = if name == "d" && millis == unit { ("h", 3_600_000) } else { (name, unit) };
    Some(format!("{}{name}", millis / unit))
}

fn parse(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut millis = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let factor = match unit {
            "ns" => 1e-6,
            "us" | "µs" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 6e4,
            "h" => 3.6e6,
            _ => return None,
        };
        millis += number.parse::<f64>().ok()? * factor;
        rest = behind;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of digits is not negative, and beyond the range the cast saturates"
    )]
    let millis = millis.round() as u64;
    Some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_their_length() {
        for (go, ours) in [
            ("168h", Some("7d")),
            ("24h", Some("24h")),
            ("1h30m", Some("90m")),
            ("10s", Some("10s")),
            ("1.5s", Some("1500ms")),
            ("60000000000", Some("1m")),
            ("1ns", None),
            ("0", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(translate(go).as_deref(), ours, "{go}");
        }
    }
}
