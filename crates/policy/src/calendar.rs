//! When something may be done: weekly windows and freezes, by the clocks of a place.
//!
//! Time zones are those that are built in, so that a decision is the same on every machine.

use std::sync::LazyLock;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::{TimeZone, TimeZoneDatabase},
};

static TIME_ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// How far ahead an opening is looked for: a week, and another for the days on which a window falls
/// into the hour that clocks skip.
const HORIZON: i64 = 15;

/// Hours of some days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) zone: TimeZone,
    pub(crate) days: Vec<Weekday>,
    pub(crate) from: Time,
    /// Where it is not after `from`, it is the next day's.
    pub(crate) to: Time,
}

/// A time in which nothing moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) start: Timestamp,
    /// The first moment that is not part of it.
    pub(crate) end: Timestamp,
}

/// Whether a window is open, and until when that stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It closes then.
    Open(Timestamp),
    /// It opens then; nothing where it never does.
    Closed(Option<Timestamp>),
}

impl Window {
    /// Whether it is open.
    pub(crate) fn at(&self, now: Timestamp) -> Opening {
        let today = now.to_zoned(self.zone.clone()).date();
        let mut next = None;
        // What began yesterday may still be open.
        for offset in -1..=HORIZON {
            let Some(opening) = today.checked_add(offset.days()).ok().and_then(|day| self.on(day))
            else {
                continue;
            };
            if (opening.start..opening.end).contains(&now) {
                return Opening::Open(opening.end);
            }
            if opening.start > now {
                next = Some(next.map_or(opening.start, |known| opening.start.min(known)));
            }
        }
        Opening::Closed(next)
    }

    /// The opening that begins on that day. Clocks that skip an hour have a time in it become the
    /// later one; of an hour that they repeat, the first counts.
    fn on(&self, day: Date) -> Option<Interval> {
        if !self.days.contains(&day.weekday()) {
            return None;
        }
        let last = if self.to > self.from { day } else { day.tomorrow().ok()? };
        let start = moment(day.to_datetime(self.from), &self.zone)?;
        let end = moment(last.to_datetime(self.to), &self.zone)?;
        (start < end).then_some(Interval { start, end })
    }
}

/// Whether any of the windows is open, and until when that stays so.
pub(crate) fn any_of(windows: &[&Window], now: Timestamp) -> Opening {
    let mut closes = None;
    let mut opens: Option<Timestamp> = None;
    for window in windows {
        match window.at(now) {
            Opening::Open(end) => closes = closes.max(Some(end)),
            Opening::Closed(Some(next)) => {
                opens = Some(opens.map_or(next, |known| next.min(known)));
            }
            Opening::Closed(None) => {}
        }
    }
    closes.map_or(Opening::Closed(opens), Opening::Open)
}

/// The time zone of that name.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TIME_ZONES.get(name).ok()
}

/// The moment that clocks there show.
pub(crate) fn moment(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_zoned(time).compatible().ok().map(|zoned| zoned.timestamp())
}

/// The first moment behind a day, for ends that are written as the last day.
pub(crate) fn end_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    moment(day.tomorrow().ok()?.to_datetime(Time::midnight()), zone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];

    fn window(place: &str, days: &[Weekday], from: &str, to: &str) -> Window {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Window { zone: zone(place).unwrap(), days: days.to_vec(), from, to }
    }

    fn check(window: &Window, now: &str, expected: Result<&str, &str>) {
        let read = |text: &str| text.parse::<Timestamp>().unwrap();
        let expected = match expected {
            Ok(closes) => Opening::Open(read(closes)),
            Err(opens) => Opening::Closed(Some(read(opens))),
        };
        assert_eq!(window.at(read(now)), expected, "at {now}");
    }

    #[test]
    fn windows_open_by_the_clocks_of_their_place() {
        let office = window("Asia/Seoul", &ALL[..5], "09:00", "18:00");
        // Friday, 20 November 2026.
        check(&office, "2026-11-20T00:00:00Z", Ok("2026-11-20T09:00:00Z"));
        check(&office, "2026-11-20T08:59:59Z", Ok("2026-11-20T09:00:00Z"));
        check(&office, "2026-11-20T09:00:00Z", Err("2026-11-23T00:00:00Z"));
        check(&office, "2026-11-19T23:59:59Z", Err("2026-11-20T00:00:00Z"));
    }

    #[test]
    fn windows_across_midnight_belong_to_the_day_they_begin_on() {
        let night = window("UTC", &[Weekday::Saturday], "22:00", "04:00");
        check(&night, "2026-11-22T03:59:00Z", Ok("2026-11-22T04:00:00Z"));
        check(&night, "2026-11-22T04:00:00Z", Err("2026-11-28T22:00:00Z"));
        check(&night, "2026-11-21T03:00:00Z", Err("2026-11-21T22:00:00Z"));
        let whole = window("UTC", &[Weekday::Sunday], "00:00", "00:00");
        check(&whole, "2026-11-22T23:59:59Z", Ok("2026-11-23T00:00:00Z"));
    }

    #[test]
    fn clocks_that_change_change_the_window() {
        let office = window("Europe/Berlin", &ALL, "09:00", "17:00");
        // Summer time ends on 25 October 2026.
        check(&office, "2026-10-24T07:00:00Z", Ok("2026-10-24T15:00:00Z"));
        check(&office, "2026-10-25T07:00:00Z", Err("2026-10-25T08:00:00Z"));
        check(&office, "2026-10-25T08:00:00Z", Ok("2026-10-25T16:00:00Z"));
        // On 29 March 2026 there is no time from 02:00 to 03:00.
        let night = window("Europe/Berlin", &ALL, "02:00", "03:00");
        check(&night, "2026-03-28T01:30:00Z", Ok("2026-03-28T02:00:00Z"));
        check(&night, "2026-03-29T00:59:00Z", Err("2026-03-30T00:00:00Z"));
        check(&night, "2026-03-29T01:00:00Z", Err("2026-03-30T00:00:00Z"));
        // On 25 October there is that hour twice, and the window is open from the first on.
        check(&night, "2026-10-25T00:00:00Z", Ok("2026-10-25T02:00:00Z"));
    }

    #[test]
    fn of_several_windows_one_is_enough() {
        let morning = window("UTC", &ALL, "06:00", "10:00");
        let noon = window("UTC", &ALL, "09:00", "12:00");
        let at = |now: &str| any_of(&[&morning, &noon], now.parse().unwrap());
        assert_eq!(
            at("2026-11-20T09:30:00Z"),
            Opening::Open("2026-11-20T12:00:00Z".parse().unwrap())
        );
        assert_eq!(
            at("2026-11-20T13:00:00Z"),
            Opening::Closed(Some("2026-11-21T06:00:00Z".parse().unwrap()))
        );
        assert_eq!(any_of(&[], Timestamp::UNIX_EPOCH), Opening::Closed(None));
        assert_eq!(morning.at(Timestamp::MAX), Opening::Closed(None));
    }

    proptest! {
        /// What is said about the end of a state holds: it lasts until then, and is another one then.
        #[test]
        fn a_window_changes_when_it_says(
            seconds in 1_600_000_000i64..1_900_000_000,
            place in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York",
                "Australia/Lord_Howe", "Asia/Seoul", "Africa/Cairo"]),
            days in prop::sample::subsequence(ALL.to_vec(), 1..7),
            (from, to) in (0i8..24, 0i8..24),
        ) {
            let (from, to) = (Time::constant(from, 30, 0, 0), Time::constant(to, 0, 0, 0));
            let window = Window { zone: zone(place).unwrap(), days, from, to };
            let now = Timestamp::from_second(seconds).unwrap();
            let second = jiff::SignedDuration::from_secs(1);
            match window.at(now) {
                Opening::Open(end) => {
                    prop_assert!(end > now);
                    prop_assert_eq!(window.at(end - second), Opening::Open(end));
                    prop_assert_ne!(window.at(end), Opening::Open(end));
                }
                Opening::Closed(next) => {
                    let next = next.unwrap();
                    prop_assert!(next > now);
                    prop_assert_eq!(window.at(next - second), Opening::Closed(Some(next)));
                    prop_assert!(matches!(window.at(next), Opening::Open(_)));
                }
            }
        }
    }
}
