//! What goes on in the background: whether it goes on, how it goes, and how much waits.
//!
//! That a job is paused is in the database, so that it is wherever it runs. A job that is paused, or that
//! somebody wants to begin again, is dropped where it is: all of them bear that, since processes die.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    job::{self, StoredJob},
};
use plura_registry::{Progress, Registry, Told, telling};
use serde::Serialize;
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

/// A job of this process.
#[derive(Clone)]
struct Here {
    about: &'static str,
    waiting: Option<Waiting>,
    progress: Progress,
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
    /// Why it failed, if it went well no more since.
    pub error: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failed_at: Option<jiff::Timestamp>,
    /// Who paused it, let it go on or begin again last.
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
}

impl Jobs {
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
    pub fn add(&self, name: &'static str, about: &'static str) {
        let here = Here { about, waiting: None, progress: Progress::Rests, written: false };
        self.here().insert(name, here);
    }

    /// Makes a job known, for which something waits that can be counted.
    pub fn add_counted<Count, Counting>(
        &self,
        name: &'static str,
        about: &'static str,
        count: Count,
    ) where
        Count: Fn() -> Counting + Send + Sync + 'static,
        Counting: Future<Output = Option<u64>> + Send + 'static,
    {
        self.add(name, about);
        let waiting: Waiting = Arc::new(move || Box::pin(count()));
        if let Some(here) = self.here().get_mut(name) {
            here.waiting = Some(waiting);
        }
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
            let (paused, woken) = wish(stored.borrow_and_update().as_deref(), name);
            let work = async {
                if paused {
                    told(Progress::Rests);
                    std::future::pending::<()>().await;
                }
                telling(Arc::clone(&told), work()).await;
            };
            tokio::select! {
                () = work => return,
                goes_on = changed(&mut stored, name, (paused, woken)) => if !goes_on { return },
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
            let waiting = match &here.waiting {
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

    async fn wish(&self, origin: &Origin, name: &str, wish: Wish) -> Result<(), Error> {
        let known = self.here().keys().find(|known| **known == name).copied();
        let name = known.ok_or_else(|| Error::JobUnknown(name.chars().take(64).collect()))?;
        let origin = origin.clone();
        let work = async move |tx: &mut Tx| {
            let (now, by) = (Timestamp::now(), origin.actor.as_str());
            match wish {
                Wish::Pause => job::set_paused(tx, name, true, by, now).await?,
                Wish::Resume => job::set_paused(tx, name, false, by, now).await?,
                Wish::Retry => job::wake(tx, name, by, now).await?,
            }
            let event = Event::done(wish.action(), format!("job:{name}"));
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
                here.progress = match progress {
                    Progress::Failed(error) => {
                        Progress::Failed(error.chars().take(LONGEST_ERROR).collect())
                    }
                    // It is not mended by being tried again.
                    Progress::Works if matches!(here.progress, Progress::Failed(_)) => return,
                    other => other,
                };
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
        }
    }
}

impl Job {
    fn of(name: &str, here: &Here, waiting: Option<u64>, stored: Option<&StoredJob>) -> Self {
        let here_failed = match &here.progress {
            Progress::Failed(error) => Some(error.clone()),
            _ => None,
        };
        let state = match &here.progress {
            _ if stored.is_some_and(|stored| stored.paused) => JobState::Paused,
            Progress::Failed(_) => JobState::Failing,
            Progress::Works => JobState::Working,
            Progress::Rests => JobState::Idle,
        };
        Self {
            name: name.to_owned(),
            about: here.about.to_owned(),
            state,
            waiting,
            error: here_failed.or_else(|| stored.and_then(|stored| stored.error.clone())),
            failed_at: stored.and_then(|stored| stored.failed_at).map(instant),
            changed_by: stored
                .map(|stored| stored.changed_by.clone())
                .filter(|changed_by| !changed_by.is_empty()),
        }
    }
}

/// Whether a job is to stand still, and how often it was to begin again.
fn wish(stored: Option<&[StoredJob]>, name: &str) -> (bool, i64) {
    let stored = stored.into_iter().flatten().find(|stored| stored.name == name);
    stored.map(|stored| (stored.paused, stored.woken)).unwrap_or_default()
}

/// Returns when something else is wished than `before`; whether there may ever be.
async fn changed(
    stored: &mut watch::Receiver<Option<Vec<StoredJob>>>,
    name: &str,
    before: (bool, i64),
) -> bool {
    stored.wait_for(|stored| wish(stored.as_deref(), name) != before).await.is_ok()
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("started_at", &self.started_at).finish_non_exhaustive()
    }
}
