//! What may be where: the document in force, the facts that it is asked about, channels and how they move.

mod error;

use std::sync::Arc;

use plura_contents::Contents;
use plura_evidence::Evidence;
use plura_registry::Registry;
use plura_vulnerabilities::Vulnerabilities;

pub use error::Error;
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
}

impl Governance {
    /// What governs the registry.
    pub fn new(registry: Registry, sources: Sources) -> Self {
        Self { shared: Arc::new(Shared { registry, sources }) }
    }

    fn db(&self) -> &plura_meta::Db {
        self.shared.registry.database()
    }
}
