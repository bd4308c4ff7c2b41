//! `plura audit`: who did what.

use clap::{Args, ValueEnum};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::ServerArgs;
use crate::settings::Span;

const HELP: &str = "\
The newest entries come first. Times are like `2026-07-01`, `2026-07-01T12:00:00Z`, or how long ago: \
`24h`, `7d`.

Examples:
  plura audit --since 24h --outcome denied
  plura audit --actor robot+apps+ci --action manifest.push --limit 10
  plura audit --project apps --since 2026-07-01 --limit 100000 --jsonl > july.jsonl";

/// Which entries
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct AuditArgs {
    /// Of this user or robot
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: Option<String>,

    /// Of this kind, such as `manifest.push`, or with a dot at the end, all that begin so
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: Option<String>,

    /// About this, such as `apps/web:1.0`
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<String>,

    /// That ended like this
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<Outcome>,

    /// In this project
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,

    /// Not before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,

    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,

    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,

    #[command(flatten)]
    pub(crate) output: AuditOutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How entries are printed.
#[derive(Debug, Args)]
pub(crate) struct AuditOutputArgs {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Print as JSON, one entry a line, each as soon as it arrives
    #[arg(long, conflicts_with = "json")]
    pub(crate) jsonl: bool,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    /// It was allowed.
    #[value(help = None)]
    Allowed,
    /// It was denied.
    #[value(help = None)]
    Denied,
}

impl Outcome {
    /// The outcome as the server calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

/// A time, UTC unless it says otherwise, the midnight before a day, or a span before now.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let span = || {
        let span = SignedDuration::try_from(text.parse::<Span>().ok()?.duration()).ok()?;
        Timestamp::now().checked_sub(span).ok()
    };
    // The name of a time zone in brackets would be read over.
    let plain = || text.parse::<DateTime>().ok().filter(|_| !text.contains('['));
    let plain = || Some(plain()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let time = text.parse().ok().or_else(span).or_else(plain);
    time.ok_or(format!(
        "expected a time such as \"2026-07-01\" or \"2026-07-01T12:00:00Z\", or how long ago, such \
         as \"24h\", found {text:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_days_and_spans() {
        for (text, expected) in [
            ("2026-07-01", "2026-07-01T00:00:00Z"),
            ("2026-07-01T12:30:00", "2026-07-01T12:30:00Z"),
            ("2026-07-01T12:30:00Z", "2026-07-01T12:30:00Z"),
            ("2026-07-01T12:30:00+02:00", "2026-07-01T10:30:00Z"),
        ] {
            assert_eq!(moment(text).map(|time| time.to_string()), Ok(expected.to_owned()));
        }
        let hour_ago = moment("1h").expect("a span");
        let ago = Timestamp::now().duration_since(hour_ago).as_secs();
        assert!((3600..3700).contains(&ago), "{ago}");
        for text in
            ["", "yesterday", "-1h", "18446744073709551615ms", "2026-07-01T12:30:00[Europe/Berlin]"]
        {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
