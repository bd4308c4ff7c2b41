//! What is in force: the document, blocks and freezes. They are remembered as long as nobody changed
//! them, which is asked each time where somebody else may have.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use plura_meta::{
    Connection, Timestamp, channel_freeze,
    digest_block::{self, StoredBlock},
    policy_version::{self, PolicyVersion},
};
use plura_oci::{Digest, RepositoryName};
use plura_policy::{Glob, GovernanceDocument, facts::Block};

use crate::{Error, Governance, blocking, instant};

/// The document that is in force, with what was decided beside it.
#[derive(Debug)]
pub struct InForce {
    /// Which version of the document; zero, if none was ever applied.
    pub version: i64,
    /// The document.
    pub governance: Arc<plura_policy::Governance>,
    /// The document as it was applied, with who did and why; nothing, if none was.
    pub applied: Option<PolicyVersion>,
    /// What is to be the same for this to be in force.
    pub revision: i64,
    blocks: HashMap<Digest, Vec<StoredBlock>>,
    pub(crate) freezes: Vec<Freeze>,
}

/// A time in which nothing moves, beside those of the document.
#[derive(Clone, Debug)]
pub(crate) struct Freeze {
    pub(crate) id: String,
    pub(crate) channels: Glob,
    pub(crate) reason: String,
    pub(crate) author: String,
    pub(crate) begins_at: jiff::Timestamp,
    pub(crate) ends_at: jiff::Timestamp,
}

/// What was in force when it was asked last.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// With how many changes there were before it was read.
    kept: RwLock<Option<(u64, Arc<InForce>)>>,
    /// How often this process changed something.
    changes: AtomicU64,
}

impl InForce {
    /// Why a digest must not be run, if somebody decided so for the repository or for all.
    pub fn block(&self, repository: &RepositoryName, digest: &Digest) -> Option<Block> {
        let blocks = self.blocks.get(digest)?;
        let is_here = |block: &&StoredBlock| {
            block.repository.is_empty() || block.repository == repository.as_str()
        };
        blocks.iter().find(is_here).map(|block| Block {
            reason: block.reason.clone(),
            by: block.blocker.clone(),
            at: instant(block.blocked_at),
        })
    }

    /// The digests that must not be run in a repository.
    pub fn blocked_in(&self, repository: &RepositoryName) -> Vec<Digest> {
        let is_here = |digest: &&Digest| self.block(repository, digest).is_some();
        self.blocks.keys().filter(is_here).copied().collect()
    }

    /// Refuses, if something else is in force by now.
    pub(crate) async fn check_unchanged(&self, connection: &mut Connection) -> Result<(), Error> {
        let revision = policy_version::revision(connection).await?;
        if revision == self.revision { Ok(()) } else { Err(Error::Changed) }
    }

    async fn read(connection: &mut Connection) -> Result<Self, Error> {
        // What is changed while this is read is noticed by the number, which is read first.
        let revision = policy_version::revision(connection).await?;
        let applied = policy_version::current(connection).await?;
        let mut blocks: HashMap<Digest, Vec<StoredBlock>> = HashMap::new();
        for block in digest_block::in_force(connection).await? {
            let digest = block.digest.parse().map_err(|_| corrupt("digest_block.digest"))?;
            blocks.entry(digest).or_default().push(block);
        }
        let stored = channel_freeze::in_force(connection, Timestamp::now()).await?;
        let freezes = stored.into_iter().map(|freeze| {
            let channels = freeze.channels.parse();
            Ok(Freeze {
                id: freeze.id,
                channels: channels.map_err(|_| corrupt("channel_freeze.channels"))?,
                reason: freeze.reason,
                author: freeze.author,
                begins_at: instant(freeze.begins_at),
                ends_at: instant(freeze.ends_at),
            })
        });
        let freezes = freezes.collect::<Result<_, Error>>()?;
        let text = applied.as_ref().map(|version| version.document.clone());
        let governance = blocking(move || compiled(text.as_deref())).await?;
        let version = applied.as_ref().map_or(0, |version| version.id);
        let governance = Arc::new(governance);
        Ok(Self { version, governance, applied, revision, blocks, freezes })
    }
}

pub(crate) fn corrupt(column: &str) -> Error {
    plura_meta::Error::Corrupt(format!("{column} cannot be read")).into()
}

fn compiled(text: Option<&str>) -> Result<plura_policy::Governance, Error> {
    let governance = match text {
        Some(text) => plura_policy::Governance::from_toml(text),
        None => plura_policy::Governance::new(GovernanceDocument::default()),
    };
    // It was checked before it was applied.
    governance.map_err(|error| {
        plura_meta::Error::Corrupt(format!("policy_version.document: {error}")).into()
    })
}

impl Governance {
    /// What is in force now, whichever process put it in force.
    pub async fn in_force(&self) -> Result<Arc<InForce>, Error> {
        let cache = &self.shared.in_force;
        // Before anything is read: what is changed from here on is not in it.
        let changes = cache.changes.load(Ordering::Acquire);
        let kept = cache.kept.read().unwrap_or_else(PoisonError::into_inner).clone();
        // Where nobody else writes to the database, what is remembered is right until it is changed here.
        let is_own = !self.db().is_shared();
        if let Some((_, kept)) = kept.as_ref().filter(|(then, _)| is_own && *then == changes) {
            return Ok(Arc::clone(kept));
        }
        self.in_force_now(changes, kept.map(|(_, kept)| kept)).await
    }

    async fn in_force_now(
        &self,
        changes: u64,
        kept: Option<Arc<InForce>>,
    ) -> Result<Arc<InForce>, Error> {
        let mut connection = self.db().read().await?;
        let revision = policy_version::revision(&mut connection).await?;
        let read = match kept.filter(|kept| kept.revision == revision) {
            Some(kept) => kept,
            None => Arc::new(InForce::read(&mut connection).await?),
        };
        let cache = &self.shared.in_force.kept;
        let mut kept = cache.write().unwrap_or_else(PoisonError::into_inner);
        // Another request may have read a newer one meanwhile.
        let is_older =
            |(then, kept): &(u64, Arc<InForce>)| *then <= changes && kept.revision <= read.revision;
        if kept.as_ref().is_none_or(is_older) {
            *kept = Some((changes, Arc::clone(&read)));
        }
        Ok(read)
    }

    /// What is remembered, if that is of the revision.
    pub(crate) fn remembered(&self, revision: i64) -> Option<Arc<InForce>> {
        let kept = self.shared.in_force.kept.read().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref().map(|(_, kept)| Arc::clone(kept));
        kept.filter(|kept| kept.revision == revision)
    }

    /// Lets what is remembered be asked again: after each change, whether it was made or failed.
    pub(crate) fn forget_in_force(&self) {
        self.shared.in_force.changes.fetch_add(1, Ordering::AcqRel);
    }
}
