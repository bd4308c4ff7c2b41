//! What goes on in the background tells how it goes, to whoever started it.

use std::{
    fmt::Display,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_mins(1);

/// How it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It works.
    Works,
    /// There is nothing to do.
    Rests,
    /// It failed, and tries again.
    Failed(String),
    /// It did so many of the things that it has to do.
    Did(u64),
    /// It has so many things to do, and did none of them yet.
    Expects(u64),
}

/// How much is to be done at a time and in a minute; as whoever works would by itself, where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// How many things at a time.
    pub at_a_time: Option<NonZeroU32>,
    /// How many things in a minute, at most.
    pub per_minute: Option<NonZeroU32>,
}

/// Whoever wants to know.
pub type Told = Arc<dyn Fn(Progress) + Send + Sync>;

tokio::task_local! {
    static TOLD: Told;
    static TUNED: Pace;
}

/// How much is to be done, and when the next thing may be.
#[derive(Default)]
struct Pace {
    tuning: Tuning,
    next: Mutex<Option<Instant>>,
}

/// Runs work that tells `told` how it goes.
pub async fn telling<F: Future>(told: Told, work: F) -> F::Output {
    TOLD.scope(told, work).await
}

/// Runs work that does as much as is said.
pub async fn tuned<F: Future>(tuning: Tuning, work: F) -> F::Output {
    TUNED.scope(Pace { tuning, ..Pace::default() }, work).await
}

/// How many things are done at a time: `otherwise`, if nobody said something else.
pub fn at_a_time(otherwise: usize) -> usize {
    let said = TUNED.try_with(|pace| pace.tuning.at_a_time).ok().flatten();
    said.and_then(|said| usize::try_from(said.get()).ok()).unwrap_or(otherwise)
}

/// Tells that so many things were done, and returns when more may be. What is waited depends on how many they
/// are, so that no more than was said are done in a minute, also by several at a time.
pub async fn did(count: u64) {
    if count == 0 {
        return;
    }
    tell(Progress::Did(count));
    if let Ok(Some(next)) = TUNED.try_with(|pace| pace.after(count)) {
        tokio::time::sleep_until(next).await;
    }
}

impl Pace {
    /// When there may be more after so many things; nothing, if that is at once.
    fn after(&self, count: u64) -> Option<Instant> {
        let per_minute = self.tuning.per_minute?;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = next.map_or(now, |next| next.max(now));
        *next = begin.checked_add(MINUTE * count / per_minute.get());
        *next
    }
}

/// Tells how it goes, if somebody wants to know.
pub fn tell(progress: Progress) {
    // Where nobody is told, there is nobody to tell that.
    let _ = TOLD.try_with(|told| told(progress));
}

/// Tells that it failed.
pub(crate) fn tell_failure(error: &impl Display) {
    tell(Progress::Failed(error.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(per_minute: u32) -> Pace {
        let tuning = Tuning { per_minute: NonZeroU32::new(per_minute), ..Tuning::default() };
        Pace { tuning, ..Pace::default() }
    }

    #[test]
    fn things_that_are_done_at_the_same_time_wait_one_behind_the_other() {
        let pace = pace(60);
        let before = Instant::now();
        let first = pace.after(1).expect("it waits");
        let second = pace.after(2).expect("it waits");
        assert!(first >= before + Duration::from_secs(1));
        assert_eq!(second, first + Duration::from_secs(2));
    }

    #[test]
    fn what_nobody_tuned_does_not_wait() {
        assert_eq!(Pace::default().after(u64::MAX), None);
        assert_eq!(at_a_time(4), 4);
    }
}
