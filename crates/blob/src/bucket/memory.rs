//! A bound on the bytes of parts in memory.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep_until},
};

/// The bytes of parts that all uploads of this process may hold.
///
/// An upload begins small, with a share of the memory that is for small ones alone. One that becomes
/// large is let in first, and no more of them than there is room for when each holds as much as it
/// ever gathers. So the memory is never full of uploads that all wait for more of it; parts that are
/// being sent always end.
///
/// A part that is being filled by a slow client ends, too, but in the client's time. So what is held
/// without a part's being filled is given back after a while if others wait for it
/// ([`Memory::is_needed`]), and who gives back waits behind those. Who waits while holding something
/// never closes a circle: a small upload that becomes large waits for large ones, which wait for no small
/// one; a large one that was let in waits for parts that are being sent, and for nobody's client. So the
/// queues move, however slow the clients are.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    small: Pool,
    large: Pool,
    uploads: Arc<Semaphore>,
    patience: Duration,
}

/// Bytes to be had.
#[derive(Clone, Debug)]
struct Pool {
    bytes: Arc<Semaphore>,
    units: u64,
    /// How many wait for some of it, or to be let in.
    waiting: Arc<watch::Sender<usize>>,
}

/// Somebody who waits.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn at(pool: &'a Pool) -> Self {
        pool.waiting.send_modify(|waiting| *waiting += 1);
        Self(&pool.waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

/// Bytes that may be held; given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    permits: Option<OwnedSemaphorePermit>,
    /// Being among the large uploads.
    admitted: Option<OwnedSemaphorePermit>,
    /// Since when, or since when the last part went.
    since: Option<Instant>,
}

/// What a permit of the semaphore stands for.
const UNIT: u64 = 64 << 10;
/// As much as a small upload holds.
pub(super) const SMALL: u64 = 1 << 20;

impl Memory {
    /// A memory of `bytes`, for uploads of which each gathers `gathered`.
    pub(super) fn new(bytes: u64, gathered: u64, patience: Duration) -> Self {
        let small = (bytes / 8).max(SMALL);
        let large = bytes.saturating_sub(small).max(gathered);
        let uploads = usize::try_from(large / gathered.max(1)).unwrap_or(1).max(1);
        let uploads = Arc::new(Semaphore::new(uploads.min(Semaphore::MAX_PERMITS)));
        Self { small: Pool::new(small), large: Pool::new(large), uploads, patience }
    }

    /// Waits until `held` are at least `bytes`, of which a small upload needs few.
    pub(super) async fn hold(&self, held: &mut Held, bytes: u64) {
        if held.admitted.is_some() {
            return self.large.add(held, bytes).await;
        }
        if bytes <= SMALL {
            return self.small.add(held, bytes).await;
        }
        let admitted = self.large.acquire(&self.uploads, 1).await;
        let mut large = Held { permits: None, admitted, since: None };
        self.large.add(&mut large, bytes).await;
        *held = large;
    }

    /// Waits until somebody else needs what is held, and that for longer than a part may take.
    pub(super) async fn is_needed(&self, held: &Held) {
        let Some(since) = held.since else { return pending().await };
        sleep_until(since + self.patience).await;
        let pool = if held.admitted.is_some() { &self.large } else { &self.small };
        // It ends with an error when the pool ends, which is here.
        let _ = pool.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }
}

impl Pool {
    fn new(bytes: u64) -> Self {
        let units = bytes.div_ceil(UNIT).clamp(1, u64::from(u32::MAX));
        let permits = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS);
        let waiting = Arc::new(watch::Sender::new(0));
        Self {
            bytes: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))),
            units,
            waiting,
        }
    }

    /// Takes permits, after those who waited before; who holds something learns of the waiting.
    async fn acquire(&self, from: &Arc<Semaphore>, permits: u32) -> Option<OwnedSemaphorePermit> {
        if let Ok(at_once) = Arc::clone(from).try_acquire_many_owned(permits) {
            return Some(at_once);
        }
        let _waiting = Waiting::at(self);
        Arc::clone(from).acquire_many_owned(permits).await.ok()
    }

    async fn add(&self, held: &mut Held, bytes: u64) {
        let wanted = bytes.div_ceil(UNIT).min(self.units);
        let missing = wanted.saturating_sub(held.units());
        if missing == 0 {
            return;
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = self.acquire(&self.bytes, missing).await;
        held.since.get_or_insert_with(Instant::now);
        match (&mut held.permits, more) {
            (Some(held), Some(more)) => held.merge(more),
            (none, more) => *none = more,
        }
    }
}

impl Held {
    pub(super) fn nothing() -> Self {
        Self { permits: None, admitted: None, since: None }
    }

    /// The share of `bytes`, which leave for somewhere else.
    pub(super) fn split(&mut self, bytes: u64) -> Self {
        let units = bytes.div_ceil(UNIT).min(self.units());
        let units = usize::try_from(units).unwrap_or(usize::MAX);
        let permits = self.permits.as_mut().and_then(|held| held.split(units));
        self.since = Some(Instant::now());
        Self { permits, admitted: None, since: None }
    }

    fn units(&self) -> u64 {
        self.permits.as_ref().map_or(0, |held| held.num_permits() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_held_is_given_back() {
        let memory = Memory::new(80 * SMALL, 8 * SMALL, Duration::ZERO);
        let left = |pool: &Pool| pool.bytes.available_permits() as u64 * UNIT / SMALL;
        let mut held = Held::nothing();
        memory.hold(&mut held, SMALL).await;
        assert_eq!((left(&memory.small), left(&memory.large)), (9, 70));
        memory.hold(&mut held, 8 * SMALL).await;
        assert_eq!((left(&memory.small), left(&memory.large)), (10, 62));
        assert_eq!(memory.uploads.available_permits(), 7);
        let part = held.split(5 * SMALL);
        drop(held);
        assert_eq!((left(&memory.large), memory.uploads.available_permits()), (65, 8));
        drop(part);
        assert_eq!(left(&memory.large), 70);
    }

    #[tokio::test]
    async fn large_uploads_that_gather_all_they_can_leave_room_to_go_on() {
        let gathered = 13 * SMALL;
        let memory = Memory::new(64 * SMALL, gathered, Duration::ZERO);
        let mut uploads = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let memory = memory.clone();
            uploads.spawn(async move {
                let mut held = Held::nothing();
                for _ in 0..20 {
                    memory.hold(&mut held, gathered).await;
                    let part = held.split(8 * SMALL);
                    tokio::task::yield_now().await;
                    drop(part);
                }
            });
        }
        let all = uploads.join_all();
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
    }
}
