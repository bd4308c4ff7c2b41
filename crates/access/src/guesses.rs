//! Guesses at passwords, as all processes on one database count them: else who guesses would have as
//! many tries again with every replica.
//!
//! A wrong guess is a commit, as every refusal is that somebody hears of for the first time; there are
//! no more of them than passwords can be verified. A right one is a commit once a day for each name and
//! address, and after wrong ones. What the database says replaces what is in memory, which is asked
//! first: it spares those who are locked out a question to the database, and the database their number.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use plura_meta::{
    Connection, Timestamp, Tx,
    failed_login::{self, FailedLogins},
};

use crate::{
    Access, Error,
    lockout::{KNOWN, Known, Locked, Name, Prefix, Standing, Streak},
};

/// What makes an address known for a name is written down anew when it is a day old.
const FRESHLY_KNOWN: Duration = Duration::from_hours(29 * 24);

impl Access {
    /// Whether an attempt may be made, by what all processes have counted.
    pub(crate) async fn check_shared_lock(&self, name: &str, address: IpAddr) -> Result<(), Error> {
        if self.shared.db.is_shared() {
            self.shared_standing(name, address).await?;
        }
        Ok(())
    }

    /// A wrong guess. What others counted meanwhile comes first, as if it had been one after the other.
    pub(crate) async fn count_failure(&self, name: &str, address: IpAddr) -> Result<(), Error> {
        self.shared.lockout.failed(name, address, Instant::now());
        if !self.shared.db.is_shared() {
            return Ok(());
        }
        let keys = Keys::of(name, address);
        let work = async move |tx: &mut Tx| {
            let clock = Clock::now();
            let mut standing = keys.read(tx, clock).await?;
            let checked = standing.check(clock.instant);
            if checked.is_ok() {
                standing.fail(clock.instant);
                for row in keys.streaks(&standing, clock) {
                    failed_login::put(tx, &row).await?;
                }
            }
            Ok::<_, Error>((standing, clock, checked))
        };
        let counted = self.shared.db.write(move |tx| Box::pin(async move { work(tx).await })).await;
        let (standing, clock, checked) = counted?;
        self.shared.lockout.replace(name, address, standing, clock.instant);
        checked.map_err(refused)
    }

    /// A right password; an error, if too many wrong ones came before it meanwhile.
    pub(crate) async fn note_success(&self, name: &str, address: IpAddr) -> Result<(), Error> {
        if self.shared.db.is_shared() {
            let (standing, clock) = self.shared_standing(name, address).await?;
            let known = standing.known.is_some_and(|Known(until)| {
                until.saturating_duration_since(clock.instant) > FRESHLY_KNOWN
            });
            if standing.pair.is_some() || !known {
                self.write_success(Keys::of(name, address)).await?;
            }
        }
        self.shared.lockout.succeeded(name, address, Instant::now());
        Ok(())
    }

    async fn write_success(&self, keys: Keys) -> Result<(), Error> {
        let work = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            failed_login::delete(tx, &keys.pair).await?;
            let known = FailedLogins {
                key: keys.known,
                failures: 0,
                locked_until: now,
                ends_at: now.after(KNOWN),
            };
            Ok::<(), Error>(failed_login::put(tx, &known).await?)
        };
        self.shared.db.write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    /// What all processes have counted; an error if it is locked.
    async fn shared_standing(
        &self,
        name: &str,
        address: IpAddr,
    ) -> Result<(Standing, Clock), Error> {
        let clock = Clock::now();
        let standing = Keys::of(name, address).read(&mut self.read_db().await?, clock).await?;
        self.shared.lockout.replace(name, address, standing, clock.instant);
        standing.check(clock.instant).map_err(refused)?;
        Ok((standing, clock))
    }
}

pub(crate) fn refused(locked: Locked) -> Error {
    Error::Locked(locked.retry_after)
}

/// What a name and an address are kept under. Names by their hash: people type passwords there, too.
struct Keys {
    pair: String,
    address: String,
    name: String,
    known: String,
}

impl Keys {
    fn of(name: &str, address: IpAddr) -> Self {
        let (name, address) = (Name::of(name).to_text(), Prefix::of(address));
        Self {
            pair: format!("pair {name} {address}"),
            address: format!("address {address}"),
            known: format!("known {name} {address}"),
            name: format!("name {name}"),
        }
    }

    async fn read(&self, connection: &mut Connection, clock: Clock) -> Result<Standing, Error> {
        let keys = [&*self.pair, &self.address, &self.name, &self.known];
        let rows = failed_login::find(connection, &keys, clock.time).await?;
        let row = |key: &str| rows.iter().find(|row| row.key == key);
        let streak = |key: &str| row(key).map(|row| clock.streak(row));
        Ok(Standing {
            pair: streak(&self.pair),
            address: streak(&self.address),
            name: streak(&self.name),
            known: row(&self.known).map(|row| Known(clock.instant_of(row.ends_at))),
        })
    }

    fn streaks(&self, standing: &Standing, clock: Clock) -> impl Iterator<Item = FailedLogins> {
        let streaks = [
            (&self.pair, standing.pair),
            (&self.address, standing.address),
            (&self.name, standing.name),
        ];
        streaks.into_iter().filter_map(move |(key, streak)| Some(clock.row(key, streak?)))
    }
}

/// One moment by both clocks: the database keeps times that mean the same to all, and memory those that
/// nobody can set.
#[derive(Clone, Copy)]
struct Clock {
    instant: Instant,
    time: Timestamp,
}

impl Clock {
    fn now() -> Self {
        Self { instant: Instant::now(), time: Timestamp::now() }
    }

    fn instant_of(self, time: Timestamp) -> Instant {
        let distance = Duration::from_millis(time.0.abs_diff(self.time.0));
        let there = if time >= self.time {
            self.instant.checked_add(distance)
        } else {
            self.instant.checked_sub(distance)
        };
        there.unwrap_or(self.instant)
    }

    fn time_of(self, instant: Instant) -> Timestamp {
        match instant.checked_duration_since(self.instant) {
            Some(ahead) => self.time.after(ahead),
            None => self.time.before(self.instant.saturating_duration_since(instant)),
        }
    }

    fn streak(self, row: &FailedLogins) -> Streak {
        Streak {
            failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
            locked_until: self.instant_of(row.locked_until),
            ends: self.instant_of(row.ends_at),
        }
    }

    fn row(self, key: &str, streak: Streak) -> FailedLogins {
        FailedLogins {
            key: key.to_owned(),
            failures: streak.failures.into(),
            locked_until: self.time_of(streak.locked_until),
            ends_at: self.time_of(streak.ends),
        }
    }
}
