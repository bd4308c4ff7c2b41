//! What goes on in the background: jobs, promotions on their way, deliveries of events.

use std::sync::atomic::AtomicU64;

use plura_events::JobState;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::Knowledge;

/// Copies of how it goes.
#[derive(Debug, Default)]
pub(super) struct Background {
    failing: Family<OfJob, Gauge>,
    paused: Family<OfJob, Gauge>,
    waiting: Family<OfJob, Gauge>,
    done: Family<OfJob, Gauge>,
    promotions: Gauge,
    overdue: Gauge<f64, AtomicU64>,
    deliveries_waiting: Gauge,
    deliveries_dead: Gauge,
}

/// Not `job`, which Prometheus says of whom it asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfJob {
    name: String,
}

impl Background {
    /// How it goes now. What cannot be told stays as it was.
    pub(super) async fn copy(&self, knowledge: &Knowledge) {
        for job in knowledge.jobs.list().await.map(|page| page.jobs).unwrap_or_default() {
            let of = OfJob { name: job.name };
            self.failing.get_or_create(&of).set(i64::from(job.state == JobState::Failing));
            self.paused.get_or_create(&of).set(i64::from(job.state == JobState::Paused));
            if let Some(waiting) = job.waiting {
                self.waiting.get_or_create(&of).set(whole(waiting));
            }
            let done = job.progress.map_or(0, |progress| progress.done);
            self.done.get_or_create(&of).set(whole(done));
        }
        if let Ok(waiting) = knowledge.governance.promotions_waiting().await {
            self.promotions.set(whole(waiting.running));
            self.overdue.set(waiting.overdue.as_secs_f64());
        }
        if let Ok((waiting, dead)) = knowledge.events.delivery_counts().await {
            self.deliveries_waiting.set(whole(waiting));
            self.deliveries_dead.set(whole(dead));
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "1 if a job failed last, in this process, 0 if not";
        registry.register("job_failing", help, self.failing.clone());
        let help = "1 if somebody lets a job stand still, 0 if not";
        registry.register("job_paused", help, self.paused.clone());
        let help = "What waits for a job, of those that count it";
        registry.register("job_waiting", help, self.waiting.clone());
        let help = "What a job did since it had nothing to do, in this process";
        registry.register("job_done", help, self.done.clone());
        let help = "Promotions that have not ended";
        registry.register("promotions_running", help, self.promotions.clone());
        let help = "Since when a promotion ought to have been gone on with; 0 if none is due";
        registry.register("promotion_overdue_seconds", help, self.overdue.clone());
        let help = "Deliveries of events that wait to be sent, or sent again";
        registry.register("webhook_deliveries_waiting", help, self.deliveries_waiting.clone());
        let help = "Deliveries of events that were given up and can be sent again";
        registry.register("webhook_deliveries_dead", help, self.deliveries_dead.clone());
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
