//! What is refused is in the audit, however often it is, in bounded space: a stranger who asks a
//! thousand times a second must not fill the disk, or keep others waiting for their commits.
//!
//! The first of several denials that are alike is written down at once, before it is answered. Those
//! that follow within [`WINDOW`] are counted, and written down together when it ends. Of one address
//! [`MOST_ROWS`] different ones are written down in that time, and the rest together in one row. So the
//! rows without a count, and the counts of the others, add up to all that was refused; `detail.count`
//! is that count.
//!
//! What is counted and not written yet is in memory: a process that stops writes it, one that is killed
//! loses it, and never the first of its kind.

mod tally;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use plura_meta::{
    Timestamp, Tx,
    audit::{Event, Origin},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::tally::Tally;
use crate::{Access, Error, lockout::Prefix, time};

/// For how long denials that are alike are counted.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);

/// Different denials of one address that are written down within a window.
const MOST_ROWS: u32 = 120;

/// Different denials that are remembered.
const MOST_REPEATED: usize = 4096;

/// Addresses that are counted apart; those beyond are counted together.
const MOST_ADDRESSES: usize = 1024;

/// The most characters of a reason: some have in them what was asked for.
const LONGEST_REASON: usize = 512;

/// The denials of late.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    counts: Mutex<Counts>,
    /// Held while counts are written, so that what stops the process waits for it.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Counts {
    repeated: HashMap<Key, Repeated>,
    tallies: HashMap<Option<Prefix>, Tally>,
}

/// What is to be done about a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noted {
    /// It is the first of its kind: write it down.
    First,
    /// It will be written down with others.
    Counted,
}

/// All that makes two denials alike, by its hash: names and targets are of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key([u8; 32]);

/// Denials that are alike.
#[derive(Debug)]
struct Repeated {
    begun: Instant,
    since: Timestamp,
    /// Whether the first is written down.
    recorded: bool,
    /// How many followed.
    count: u64,
    /// Of the last.
    origin: Origin,
    event: Event,
}

/// Counts that were taken to be written down.
#[derive(Debug, Default)]
struct Taken {
    repeated: Vec<(Key, Repeated)>,
    tallies: Vec<(Option<Prefix>, Tally)>,
}

impl Denials {
    fn note(&self, origin: &Origin, event: &Event, now: Instant) -> Noted {
        let key = Key::of(origin, event);
        let mut counts = self.counts();
        if let Some(repeated) = counts.repeated.get_mut(&key) {
            return repeated.count(origin);
        }
        let place = origin.address.parse().ok().map(Prefix::of);
        let full = counts.repeated.len() >= MOST_REPEATED;
        let tally = counts.tally(place, now);
        if full || tally.rows >= MOST_ROWS {
            tally.count(event.action);
            return Noted::Counted;
        }
        tally.rows += 1;
        let first = Repeated {
            begun: now,
            since: Timestamp::now(),
            recorded: true,
            count: 0,
            origin: origin.clone(),
            event: event.clone(),
        };
        counts.repeated.insert(key, first);
        Noted::First
    }

    /// The first could not be written down: the next one is the first.
    fn not_recorded(&self, origin: &Origin, event: &Event) {
        if let Some(repeated) = self.counts().repeated.get_mut(&Key::of(origin, event)) {
            repeated.recorded = false;
        }
    }

    /// Takes the counts whose windows began by then.
    fn take(&self, begun_by: Instant) -> Taken {
        let mut counts = self.counts();
        let repeated = counts.repeated.extract_if(|_, repeated| repeated.begun <= begun_by);
        let repeated = repeated.filter(|(_, repeated)| repeated.count > 0).collect();
        let tallies = counts.tallies.extract_if(|_, tally| tally.begun <= begun_by);
        let tallies = tallies.filter(|(_, tally)| tally.beyond > 0).collect();
        Taken { repeated, tallies }
    }

    /// Counts again what could not be written down.
    fn put_back(&self, taken: Taken) {
        let mut counts = self.counts();
        for (key, old) in taken.repeated {
            match counts.repeated.get_mut(&key) {
                Some(repeated) => repeated.count += old.count,
                None => drop(counts.repeated.insert(key, old)),
            }
        }
        for (place, old) in taken.tallies {
            match counts.tallies.get_mut(&place) {
                Some(tally) => tally.add(old),
                None => drop(counts.tallies.insert(place, old)),
            }
        }
    }

    /// A panic elsewhere while it was held leaves counts that are whole.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn tally(&mut self, place: Option<Prefix>, now: Instant) -> &mut Tally {
        let has_room = self.tallies.len() < MOST_ADDRESSES || self.tallies.contains_key(&place);
        let place = if has_room { place } else { None };
        self.tallies.entry(place).or_insert_with(|| Tally::begin(now))
    }
}

impl Key {
    fn of(origin: &Origin, event: &Event) -> Self {
        let parts = [
            &origin.actor_kind,
            &origin.actor,
            &origin.subject,
            &origin.address,
            event.action,
            &event.target,
            &event.project,
            &event.rule,
        ];
        let mut hash = Sha256::new();
        for part in parts {
            // Its length before it: `ab` + `c` is not `a` + `bc`.
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }
}

impl Repeated {
    fn count(&mut self, origin: &Origin) -> Noted {
        if !self.recorded {
            self.recorded = true;
            return Noted::First;
        }
        self.count += 1;
        self.origin.request_id.clone_from(&origin.request_id);
        Noted::Counted
    }

    /// All that followed the first.
    fn event(&self) -> Event {
        let mut detail = serde_json::from_str(&self.event.detail).unwrap_or(json!({}));
        detail["count"] = json!(self.count);
        detail["since"] = Value::String(time::rfc3339(self.since));
        Event { detail: detail.to_string(), ..self.event.clone() }
    }
}

impl Taken {
    fn rows(&self) -> Vec<(Origin, Event)> {
        let repeated = self.repeated.iter();
        let repeated = repeated.map(|(_, repeated)| (repeated.origin.clone(), repeated.event()));
        let tallies = self.tallies.iter().map(|(place, tally)| tally.row(place.as_ref()));
        repeated.chain(tallies).collect()
    }
}

impl Access {
    /// Records that something was refused: at once, or as one of many.
    pub(crate) async fn record_denial(&self, origin: &Origin, event: Event) -> Result<(), Error> {
        let event = bounded(event);
        let denials = &self.shared.denials;
        if denials.note(origin, &event, Instant::now()) == Noted::Counted {
            return Ok(());
        }
        let row = (origin.clone(), event.clone());
        let recorded = self.write_rows(vec![row]).await;
        if recorded.is_err() {
            denials.not_recorded(origin, &event);
        }
        recorded
    }

    /// How often [`Access::write_counted_denials`] is to be called.
    pub const DENIALS_PAUSE: Duration = Duration::from_secs(5);

    /// Writes down what was counted in windows that have ended.
    pub async fn write_counted_denials(&self) -> Result<(), Error> {
        match Instant::now().checked_sub(WINDOW) {
            Some(begun_by) => self.write_denials(begun_by).await,
            None => Ok(()),
        }
    }

    /// How many rows there are to write of what was counted, when their windows end.
    pub fn denials_waiting(&self) -> u64 {
        let counts = self.shared.denials.counts();
        let repeated = counts.repeated.values().filter(|repeated| repeated.count > 0).count();
        let tallies = counts.tallies.values().filter(|tally| tally.beyond > 0).count();
        (repeated + tallies) as u64
    }

    /// Writes down all that was counted: the process stops.
    pub async fn flush_denials(&self) -> Result<(), Error> {
        self.write_denials(Instant::now()).await
    }

    /// Goes on when the caller stops waiting, so that nothing is taken and not written.
    async fn write_denials(&self, begun_by: Instant) -> Result<(), Error> {
        let access = self.clone();
        let writing = async move {
            let denials = &access.shared.denials;
            let _turn = denials.writing.lock().await;
            let taken = denials.take(begun_by);
            let rows = taken.rows();
            if rows.is_empty() {
                return Ok(());
            }
            let written = access.write_rows(rows).await;
            if written.is_err() {
                denials.put_back(taken);
            }
            written
        };
        tokio::spawn(writing).await.map_err(|error| Error::System(error.to_string()))?
    }

    async fn write_rows(&self, rows: Vec<(Origin, Event)>) -> Result<(), Error> {
        let now = Timestamp::now();
        let work = async move |tx: &mut Tx| {
            for (origin, event) in &rows {
                plura_meta::audit::record(tx, origin, event, now).await?;
            }
            Ok(())
        };
        // Nothing that anybody remembers has changed.
        self.shared.db.write(move |tx| Box::pin(async move { work(tx).await })).await
    }
}

/// The event with a reason of a bearable length.
fn bounded(event: Event) -> Event {
    if event.detail.len() <= LONGEST_REASON {
        return event;
    }
    let mut detail = serde_json::from_str(&event.detail).unwrap_or(json!({}));
    if let Some(Value::String(reason)) = detail.get_mut("reason") {
        *reason = reason.chars().take(LONGEST_REASON).collect();
    }
    Event { detail: detail.to_string(), ..event }
}

#[cfg(test)]
mod tests;
