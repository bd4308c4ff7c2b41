//! Figures about images, promotions and rollbacks.

use std::collections::BTreeMap;

use plura_meta::figures;
use plura_oci::RepositoryName;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Error, Governance};

/// Figures of one repository, or of all.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = RegistryFigures)]
pub struct Figures {
    /// How many different images are in the channels of each environment.
    pub image_count_by_env: BTreeMap<String, i64>,
    /// How many different manifests there are.
    pub digest_unique: i64,
    /// Of which part of the images there is a bill of materials, from 0 to 1; nothing without images.
    pub sbom_coverage: Option<f64>,
    /// How many manifests are signed by those whom policies trust.
    pub signed_artifacts: i64,
    /// How many promotions were denied for vulnerabilities.
    pub cve_block_events: i64,
    /// How many seconds 95 of 100 promotions took at most, from being asked for; nothing without any.
    pub promotion_latency_p95: Option<f64>,
    /// The same of rollbacks.
    pub rollback_time_p95: Option<f64>,
    /// How many bytes of blobs there are.
    pub registry_storage_bytes: i64,
    /// How many bytes collection gave back, in all repositories together.
    pub gc_reclaim_bytes: i64,
}

impl Governance {
    /// Figures of one repository, or of all.
    pub async fn figures(&self, repository: Option<&RepositoryName>) -> Result<Figures, Error> {
        let found = figures::find(&mut self.db().read().await?, repository).await?;
        let coverage = (found.images > 0).then(|| ratio(found.read, found.images));
        Ok(Figures {
            image_count_by_env: found.environments.into_iter().collect(),
            digest_unique: found.digests,
            sbom_coverage: coverage,
            signed_artifacts: found.signed,
            cve_block_events: found.denied_for_vulnerabilities,
            promotion_latency_p95: percentile(&found.promotions),
            rollback_time_p95: percentile(&found.rollbacks),
            registry_storage_bytes: found.bytes,
            gc_reclaim_bytes: found.collected_bytes,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of two counts is shown, not reckoned with")]
fn ratio(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

/// The 95th of 100, in seconds, by the nearest rank.
fn percentile(milliseconds: &[i64]) -> Option<f64> {
    let rank = (milliseconds.len() * 95).div_ceil(100);
    milliseconds.get(rank.checked_sub(1)?).map(|found| ratio(*found, 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_the_nearest_rank() {
        let hundred: Vec<i64> = (1..=100).map(|n| n * 1000).collect();
        for (numbers, expected) in [
            (&hundred[..], Some(95.0)),
            (&hundred[..1], Some(1.0)),
            (&hundred[..20], Some(19.0)),
            (&[], None),
        ] {
            let found = percentile(numbers).map(|found| found.to_string());
            assert_eq!(found, expected.map(|expected: f64| expected.to_string()));
        }
    }
}
