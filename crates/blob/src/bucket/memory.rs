//! A bound on the bytes of parts in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bytes of parts that all uploads of this process may hold.
///
/// An upload begins small, with a share of the memory that is for small ones alone. One that becomes
/// large is let in first, and no more of them than there is room for when each holds as much as it
/// ever gathers. So the memory is never full of uploads that all wait for more of it; parts that are
/// being sent always end.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    small: Pool,
    large: Pool,
    uploads: Arc<Semaphore>,
}

/// Bytes to be had.
#[derive(Clone, Debug)]
struct Pool {
    bytes: Arc<Semaphore>,
    units: u64,
}

/// Bytes that may be held; given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    permits: Option<OwnedSemaphorePermit>,
    /// Being among the large uploads.
    admitted: Option<OwnedSemaphorePermit>,
}

/// What a permit of the semaphore stands for.
const UNIT: u64 = 64 << 10;
/// As much as a small upload holds.
pub(super) const SMALL: u64 = 1 << 20;

impl Memory {
    /// A memory of `bytes`, for uploads of which each gathers `gathered`.
    pub(super) fn new(bytes: u64, gathered: u64) -> Self {
        let small = (bytes / 8).max(SMALL);
        let large = bytes.saturating_sub(small).max(gathered);
        let uploads = usize::try_from(large / gathered.max(1)).unwrap_or(1).max(1);
        let uploads = Arc::new(Semaphore::new(uploads.min(Semaphore::MAX_PERMITS)));
        Self { small: Pool::new(small), large: Pool::new(large), uploads }
    }

    /// Waits until `held` are at least `bytes`, of which a small upload needs few.
    pub(super) async fn hold(&self, held: &mut Held, bytes: u64) {
        if held.admitted.is_some() {
            return self.large.add(held, bytes).await;
        }
        if bytes <= SMALL {
            return self.small.add(held, bytes).await;
        }
        let admitted = Arc::clone(&self.uploads).acquire_owned().await.ok();
        let mut large = Held { permits: None, admitted };
        self.large.add(&mut large, bytes).await;
        *held = large;
    }
}

impl Pool {
    fn new(bytes: u64) -> Self {
        let units = bytes.div_ceil(UNIT).clamp(1, u64::from(u32::MAX));
        let permits = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS);
        Self { bytes: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))), units }
    }

    async fn add(&self, held: &mut Held, bytes: u64) {
        let wanted = bytes.div_ceil(UNIT).min(self.units);
        let missing = wanted.saturating_sub(held.units());
        if missing == 0 {
            return;
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.bytes).acquire_many_owned(missing).await.ok();
        match (&mut held.permits, more) {
            (Some(held), Some(more)) => held.merge(more),
            (none, more) => *none = more,
        }
    }
}

impl Held {
    pub(super) fn nothing() -> Self {
        Self { permits: None, admitted: None }
    }

    /// The share of `bytes`, which leave for somewhere else.
    pub(super) fn split(&mut self, bytes: u64) -> Self {
        let units = bytes.div_ceil(UNIT).min(self.units());
        let units = usize::try_from(units).unwrap_or(usize::MAX);
        let permits = self.permits.as_mut().and_then(|held| held.split(units));
        Self { permits, admitted: None }
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
        let memory = Memory::new(80 * SMALL, 8 * SMALL);
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
        let memory = Memory::new(64 * SMALL, gathered);
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
        tokio::time::timeout(std::time::Duration::from_secs(20), all).await.unwrap();
    }
}
