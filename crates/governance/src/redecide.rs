//! What is in channels is decided about again when something changed that it was decided from.

use std::time::Duration;

use futures_util::StreamExt;
use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    channel::{self, ChannelId, Pointer, Standing, Watched},
};
use plura_oci::{Digest, Reference};
use plura_policy::{
    ChannelName,
    facts::ImageFacts,
    gate::{Effect, GateDecision, Mode, Outcome},
};
use plura_registry::{Progress, at_a_time, did, tell as tell_job};
use tracing::{error, info, warn};

use crate::{
    Cause, Error, Governance, InForce, PackedDecision,
    channels::{channel_of, subject_of, timestamp},
    decide::add,
    instant,
    leaf::{self, Leaf},
    promotion::read,
    rollback::RollbackRequest,
};

/// How often is looked whether something changed.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a decision counts without being made again, whatever changed or did not.
const LONGEST: Duration = Duration::from_mins(5);
/// How many channels are looked at with one query.
const PAGE: u32 = 1000;

impl Governance {
    /// How many channels are decided about at a time, if nobody says something else.
    pub const CHANNELS_AT_A_TIME: usize = 4;

    /// Decides about what is in channels as it is needed, for ever.
    pub async fn watch_heads(&self) {
        loop {
            let decided = self.decide_again().await;
            tell_job(match &decided {
                Ok(_) => Progress::Rests,
                Err(error) => Progress::Failed(error.to_string()),
            });
            match decided {
                Ok(0) => {}
                Ok(changed) => info!(changed, "decided again about what is in channels"),
                Err(error) => error!(%error, "cannot decide again about what is in channels"),
            }
            let _ = tokio::time::timeout(PAUSE, self.shared.moved.notified()).await;
        }
    }

    /// Decides about what is in channels where something changed; about how many something else was decided
    /// than before.
    pub async fn decide_again(&self) -> Result<usize, Error> {
        let in_force = self.in_force().await?;
        let mut connection = self.db().read().await?;
        let known = channel::known_to_all(&mut connection).await?;
        let known = format!("{} {known}", in_force.revision);
        let now = Timestamp::now();
        let mut stale = Vec::new();
        let mut after = None;
        loop {
            let page = channel::watched(&mut connection, after, PAGE).await?;
            after = page.last().map(|one| one.id);
            let is_last = page.len() < PAGE as usize;
            let due = page.into_iter().filter(|one| is_due(one, &known, now));
            stale.extend(due.map(|one| (one.id, basis_of(&one, &known))));
            if is_last {
                break;
            }
        }
        drop(connection);
        if !stale.is_empty() {
            tell_job(Progress::Works);
            tell_job(Progress::Expects(stale.len() as u64));
        }
        let in_force = &*in_force;
        let changed = futures_util::stream::iter(stale)
            .map(|(id, basis)| async move {
                let decided = self.decide_head(id, basis, in_force).await;
                let changed = decided.unwrap_or_else(|error| {
                    warn!(%error, "cannot decide again about what is in a channel");
                    false
                });
                did(1).await;
                changed
            })
            .buffer_unordered(at_a_time(Self::CHANNELS_AT_A_TIME));
        Ok(changed.filter(|changed| std::future::ready(*changed)).count().await)
    }

    async fn decide_head(
        &self,
        id: ChannelId,
        basis: String,
        in_force: &InForce,
    ) -> Result<bool, Error> {
        let pointer = channel::of(&mut self.db().read().await?, id).await?;
        let Some(pointer) = pointer else { return Ok(false) };
        let channel = channel_of(&pointer.name)?;
        let judged = self.judge_head(&pointer, &channel, in_force).await?;
        let Some((decision, facts)) = judged else { return Ok(false) };
        let was = pointer.standing.as_ref().map(|standing| standing.effect.clone());
        let is_new = was.as_deref() != Some(decision.effect.as_str());
        let denied = is_new && decision.effect == Effect::Deny;
        let packed = facts.filter(|_| is_new);
        let packed = packed.and_then(|facts| PackedDecision::of(&decision, &facts, Cause::Review));
        let kept = self.keep_standing(&pointer, (basis, packed), &decision, denied).await?;
        if kept && denied && in_force.governance.blocks.rolls_back(&channel) {
            self.return_from(&pointer, &channel, &decision).await;
        }
        Ok(kept && is_new)
    }

    /// Whether an image may still be where it is; nothing where that is not asked any more.
    async fn judge_head(
        &self,
        pointer: &Pointer,
        channel: &ChannelName,
        in_force: &InForce,
    ) -> Result<Option<(GateDecision, Option<ImageFacts>)>, Error> {
        let now = instant(Timestamp::now());
        let reference = Reference::Digest(pointer.digest);
        match self.facts(&pointer.repository, &reference).await {
            Ok(facts) => match in_force.verify(&facts, channel, now) {
                Ok(decision) => Ok(Some((decision, Some(facts)))),
                Err(Error::Channel(_)) => Ok(None),
                Err(error) => Err(error),
            },
            Err(Error::ManifestUnknown { .. }) => {
                let decision = self.judge_without(pointer, in_force).await?;
                Ok(decision.map(|decision| (decision, None)))
            }
            Err(error) => Err(error),
        }
    }

    /// The image is gone from where it came from: what was decided counts on, but for a block.
    async fn judge_without(
        &self,
        pointer: &Pointer,
        in_force: &InForce,
    ) -> Result<Option<GateDecision>, Error> {
        let kept = if let Some(standing) = &pointer.standing {
            Some(standing.decision.clone())
        } else {
            let mut connection = self.db().read().await?;
            let moves = channel::moves(&mut connection, pointer.id, None, 1).await?;
            moves.into_iter().next().and_then(|last| last.decision)
        };
        let mut decision = match kept {
            Some(kept) => read("channel.decision", &kept)?,
            None => undecided(pointer, channel_of(&pointer.name)?, in_force),
        };
        decision.outcomes.retain(|outcome| outcome.gate != "blocked");
        decision.decided_at = instant(Timestamp::now());
        let block = in_force.block(&pointer.repository, &pointer.digest);
        add(
            &mut decision,
            block.map(|block| Outcome {
                gate: "blocked".to_owned(),
                rule: "blocked".to_owned(),
                effect: Effect::Deny,
                mode: Mode::Enforce,
                platform: None,
                observed: format!("blocked by {} on {}: {}", block.by, block.at, block.reason),
                required: "not blocked".to_owned(),
                fix: Some("go back, or have whoever blocked it unblock it".to_owned()),
                until: None,
            }),
        );
        Ok(Some(decision))
    }

    async fn keep_standing(
        &self,
        pointer: &Pointer,
        (basis, packed): (String, Option<PackedDecision>),
        decision: &GateDecision,
        denied: bool,
    ) -> Result<bool, Error> {
        let standing = Standing {
            basis,
            effect: decision.effect.as_str().to_owned(),
            until: decision.until.map(timestamp),
            decided_at: Timestamp::now(),
            decision: serde_json::to_string(decision).unwrap_or_default(),
        };
        let (pointer, decision) = (pointer.clone(), decision.clone());
        let work = async move |tx: &mut Tx| {
            let before = channel::of(tx, pointer.id).await?;
            let before = before.and_then(|before| before.standing);
            if !channel::decided(tx, &pointer, &standing).await? {
                return Ok(false);
            }
            if let Some(packed) = &packed {
                packed.keep(tx).await?;
            }
            // Another process may have told it already.
            let told = before.is_some_and(|before| before.effect == Effect::Deny.as_str());
            if denied && !told {
                tell(tx, &pointer, &decision).await?;
            }
            Ok::<_, Error>(true)
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    /// Takes a channel back whose image may not be there any more.
    async fn return_from(&self, pointer: &Pointer, channel: &ChannelName, decision: &GateDecision) {
        let reasons: Vec<String> =
            decision.blocking().map(|outcome| outcome.observed.clone()).collect();
        let request = RollbackRequest {
            repository: pointer.repository.clone(),
            channel: channel.clone(),
            digest: None,
            key: None,
            reason: format!("it may not be there any more: {}", reasons.join("; ")),
            break_glass: None,
            dry_run: false,
            idempotency: None,
        };
        if let Err(error) = self.roll_back(&Origin::system(), &request).await {
            error!(%error, %channel, service = pointer.name.service, "a channel points at what may not be there, and cannot go back");
        }
    }
}

/// What is said of an image about which nothing is known but that it is there.
fn undecided(pointer: &Pointer, channel: ChannelName, in_force: &InForce) -> GateDecision {
    GateDecision {
        repository: pointer.repository.clone(),
        digest: pointer.digest,
        channel: Some(channel),
        effect: Effect::Allow,
        outcomes: Vec::new(),
        until: None,
        decided_at: instant(Timestamp::now()),
        policy: in_force.governance.source,
        facts: Digest::sha256(b""),
    }
}

/// What may not be in a channel any more is told where everything else about the channel is.
async fn tell(tx: &mut Tx, pointer: &Pointer, decision: &GateDecision) -> Result<(), Error> {
    let now = Timestamp::now();
    let origin = Origin::system();
    let subject = subject_of(&pointer.name);
    let rule = decision.blocking().next().map(|outcome| outcome.rule.clone());
    let detail = serde_json::json!({
        "digest": pointer.digest,
        "reasons": decision.blocking().map(ToString::to_string).collect::<Vec<_>>(),
    });
    let event = Event {
        outcome: audit::Outcome::Denied,
        rule: rule.unwrap_or_default(),
        detail: detail.to_string(),
        ..Event::done("channel.decide", format!("channel:{subject}"))
    };
    let project = pointer.repository.as_str().split('/').next().unwrap_or_default();
    audit::record(tx, &origin, &event.of_project(project), now).await?;
    let leaf = Leaf::new("channel.denied", &origin, now)
        .about(&pointer.name, &pointer.digest)
        .from(&pointer.repository)
        .decided(Some(decision));
    leaf::append(tx, &subject, &leaf, now).await?;
    Ok(())
}

fn basis_of(one: &Watched, known: &str) -> String {
    let gathered = one.gathered_at.map_or(0, |gathered| gathered.0);
    format!("{known} {gathered}")
}

fn is_due(one: &Watched, known: &str, now: Timestamp) -> bool {
    let is_other = one.basis.as_deref() != Some(&*basis_of(one, known));
    let is_over = one.until.is_some_and(|until| until <= now);
    let is_old = one.decided_at.is_none_or(|decided| decided.after(LONGEST) <= now);
    // What was waited for comes without being told.
    is_other || is_over || is_old || one.effect.as_deref() == Some(Effect::Wait.as_str())
}
