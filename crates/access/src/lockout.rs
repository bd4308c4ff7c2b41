//! Guessing is made slow without letting one person lock another out.
//!
//! Failures are counted three times: for a name from one address, for an address over all names, and
//! for a name over all addresses. Only the last can hinder somebody who has done nothing, so an
//! address from which that name logged in before is exempt from it, as it is from what its neighbours
//! behind the same address do.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::{
    authenticate::hex,
    fading::{Fade, Fading},
};

/// For how long a login makes an address known for a name.
pub(crate) const KNOWN: Duration = Duration::from_hours(30 * 24);

const PAIR: Rule =
    Rule { tolerated: 5, within: Duration::from_hours(1), longest: Duration::from_mins(15) };

const ADDRESS: Rule =
    Rule { tolerated: 50, within: Duration::from_mins(10), longest: Duration::from_mins(15) };

/// The lock is shorter here: a person at a new address must have a chance in the pauses, while ten
/// thousand addresses together still try no more than one password in a minute.
const NAME: Rule =
    Rule { tolerated: 100, within: Duration::from_mins(15), longest: Duration::from_mins(1) };

/// After so many failures within that time the next attempt has to wait, a second at first and twice
/// as long with each failure that follows.
struct Rule {
    tolerated: u32,
    within: Duration,
    longest: Duration,
}

/// Too many failures; the next attempt is looked at after this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many failed logins, retry after {} s", .retry_after.as_secs().max(1))]
pub struct Locked {
    /// How long to wait.
    pub retry_after: Duration,
}

/// The failed logins of late. In memory: a restart forgives, unless they are counted in a database, too,
/// from which they come back.
///
/// Ask [`Lockout::check`] before a password is verified, then tell it the outcome.
pub struct Lockout {
    pairs: Fading<(Name, Prefix), Streak>,
    addresses: Fading<Prefix, Streak>,
    names: Fading<Name, Streak>,
    known: Fading<(Name, Prefix), Known>,
    /// When the last of all locks ends, in milliseconds after `begun`.
    quiet_from: AtomicU64,
    begun: Instant,
    /// Others count, too, and may have locked what was locked before.
    shared: bool,
}

impl Lockout {
    /// `capacity` bounds the memory: so many names, addresses and pairs of them.
    pub fn new(capacity: usize) -> Self {
        Self {
            pairs: Fading::new(capacity),
            addresses: Fading::new(capacity),
            names: Fading::new(capacity),
            known: Fading::new(capacity),
            quiet_from: AtomicU64::new(0),
            begun: Instant::now(),
            shared: false,
        }
    }

    /// The same for a process that is told by [`Lockout::replace`] what others count.
    pub(crate) fn shared(capacity: usize) -> Self {
        Self { shared: true, ..Self::new(capacity) }
    }

    /// Whether nobody is locked out, as far as this process may believe: then [`Lockout::check`] would
    /// let everybody pass.
    pub fn is_quiet(&self, now: Instant) -> bool {
        self.milliseconds(now) >= self.quiet_from.load(SeqCst)
    }

    /// Whether an attempt for `name` from `address` may be made now. A name that does not exist is
    /// treated like any other.
    pub fn check(&self, name: &str, address: IpAddr, now: Instant) -> Result<(), Locked> {
        let (name, prefix) = (Name::of(name), Prefix::of(address));
        let standing = Standing {
            pair: self.pairs.get(&(name, prefix), now),
            address: self.addresses.get(&prefix, now),
            name: self.names.get(&name, now),
            known: self.known.get(&(name, prefix), now),
        };
        standing.check(now)
    }

    /// What counts is this: all that anybody counted.
    pub(crate) fn replace(&self, name: &str, address: IpAddr, standing: Standing, now: Instant) {
        let (name, prefix) = (Name::of(name), Prefix::of(address));
        for (rule, streak) in
            [(&PAIR, standing.pair), (&ADDRESS, standing.address), (&NAME, standing.name)]
        {
            self.disturb(rule, streak);
        }
        self.pairs.update((name, prefix), now, |streak| *streak = standing.pair);
        self.addresses.update(prefix, now, |streak| *streak = standing.address);
        self.names.update(name, now, |streak| *streak = standing.name);
        self.known.update((name, prefix), now, |known| *known = standing.known);
    }

    /// The credentials were wrong.
    pub fn failed(&self, name: &str, address: IpAddr, now: Instant) {
        let (name, prefix) = (Name::of(name), Prefix::of(address));
        let count = |rule: &Rule, streak: &mut Option<Streak>| {
            rule.count(streak, now);
            self.disturb(rule, *streak);
        };
        self.pairs.update((name, prefix), now, |streak| count(&PAIR, streak));
        self.addresses.update(prefix, now, |streak| count(&ADDRESS, streak));
        self.names.update(name, now, |streak| count(&NAME, streak));
    }

    /// The credentials were right. This clears the failures of the name from this address, and not
    /// those of the address: else an account of one's own would pay for guesses at others.
    pub fn succeeded(&self, name: &str, address: IpAddr, now: Instant) {
        let pair = (Name::of(name), Prefix::of(address));
        self.pairs.update(pair, now, |streak| *streak = None);
        let known = now.checked_add(KNOWN).map(Known);
        self.known.update(pair, now, |state| *state = known);
    }

    /// It is not quiet before this lock ends. Where others count, they may lock again at any time what
    /// was locked, so that they have to be asked for as long as it is counted.
    fn disturb(&self, rule: &Rule, streak: Option<Streak>) {
        let Some(streak) = streak.filter(|streak| streak.failures >= rule.tolerated) else {
            return;
        };
        let until = if self.shared { streak.ends } else { streak.locked_until };
        // A millisecond more, for what is cut off.
        self.quiet_from.fetch_max(self.milliseconds(until) + 1, SeqCst);
    }

    fn milliseconds(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.begun);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A name by its hash: what is presented as a name may be of any length.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name([u8; 32]);

impl Name {
    pub(crate) fn of(name: &str) -> Self {
        Self(Sha256::digest(name.as_bytes()).into())
    }

    pub(crate) fn to_text(self) -> String {
        hex(&self.0)
    }
}

/// What one party controls: an IPv4 address, or the network of 64 bits that IPv6 hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Prefix {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4(octets) => Ipv4Addr::from(octets).fmt(f),
            Self::V6(first) => {
                let mut segments = [0; 8];
                segments[..4].copy_from_slice(&first);
                write!(f, "{}/64", Ipv6Addr::from(segments))
            }
        }
    }
}

impl Prefix {
    pub(crate) fn of(address: IpAddr) -> Self {
        // An IPv4 client of a socket that listens on both comes as ::ffff:192.0.2.1.
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// What was counted that concerns a name and an address.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) pair: Option<Streak>,
    pub(crate) address: Option<Streak>,
    pub(crate) name: Option<Streak>,
    pub(crate) known: Option<Known>,
}

impl Standing {
    /// Whether an attempt may be made now.
    pub(crate) fn check(&self, now: Instant) -> Result<(), Locked> {
        let others =
            [self.address, self.name].map(|streak| streak.filter(|_| self.known.is_none()));
        let streaks = [self.pair].into_iter().chain(others).flatten();
        let locked = streaks.filter_map(|streak| streak.remaining(now)).max();
        locked.map_or(Ok(()), |retry_after| Err(Locked { retry_after }))
    }

    /// The credentials were wrong.
    pub(crate) fn fail(&mut self, now: Instant) {
        PAIR.count(&mut self.pair, now);
        ADDRESS.count(&mut self.address, now);
        NAME.count(&mut self.name, now);
    }
}

/// Failures that followed each other.
#[derive(Clone, Copy)]
pub(crate) struct Streak {
    pub(crate) failures: u32,
    pub(crate) locked_until: Instant,
    /// When it is forgotten, if nothing is added.
    pub(crate) ends: Instant,
}

impl Streak {
    fn remaining(&self, now: Instant) -> Option<Duration> {
        self.locked_until.checked_duration_since(now).filter(|left| !left.is_zero())
    }
}

impl Fade for Streak {
    fn fades(&self) -> Instant {
        self.ends
    }
}

/// Until when an address is known for a name.
#[derive(Clone, Copy)]
pub(crate) struct Known(pub(crate) Instant);

impl Fade for Known {
    fn fades(&self) -> Instant {
        self.0
    }
}

impl Rule {
    /// Counts one more.
    fn count(&self, streak: &mut Option<Streak>, now: Instant) {
        let failures = streak.map_or(0, |streak| streak.failures).saturating_add(1);
        let lock = match failures.checked_sub(self.tolerated) {
            Some(more) => self.longest.min(Duration::from_secs(1_u64 << more.min(32))),
            None => Duration::ZERO,
        };
        let locked_until = now + lock;
        // Below the limit the time counts from the first failure; beyond it the streak lasts as long
        // as it is kept up, and that time more.
        let ends = match *streak {
            Some(streak) if lock.is_zero() => streak.ends,
            _ => locked_until + self.within,
        };
        *streak = Some(Streak { failures, locked_until, ends });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOME: &str = "192.0.2.1";
    const ELSEWHERE: &str = "198.51.100.7";

    struct Door {
        lockout: Lockout,
        now: Instant,
    }

    impl Door {
        fn new() -> Self {
            Self { lockout: Lockout::new(10_000), now: Instant::now() }
        }

        fn wait(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }

        /// Seconds that it is locked.
        fn locked(&self, name: &str, address: &str) -> u64 {
            let checked = self.lockout.check(name, address.parse().unwrap(), self.now);
            checked.map_or_else(|locked| locked.retry_after.as_secs(), |()| 0)
        }

        fn fail(&self, name: &str, address: &str) {
            self.lockout.failed(name, address.parse().unwrap(), self.now);
        }

        fn succeed(&self, name: &str, address: &str) {
            self.lockout.succeeded(name, address.parse().unwrap(), self.now);
        }
    }

    #[test]
    fn the_lock_doubles_from_a_second_to_fifteen_minutes() {
        let mut door = Door::new();
        for _ in 0..4 {
            door.fail("alice", HOME);
            assert_eq!(door.locked("alice", HOME), 0);
        }
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            door.fail("alice", HOME);
            assert_eq!(door.locked("alice", HOME), seconds);
            door.wait(seconds);
            assert_eq!(door.locked("alice", HOME), 0);
        }
        door.wait(3600);
        door.fail("alice", HOME);
        assert_eq!(door.locked("alice", HOME), 0, "forgotten after a quiet hour");
    }

    #[test]
    fn it_is_quiet_when_the_last_lock_has_ended() {
        let mut door = Door::new();
        let mut quiet = Vec::new();
        for _ in 0..6 {
            door.fail("alice", HOME);
            quiet.push(door.lockout.is_quiet(door.now + Duration::from_millis(1)));
        }
        assert_eq!(quiet, [true, true, true, true, false, false]);
        door.fail("bob", HOME);
        assert!(!door.lockout.is_quiet(door.now), "others do not end it");
        door.wait(3);
        assert!(door.lockout.is_quiet(door.now));
    }

    #[test]
    fn a_success_clears_the_pair() {
        let door = Door::new();
        for _ in 0..10 {
            door.fail("alice", HOME);
        }
        door.succeed("alice", HOME);
        assert_eq!(door.locked("alice", HOME), 0);
        door.fail("alice", HOME);
        assert_eq!(door.locked("alice", HOME), 0);
    }

    #[test]
    fn failures_elsewhere_lock_nobody_out() {
        let door = Door::new();
        for _ in 0..60 {
            door.fail("alice", ELSEWHERE);
        }
        assert!(door.locked("alice", ELSEWHERE) > 0);
        assert_eq!(door.locked("alice", HOME), 0);
    }

    #[test]
    fn an_address_that_tries_many_names_is_locked() {
        let mut door = Door::new();
        for number in 0..49 {
            door.fail(&format!("user{number}"), ELSEWHERE);
        }
        assert_eq!(door.locked("alice", ELSEWHERE), 0);
        door.fail("bob", ELSEWHERE);
        assert_eq!(door.locked("alice", ELSEWHERE), 1);
        door.fail("carol", ELSEWHERE);
        assert_eq!(door.locked("alice", ELSEWHERE), 2);
        door.wait(602);
        assert_eq!(door.locked("alice", ELSEWHERE), 0);
    }

    #[test]
    fn failures_that_are_far_apart_do_not_add_up_for_an_address() {
        let mut door = Door::new();
        for number in 0..300 {
            door.fail(&format!("user{number}"), ELSEWHERE);
            door.wait(15);
        }
        assert_eq!(door.locked("alice", ELSEWHERE), 0);
    }

    #[test]
    fn an_account_of_ones_own_does_not_pay_for_guesses() {
        let door = Door::new();
        for number in 0..60 {
            door.fail(&format!("user{number}"), ELSEWHERE);
            door.succeed("mallory", ELSEWHERE);
        }
        assert!(door.locked("alice", ELSEWHERE) > 0);
        assert_eq!(door.locked("mallory", ELSEWHERE), 0, "who logs in there is not in their way");
    }

    #[test]
    fn many_addresses_against_one_name_are_slowed_and_known_ones_are_not() {
        let mut door = Door::new();
        door.succeed("alice", HOME);
        for number in 0..200 {
            door.fail("alice", &format!("203.0.113.{number}"));
        }
        assert_eq!(door.locked("alice", ELSEWHERE), 60);
        assert_eq!(door.locked("alice", HOME), 0);
        assert_eq!(door.locked("bob", ELSEWHERE), 0);
        door.wait(60);
        assert_eq!(door.locked("alice", ELSEWHERE), 0);
        door.fail("alice", "203.0.113.250");
        assert_eq!(door.locked("alice", ELSEWHERE), 60, "as long as it goes on");
        door.wait(31 * 24 * 3600);
        for number in 0..200 {
            door.fail("alice", &format!("203.0.113.{number}"));
        }
        assert_eq!(door.locked("alice", HOME), 60, "known for thirty days");
    }

    #[test]
    fn a_known_address_is_still_slowed_by_its_own_failures() {
        let door = Door::new();
        door.succeed("alice", HOME);
        for _ in 0..5 {
            door.fail("alice", HOME);
        }
        assert_eq!(door.locked("alice", HOME), 1);
    }

    #[test]
    fn addresses_of_one_party_count_together() {
        let door = Door::new();
        for number in 1..=5 {
            door.fail("alice", &format!("2001:db8:1:2::{number}"));
            door.fail("bob", "::ffff:192.0.2.1");
        }
        assert_eq!(door.locked("alice", "2001:db8:1:2:ffff::1"), 1);
        assert_eq!(door.locked("alice", "2001:db8:1:3::1"), 0);
        assert_eq!(door.locked("bob", HOME), 1);
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let door = Door::new();
        for _ in 0..1000 {
            door.fail("alice", HOME);
        }
        assert_eq!(door.locked("alice", HOME), 900);
        let mut streak =
            Some(Streak { failures: u32::MAX, locked_until: door.now, ends: door.now });
        PAIR.count(&mut streak, door.now);
        assert_eq!(streak.unwrap().remaining(door.now), Some(PAIR.longest));
    }

    #[test]
    fn a_flood_of_names_does_not_free_who_is_locked() {
        let lockout = Lockout::new(256);
        let now = Instant::now();
        let attacker: IpAddr = ELSEWHERE.parse().unwrap();
        for _ in 0..16 {
            lockout.failed("alice", attacker, now);
        }
        for number in 0..5000 {
            lockout.failed(&number.to_string(), attacker, now);
        }
        let locked = lockout.check("alice", attacker, now).unwrap_err();
        assert_eq!(locked.retry_after, PAIR.longest);
        assert!(lockout.pairs.len() <= 256);
    }

    proptest! {
        #[test]
        fn who_waits_as_told_is_let_in(failures in 0_u32..400) {
            let door = Door::new();
            for _ in 0..failures {
                door.fail("alice", HOME);
            }
            let address = HOME.parse().unwrap();
            if let Err(locked) = door.lockout.check("alice", address, door.now) {
                prop_assert!(locked.retry_after <= PAIR.longest);
                let after = door.now + locked.retry_after;
                prop_assert_eq!(door.lockout.check("alice", address, after), Ok(()));
            }
        }
    }
}
