//! What is in force: the document, blocks and freezes. They are remembered as long as nobody changed
//! them, which is asked each time where somebody else may have.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
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
    kept: RwLock<Option<Arc<InForce>>>,
    /// Whether this process changed something since.
    changed: AtomicBool,
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

fn corrupt(column: &str) -> Error {
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
        let kept = cache.kept.read().unwrap_or_else(PoisonError::into_inner).clone();
        // Where nobody else writes to the database, what is remembered is right until it is changed here.
        let is_own = !self.db().is_shared() && !cache.changed.swap(false, Ordering::AcqRel);
        if let Some(kept) = kept.as_ref().filter(|_| is_own) {
            return Ok(Arc::clone(kept));
        }
        let read = self.in_force_now(kept).await;
        if read.is_err() {
            cache.changed.store(true, Ordering::Release);
        }
        read
    }

    async fn in_force_now(&self, kept: Option<Arc<InForce>>) -> Result<Arc<InForce>, Error> {
        let mut connection = self.db().read().await?;
        let revision = policy_version::revision(&mut connection).await?;
        if let Some(kept) = kept.filter(|kept| kept.revision == revision) {
            return Ok(kept);
        }
        let read = Arc::new(InForce::read(&mut connection).await?);
        let cache = &self.shared.in_force.kept;
        let mut kept = cache.write().unwrap_or_else(PoisonError::into_inner);
        // Another request may have read a newer one meanwhile.
        if kept.as_ref().is_none_or(|kept| kept.revision <= read.revision) {
            *kept = Some(Arc::clone(&read));
        }
        Ok(read)
    }

    /// What is remembered, if that is of the revision.
    pub(crate) fn remembered(&self, revision: i64) -> Option<Arc<InForce>> {
        let kept = self.shared.in_force.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.clone().filter(|kept| kept.revision == revision)
    }

    /// Lets what is remembered be asked again: after each change, whether it was made or failed.
    pub(crate) fn forget_in_force(&self) {
        self.shared.in_force.changed.store(true, Ordering::Release);
    }
}
