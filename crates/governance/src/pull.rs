//! Pulls by clients, judged by the document in force. What nobody governs costs nothing.

use std::sync::Arc;

use jiff::Timestamp;
use plura_meta::{repository, tag};
use plura_oci::{Reference, RepositoryName};
use plura_policy::pull::Purpose;
use plura_registry::CachedManifest;

use crate::{Error, Governance, InForce};

/// Somebody reads a manifest.
#[derive(Clone, Copy, Debug)]
pub struct Pull<'a> {
    /// The repository.
    pub repository: &'a RepositoryName,
    /// What it was asked for by.
    pub reference: &'a Reference,
    /// What was found.
    pub found: &'a CachedManifest,
    /// Whether somebody who may push only looks whether it is there.
    pub is_lookup: bool,
}

impl Governance {
    /// Refuses a pull of what is blocked, or of what does not satisfy what the document asks of pulls.
    pub async fn check_pull(&self, pull: &Pull<'_>) -> Result<(), Error> {
        let Pull { repository, reference, found, is_lookup } = *pull;
        let in_force = self.in_force_at(found.revision).await?;
        let block = in_force.block(repository, &found.digest);
        let block = block.filter(|_| in_force.governance.blocks.refuse_pulls);
        let governs = in_force.governance.governs_pulls(repository);
        if is_lookup || (block.is_none() && !governs) {
            return Ok(());
        }
        // Signatures are never refused: what is not signed yet could never become so.
        if self.shared.registry.is_about_another(repository, reference, found).await? {
            return Ok(());
        }
        if let Some(block) = block {
            let (repository, digest) = (repository.clone(), found.digest);
            return Err(Error::Blocked { repository, digest, block: Box::new(block) });
        }
        let facts = self.facts(repository, &Reference::Digest(found.digest)).await?;
        let purpose = Purpose::Pull { tag: None };
        let decision = in_force.governance.decide_pull(&facts, purpose, Timestamp::now());
        if decision.is_allowed() { Ok(()) } else { Err(Error::PullDenied(Box::new(decision))) }
    }

    /// Leaves out the tags that point at what is blocked: nobody is to choose one of them.
    pub async fn without_blocked(
        &self,
        repository: &RepositoryName,
        names: Vec<String>,
    ) -> Result<Vec<String>, Error> {
        let in_force = self.in_force().await?;
        let blocked = in_force.blocked_in(repository);
        if !in_force.governance.blocks.hide_tags || blocked.is_empty() || names.is_empty() {
            return Ok(names);
        }
        let mut connection = self.db().read().await?;
        let Some(id) = repository::find(&mut connection, repository).await? else {
            return Ok(names);
        };
        let hidden = tag::pointing_at(&mut connection, id, &blocked).await?;
        Ok(names.into_iter().filter(|name| !hidden.contains(name)).collect())
    }

    /// What is in force, where it is known already what is to be remembered.
    async fn in_force_at(&self, revision: Option<i64>) -> Result<Arc<InForce>, Error> {
        match revision.and_then(|revision| self.remembered(revision)) {
            Some(remembered) => Ok(remembered),
            None => self.in_force().await,
        }
    }
}
