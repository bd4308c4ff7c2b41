//! Figures about images, promotions and rollbacks, as `GET /v1/registry/metrics` gives them.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, Instant},
};

use plura_governance::{Figures, Governance as Governing};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::sync::Mutex;

/// How long figures are given again that were counted once: that grows with how many images there are, and
/// several may look, often.
const FRESH: Duration = Duration::from_mins(1);

/// A gauge with parts of a whole or of a second. What is not known is NaN, which no alert is about.
type Fraction = Gauge<f64, AtomicU64>;

/// Copies of what is counted in the database.
#[derive(Debug, Default)]
pub(super) struct Governance {
    counted_at: Mutex<Option<Instant>>,
    images: Family<Environment, Gauge>,
    digests: Gauge,
    sbom_coverage: Fraction,
    signed: Gauge,
    blocked: Gauge,
    missed: Gauge,
    promotion_latency: Fraction,
    rollback_time: Fraction,
    targets: Family<OfFigure, Fraction>,
    values: Family<OfFigure, Fraction>,
    met: Family<OfFigure, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Environment {
    environment: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFigure {
    figure: &'static str,
}

impl Governance {
    /// Counts again what was counted too long ago. What cannot be counted now stays as it was.
    pub(super) async fn refresh(&self, governing: &Governing) {
        // Of those who look at the same time, one counts.
        let mut counted_at = self.counted_at.lock().await;
        if counted_at.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        if let Ok(figures) = governing.figures(None).await {
            self.copy(&figures);
            *counted_at = Some(Instant::now());
        }
    }

    fn copy(&self, figures: &Figures) {
        // An environment that is no more must not stay.
        self.images.clear();
        for (environment, count) in &figures.image_count_by_env {
            let environment = Environment { environment: environment.clone() };
            self.images.get_or_create(&environment).set(*count);
        }
        self.digests.set(figures.digest_unique);
        self.sbom_coverage.set(figures.sbom_coverage.unwrap_or(f64::NAN));
        self.signed.set(figures.signed_artifacts);
        self.blocked.set(figures.cve_block_events);
        self.missed.set(figures.cve_blocks_missed);
        self.promotion_latency.set(figures.promotion_latency_p95.unwrap_or(f64::NAN));
        self.rollback_time.set(figures.rollback_time_p95.unwrap_or(f64::NAN));
        self.met.clear();
        for objective in &figures.objectives {
            let of = OfFigure { figure: objective.figure.as_str() };
            self.targets.get_or_create(&of).set(objective.target);
            self.values.get_or_create(&of).set(objective.value.unwrap_or(f64::NAN));
            if let Some(met) = objective.met {
                self.met.get_or_create(&of).set(i64::from(met));
            }
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Different images in the channels of each environment";
        registry.register("image_count_by_env", help, self.images.clone());
        let help = "Different manifests that are not about another one";
        registry.register("digest_unique", help, self.digests.clone());
        let help = "Part of the images that there is a bill of materials of, from 0 to 1";
        registry.register("sbom_coverage_ratio", help, self.sbom_coverage.clone());
        let help = "Manifests that are signed by those whom policies trust";
        registry.register("signed_artifacts", help, self.signed.clone());
        let help = "Promotions that were denied for vulnerabilities, ever";
        registry.register("cve_block_events", help, self.blocked.clone());
        let help = "Channels that point at an image that may not be there for its vulnerabilities";
        registry.register("cve_blocks_missed", help, self.missed.clone());
        let help = "What 95 of 100 promotions took at most, of the last thousand in 30 days";
        registry.register("promotion_latency_p95_seconds", help, self.promotion_latency.clone());
        let help = "What 95 of 100 rollbacks took at most, of the last thousand in 30 days";
        registry.register("rollback_time_p95_seconds", help, self.rollback_time.clone());
        let help = "What a figure ought to be: seconds, a number, or a part of a whole";
        registry.register("objective_target", help, self.targets.clone());
        let help = "What a figure is that ought to be something";
        registry.register("objective_value", help, self.values.clone());
        let help = "1 if a figure is what it ought to be, 0 if not";
        registry.register("objective_met", help, self.met.clone());
    }
}
