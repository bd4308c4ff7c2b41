//! Figures about images, promotions and rollbacks, and what they ought to be.

use std::{collections::BTreeMap, time::Duration};

use plura_meta::{Timestamp, figures};
use plura_oci::RepositoryName;
use plura_policy::gate::GateDecision;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Error, Governance};

/// How far back promotions and rollbacks are looked at; beyond the last thousand of each, none is.
const LOOKED_BACK: Duration = Duration::from_hours(24 * 30);

/// Figures of one repository, or of all.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = RegistryFigures)]
pub struct Figures {
    /// How many different images are in the channels of each environment.
    pub image_count_by_env: BTreeMap<String, i64>,
    /// How many different manifests there are that are not about another one.
    pub digest_unique: i64,
    /// Of which part of the images there is a bill of materials, from 0 to 1; nothing without images.
    pub sbom_coverage: Option<f64>,
    /// How many manifests are signed by those whom policies trust.
    pub signed_artifacts: i64,
    /// How many promotions were denied for vulnerabilities.
    pub cve_block_events: i64,
    /// How many channels point at an image that may not be there for its vulnerabilities, as was decided
    /// last; of the first thousand of those with an image that may not be there at all.
    pub cve_blocks_missed: i64,
    /// How many seconds 95 of 100 promotions took at most, from being asked for; nothing without any. Of
    /// the last thousand in the last 30 days.
    pub promotion_latency_p95: Option<f64>,
    /// The same of rollbacks.
    pub rollback_time_p95: Option<f64>,
    /// How many bytes of blobs there are.
    pub registry_storage_bytes: i64,
    /// How many bytes collection gave back, in all repositories together.
    pub gc_reclaim_bytes: i64,
    /// What figures ought to be, and whether they are.
    pub objectives: Vec<Objective>,
}

/// What a figure ought to be.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = RegistryObjective)]
pub struct Objective {
    /// The figure.
    pub figure: ObjectiveFigure,
    /// What it is counted in.
    pub unit: ObjectiveUnit,
    /// What it is; nothing where there is nothing to tell it from.
    pub value: Option<f64>,
    /// Whether it ought to be at least, or at most, what it ought to be.
    pub bound: ObjectiveBound,
    /// What it ought to be.
    pub target: f64,
    /// Whether it is; nothing where there is nothing to tell it from.
    pub met: Option<bool>,
}

/// A figure that ought to be something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveFigure {
    /// Of which part of the images there is a bill of materials: all.
    SbomCoverage,
    /// Which part of the images is signed by those whom policies trust: all.
    SignedArtifacts,
    /// Channels that point at an image that may not be there for its vulnerabilities: none.
    CveBlocksMissed,
    /// How long promotions take: 30 minutes.
    #[serde(rename = "promotion_latency_p95")]
    PromotionLatency,
    /// How long rollbacks take: 5 minutes.
    #[serde(rename = "rollback_time_p95")]
    RollbackTime,
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveUnit {
    /// A part of a whole, from 0 to 1.
    Ratio,
    /// Things.
    Count,
    /// Seconds.
    Seconds,
}

/// On which side of its target a figure ought to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveBound {
    /// Not below it.
    AtLeast,
    /// Not above it.
    AtMost,
}

impl ObjectiveFigure {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SbomCoverage => "sbom_coverage",
            Self::SignedArtifacts => "signed_artifacts",
            Self::CveBlocksMissed => "cve_blocks_missed",
            Self::PromotionLatency => "promotion_latency_p95",
            Self::RollbackTime => "rollback_time_p95",
        }
    }

    const fn unit(self) -> ObjectiveUnit {
        match self {
            Self::SbomCoverage | Self::SignedArtifacts => ObjectiveUnit::Ratio,
            Self::CveBlocksMissed => ObjectiveUnit::Count,
            Self::PromotionLatency | Self::RollbackTime => ObjectiveUnit::Seconds,
        }
    }

    const fn target(self) -> (ObjectiveBound, f64) {
        match self {
            Self::SbomCoverage | Self::SignedArtifacts => (ObjectiveBound::AtLeast, 1.0),
            Self::CveBlocksMissed => (ObjectiveBound::AtMost, 0.0),
            Self::PromotionLatency => (ObjectiveBound::AtMost, 1800.0),
            Self::RollbackTime => (ObjectiveBound::AtMost, 300.0),
        }
    }
}

impl Objective {
    fn of(figure: ObjectiveFigure, value: Option<f64>) -> Self {
        let (bound, target) = figure.target();
        let met = value.map(|value| match bound {
            ObjectiveBound::AtLeast => value >= target,
            ObjectiveBound::AtMost => value <= target,
        });
        Self { figure, unit: figure.unit(), value, bound, target, met }
    }
}

impl Governance {
    /// Figures of one repository, or of all.
    pub async fn figures(&self, repository: Option<&RepositoryName>) -> Result<Figures, Error> {
        let since = Timestamp::now().before(LOOKED_BACK);
        let found = figures::find(&mut self.db().read().await?, repository, since).await?;
        let part = |part| (found.images > 0).then(|| ratio(part, found.images));
        let (coverage, signed) = (part(found.read), part(found.signed_images));
        let missed = found.forbidden.iter().filter(|decision| is_for_vulnerabilities(decision));
        let missed = i64::try_from(missed.count()).unwrap_or(i64::MAX);
        let promotions = percentile(&found.promotions);
        let rollbacks = percentile(&found.rollbacks);
        let objectives = [
            (ObjectiveFigure::SbomCoverage, coverage),
            (ObjectiveFigure::SignedArtifacts, signed),
            (ObjectiveFigure::CveBlocksMissed, Some(ratio(missed, 1))),
            (ObjectiveFigure::PromotionLatency, promotions),
            (ObjectiveFigure::RollbackTime, rollbacks),
        ];
        let objectives = objectives.map(|(figure, value)| Objective::of(figure, value));
        Ok(Figures {
            image_count_by_env: found.environments.into_iter().collect(),
            digest_unique: found.digests,
            sbom_coverage: coverage,
            signed_artifacts: found.signed,
            cve_block_events: found.denied_for_vulnerabilities,
            cve_blocks_missed: missed,
            promotion_latency_p95: promotions,
            rollback_time_p95: rollbacks,
            registry_storage_bytes: found.bytes,
            gc_reclaim_bytes: found.collected_bytes,
            objectives: objectives.into(),
        })
    }
}

/// Whether vulnerabilities are among what an image was denied for. What cannot be read counts: it must not
/// look as if nothing were wrong.
fn is_for_vulnerabilities(decision: &str) -> bool {
    let Ok(decision) = serde_json::from_str::<GateDecision>(decision) else { return true };
    decision.blocking().any(|outcome| outcome.gate == "vulnerabilities")
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
    fn an_objective_is_met_on_its_side_of_the_target() {
        use ObjectiveFigure::{CveBlocksMissed, PromotionLatency, SbomCoverage, SignedArtifacts};
        for (figure, value, met) in [
            (SbomCoverage, Some(1.0), Some(true)),
            (SignedArtifacts, Some(0.99), Some(false)),
            (CveBlocksMissed, Some(0.0), Some(true)),
            (CveBlocksMissed, Some(1.0), Some(false)),
            (PromotionLatency, Some(1800.0), Some(true)),
            (PromotionLatency, Some(1800.5), Some(false)),
            (PromotionLatency, None, None),
        ] {
            assert_eq!(Objective::of(figure, value).met, met, "{figure:?} {value:?}");
        }
    }

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
