//! What is known of every manifest: who signed it, how it was built, and whether that is true.
//!
//! Evidence is gathered when something arrives that says something about a manifest, kept with what it
//! was decided from, and gathered again when any of that changes. Asking is reading one row. What is
//! asked for before it was gathered is gathered then: an answer is never older than what it is about.

mod ask;
mod decide;
mod document;
mod error;
mod gather;
mod policies;
mod readings;
mod trusted;
mod view;
mod worker;

use std::sync::Arc;

use plura_registry::Registry;
use tokio::sync::Semaphore;

pub use document::{FoundSignature, FoundStatement, ManifestEvidence};
pub use error::Error;
pub use plura_meta::audit::Origin;
pub use plura_trust::{PolicyDocument, Refusal, Verdict};
pub use policies::{RootInForce, StoredTrustPolicy};

use crate::trusted::Cache;

/// How many manifests are looked into at a time: what is read of one may take some memory.
const AT_A_TIME: usize = 2;

/// The evidence about what a registry holds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Evidence {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    trusted: Cache,
    gathering: Semaphore,
}

impl Evidence {
    /// The evidence about what the registry holds.
    pub fn new(registry: Registry) -> Self {
        let gathering = Semaphore::new(AT_A_TIME);
        Self { shared: Arc::new(Shared { registry, trusted: Cache::default(), gathering }) }
    }

    fn db(&self) -> &plura_meta::Db {
        self.shared.registry.database()
    }
}
