//! How an image gets more and more of the traffic before the channel points at it, and loses it again if it
//! does not do well.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp as Instant;
use plura_meta::{Timestamp, channel, promotion as stored};
use plura_oci::{Digest, Tag};
use plura_policy::{
    analysis::{Measurement, Stage, Verdict},
    document::{Canary, CanaryFailure},
    facts::CheckResult,
    gate::{Effect, GateDecision, Outcome},
};
use plura_rollout::{About, Shift, ShiftError};
use serde::{Deserialize, Serialize};
use tracing::warn;
use utoipa::ToSchema;

use super::{
    State,
    advance::{Next, wait},
    read,
    settle::{self, RECHECK},
};
use crate::{
    Decided, Error, Governance, InForce,
    channels::{channel_of, timestamp},
    decide::add,
    instant,
};

/// The most measurements that are kept of a step.
const MEASUREMENTS: usize = 1000;
/// The longest time until traffic is asked for again that was not acknowledged.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How often is looked at a canary that waits for somebody.
const PAUSED: Duration = Duration::from_secs(30);

/// How a canary goes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CanaryProgress)]
pub struct Progress {
    /// The canary, by its name in the document.
    pub name: String,
    /// The step, counted from one.
    pub step: usize,
    /// How many there are.
    pub steps: usize,
    /// What is done.
    pub phase: Phase,
    /// What had all of the traffic before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub previous: Option<Digest>,
    /// Since when.
    #[schema(value_type = String)]
    pub since: Instant,
    /// How often traffic was asked for that was not acknowledged.
    pub attempts: u32,
    /// What is waited for, beside time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// What was measured in this step.
    pub measurements: Vec<Measurement>,
    /// Whether somebody cancelled the promotion.
    #[serde(default)]
    pub cancelled: bool,
}

/// What is done in a step of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CanaryPhase)]
pub enum Phase {
    /// Traffic is moved, and its acknowledgement is waited for.
    Shifting,
    /// It is watched.
    Holding,
}

/// The tag of what is not in a channel yet but has some of its traffic. No channel has a tag with a dot.
pub(super) fn tag(row: &stored::Promotion) -> Result<Tag, Error> {
    let text = format!("canary.{}", row.name.tag);
    let parsed = text.parse();
    Ok(parsed.map_err(|error| plura_meta::Error::Corrupt(format!("promotion.tag: {error}")))?)
}

impl Progress {
    fn of(row: &stored::Promotion) -> Result<Self, Error> {
        let text = row.progress.as_deref().unwrap_or_default();
        read("promotion.progress", text)
    }

    /// The same of a promotion that is cancelled.
    pub(super) fn cancelled(row: &stored::Promotion) -> Result<Option<String>, Error> {
        let progress = Self { cancelled: true, ..Self::of(row)? };
        Ok(serde_json::to_string(&progress).ok())
    }

    fn written(&self, row: &stored::Promotion, due_at: Timestamp) -> stored::Promotion {
        stored::Promotion {
            progress: serde_json::to_string(self).ok(),
            due_at: Some(due_at),
            ..row.clone()
        }
    }

    fn step_of(&self, row: &stored::Promotion, now: Timestamp) -> stored::Promotion {
        let step = i64::try_from(self.step - 1).unwrap_or(0);
        stored::Promotion { step, ..self.written(row, now) }
    }

    /// When is asked again for traffic that was not acknowledged: later each time.
    fn next_attempt(&self, now: Timestamp) -> Timestamp {
        let pause = Duration::from_secs(1) * 2_u32.saturating_pow(self.attempts.min(6));
        now.after(pause.min(LONGEST_PAUSE))
    }
}

/// A canary that is going on.
struct Going<'a> {
    row: &'a stored::Promotion,
    progress: Progress,
    canary: Arc<Canary>,
    in_force: &'a InForce,
    decision: GateDecision,
    checks: &'a [CheckResult],
    now: Timestamp,
}

impl Governance {
    /// Begins a canary.
    pub(super) async fn begin_canary(
        &self,
        row: &stored::Promotion,
        decided: &Decided,
        canary: &Canary,
        now: Timestamp,
    ) -> Result<Next, Error> {
        let pointer = channel::find(&mut self.db().read().await?, &row.name).await?;
        let progress = Progress {
            name: canary.name.clone(),
            step: 1,
            steps: canary.steps.len(),
            phase: Phase::Shifting,
            previous: pointer.map(|pointer| pointer.digest),
            since: instant(now),
            attempts: 0,
            waiting: None,
            measurements: Vec::new(),
            cancelled: false,
        };
        Ok(Next::Begin(Box::new(stored::Promotion {
            state: State::Canary.as_str().to_owned(),
            problem: None,
            version: decided.version,
            decision: serde_json::to_string(&decided.decision).ok(),
            ..progress.step_of(row, now)
        })))
    }

    /// Does the next thing for a canary.
    pub(super) async fn at_canary(
        &self,
        row: &stored::Promotion,
        now: Timestamp,
    ) -> Result<Next, Error> {
        let progress = Progress::of(row)?;
        let in_force = self.in_force().await?;
        let (destination, decided) = match self.decide_about(row).await {
            Ok(found) => found,
            Err(
                error @ (Error::Channel(_) | Error::ManifestUnknown { .. } | Error::Refused(_)),
            ) => {
                return Ok(back(row, error.to_string(), now));
            }
            Err(error) => return Err(error),
        };
        let decided = Decided { decision: as_when_it_began(decided.decision), ..decided };
        if decided.decision.effect == Effect::Deny {
            return Ok(back(row, settle::denied(&decided.decision), now));
        }
        let channel = in_force.governance.channels.get(&destination.channel);
        let canary = channel.and_then(|channel| channel.canary.clone());
        let Some(canary) = canary.filter(|canary| canary.steps.len() >= progress.step) else {
            let problem = "the document has no such canary any more".to_owned();
            return Ok(back(row, problem, now));
        };
        if State::of(row)? == State::Paused {
            return Ok(Next::Stay(Box::new(progress.written(row, now.after(PAUSED)))));
        }
        let decision = decided.decision.clone();
        let checks = &decided.facts.checks;
        let in_force = &*in_force;
        let going = Going { row, progress, canary, in_force, decision, checks, now };
        let next = match going.progress.phase {
            Phase::Shifting => self.shift_traffic(going).await?,
            Phase::Holding => self.hold_traffic(going).await?,
        };
        match next {
            Some(next) => Ok(next),
            None => self.order(row, destination, decided).await,
        }
    }

    /// Has traffic moved as the step says.
    async fn shift_traffic(&self, going: Going<'_>) -> Result<Option<Next>, Error> {
        let Going { row, mut progress, canary, in_force, now, .. } = going;
        let weight = canary.steps[progress.step - 1].weight.value();
        let shift = shift_of(row, &progress, weight)?;
        let shifted = self.shared.sources.rollout.shift(&shift).await;
        plura_fault::point("promotion.shifted").map_err(Error::fault)?;
        // Waiting for the acknowledgement took a while.
        let after = now.max(Timestamp::now());
        match shifted {
            Ok(()) => {
                progress.phase = Phase::Holding;
                progress.since = instant(after);
                progress.attempts = 0;
                progress.waiting = None;
                let new = progress.step_of(row, after);
                let new = stored::Promotion { weight: i64::from(weight), ..new };
                Ok(Some(Next::Stay(Box::new(new))))
            }
            Err(error) => {
                let patience = in_force.governance.promotion.data_patience;
                let is_over = patience.after(progress.since) <= instant(after);
                if error.is_final() || is_over {
                    return Ok(Some(back(row, error.to_string(), after)));
                }
                progress.attempts += 1;
                progress.waiting = Some(error.to_string());
                let due_at = progress.next_attempt(after);
                Ok(Some(Next::Stay(Box::new(progress.written(row, due_at)))))
            }
        }
    }

    /// Watches what has some of the traffic. Nothing, when the channel is to be moved.
    async fn hold_traffic(&self, going: Going<'_>) -> Result<Option<Next>, Error> {
        let Going { row, mut progress, canary, in_force, decision, checks, now } = going;
        let compares = progress.previous.is_some();
        let promotion = in_force.governance.promotion;
        let step = progress.step - 1;
        let stage = Stage::of_step(&canary, step, progress.since, promotion, compares);
        let Some(stage) = stage else {
            return Ok(Some(back(row, "the canary has no such step any more".to_owned(), now)));
        };
        let about = About {
            service: row.name.service.clone(),
            channel: channel_of(&row.name)?,
            digest: row.digest,
            previous: progress.previous,
        };
        self.measure(&stage, &about, &mut progress.measurements, now).await;
        progress.waiting = None;
        let stay = |progress: Progress, due_at: Timestamp| {
            Ok(Some(Next::Stay(Box::new(progress.written(row, due_at)))))
        };
        match stage.judge(&progress.measurements, checks, instant(now)) {
            Verdict::Continue { until } => stay(progress, timestamp(until).max(now)),
            Verdict::Wait { what, until } => {
                progress.waiting = Some(what);
                let soon = timestamp(until).min(now.after(RECHECK)).max(now);
                stay(progress, soon)
            }
            Verdict::Pass if progress.step < canary.steps.len() => {
                progress.step += 1;
                progress.phase = Phase::Shifting;
                progress.since = instant(now);
                progress.measurements.clear();
                Ok(Some(Next::Stay(Box::new(progress.step_of(row, now)))))
            }
            // It has everything, but it may not be there yet, as while all moves are frozen.
            Verdict::Pass if decision.effect == Effect::Wait => {
                progress.waiting = Some(settle::denied(&decision));
                stay(progress, now.after(RECHECK))
            }
            Verdict::Pass => Ok(None),
            Verdict::Fail(failure) => {
                let (name, observed) = (&failure.name, &failure.observed);
                let problem = format!("{name}: {observed}; required: {}", failure.required);
                match canary.on_failure {
                    CanaryFailure::RollBack => Ok(Some(back(row, problem, now))),
                    CanaryFailure::Pause => Ok(Some(Next::Stay(Box::new(stored::Promotion {
                        state: State::Paused.as_str().to_owned(),
                        problem: Some(problem),
                        ..progress.written(row, now.after(PAUSED))
                    })))),
                }
            }
        }
    }

    /// Measures what is due.
    async fn measure(
        &self,
        stage: &Stage<'_>,
        about: &About,
        measurements: &mut Vec<Measurement>,
        now: Timestamp,
    ) {
        let now = instant(now);
        for metric in stage.due(measurements, now) {
            let rollout = &self.shared.sources.rollout;
            measurements.push(rollout.measure(metric, about, stage.began, now).await);
        }
        let surplus = measurements.len().saturating_sub(MEASUREMENTS);
        measurements.drain(..surplus);
    }

    /// Gives the traffic back to what had it before, until that is acknowledged.
    pub(super) async fn go_back(
        &self,
        row: &stored::Promotion,
        now: Timestamp,
    ) -> Result<Next, Error> {
        let mut progress = Progress::of(row)?;
        let shift = shift_of(row, &progress, 0)?;
        let shifted = self.shared.sources.rollout.shift(&shift).await;
        plura_fault::point("promotion.returned").map_err(Error::fault)?;
        let problem = row.problem.clone().unwrap_or_default();
        match shifted {
            // Nobody moved any of it.
            Ok(()) | Err(ShiftError::NotConfigured) => {
                let state = if progress.cancelled { State::Cancelled } else { State::RolledBack };
                Ok(Next::End(state, problem))
            }
            Err(error) => {
                let after = now.max(Timestamp::now());
                warn!(%error, promotion = row.id, "traffic does not go back; asking again");
                progress.attempts += 1;
                progress.waiting = Some(error.to_string());
                let due_at = progress.next_attempt(after);
                Ok(Next::Stay(Box::new(progress.written(row, due_at))))
            }
        }
    }

    /// What waits for its time in the channel that it comes from is watched there, if the document says so.
    pub(super) async fn watched(
        &self,
        row: &stored::Promotion,
        decided: &Decided,
        now: Timestamp,
    ) -> Result<Next, Error> {
        let problem = settle::denied(&decided.decision);
        let to = channel_of(&row.name)?;
        let document = &decided.in_force.governance;
        let channel = document.channels.get(&to);
        let stay = channel.and_then(|channel| {
            let mut stays = decided.facts.channels.iter();
            stays.find(|stay| channel.from.contains(&stay.channel))
        });
        let watch = channel.and_then(|channel| channel.watch.clone().zip(channel.soak));
        let (Some(stay), Some((watch, soak))) = (stay, watch) else {
            return Ok(wait(row, decided, problem, now));
        };
        let mut progress = match &row.progress {
            Some(_) => Progress::of(row)?,
            None => Progress {
                name: watch.name.clone(),
                step: 1,
                steps: 1,
                phase: Phase::Holding,
                previous: None,
                since: stay.since,
                attempts: 0,
                waiting: None,
                measurements: Vec::new(),
                cancelled: false,
            },
        };
        let stage = Stage {
            metrics: &watch.metrics,
            checks: &watch.checks,
            began: stay.since,
            hold: soak,
            promotion: document.promotion,
            compares: false,
        };
        let about = About {
            service: row.name.service.clone(),
            channel: stay.channel.clone(),
            digest: row.digest,
            previous: None,
        };
        self.measure(&stage, &about, &mut progress.measurements, now).await;
        let checks = &decided.facts.checks;
        if let Verdict::Fail(failure) = stage.judge(&progress.measurements, checks, instant(now)) {
            let (name, observed) = (&failure.name, &failure.observed);
            let problem = format!("{name}: {observed}; required: {}", failure.required);
            return Ok(Next::End(State::Failed, problem));
        }
        match wait(row, decided, problem, now) {
            Next::Stay(new) => {
                let progress = serde_json::to_string(&progress).ok();
                Ok(Next::Stay(Box::new(stored::Promotion { progress, ..*new })))
            }
            other => Ok(other),
        }
    }
}

/// What is decided of an image that has some of the traffic. It came from where it must come from, and was
/// approved, when it got that; that a newer one is there by now does not take it back.
fn as_when_it_began(mut decision: GateDecision) -> GateDecision {
    const ASKED_ONCE: [&str; 2] = ["origin", "approvals"];
    let asked_once = |outcome: &&mut Outcome| ASKED_ONCE.contains(&outcome.gate.as_str());
    for outcome in decision.outcomes.iter_mut().filter(asked_once) {
        outcome.effect = Effect::Allow;
        outcome.until = None;
        outcome.fix = None;
        outcome.observed.push_str("; it was as required when its canary began");
    }
    add(&mut decision, []);
    decision
}

/// The traffic goes back to what had it before.
fn back(row: &stored::Promotion, problem: String, now: Timestamp) -> Next {
    Next::Stay(Box::new(stored::Promotion {
        state: State::Returning.as_str().to_owned(),
        problem: Some(problem),
        due_at: Some(now),
        ..row.clone()
    }))
}

fn shift_of(row: &stored::Promotion, progress: &Progress, weight: u8) -> Result<Shift, Error> {
    Ok(Shift {
        promotion: row.id.clone(),
        channel: channel_of(&row.name)?,
        service: row.name.service.clone(),
        repository: row.place.clone(),
        digest: row.digest,
        previous: progress.previous,
        weight,
    })
}
