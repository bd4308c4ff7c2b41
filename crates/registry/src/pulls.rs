//! When manifests were pulled, to the hour. A pull only notes it in memory; it is written down soon after.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use plura_meta::{Timestamp, Tx, manifest_use, manifest_use::Pulled};
use plura_oci::{Digest, RepositoryName};

use crate::{Error, Registry};

/// How exactly it is known when something was pulled.
const EXACT: Duration = Duration::from_hours(1);
/// Manifests of which is remembered that their pull was noted; and pulls that wait for a database that cannot
/// be written to.
const MOST_NOTED: usize = 100_000;
/// Pulls that are written in one transaction.
const BATCH: usize = 256;

/// The pulls that are not written down yet.
#[derive(Debug, Default)]
pub(crate) struct Pulls {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the pull of each was noted last, by the hash of its repository and digest. Two that had the same
    /// hash would be noted as one; its key is random, so that nobody can choose them.
    noted: HashMap<u64, Timestamp>,
    waiting: Vec<Pulled>,
}

impl Pulls {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// Notes that a manifest was pulled.
    pub fn note_pull(&self, repository: &RepositoryName, digest: &Digest, now: Timestamp) {
        let mut state = self.shared.pulls.state();
        let key = state.noted.hasher().hash_one((repository, digest));
        if state.noted.get(&key).is_some_and(|noted| noted.after(EXACT) > now) {
            return;
        }
        if state.waiting.len() >= MOST_NOTED {
            return;
        }
        if state.noted.len() >= MOST_NOTED {
            state.noted.clear();
        }
        state.noted.insert(key, now);
        state.waiting.push(Pulled { repository: repository.clone(), digest: *digest, at: now });
    }

    /// Writes down the pulls that were noted.
    pub async fn write_pulls(&self) -> Result<(), Error> {
        loop {
            let mut batch = std::mem::take(&mut self.shared.pulls.state().waiting);
            if batch.is_empty() {
                return Ok(());
            }
            let rest = batch.split_off(batch.len().min(BATCH));
            self.shared.pulls.state().waiting.extend(rest);
            let pulled = batch.clone();
            let work = async move |tx: &mut Tx| manifest_use::pulled(tx, &pulled).await;
            let written = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await;
            if let Err(error) = written {
                self.shared.pulls.state().waiting.extend(batch);
                return Err(error.into());
            }
        }
    }
}
