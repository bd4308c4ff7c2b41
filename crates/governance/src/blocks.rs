//! Blocks: that a digest must not be run, in one repository or anywhere.

use plura_meta::{
    Timestamp, Tx,
    audit::Origin,
    digest_block::{self, StoredBlock},
};
use plura_oci::{Digest, RepositoryName};
use serde::Serialize;

use crate::{
    Error, Governance,
    document::check_reason,
    instant,
    record::{Leaf, record},
};

/// Who decides that something is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Somebody did.
    Manual,
    /// The document did.
    Policy,
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = DigestBlock)]
pub struct ListedBlock {
    /// Its name.
    pub id: String,
    /// The manifest.
    pub digest: String,
    /// The repository; nothing where it is everywhere.
    pub repository: Option<String>,
    /// Who decides: `manual` or `policy`.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Who did.
    pub by: String,
    /// When.
    #[schema(value_type = String)]
    pub at: jiff::Timestamp,
}

impl Governance {
    /// Blocks a digest, which need not be here yet.
    pub async fn block(
        &self,
        origin: &Origin,
        digest: Digest,
        repository: Option<RepositoryName>,
        (kind, reason): (BlockKind, &str),
    ) -> Result<ListedBlock, Error> {
        check_reason(reason)?;
        let stored = StoredBlock {
            id: uuid::Uuid::now_v7().to_string(),
            digest: digest.to_string(),
            repository: repository.as_ref().map(ToString::to_string).unwrap_or_default(),
            kind: kind.as_str().to_owned(),
            reason: reason.to_owned(),
            blocker: origin.actor.clone(),
            blocked_at: Timestamp::now(),
            lifted_at: None,
            lifted_by: None,
            lifted_because: None,
        };
        let leaf = Leaf::BlockCreated {
            block: stored.id.clone(),
            digest,
            repository,
            kind: kind.as_str(),
            reason: reason.to_owned(),
        };
        let (origin, kept) = (origin.clone(), stored.clone());
        let work = async move |tx: &mut Tx| {
            if !digest_block::add(tx, &kept).await? {
                return Err(Error::BlockedAlready(digest));
            }
            record(tx, &origin, &leaf, kept.blocked_at).await
        };
        self.change(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(ListedBlock::of(stored))
    }

    /// Lifts the block of a digest, in one repository or everywhere.
    pub async fn unblock(
        &self,
        origin: &Origin,
        digest: Digest,
        repository: Option<RepositoryName>,
        reason: &str,
    ) -> Result<(), Error> {
        check_reason(reason)?;
        let (origin, reason) = (origin.clone(), reason.to_owned());
        let work = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            let name = repository.as_ref().map(ToString::to_string).unwrap_or_default();
            let by = (origin.actor.as_str(), reason.as_str());
            let lifted = digest_block::lift(tx, &digest, &name, by, now).await?;
            let Some(block) = lifted else { return Err(Error::NotBlocked(digest)) };
            record(tx, &origin, &Leaf::BlockLifted { block, digest, repository, reason }, now).await
        };
        self.change(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(())
    }

    /// The blocks that hold, by digest.
    pub async fn blocks(&self) -> Result<Vec<ListedBlock>, Error> {
        let found = digest_block::in_force(&mut self.db().read().await?).await?;
        Ok(found.into_iter().map(ListedBlock::of).collect())
    }
}

impl BlockKind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Policy => "policy",
        }
    }
}

impl ListedBlock {
    fn of(stored: StoredBlock) -> Self {
        Self {
            id: stored.id,
            digest: stored.digest,
            repository: Some(stored.repository).filter(|name| !name.is_empty()),
            kind: stored.kind,
            reason: stored.reason,
            by: stored.blocker,
            at: instant(stored.blocked_at),
        }
    }
}
