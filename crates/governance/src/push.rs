//! Pushes and deletions by clients, judged by the document in force.

use plura_oci::{Reference, RepositoryName};
use plura_registry::{Error as RegistryError, PushRules, PushedManifest, PutManifest, Registry};

use crate::{Error, Governance};

/// How often a push is judged again because the document was changed meanwhile.
const ATTEMPTS: usize = 8;

impl Governance {
    /// Stores a manifest on somebody's behalf, if the document in force lets them.
    pub async fn push(
        &self,
        registry: &Registry,
        put: PutManifest,
    ) -> Result<PushedManifest, Error> {
        for _ in 1..ATTEMPTS {
            let rules = self.push_rules().await?;
            match registry.put_manifest_by(&rules, put.clone()).await {
                Err(RegistryError::RulesChanged) => self.forget_in_force(),
                done => return Ok(done?),
            }
        }
        let rules = self.push_rules().await?;
        Ok(registry.put_manifest_by(&rules, put).await?)
    }

    /// Deletes a tag, or a manifest with all its tags, if the document in force lets them.
    pub async fn delete(
        &self,
        registry: &Registry,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<(), Error> {
        for _ in 1..ATTEMPTS {
            let rules = self.push_rules().await?;
            match registry.delete_manifest_by(&rules, repository, reference).await {
                Err(RegistryError::RulesChanged) => self.forget_in_force(),
                done => return Ok(done?),
            }
        }
        let rules = self.push_rules().await?;
        Ok(registry.delete_manifest_by(&rules, repository, reference).await?)
    }

    /// Refuses to add bytes to what belongs to channels, or to take some away.
    pub async fn check_blobs(&self, repository: &RepositoryName) -> Result<(), Error> {
        Ok(self.push_rules().await?.check_repository(repository)?)
    }

    async fn push_rules(&self) -> Result<PushRules, Error> {
        let in_force = self.in_force().await?;
        let governance = std::sync::Arc::clone(&in_force.governance);
        Ok(PushRules { governance, revision: in_force.revision })
    }
}
