use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use plura_registry::Registry;
use tracing::{info, warn};

/// Whether the storage can be written and read, as the last probes saw it.
#[derive(Debug, Default)]
pub struct Health(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    failures: u64,
    allowed: u64,
    problem: Option<String>,
}

impl Health {
    /// Probes the storage now and then at every `interval`, for ever. One probe may fail, and a
    /// second; from `failures` in a row on, the server is not ready.
    pub async fn watch(&self, registry: &Registry, interval: Duration, failures: u64) {
        self.seen().allowed = failures.max(1);
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.note(registry.probe().await.map_err(|error| error.to_string()));
        }
    }

    /// Why the server is not ready, if it is not.
    pub fn problem(&self) -> Option<String> {
        let seen = self.seen();
        seen.problem.clone().filter(|_| seen.failures >= seen.allowed.max(1))
    }

    fn note(&self, probed: Result<(), String>) {
        let mut seen = self.seen();
        match probed {
            Ok(()) => {
                if seen.failures > 0 {
                    info!(failures = seen.failures, "storage is well again");
                }
                (seen.failures, seen.problem) = (0, None);
            }
            Err(problem) => {
                seen.failures += 1;
                warn!(
                    failures = seen.failures,
                    allowed = seen.allowed,
                    problem,
                    "storage probe failed"
                );
                seen.problem = Some(problem);
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_unready_from_the_allowed_number_of_failures_on() {
        let health = Health::default();
        health.seen().allowed = 3;
        let fail = || health.note(Err("disk gone".to_owned()));
        fail();
        fail();
        assert_eq!(health.problem(), None);
        fail();
        assert_eq!(health.problem().as_deref(), Some("disk gone"));
        health.note(Ok(()));
        assert_eq!(health.problem(), None);
    }
}
