//! Gathers what is asked for, without being asked to wait.

use std::{collections::BTreeMap, time::Duration};

use futures_util::StreamExt;
use plura_meta::{
    RepositoryId, Timestamp,
    evidence::{self, Review},
    repository,
};
use plura_oci::{Reference, RepositoryName};
use plura_registry::{did, work_when_asked};
use tracing::{error, warn};

use crate::{AT_A_TIME, Error, Evidence, ask::Renewed};

/// What is taken at a time: one commit for all of it.
const BATCH: u32 = 64;
/// Manifests that the walk looks at with one commit.
const STEP: u32 = 1000;
/// How long what was taken is left to who took it.
const CLAIM: Duration = Duration::from_mins(1);

impl Evidence {
    /// Gathers evidence as it is asked for, for ever.
    pub async fn watch(&self) {
        // Whoever asks for a certain manifest does not wait for this.
        let failed = |error: Error| error!(%error, "evidence cannot be gathered; trying again");
        work_when_asked(|| self.work(), || self.shared.registry.evidence_asked(), failed).await;
    }

    /// Gathers some of what is asked for; whether there may be more.
    pub async fn work(&self) -> Result<bool, Error> {
        let reviews = self.take().await?;
        if reviews.is_empty() {
            return self.walk().await;
        }
        let names = self.names(&reviews).await?;
        let taken = reviews.len() as u64;
        let renewed: Vec<Option<Renewed>> = futures_util::stream::iter(reviews)
            .map(|review| {
                let name = names.get(&review.repository).cloned();
                self.renew(review, name)
            })
            .buffered(AT_A_TIME)
            .collect()
            .await;
        let failed = renewed.iter().any(Option::is_none);
        self.keep(renewed.into_iter().flatten().collect()).await?;
        did(taken).await;
        // What failed waits; it must not be tried again at once.
        Ok(!failed)
    }

    /// How many manifests wait for their evidence to be gathered.
    pub async fn waiting(&self) -> Result<u64, Error> {
        Ok(evidence::count_waiting(&mut self.db().read().await?).await?)
    }

    async fn take(&self) -> Result<Vec<Review>, Error> {
        if !self.db().is_shared() {
            return Ok(evidence::waiting(&mut self.db().read().await?, BATCH).await?);
        }
        let work = async move |tx: &mut plura_meta::Tx| {
            let now = Timestamp::now();
            evidence::take(tx, now, now.after(CLAIM), BATCH).await
        };
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }

    async fn names(
        &self,
        reviews: &[Review],
    ) -> Result<BTreeMap<RepositoryId, RepositoryName>, Error> {
        let mut connection = self.db().read().await?;
        let mut names = BTreeMap::new();
        for review in reviews {
            if !names.contains_key(&review.repository)
                && let Some(name) = repository::name(&mut connection, review.repository).await?
            {
                names.insert(review.repository, name);
            }
        }
        Ok(names)
    }

    /// What is known of a manifest now; nothing where it could not be found out, which is logged.
    async fn renew(&self, review: Review, name: Option<RepositoryName>) -> Option<Renewed> {
        let reference = Reference::Digest(review.digest);
        let renewed = async {
            let name = name.ok_or_else(|| Error::ManifestUnknown(reference.clone()))?;
            let trusted = self.trusted().await?;
            let known = self.known(&name, &reference).await?;
            self.find_out(&name, &known, &trusted).await
        };
        let digest = review.digest;
        match renewed.await {
            Ok(renewed) => Some(renewed),
            // It is gone, and what was asked about it goes with it.
            Err(Error::ManifestUnknown(_)) => None,
            Err(error) => {
                warn!(%error, %digest, "the evidence about a manifest cannot be gathered");
                None
            }
        }
    }

    /// Takes the next step of the walk that follows a change of whom to trust; whether there may be more.
    async fn walk(&self) -> Result<bool, Error> {
        let trusted = self.trusted().await?;
        let work = async move |tx: &mut plura_meta::Tx| {
            let Some(passed) = evidence::walk(tx, STEP).await? else { return Ok(false) };
            let mut stale: BTreeMap<RepositoryId, Vec<_>> = BTreeMap::new();
            for one in passed {
                // Of what has no evidence nothing is said, or it is asked for already.
                let Some(basis) = one.basis else { continue };
                if basis != trusted.basis(&one.name) {
                    stale.entry(one.repository).or_default().push(one.digest);
                }
            }
            for (repository, digests) in &stale {
                evidence::ask(tx, *repository, digests).await?;
            }
            Ok::<_, Error>(true)
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }
}
