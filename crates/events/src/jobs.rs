//! What goes on in the background: whether it goes on, how it goes, and how much waits.
//!
//! That a job is paused is in the database, so that it is wherever it runs. A job that is paused, or that
//! somebody wants to begin again, is dropped where it is: all of them bear that, since processes die.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    job::{self, StoredJob},
};
use plura_registry::{Progress, Registry, Told, Tuning, telling, tuned};
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::{Error, instant};

/// How often is looked for what other processes were told.
const PAUSE: Duration = Duration::from_secs(2);
/// Characters of an error that are kept.
const LONGEST_ERROR: usize = 300;

/// How much waits for a job.
type Waiting = Arc<dyn Fn() -> BoxFuture<'static, Option<u64>> + Send + Sync>;

/// What goes on in the background of an installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Jobs {
    shared: Arc<Shared>,
}

struct Shared {
    registry: Registry,
    here: Mutex<BTreeMap<&'static str, Here>>,
    /// As the database has them; nothing as long as nobody looked.
    stored: watch::Sender<Option<Vec<StoredJob>>>,
    started_at: Timestamp,
}

/// A job as this process knows it.
#[derive(Clone, Default)]
pub struct JobKind {
    about: &'static str,
    /// How much it does at a time by itself, if that is more than one thing.
    at_a_time: Option<u32>,
    /// Whether nobody may let it stand still.
    is_always: bool,
    waiting: Option<Waiting>,
}

/// A job of this process.
#[derive(Clone)]
struct Here {
    kind: JobKind,
    /// `Works`, `Rests` or `Failed`.
    progress: Progress,
    /// What it did since it had nothing to do, and what it said that it would.
    done: u64,
    expected: Option<u64>,
    /// Whether it failed last, as this process wrote it down.
    written: bool,
}

/// Something that goes on in the background.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Job {
    /// What it is called.
    pub name: String,
    /// What it does.
    pub about: String,
    /// How it goes, in this process; or that it is paused, everywhere.
    pub state: JobState,
    /// How much waits for it, where that can be counted.
    pub waiting: Option<u64>,
    /// How far it is, in this process; nothing where there is nothing to do.
    pub progress: Option<JobProgress>,
    /// How much it does at a time; nothing where that is one thing, always.
    pub at_a_time: Option<u32>,
    /// How much it does in a minute, at most; nothing where that is as much as it can.
    pub per_minute: Option<u32>,
    /// Why it failed, if it went well no more since.
    pub error: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failed_at: Option<jiff::Timestamp>,
    /// Who paused or tuned it, let it go on or begin again last.
    pub changed_by: Option<String>,
}

/// How a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It works.
    Working,
    /// There is nothing to do.
    Idle,
    /// It failed, and tries again.
    Failing,
    /// It stands still until somebody lets it go on.
    Paused,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobProgress {
    /// How many things it did since it had nothing to do.
    pub done: u64,
    /// How many there were, with those that came meanwhile, where that can be counted.
    pub total: Option<u64>,
}

/// Jobs, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobsPage {
    /// The jobs.
    pub jobs: Vec<Job>,
}

/// What somebody wants of a job.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Pause,
    Resume,
    Retry,
    Tune(Tuning),
}

impl JobKind {
    /// A job that does one thing after the other.
    pub fn new(about: &'static str) -> Self {
        Self { about, ..Self::default() }
    }

    /// One that does so many things at a time, if nobody says something else.
    #[must_use]
    pub fn at_a_time(self, count: usize) -> Self {
        Self { at_a_time: Some(u32::try_from(count).unwrap_or(u32::MAX)), ..self }
    }

    /// One that nobody may let stand still.
    #[must_use]
    pub fn always(self) -> Self {
        Self { is_always: true, ..self }
    }

    /// One for which something waits that can be counted.
    #[must_use]
    pub fn counted<Counting>(self, count: impl Fn() -> Counting + Send + Sync + 'static) -> Self
    where
        Counting: Future<Output = Option<u64>> + Send + 'static,
    {
        let waiting: Waiting = Arc::new(move || Box::pin(count()));
        Self { waiting: Some(waiting), ..self }
    }
}

impl Jobs {
    /// The most that a job may be told to do at a time.
    pub const MOST_AT_A_TIME: u32 = 64;
    /// The most that a job may be told to do in a minute.
    pub const MOST_PER_MINUTE: u32 = 1_000_000;

    /// Jobs of the installation that the registry has open; there is none yet.
    pub fn new(registry: Registry) -> Self {
        let shared = Shared {
            registry,
            here: Mutex::default(),
            stored: watch::Sender::new(None),
            started_at: Timestamp::now(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Makes a job known.
    pub fn add(&self, name: &'static str, kind: JobKind) {
        let here =
            Here { kind, progress: Progress::Rests, done: 0, expected: None, written: false };
        self.here().insert(name, here);
    }

    /// Does a job as long as it may be done, for ever. `work` must bear to be dropped and begun again.
    pub async fn run<Working: Future<Output = ()>>(
        &self,
        name: &'static str,
        work: impl Fn() -> Working,
    ) {
        let mut stored = self.shared.stored.subscribe();
        let told = self.told(name);
        // One that is paused must not begin before that is known.
        if stored.wait_for(Option::is_some).await.is_err() {
            return;
        }
        loop {
            let wished = wish(stored.borrow_and_update().as_deref(), name);
            let work = async {
                if wished.paused {
                    told(Progress::Rests);
                    std::future::pending::<()>().await;
                }
                telling(Arc::clone(&told), tuned(wished.tuning, work())).await;
            };
            tokio::select! {
                () = work => return,
                goes_on = changed(&mut stored, name, wished) => if !goes_on { return },
            }
        }
    }

    /// Looks for what others want of jobs, and writes down how they go, for ever.
    pub async fn watch(&self) {
        loop {
            if let Err(error) = self.look().await {
                tracing::error!(%error, "cannot look for jobs; trying again");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// All jobs, by name.
    pub async fn list(&self) -> Result<JobsPage, Error> {
        let stored = job::all(&mut self.db().read().await?).await?;
        let here = self.here().clone();
        let mut jobs = Vec::new();
        for (name, here) in here {
            let waiting = match &here.kind.waiting {
                Some(waiting) => waiting().await,
                None => None,
            };
            let stored = stored.iter().find(|stored| stored.name == name);
            jobs.push(Job::of(name, &here, waiting, stored));
        }
        Ok(JobsPage { jobs })
    }

    /// Lets a job stand still, in all processes.
    pub async fn pause(&self, origin: &Origin, name: &str) -> Result<(), Error> {
        self.wish(origin, name, Wish::Pause).await
    }

    /// Lets a job go on.
    pub async fn resume(&self, origin: &Origin, name: &str) -> Result<(), Error> {
        self.wish(origin, name, Wish::Resume).await
    }

    /// Lets a job begin again at once.
    pub async fn retry(&self, origin: &Origin, name: &str) -> Result<(), Error> {
        self.wish(origin, name, Wish::Retry).await
    }

    /// Says how much a job does, in all processes: as it would by itself, where nothing is said.
    pub async fn tune(
        &self,
        origin: &Origin,
        name: &str,
        (at_a_time, per_minute): (Option<u32>, Option<u32>),
    ) -> Result<(), Error> {
        let at_a_time = bounded("at_a_time", at_a_time, Self::MOST_AT_A_TIME)?;
        let per_minute = bounded("per_minute", per_minute, Self::MOST_PER_MINUTE)?;
        self.wish(origin, name, Wish::Tune(Tuning { at_a_time, per_minute })).await
    }

    async fn wish(&self, origin: &Origin, name: &str, wish: Wish) -> Result<(), Error> {
        let known = self
            .here()
            .iter()
            .find(|(known, _)| **known == name)
            .map(|(name, here)| (*name, here.kind.at_a_time.is_none(), here.kind.is_always));
        let unknown = || Error::JobUnknown(name.chars().take(64).collect());
        let (name, one_by_one, is_always) = known.ok_or_else(unknown)?;
        match wish {
            Wish::Pause | Wish::Tune(_) if is_always => return Err(Error::JobAlways(name)),
            Wish::Tune(Tuning { at_a_time: Some(_), .. }) if one_by_one => {
                let expected = format!("nothing: `{name}` does one thing after the other");
                return Err(Error::invalid("at_a_time", expected));
            }
            _ => {}
        }
        let origin = origin.clone();
        let work = async move |tx: &mut Tx| {
            let (now, by) = (Timestamp::now(), origin.actor.as_str());
            match wish {
                Wish::Pause => job::set_paused(tx, name, true, by, now).await?,
                Wish::Resume => job::set_paused(tx, name, false, by, now).await?,
                Wish::Retry => job::wake(tx, name, by, now).await?,
                Wish::Tune(tuning) => job::tune(tx, name, numbers(tuning), by, now).await?,
            }
            let mut event = Event::done(wish.action(), format!("job:{name}"));
            if let Wish::Tune(tuning) = wish {
                let (at_a_time, per_minute) = numbers(tuning);
                let detail = json!({ "at_a_time": at_a_time, "per_minute": per_minute });
                event.detail = detail.to_string();
            }
            audit::record(tx, &origin, &event, now).await?;
            Ok::<_, plura_meta::Error>(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.look().await
    }

    async fn look(&self) -> Result<(), Error> {
        let stored = job::all(&mut self.db().read().await?).await?;
        for (name, error) in self.news(&stored) {
            let work = async move |tx: &mut Tx| {
                job::record(tx, name, error.as_deref(), Timestamp::now()).await
            };
            self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        }
        self.shared.stored.send_if_modified(|known| {
            let stored = Some(stored);
            let changed = *known != stored;
            *known = stored;
            changed
        });
        Ok(())
    }

    /// What is to be written down of how jobs go here: that one fails, once, and that it does no more.
    fn news(&self, stored: &[StoredJob]) -> Vec<(&'static str, Option<String>)> {
        let mut news = Vec::new();
        for (name, here) in self.here().iter_mut() {
            let stored = stored.iter().find(|stored| stored.name == *name);
            let failed_at = stored.and_then(|stored| stored.failed_at);
            match &here.progress {
                Progress::Failed(error) if !here.written => {
                    here.written = true;
                    news.push((*name, Some(error.clone())));
                }
                // What another process wrote since stays: there, it may still fail.
                Progress::Rests
                    if failed_at.is_some_and(|at| here.written || at < self.shared.started_at) =>
                {
                    here.written = false;
                    news.push((*name, None));
                }
                _ => {}
            }
        }
        news
    }

    fn told(&self, name: &'static str) -> Told {
        let jobs = self.clone();
        Arc::new(move |progress| {
            if let Some(here) = jobs.here().get_mut(name) {
                here.hear(progress);
            }
        })
    }

    fn here(&self) -> MutexGuard<'_, BTreeMap<&'static str, Here>> {
        self.shared.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn db(&self) -> &plura_meta::Db {
        self.shared.registry.database()
    }
}

impl Wish {
    fn action(self) -> &'static str {
        match self {
            Self::Pause => "job.pause",
            Self::Resume => "job.resume",
            Self::Retry => "job.retry",
            Self::Tune(_) => "job.tune",
        }
    }
}

impl Here {
    /// Takes down how it goes.
    fn hear(&mut self, progress: Progress) {
        match progress {
            Progress::Did(count) => self.done = self.done.saturating_add(count),
            Progress::Expects(count) => (self.done, self.expected) = (0, Some(count)),
            Progress::Failed(error) => {
                let error = error.chars().take(LONGEST_ERROR).collect();
                self.progress = Progress::Failed(error);
            }
            // It is not mended by being tried again.
            Progress::Works if matches!(self.progress, Progress::Failed(_)) => {}
            Progress::Works => self.progress = Progress::Works,
            Progress::Rests => {
                (self.done, self.expected) = (0, None);
                self.progress = Progress::Rests;
            }
        }
    }

    /// How far it is, if it has something to do.
    fn so_far(&self, waiting: Option<u64>) -> Option<JobProgress> {
        if self.progress == Progress::Rests && waiting.is_none_or(|waiting| waiting == 0) {
            return None;
        }
        let counted = || waiting.map(|waiting| waiting.saturating_add(self.done));
        let total = self.expected.or_else(counted);
        Some(JobProgress { done: self.done, total })
    }
}

impl Job {
    fn of(name: &str, here: &Here, waiting: Option<u64>, stored: Option<&StoredJob>) -> Self {
        let tuning = stored.map(tuning_of).unwrap_or_default();
        let here_failed = match &here.progress {
            Progress::Failed(error) => Some(error.clone()),
            _ => None,
        };
        let state = match &here.progress {
            _ if stored.is_some_and(|stored| stored.paused) => JobState::Paused,
            Progress::Failed(_) => JobState::Failing,
            Progress::Rests => JobState::Idle,
            _ => JobState::Working,
        };
        Self {
            name: name.to_owned(),
            about: here.kind.about.to_owned(),
            state,
            waiting,
            progress: here.so_far(waiting),
            at_a_time: here
                .kind
                .at_a_time
                .map(|itself| tuning.at_a_time.map_or(itself, NonZeroU32::get)),
            per_minute: tuning.per_minute.map(NonZeroU32::get),
            error: here_failed.or_else(|| stored.and_then(|stored| stored.error.clone())),
            failed_at: stored.and_then(|stored| stored.failed_at).map(instant),
            changed_by: stored
                .map(|stored| stored.changed_by.clone())
                .filter(|changed_by| !changed_by.is_empty()),
        }
    }
}

/// What is wished of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wished {
    /// Whether it is to stand still.
    paused: bool,
    /// How often it was to begin again.
    woken: i64,
    /// How much it is to do.
    tuning: Tuning,
}

fn wish(stored: Option<&[StoredJob]>, name: &str) -> Wished {
    let stored = stored.into_iter().flatten().find(|stored| stored.name == name);
    let of = |stored: &StoredJob| Wished {
        paused: stored.paused,
        woken: stored.woken,
        tuning: tuning_of(stored),
    };
    stored.map(of).unwrap_or_default()
}

/// What was said of how much a job does. What cannot be meant, another version wrote: it counts for nothing.
fn tuning_of(stored: &StoredJob) -> Tuning {
    let number = |number: Option<i64>| NonZeroU32::new(u32::try_from(number?).ok()?);
    Tuning { at_a_time: number(stored.at_a_time), per_minute: number(stored.per_minute) }
}

/// As it is stored.
fn numbers(tuning: Tuning) -> (Option<i64>, Option<i64>) {
    let number = |number: NonZeroU32| i64::from(number.get());
    (tuning.at_a_time.map(number), tuning.per_minute.map(number))
}

fn bounded(
    field: &'static str,
    number: Option<u32>,
    most: u32,
) -> Result<Option<NonZeroU32>, Error> {
    let Some(number) = number else { return Ok(None) };
    let number = NonZeroU32::new(number).filter(|number| number.get() <= most);
    number.map(Some).ok_or_else(|| Error::invalid(field, format!("expected 1 to {most}")))
}

/// Returns when something else is wished than `before`; whether there may ever be.
async fn changed(
    stored: &mut watch::Receiver<Option<Vec<StoredJob>>>,
    name: &str,
    before: Wished,
) -> bool {
    stored.wait_for(|stored| wish(stored.as_deref(), name) != before).await.is_ok()
}

impl fmt::Debug for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobKind").field("about", &self.about).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("started_at", &self.started_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Here {
        let kind = JobKind::new("does nothing");
        Here { kind, progress: Progress::Rests, done: 0, expected: None, written: false }
    }

    /// What a job tells, what waits for it then, and how far it is.
    fn check(told: &[Progress], waiting: Option<u64>, expected: Option<(u64, Option<u64>)>) {
        let mut here = here();
        for progress in told {
            here.hear(progress.clone());
        }
        let found = here.so_far(waiting).map(|found| (found.done, found.total));
        assert_eq!(found, expected, "{told:?} with {waiting:?} waiting");
    }

    #[test]
    fn a_job_is_as_far_as_it_told() {
        use Progress::{Did, Expects, Rests, Works};
        check(&[], None, None);
        check(&[], Some(0), None);
        check(&[], Some(3), Some((0, Some(3))));
        check(&[Works], None, Some((0, None)));
        check(&[Works, Did(2), Did(1)], Some(4), Some((3, Some(7))));
        check(&[Works, Expects(10), Did(4)], None, Some((4, Some(10))));
        check(&[Works, Did(2), Rests], Some(0), None);
        check(&[Works, Did(2), Rests, Works, Did(1)], Some(0), Some((1, Some(1))));
        let failed = Progress::Failed("no".to_owned());
        check(&[Works, Did(2), failed], Some(1), Some((2, Some(3))));
    }

    #[test]
    fn what_a_job_is_told_to_do_has_bounds() {
        for (number, expected) in
            [(None, Some(None)), (Some(1), Some(Some(1))), (Some(9), Some(Some(9)))]
        {
            let found = bounded("at_a_time", number, 9).ok();
            assert_eq!(found.map(|number| number.map(NonZeroU32::get)), expected);
        }
        for number in [0, 10] {
            bounded("at_a_time", Some(number), 9).unwrap_err();
        }
    }
}
