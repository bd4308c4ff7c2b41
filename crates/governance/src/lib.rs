//! What may be where: the document in force, the facts that it is asked about, channels and how they move.

mod approvals;
mod attest;
mod attestor;
mod blocks;
mod bundle;
mod channels;
mod checks;
mod decide;
mod document;
mod error;
mod facts;
mod figures;
mod freezes;
mod holds;
mod in_force;
mod kept;
mod leaf;
pub mod notes;
mod promotion;
mod pull;
mod push;
mod record;
mod redecide;
mod refusal;
mod report_error;
mod retention;
mod rollback;
mod summaries;
mod usage;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use plura_contents::Contents;
use plura_evidence::Evidence;
use plura_meta::Tx;
use plura_registry::Registry;
use plura_rollout::Rollout;
use plura_transparency::Transparency;
use plura_vulnerabilities::Vulnerabilities;
use tokio::sync::Notify;

pub use approvals::{GivenApproval, NewApproval};
pub use attestor::{Attestor, AttestorError};
pub use blocks::{BlockKind, ListedBlock};
pub use bundle::{BundleProblem, LoggedFact, ProvedLog, Trusted, VerifiedBundle, verify_bundle};
pub use channels::{
    ChannelFilter, ChannelHead, HistoryPage, Hold, Moved, Released, Standing, Where,
};
pub use checks::{ListedCheck, NewCheck};
pub use decide::Decided;
pub use document::{AppliedPolicy, PolicyApplication};
pub use error::Error;
pub use figures::{Figures, Objective, ObjectiveBound, ObjectiveFigure, ObjectiveUnit};
pub use freezes::{ListedFreeze, NewFreeze};
pub use holds::{HoldsPage, ListedHold, NewHold};
pub use in_force::InForce;
pub use kept::{Cause, KeptDecision, PackedDecision, SimulatedChange, Simulation};
pub use plura_access::secret::Secret;
pub use plura_meta::{audit::Origin, decision::Filter as DecisionFilter};
pub use promotion::{
    Progress, PromoteRequest, Promoted, Promotion, PromotionFilter, PromotionPage,
    PromotionsWaiting, State,
};
pub use pull::Pull;
pub use refusal::{KeyProblem, Refusal};
pub use report_error::ReportError;
pub use retention::{PlannedDeletion, RetentionPlan, RetentionRun, RetentionRuns};
pub use rollback::{RollbackRequest, RolledBack};
pub use usage::{RepositoryUsage, UsageFilter, UsagePage};

/// What is known of images, and is decided from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Who signed them, and how they were built.
    pub evidence: Evidence,
    /// What is in them.
    pub contents: Contents,
    /// Which vulnerabilities they have.
    pub vulnerabilities: Vulnerabilities,
    /// How they do while they get traffic, and who moves it.
    pub rollout: Rollout,
    /// Who signs what is decided.
    pub attestor: Attestor,
    /// What proves it.
    pub transparency: Transparency,
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
    /// Told when promotions may go on.
    asked: Notify,
    /// Told when channels point at something else.
    moved: Notify,
    /// Held by the plan of retention that is carried out; there is one at a time.
    retaining: tokio::sync::Mutex<()>,
    /// Told when something is decided that is to be attached.
    decided: Notify,
}

impl Governance {
    /// What governs the registry.
    pub fn new(registry: Registry, sources: Sources) -> Self {
        let in_force = in_force::Cache::default();
        let (asked, moved, decided) = (Notify::new(), Notify::new(), Notify::new());
        let retaining = tokio::sync::Mutex::default();
        let shared = Shared { registry, sources, in_force, asked, moved, retaining, decided };
        Self { shared: Arc::new(shared) }
    }

    /// Has promotions go on and channels looked at without waiting for their time.
    fn ask(&self) {
        self.shared.asked.notify_one();
        self.shared.moved.notify_one();
        self.shared.decided.notify_one();
        self.shared.registry.ask_for_log();
    }

    /// Changes something that may be remembered as in force.
    async fn change<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        let governance = self.clone();
        // Whoever asked may go away: what is remembered must be let go of all the same.
        let done = tokio::spawn(async move {
            let done = governance.db().write(work).await;
            governance.forget_in_force();
            governance.ask();
            done
        });
        match done.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
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
