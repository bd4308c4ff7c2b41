//! How often something may happen, by key: an address, an account, a repository.
//!
//! The generic cell rate algorithm: one instant per key says when its next turn would come if it
//! took turns evenly. Whoever is ahead of that by no more than the burst may go on.

use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::fading::{Fade, Fading};

/// So many per second in the long run, and a burst of so many at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The time that one takes.
    interval: Duration,
    /// How far ahead of its turns a key may be and still go on.
    ahead: Duration,
}

/// A rate that cannot be kept to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is from 0.0001 to 1000000 per second, with a burst from 1 to 1000000")]
pub struct InvalidRate;

impl Rate {
    /// `per_second` may be less than one: 0.1 is six in a minute.
    pub fn new(per_second: f64, burst: u32) -> Result<Self, InvalidRate> {
        let valid = (1e-4..=1e6).contains(&per_second) && (1..=1_000_000).contains(&burst);
        let interval = Duration::try_from_secs_f64(per_second.recip());
        let (true, Ok(interval)) = (valid, interval) else {
            return Err(InvalidRate);
        };
        // The conversion rounds to a nanosecond, perhaps down; the promise is never to admit more.
        let interval = interval + Duration::from_nanos(1);
        Ok(Self { interval, ahead: interval * (burst - 1) })
    }
}

/// Refused for now; the same would be admitted after this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests, retry after {:.1} s", .0.as_secs_f64())]
pub struct RetryAfter(pub Duration);

/// The state of every key.
pub struct Limiter<K> {
    rate: Rate,
    turns: Fading<K, Turn>,
}

/// When the next turn of a key would come. One that is past is as good as none.
#[derive(Clone, Copy)]
struct Turn(Instant);

impl Fade for Turn {
    fn fades(&self) -> Instant {
        self.0
    }
}

impl<K: Eq + Hash> Limiter<K> {
    /// `capacity` bounds the memory. A key that is forgotten for lack of room, the one with the most
    /// of its burst left first, begins with a whole burst again.
    pub fn new(rate: Rate, capacity: usize) -> Self {
        Self { rate, turns: Fading::new(capacity) }
    }

    /// Admits one for `key`, or says when.
    pub fn check(&self, key: K, now: Instant) -> Result<(), RetryAfter> {
        self.turns.update(key, now, |turn| {
            let next = turn.map_or(now, |Turn(next)| next.max(now));
            let early = next.saturating_duration_since(now).saturating_sub(self.rate.ahead);
            if early > Duration::ZERO {
                return Err(RetryAfter(early));
            }
            // The end of time is never reached: a rate is bounded in `Rate::new`.
            *turn = next.checked_add(self.rate.interval).map(Turn);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_per_interval() {
        let (limiter, start) = (Limiter::new(Rate::new(2.0, 3).unwrap(), 100), Instant::now());
        for _ in 0..3 {
            assert_eq!(limiter.check("a", start), Ok(()));
        }
        let RetryAfter(wait) = limiter.check("a", start).unwrap_err();
        assert!(wait > Duration::from_millis(499) && wait < Duration::from_millis(501), "{wait:?}");
        assert_eq!(limiter.check("b", start), Ok(()), "another key has a burst of its own");
        assert_eq!(limiter.check("a", start + wait), Ok(()));
        assert!(limiter.check("a", start + wait).is_err());
    }

    #[test]
    fn asking_while_refused_costs_nothing() {
        let (limiter, start) = (Limiter::new(Rate::new(1.0, 1).unwrap(), 100), Instant::now());
        limiter.check((), start).unwrap();
        let RetryAfter(wait) = limiter.check((), start).unwrap_err();
        for _ in 0..100 {
            assert_eq!(limiter.check((), start), Err(RetryAfter(wait)));
        }
        assert_eq!(limiter.check((), start + wait), Ok(()));
    }

    #[test]
    fn rates_that_cannot_be_kept_are_refused() {
        for (per_second, burst) in
            [(0.0, 1), (-1.0, 1), (f64::NAN, 1), (f64::INFINITY, 1), (1.0, 0), (1e9, 1), (1e-9, 1)]
        {
            assert_eq!(Rate::new(per_second, burst), Err(InvalidRate), "{per_second} {burst}");
        }
        assert!(Rate::new(1e-4, 1_000_000).is_ok());
    }

    #[test]
    fn time_may_seem_to_go_back() {
        let (limiter, start) = (Limiter::new(Rate::new(1.0, 2).unwrap(), 100), Instant::now());
        let later = start + Duration::from_mins(1);
        limiter.check((), later).unwrap();
        // Another thread read the clock before; it is not admitted more for that.
        assert!(limiter.check((), start).is_err());
    }

    #[test]
    fn threads_share_one_allowance() {
        let limiter = Limiter::new(Rate::new(1.0, 1000).unwrap(), 100);
        let now = Instant::now();
        let admitted: usize = std::thread::scope(|scope| {
            let count = || (0..1000).filter(|_| limiter.check("key", now).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 1000);
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_rate(
            per_second in 0.01_f64..5000.0,
            burst in 1_u32..50,
            gaps in prop::collection::vec(0_u64..400_000_000, 1..400),
        ) {
            let limiter = Limiter::new(Rate::new(per_second, burst).unwrap(), 16);
            let start = Instant::now();
            let (mut now, mut admitted) = (start, 0_u32);
            for gap in gaps {
                now += Duration::from_nanos(gap);
                match limiter.check((), now) {
                    Ok(()) => admitted += 1,
                    Err(RetryAfter(wait)) => {
                        prop_assert!(wait > Duration::ZERO);
                        let early = now + wait.saturating_sub(Duration::from_nanos(1));
                        prop_assert!(limiter.check((), early).is_err(), "no earlier than it said");
                    }
                }
                let allowed = f64::from(burst) + per_second * (now - start).as_secs_f64();
                prop_assert!(f64::from(admitted) <= allowed + 1e-6, "{admitted} > {allowed}");
            }
            let idle = now + Duration::from_secs_f64(f64::from(burst + 1) / per_second);
            for _ in 0..burst {
                prop_assert!(limiter.check((), idle).is_ok(), "an idle key has its burst back");
            }
        }
    }
}
