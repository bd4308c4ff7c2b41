//! Matches what is to be matched, without being asked to wait.

use std::time::Duration;

use plura_meta::{Timestamp, advisory, vulnerability};
use plura_registry::{did, work_when_asked};
use tracing::error;

use crate::{Error, Vulnerabilities};

/// Packages that are matched with one commit.
const BATCH: u32 = 2000;
/// Blocks of advisories that are removed with one commit.
const BLOCKS: u32 = 32;
/// An import that takes longer has failed.
const LONGEST_IMPORT: Duration = Duration::from_hours(24);

impl Vulnerabilities {
    /// Matches packages as they come and as advisories change, for ever.
    pub async fn watch(&self) {
        // Whoever asks about a certain image does not wait for this.
        let failed = |error: Error| error!(%error, "packages cannot be matched; trying again");
        work_when_asked(|| self.work(), || self.shared.asked.notified(), failed).await;
    }

    /// Matches some of what is to be matched; whether there may be more.
    pub async fn work(&self) -> Result<bool, Error> {
        let in_force = self.in_force().await?;
        let packages =
            vulnerability::unmatched(&mut self.db().read().await?, &in_force.basis, BATCH).await?;
        if packages.is_empty() {
            return self.tidy().await;
        }
        let loaded = self.loaded().await?;
        if loaded.in_force.basis == in_force.basis {
            let count = packages.len() as u64;
            self.match_packages(&loaded, packages).await?;
            did(count).await;
        }
        Ok(true)
    }

    /// How many packages wait to be matched.
    pub async fn waiting(&self) -> Result<u64, Error> {
        let in_force = self.in_force().await?;
        let mut connection = self.db().read().await?;
        Ok(vulnerability::count_unmatched(&mut connection, &in_force.basis).await?)
    }

    /// Removes some of what imports left behind that are not in force; whether there may be more.
    async fn tidy(&self) -> Result<bool, Error> {
        let before = Timestamp::now().before(LONGEST_IMPORT);
        // Most of the time there is nothing, which is no reason to write.
        if !advisory::has_stale(&mut self.db().read().await?, before).await? {
            return Ok(false);
        }
        let work =
            async move |tx: &mut plura_meta::Tx| advisory::remove_stale(tx, before, BLOCKS).await;
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }
}
