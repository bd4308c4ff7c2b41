//! When what failed is sent again, and when it is given up.

use std::time::Duration;

use plura_meta::{Timestamp, webhook_delivery::State};

/// The wait after the first attempt; it doubles with each.
const FIRST: Duration = Duration::from_secs(10);
/// The longest wait.
const LONGEST: Duration = Duration::from_hours(1);
/// How old a delivery may become.
const PATIENCE: Duration = Duration::from_hours(24);
/// A receiver that refuses so often does not want it, and what comes behind it waits.
const REFUSALS: i64 = 5;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was accepted.
    Accepted,
    /// It was understood and is not wanted, or may not be sent.
    Refused,
    /// It may be accepted another time.
    Failed,
}

impl Ending {
    /// What a status says.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Accepted,
            // Too slow, too early, too many: those say "later".
            408 | 425 | 429 | 500.. => Self::Failed,
            _ => Self::Refused,
        }
    }
}

/// What becomes of a delivery that was made at `created` and sent `before` times before, and when it is
/// sent next.
pub(crate) fn after(
    ending: Ending,
    before: i64,
    created: Timestamp,
    now: Timestamp,
) -> (State, Timestamp) {
    let next = now.after(wait(before));
    match ending {
        Ending::Accepted => (State::Delivered, now),
        Ending::Refused if before + 1 >= REFUSALS => (State::Dead, now),
        _ if next > created.after(PATIENCE) => (State::Dead, now),
        _ => (State::Waiting, next),
    }
}

fn wait(before: i64) -> Duration {
    let doublings = u32::try_from(before).unwrap_or(u32::MAX);
    let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
    FIRST.saturating_mul(factor).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn waits_double_up_to_an_hour() {
        let seconds: Vec<u64> = (0..11).map(|before| wait(before).as_secs()).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        assert_eq!(wait(i64::MAX).as_secs(), 3600);
    }

    #[test]
    fn what_is_not_wanted_ends_soon_and_what_fails_after_a_day() {
        let at = |ending, before, now| after(ending, before, Timestamp(0), Timestamp(now)).0;
        assert_eq!(at(Ending::Accepted, 9, 30 * HOUR), State::Delivered);
        assert_eq!(at(Ending::Refused, 3, 0), State::Waiting);
        assert_eq!(at(Ending::Refused, 4, 0), State::Dead);
        assert_eq!(at(Ending::Failed, 20, 22 * HOUR), State::Waiting);
        assert_eq!(at(Ending::Failed, 20, 24 * HOUR), State::Dead);
        assert_eq!(at(Ending::Failed, 0, 25 * HOUR), State::Dead);
    }

    #[test]
    fn statuses_say_whether_another_time_helps() {
        for (status, expected) in [
            (200, Ending::Accepted),
            (204, Ending::Accepted),
            (302, Ending::Refused),
            (400, Ending::Refused),
            (404, Ending::Refused),
            (408, Ending::Failed),
            (429, Ending::Failed),
            (503, Ending::Failed),
        ] {
            assert_eq!(Ending::of_status(status), expected, "{status}");
        }
    }
}
