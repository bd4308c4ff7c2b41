//! What rules let go is deleted by itself, every so often.

use std::time::Duration;

use plura_meta::{Timestamp, Tx, audit::Origin, lease, retention};
use plura_registry::work_at_least_every;

use crate::{Error, Governance};

/// How often is looked whether it is time.
const PAUSE: Duration = Duration::from_secs(5);
/// For how long one process has the turn to make a plan and begin with it.
const TURN: Duration = Duration::from_mins(10);
const LEASE: &str = "retention";

impl Governance {
    /// Makes a plan every `interval` and carries it out, for ever. The first comes a whole interval after the
    /// document was applied, so that there is time to look at what it would be.
    pub async fn watch_retention(&self, interval: Duration) {
        let failed = |error: Error| tracing::error!(%error, "retention failed; trying again");
        let asked = std::future::pending::<()>;
        work_at_least_every(PAUSE, || self.retain_if_due(interval), asked, failed).await;
    }

    /// Whether there may be more to do at once: never.
    async fn retain_if_due(&self, interval: Duration) -> Result<bool, Error> {
        let in_force = self.in_force().await?;
        let Some(applied) = &in_force.applied else { return Ok(false) };
        if !in_force.governance.retention.may_expire() {
            return Ok(false);
        }
        let origin = Origin::system();
        let mut connection = self.db().read().await?;
        let last = retention::last_run_by(&mut connection, &origin.actor).await?;
        drop(connection);
        let now = Timestamp::now();
        if let Some(last) = last.as_ref().filter(|last| last.state == "running") {
            // It was interrupted.
            if self.take_turn(now).await? {
                self.run_again(&origin, last.digest.as_deref()).await?;
            }
            return Ok(false);
        }
        let before = last.and_then(|last| last.started_at).unwrap_or(applied.applied_at);
        if before.max(applied.applied_at).after(interval) > now || !self.take_turn(now).await? {
            return Ok(false);
        }
        match self.plan_retention(&origin, None).await? {
            Some(plan) => self.run_again(&origin, Some(&plan.id)).await?,
            None => self.note_empty_run(&origin, now).await?,
        }
        Ok(false)
    }

    async fn run_again(&self, origin: &Origin, digest: Option<&str>) -> Result<(), Error> {
        let digest = digest.and_then(|digest| digest.parse().ok());
        match digest {
            Some(digest) => self.run_plan(origin, &digest).await,
            None => Ok(()),
        }
    }

    /// Writes down that there was nothing to do, so that the next time is an interval later.
    async fn note_empty_run(&self, origin: &Origin, now: Timestamp) -> Result<(), Error> {
        let in_force = self.in_force().await?;
        let (rules, by) = (in_force.governance.retention.digest(), origin.actor.clone());
        let work = async move |tx: &mut Tx| {
            let id = retention::begin(tx, None, &rules, &by, now).await?;
            retention::finish_empty(tx, id, &by, now).await
        };
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }

    /// Whether no other process has the turn.
    async fn take_turn(&self, now: Timestamp) -> Result<bool, Error> {
        if !self.db().is_shared() {
            return Ok(true);
        }
        let holder = self.shared.registry.process().to_owned();
        let work =
            async move |tx: &mut Tx| lease::take(tx, LEASE, &holder, now, now.after(TURN)).await;
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }
}
