//! Decisions that are to be attached to what they are about: a row comes with each in its transaction, and
//! goes when the summary is there. So none is lost, whenever the server ends, and none is there twice.

use std::time::Duration;

use plura_meta::{Timestamp, Tx, summary_due, summary_due::DueSummary};
use plura_policy::gate::{Effect, GateDecision};
use plura_registry::ImageError;
use tracing::{error, warn};

use crate::{Error, Governance, ReportError};

/// What is taken at a time.
const BATCH: u32 = 64;
/// How long what was taken is left to who took it.
const CLAIM: Duration = Duration::from_secs(15);
/// How soon is tried again what failed once; twice as long after each other time.
const AGAIN: Duration = Duration::from_secs(10);
/// The longest that is waited.
const LONGEST: Duration = Duration::from_hours(1);
/// How often is looked for what others left.
const PAUSE: Duration = Duration::from_secs(1);

/// Has a decision attached, once it is made; in the transaction that makes it. What waits is none.
pub(crate) async fn queue(
    tx: &mut Tx,
    decision: &GateDecision,
    now: Timestamp,
) -> Result<(), Error> {
    if decision.effect == Effect::Wait {
        return Ok(());
    }
    let id = uuid::Uuid::now_v7().to_string();
    // Keys are texts: nothing in it cannot be written.
    let document = serde_json::to_string(decision).unwrap_or_default();
    Ok(summary_due::add(tx, &id, &document, now).await?)
}

impl Governance {
    /// Attaches what was decided to what it is about, for ever.
    pub async fn watch_summaries(&self) {
        if let Err(error) = self.release_summaries().await {
            error!(%error, "decisions that were being attached are left for a moment");
        }
        loop {
            match self.attach_due().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => error!(%error, "decisions are not attached; trying again"),
            }
            let _ = tokio::time::timeout(PAUSE, self.shared.decided.notified()).await;
        }
    }

    /// Attaches the decisions that are due; whether there may be more.
    pub async fn attach_due(&self) -> Result<bool, Error> {
        let due = summary_due::due(&mut self.db().read().await?, Timestamp::now(), BATCH).await?;
        let mut any = false;
        // One after the other: nobody waits for it, and what people wait for goes first.
        for one in due {
            match self.attach(one).await {
                Ok(()) => any = true,
                Err(error) => error!(%error, "a decision is not attached; trying again"),
            }
        }
        Ok(any)
    }

    /// How many decisions wait for being attached.
    pub async fn summaries_waiting(&self) -> Result<u64, Error> {
        Ok(summary_due::count(&mut self.db().read().await?).await?.unsigned_abs())
    }

    /// The only process that there is goes on at once with what the one before it had taken.
    async fn release_summaries(&self) -> Result<(), Error> {
        if self.db().is_shared() || self.summaries_waiting().await? == 0 {
            return Ok(());
        }
        let work = async move |tx: &mut Tx| summary_due::release_all(tx, Timestamp::now()).await;
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }

    async fn attach(&self, one: DueSummary) -> Result<(), Error> {
        let taken = one.clone();
        let work = async move |tx: &mut Tx| {
            summary_due::take(tx, &taken, Timestamp::now().after(CLAIM)).await
        };
        if !self.db().write(move |tx| Box::pin(async move { work(tx).await })).await? {
            return Ok(());
        }
        plura_fault::point("summary.taken").map_err(Error::fault)?;
        let ended = self.attached_or_not(&one).await;
        plura_fault::point("summary.attached").map_err(Error::fault)?;
        let work = async move |tx: &mut Tx| match ended {
            None => summary_due::remove(tx, &one.id).await,
            Some(pause) => summary_due::put_off(tx, &one.id, Timestamp::now().after(pause)).await,
        };
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }

    /// Attaches it; nothing if that is done, or never will be, or else how long to wait.
    async fn attached_or_not(&self, one: &DueSummary) -> Option<Duration> {
        let decision: GateDecision = match serde_json::from_str(&one.decision) {
            Ok(decision) => decision,
            Err(error) => {
                error!(%error, id = one.id, "what is to be attached cannot be read");
                return None;
            }
        };
        match Box::pin(self.attest(&decision)).await {
            // What is gone from where it was decided about has nothing to attach anything to.
            Ok(_) | Err(ReportError::Image(ImageError::Unknown { .. })) => None,
            Err(error) => {
                warn!(%error, digest = %decision.digest, "a decision is not attached to its image");
                let doubled = u32::try_from(one.attempts).unwrap_or(u32::MAX).min(16);
                Some(AGAIN.saturating_mul(1 << doubled).min(LONGEST))
            }
        }
    }
}
