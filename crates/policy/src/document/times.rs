use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    calendar::{self, Interval, Window},
    document::problem::{Place, shortened},
    glob::Glob,
};

/// Hours of some days of the week, in which something may be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyWindow)]
pub struct WindowDocument {
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// By whose clocks, as in the IANA database: `Asia/Seoul`.
    pub time_zone: String,
    /// On which days: `monday`, or `monday-friday`; every day if nothing is said.
    #[serde(default)]
    pub days: Vec<String>,
    /// From when: `09:00`.
    pub from: String,
    /// Until when. What is not after `from` is on the next day.
    pub to: String,
}

/// A time in which nothing moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyFreeze)]
pub struct FreezeDocument {
    /// What it is called.
    pub name: String,
    /// Why.
    pub reason: String,
    /// By whose clocks; UTC if nothing is said.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// The first day, `2026-12-20`, or the first minute, `2026-12-20T18:00`.
    pub from: String,
    /// The last day, or the first minute that is free again.
    pub to: String,
    /// Patterns of the channels that it holds for, `prod:*`; for all if nothing is said.
    #[serde(default)]
    pub channels: Vec<String>,
}

/// A freeze that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Freeze {
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) time: Interval,
    pub(crate) channels: Vec<Glob>,
    pub(crate) path: String,
}

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

impl WindowDocument {
    pub(super) fn compile(&self, place: &mut Place<'_>) -> Option<Window> {
        let zone = zone(Some(&self.time_zone), place);
        let mut days = Vec::new();
        let mut listed = place.at("days");
        for (index, text) in self.days.iter().enumerate() {
            match days_of(text) {
                Some(some) => days.extend(some),
                None => listed.item(index).problem(
                    format!("`{}`", shortened(text)),
                    "expected a day such as `monday`, or days such as `monday-friday`",
                ),
            }
        }
        if self.days.is_empty() {
            days.extend(DAYS.map(|(_, day)| day));
        }
        let from = time(&self.from, &mut place.at("from"));
        let to = time(&self.to, &mut place.at("to"));
        Some(Window { zone: zone?, days, from: from?, to: to? })
    }
}

impl FreezeDocument {
    pub(super) fn compile(&self, place: &mut Place<'_>) -> Option<Freeze> {
        let zone = zone(self.time_zone.as_ref(), place)?;
        let start = moment(&self.from, &mut place.at("from"), |time| match time {
            Written::Day(day) => calendar::moment(day.to_datetime(Time::midnight()), &zone),
            Written::Minute(time) => calendar::moment(time, &zone),
        });
        let end = moment(&self.to, &mut place.at("to"), |time| match time {
            Written::Day(day) => calendar::end_of(day, &zone),
            Written::Minute(time) => calendar::moment(time, &zone),
        });
        let channels = place.at("channels").parse_all(&self.channels);
        if self.reason.trim().is_empty() {
            place.at("reason").problem("no reason", "say why, for those who have to wait");
        }
        let time = Interval { start: start?, end: end? };
        if time.start >= time.end {
            place.problem("the freeze ends before it begins", "swap `from` and `to`");
            return None;
        }
        let (name, reason) = (self.name.clone(), self.reason.clone());
        Some(Freeze { name, reason, time, channels, path: place.path().to_owned() })
    }
}

impl Freeze {
    /// Whether it is about that channel.
    pub(crate) fn covers(&self, channel: &str) -> bool {
        self.channels.is_empty() || self.channels.iter().any(|glob| glob.covers(channel))
    }
}

/// `monday`, or `friday-monday`.
fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let position = |name: &str| DAYS.iter().position(|(known, _)| *known == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (position(first)?, position(last)?);
    let count = (last + 7 - first) % 7 + 1;
    Some((0..count).map(|offset| DAYS[(first + offset) % 7].1).collect())
}

fn zone(name: Option<&String>, place: &mut Place<'_>) -> Option<TimeZone> {
    let Some(name) = name else { return Some(TimeZone::UTC) };
    let zone = calendar::zone(name);
    if zone.is_none() {
        let observed = format!("`{}`", shortened(name));
        place.at("time_zone").problem(observed, "expected a name such as `Europe/Berlin` or `UTC`");
    }
    zone
}

fn time(text: &str, place: &mut Place<'_>) -> Option<Time> {
    let read = text.split_once(':').and_then(|(hour, minute)| {
        let number = |text: &str| text.parse().ok().filter(|_| text.len() == 2);
        Time::new(number(hour)?, number(minute)?, 0, 0).ok()
    });
    if read.is_none() {
        place.problem(
            format!("`{}`", shortened(text)),
            "expected a time from `00:00` to `23:59`; `00:00` as an end is midnight",
        );
    }
    read
}

enum Written {
    Day(Date),
    Minute(DateTime),
}

fn moment(
    text: &str,
    place: &mut Place<'_>,
    place_in_time: impl FnOnce(Written) -> Option<Timestamp>,
) -> Option<Timestamp> {
    let written = if text.len() == "2026-12-20".len() {
        text.parse().ok().map(Written::Day)
    } else {
        text.parse().ok().filter(|_| text.contains('T')).map(Written::Minute)
    };
    let moment = written.and_then(place_in_time);
    if moment.is_none() {
        let observed = format!("`{}`", shortened(text));
        place.problem(observed, "expected a day, `2026-12-20`, or a minute, `2026-12-20T18:00`");
    }
    moment
}
