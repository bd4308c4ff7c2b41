//! What is known of one issuer: fetched once however many ask, kept for a while, and used on when the
//! issuer does not answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::warn;

use super::discovery::{self, Endpoints};
use super::fetch::Web;
use super::keys::KeySet;
use super::{FetchError, Options};

/// After a failure with nothing to go on with, an issuer is asked again this soon, in seconds.
const RETRY: u64 = 5;

/// What an issuer said, at one time.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) endpoints: Endpoints,
    pub(super) keys: KeySet,
    fetched_at: i64,
}

#[derive(Debug)]
pub(super) struct Source {
    issuer: String,
    state: Mutex<State>,
    /// Held by the one that asks the issuer.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<Snapshot>>,
    last: Option<Attempt>,
    /// How often the issuer was asked: whoever waited for its turn sees that it was asked meanwhile.
    attempts: u64,
}

#[derive(Debug)]
struct Attempt {
    at: i64,
    failure: Option<FetchError>,
}

/// What to do for one who needs a snapshot.
enum Judgement {
    Use(Arc<Snapshot>),
    Fail(FetchError),
    /// Ask the issuer, unless more attempts than this were made meanwhile.
    Ask(u64),
}

impl Source {
    pub(super) fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// What the issuer says. It is asked when there is nothing fresh, or nothing that is `enough`; if
    /// it was asked a moment ago, the answer is what there is, enough or not.
    pub(super) async fn snapshot(
        self: &Arc<Self>,
        web: &Arc<Web>,
        options: &Options,
        enough: impl Fn(&Snapshot) -> bool,
        now: i64,
    ) -> Result<Arc<Snapshot>, FetchError> {
        let seen = match self.state().judge(options, &enough, now) {
            Judgement::Use(snapshot) => return Ok(snapshot),
            Judgement::Fail(error) => return Err(error),
            Judgement::Ask(seen) => seen,
        };
        // A task of its own: what one client asked for does not end when that client goes away while
        // others wait for it.
        let (source, web) = (Arc::clone(self), Arc::clone(web));
        let asked = tokio::spawn(async move { source.ask(&web, seen, now).await }).await;
        match self.state().judge(options, &enough, now) {
            Judgement::Use(snapshot) => Ok(snapshot),
            Judgement::Fail(error) => Err(error),
            Judgement::Ask(_) => Err(self.interrupted(asked.err())),
        }
    }

    async fn ask(&self, web: &Web, seen: u64, now: i64) {
        let _turn = self.turn.lock().await;
        if self.state().attempts != seen {
            return;
        }
        let answer = discovery::fetch(web, &self.issuer).await;
        let mut state = self.state();
        state.attempts += 1;
        let failure = match answer {
            Ok((endpoints, keys)) => {
                state.current = Some(Arc::new(Snapshot { endpoints, keys, fetched_at: now }));
                None
            }
            Err(error) => {
                let kept = state.current.as_ref().map(|snapshot| now.abs_diff(snapshot.fetched_at));
                warn!(issuer = self.issuer, %error, age_of_kept_keys = kept, "cannot ask an issuer");
                Some(error)
            }
        };
        state.last = Some(Attempt { at: now, failure });
    }

    fn interrupted(&self, error: Option<tokio::task::JoinError>) -> FetchError {
        let reason = error.map_or_else(|| "asked too often".to_owned(), |error| error.to_string());
        FetchError::Unreachable { address: self.issuer.clone(), reason }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Times are compared by their distance: a clock that was set back must not keep keys for ever.
    fn judge(&self, options: &Options, enough: impl Fn(&Snapshot) -> bool, now: i64) -> Judgement {
        let within = |then: i64, seconds: u64| now.abs_diff(then) < seconds;
        let fresh = |snapshot: &&Arc<Snapshot>| within(snapshot.fetched_at, options.lifetime);
        let longest = options.stale_for.max(options.lifetime);
        let usable = |snapshot: &&Arc<Snapshot>| within(snapshot.fetched_at, longest);
        if let Some(snapshot) = self.current.as_ref().filter(fresh).filter(|kept| enough(kept)) {
            return Judgement::Use(Arc::clone(snapshot));
        }
        let kept = self.current.as_ref().filter(usable);
        let pause = options.minimum_interval;
        let pause = if kept.is_some() { pause } else { pause.min(RETRY) };
        match (&self.last, kept) {
            (Some(last), Some(snapshot)) if within(last.at, pause) => {
                Judgement::Use(Arc::clone(snapshot))
            }
            (Some(Attempt { at, failure: Some(error) }), None) if within(*at, pause) => {
                Judgement::Fail(error.clone())
            }
            _ => Judgement::Ask(self.attempts),
        }
    }
}
