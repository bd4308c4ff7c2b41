//! Whom to trust, as it is in force.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use plura_meta::{Db, trust_policy};
use plura_oci::{Digest, RepositoryName};
use plura_trust::{TrustPolicy, TrustRoot};

use crate::Error;

/// The policies and the root that are in force.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) policies: Vec<TrustPolicy>,
    pub(crate) root: TrustRoot,
}

/// What evidence is decided by counts for it, too: raised where verification changes, so that what was
/// decided by an older version is decided again.
const ENGINE: u32 = 2;

/// How long another process may have changed it without being noticed here.
const LIFE: Duration = Duration::from_secs(3);

impl Trusted {
    /// What is in force in the database.
    pub(crate) async fn read(connection: &mut plura_meta::Connection) -> Result<Self, Error> {
        let stored = trust_policy::list(connection).await?;
        let policies = stored
            .iter()
            .map(|stored| TrustPolicy::from_json(stored.document.as_bytes()))
            .collect::<Result<_, _>>()?;
        let root = match trust_policy::root(connection).await? {
            Some(document) => TrustRoot::from_json(document.as_bytes())?,
            None => TrustRoot::sigstore()?,
        };
        Ok(Self { policies, root })
    }

    /// The policies for a repository.
    pub(crate) fn covering(
        &self,
        repository: &RepositoryName,
    ) -> impl Iterator<Item = &TrustPolicy> {
        self.policies.iter().filter(|policy| policy.covers(repository))
    }

    /// What evidence about a repository's manifests is decided by: another of it decides anew.
    pub(crate) fn basis(&self, repository: &RepositoryName) -> String {
        let mut text = ENGINE.to_string();
        let policies: Vec<_> = self.covering(repository).map(|policy| policy.source).collect();
        // Without a policy nothing is verified, whatever the root.
        let root = self.root.source.filter(|_| !policies.is_empty());
        for source in policies.iter().chain(&root) {
            text.push(' ');
            text.push_str(&source.to_string());
        }
        Digest::sha256(text.as_bytes()).hex()
    }
}

/// What is in force as it was read last.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    trusted: Option<(Arc<Trusted>, Instant)>,
    /// Counts what was forgotten: what was read before that is not kept after it.
    forgotten: u64,
}

impl Cache {
    /// What is in force. On a database that others write to, it is read again when it is old.
    pub(crate) async fn get(&self, db: &Db) -> Result<Arc<Trusted>, Error> {
        let (kept, forgotten) = {
            let kept = self.lock();
            (kept.trusted.clone(), kept.forgotten)
        };
        if let Some((trusted, read)) = kept
            && (!db.is_shared() || read.elapsed() < LIFE)
        {
            return Ok(trusted);
        }
        let read = Instant::now();
        let trusted = Arc::new(Trusted::read(&mut db.read().await?).await?);
        let mut kept = self.lock();
        if kept.forgotten == forgotten {
            kept.trusted = Some((Arc::clone(&trusted), read));
        }
        Ok(trusted)
    }

    /// Lets it be read again.
    pub(crate) fn forget(&self) {
        let mut kept = self.lock();
        kept.trusted = None;
        kept.forgotten += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
