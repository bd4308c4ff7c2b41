//! What may be where: the document in force, the facts that it is asked about, channels and how they move.

mod decide;
mod error;
mod facts;
mod in_force;

use std::sync::Arc;

use plura_contents::Contents;
use plura_evidence::Evidence;
use plura_registry::Registry;
use plura_vulnerabilities::Vulnerabilities;

pub use decide::Decided;
pub use error::Error;
pub use in_force::InForce;
pub use plura_meta::audit::Origin;

/// What is known of images, and is decided from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Who signed them, and how they were built.
    pub evidence: Evidence,
    /// What is in them.
    pub contents: Contents,
    /// Which vulnerabilities they have.
    pub vulnerabilities: Vulnerabilities,
}

/// What governs a registry. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Governance {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    sources: Sources,
    in_force: in_force::Cache,
}

impl Governance {
    /// What governs the registry.
    pub fn new(registry: Registry, sources: Sources) -> Self {
        let in_force = in_force::Cache::default();
        Self { shared: Arc::new(Shared { registry, sources, in_force }) }
    }

    fn db(&self) -> &plura_meta::Db {
        self.shared.registry.database()
    }
}

/// An instant as people and documents write it.
fn instant(timestamp: plura_meta::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(timestamp.0).unwrap_or(jiff::Timestamp::MAX)
}

/// Runs what takes a processor where nobody waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
