//! A bounded map of what loses its meaning with time.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A state that means the same as none from some instant on.
pub(crate) trait Fade: Copy {
    /// From when on it means nothing.
    fn fades(&self) -> Instant;
}

/// Every state by its key. Where there is no room, those go that would fade first, so that many new
/// keys do not push out the state that matters longest.
pub(crate) struct Fading<K, V> {
    shards: Box<[Mutex<HashMap<K, V>>]>,
    /// Seeded at random: nobody can choose keys that meet in one shard.
    hasher: RandomState,
    capacity_of_shard: usize,
}

/// Enough that threads on different keys seldom meet.
const SHARDS: usize = 16;

impl<K: Eq + Hash, V: Fade> Fading<K, V> {
    /// For about `capacity` keys, never more than that rounded up to a multiple of 64.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            capacity_of_shard: capacity.div_ceil(SHARDS).next_multiple_of(4).max(4),
        }
    }

    /// The state of `key`, unless it has faded.
    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<V> {
        self.shard(key).get(key).copied().filter(|state| state.fades() > now)
    }

    /// Shows the state of `key` to `change`, which replaces or removes it, in one step.
    pub(crate) fn update<T>(
        &self,
        key: K,
        now: Instant,
        change: impl FnOnce(&mut Option<V>) -> T,
    ) -> T {
        let mut shard = self.shard(&key);
        let stored = shard.get(&key).copied();
        let mut state = stored.filter(|state| state.fades() > now);
        let answer = change(&mut state);
        match state {
            Some(state) => {
                if stored.is_none() && shard.len() >= self.capacity_of_shard {
                    make_room(&mut shard, self.capacity_of_shard, now);
                }
                shard.insert(key, state);
            }
            None => {
                shard.remove(&key);
            }
        }
        answer
    }

    /// How many are stored, faded ones included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, V>> {
        let [low, ..] = self.hasher.hash_one(key).to_le_bytes();
        lock(&self.shards[usize::from(low) % SHARDS])
    }
}

/// Removes a quarter at least, so that the cost of looking at all of them is paid once in that many
/// insertions.
fn make_room<K: Eq + Hash, V: Fade>(shard: &mut HashMap<K, V>, capacity: usize, now: Instant) {
    shard.retain(|_, state| state.fades() > now);
    let kept = capacity / 4 * 3;
    let Some(surplus) = shard.len().checked_sub(kept).filter(|surplus| *surplus > 0) else {
        return;
    };
    let mut ends: Vec<Instant> = shard.values().map(Fade::fades).collect();
    let (_, last_to_go, _) = ends.select_nth_unstable(surplus - 1);
    let last_to_go = *last_to_go;
    let mut surplus = surplus;
    shard.retain(|_, state| {
        let goes = surplus > 0 && state.fades() <= last_to_go;
        surplus -= usize::from(goes);
        !goes
    });
}

/// A panic elsewhere while it was held leaves a map that is whole: states are copied in and out.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy)]
    struct Until(Instant);

    impl Fade for Until {
        fn fades(&self) -> Instant {
            self.0
        }
    }

    fn put(map: &Fading<u32, Until>, key: u32, now: Instant, seconds: u64) {
        map.update(key, now, |state| *state = Some(Until(now + Duration::from_secs(seconds))));
    }

    #[test]
    fn a_state_is_there_until_it_fades() {
        let (map, start) = (Fading::new(8), Instant::now());
        put(&map, 1, start, 10);
        assert!(map.get(&1, start + Duration::from_secs(9)).is_some());
        assert!(map.get(&1, start + Duration::from_secs(10)).is_none());
        map.update(1, start, |state| *state = None);
        assert_eq!(map.len(), 0);
    }

    #[test]
    fn what_matters_longest_outlives_a_flood() {
        let (map, start) = (Fading::new(64), Instant::now());
        for key in 0..8 {
            put(&map, key, start, 1_000_000);
        }
        for key in 8..100_000 {
            put(&map, key, start, 60);
        }
        for key in 0..8 {
            assert!(map.get(&key, start).is_some(), "{key}");
        }
        assert!(map.len() <= 64);
    }

    proptest! {
        #[test]
        fn it_never_holds_more_than_its_capacity(
            keys in prop::collection::vec((0_u32..2000, 0_u64..50), 0..1500),
        ) {
            let (map, start) = (Fading::new(128), Instant::now());
            for (key, seconds) in keys {
                put(&map, key, start, seconds);
                prop_assert!(map.len() <= 128);
            }
        }
    }
}
