//! Asking for a promotion.

use std::sync::Arc;

use plura_access::secret::{Secret, SecretKind};
use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    channel::{self, Pointer},
    idempotency, promotion as stored, rollback_key,
};
use plura_oci::{Digest, Reference, RepositoryName};
use plura_policy::{
    ChannelName,
    document::ChannelError,
    gate::{Effect, GateDecision},
};
use serde::{Deserialize, Serialize};

use super::{
    Promotion, Requester, State,
    ending::{Ending, make_way},
    settle::{Order, RECHECK},
};
use crate::{
    Cause, Decided, Error, Governance, InForce,
    channels::{Destination, subject_of},
    refusal::Refusal,
};

/// How often is decided again if others move the same channel meanwhile.
const TRIES: u32 = 100;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct PromoteRequest {
    /// The repository of the image.
    pub repository: RepositoryName,
    /// The manifest.
    pub digest: Digest,
    /// The channel that it comes from; what the document says, if nothing is said.
    pub from: Option<ChannelName>,
    /// The channel that it is to be in.
    pub to: ChannelName,
    /// Why.
    pub reason: String,
    /// Whether only to decide.
    pub dry_run: bool,
    /// What the request is called by who asks, so that it is carried out once.
    pub idempotency: Option<String>,
}

/// What became of it so far.
#[derive(Debug)]
pub struct Promoted {
    /// The promotion; none of a dry run.
    pub promotion: Option<Promotion>,
    /// What was decided.
    pub decision: GateDecision,
    /// What gives the right to undo the move, once: shown here and never again.
    pub rollback_key: Option<Secret>,
    /// The position of the entry in the log.
    pub log_position: Option<i64>,
    /// Whether this is what an earlier request of the same name was answered.
    pub replayed: bool,
}

/// What is kept of an answer, for a request that is sent again.
#[derive(Serialize, Deserialize)]
struct KeptAnswer {
    promotion: String,
    log_position: Option<i64>,
}

impl Governance {
    /// Asks for an image to be in a channel. It is there when this returns, if nothing is to be waited for.
    pub async fn promote(
        &self,
        origin: &Origin,
        request: &PromoteRequest,
    ) -> Result<Promoted, Error> {
        for _ in 0..TRIES {
            if let Some(kept) = self.kept(origin, request).await? {
                return Ok(kept);
            }
            match self.try_promote(origin, request).await {
                Err(Error::Changed) => {}
                other => return other,
            }
        }
        Err(Refusal::Busy.into())
    }

    async fn try_promote(
        &self,
        origin: &Origin,
        request: &PromoteRequest,
    ) -> Result<Promoted, Error> {
        let in_force = self.in_force().await?;
        let destination =
            Destination::find(&in_force.governance, &request.repository, &request.to)?;
        check_from(&in_force, request)?;
        let pointer = channel::find(&mut self.db().read().await?, &destination.name).await?;
        destination.check_bound(pointer.as_ref(), &request.repository)?;
        if pointer.as_ref().is_some_and(|pointer| pointer.digest == request.digest) {
            let (channel, digest) = (request.to.clone(), request.digest);
            return Err(Refusal::AlreadyThere { channel, digest }.into());
        }
        let reference = Reference::Digest(request.digest);
        let decided = self.decide(&request.repository, &reference, &request.to).await?;
        if request.dry_run {
            return Ok(Promoted {
                promotion: None,
                decision: decided.decision,
                rollback_key: None,
                log_position: None,
                replayed: false,
            });
        }
        let asked = Asked::new(origin, request, &decided, destination, pointer)?;
        self.carry_out(asked, decided.decision).await
    }

    /// Records the promotion and, where nothing is to be waited for, moves the channel with it.
    async fn carry_out(&self, asked: Asked, decision: GateDecision) -> Result<Promoted, Error> {
        let (place, tag) =
            (asked.order.destination.place.clone(), asked.order.destination.tag.clone());
        let (governance, order) = (self.clone(), asked);
        let work = async move |tx: &mut Tx| order.run(&governance, tx).await;
        let done = self
            .shared
            .registry
            .change_channel(&place, &[tag], move |tx| Box::pin(async move { work(tx).await }))
            .await?;
        plura_fault::point("promotion.requested").map_err(Error::fault)?;
        self.ask();
        let Done { row, key, log_position } = done;
        Ok(Promoted {
            promotion: Some(Promotion::of(&row)?),
            decision,
            rollback_key: key,
            log_position,
            replayed: false,
        })
    }

    /// What was answered to a request of the same name.
    async fn kept(
        &self,
        origin: &Origin,
        request: &PromoteRequest,
    ) -> Result<Option<Promoted>, Error> {
        let Some(name) = request.idempotency.as_ref().filter(|_| !request.dry_run) else {
            return Ok(None);
        };
        let mut connection = self.db().read().await?;
        let actor = crate::leaf::actor_of(origin);
        let Some(done) = idempotency::find(&mut connection, &actor, name).await? else {
            return Ok(None);
        };
        if done.request != request.digest_of_all() {
            return Err(Refusal::KeyReused.into());
        }
        let kept: KeptAnswer = super::read("idempotency_key.answer", &done.answer)?;
        let row = stored::find(&mut connection, &kept.promotion).await?;
        let row = row.ok_or(Refusal::NoPromotion(kept.promotion))?;
        let promotion = Promotion::of(&row)?;
        let Some(decision) = promotion.decision.clone() else { return Ok(None) };
        let (promotion, log_position) = (Some(promotion), kept.log_position);
        Ok(Some(Promoted { promotion, decision, rollback_key: None, log_position, replayed: true }))
    }
}

/// Refuses what does not come from where it is said to come from.
fn check_from(in_force: &InForce, request: &PromoteRequest) -> Result<(), Error> {
    let channels = &in_force.governance.channels;
    let Some(to) = channels.get(&request.to) else {
        let known = channels.keys().cloned().collect();
        let channel = request.to.clone();
        return Err(ChannelError::Unknown { channel, known }.into());
    };
    match &request.from {
        Some(from) if !to.from.contains(from) => {
            let (to, from, known) = (request.to.clone(), from.clone(), to.from.clone());
            Err(Refusal::NotFrom { to, from, known }.into())
        }
        _ => Ok(()),
    }
}

impl PromoteRequest {
    /// What is asked for, as one value.
    fn digest_of_all(&self) -> String {
        let from = self.from.as_ref().map(ToString::to_string).unwrap_or_default();
        let Self { repository, digest, to, reason, .. } = self;
        let all = format!("{repository}\n{digest}\n{from}\n{to}\n{reason}");
        Digest::sha256(all.as_bytes()).to_string()
    }
}

/// Everything that the transaction of a request needs.
struct Asked {
    order: Order,
    row: stored::Promotion,
    effect: Effect,
    has_canary: bool,
    key: Option<Secret>,
    idempotency: Option<(String, String)>,
}

/// What the transaction did.
struct Done {
    row: stored::Promotion,
    key: Option<Secret>,
    log_position: Option<i64>,
}

impl Asked {
    fn new(
        origin: &Origin,
        request: &PromoteRequest,
        decided: &Decided,
        destination: Destination,
        pointer: Option<Pointer>,
    ) -> Result<Self, Error> {
        let now = Timestamp::now();
        let decision = &decided.decision;
        let row = new_row(origin, request, &destination, decided, now);
        let key = (decision.effect != Effect::Deny)
            .then(|| Secret::generate(SecretKind::Rollback))
            .transpose()
            .map_err(|_| Error::NoRandomness)?;
        let channel = decided.in_force.governance.channels.get(&request.to);
        let idempotency = request.idempotency.clone();
        Ok(Self {
            effect: decision.effect,
            has_canary: channel.is_some_and(|channel| channel.canary.is_some()),
            key,
            idempotency: idempotency.map(|name| (name, request.digest_of_all())),
            order: Order {
                destination,
                expected: pointer.map_or(0, |pointer| pointer.moves),
                origin: origin.clone(),
                in_force: Arc::clone(&decided.in_force),
                decision: decision.clone(),
                kept: decided.packed(Cause::Promotion),
            },
            row,
        })
    }

    async fn run(mut self, governance: &Governance, tx: &mut Tx) -> Result<Done, Error> {
        let now = Timestamp::now();
        let running = stored::running(tx, &self.row.name).await?;
        if let Some(same) = running.iter().find(|other| other.digest == self.row.digest) {
            // It is on its way already, and whoever asked for it has the key.
            return Ok(Done { row: same.clone(), key: None, log_position: None });
        }
        let is_busy = match self.effect {
            Effect::Deny => false,
            Effect::Allow | Effect::Wait => make_way(tx, &self.row, now).await?,
        };
        let log_position = match self.effect {
            Effect::Deny => Some(self.deny(tx, now).await?),
            Effect::Wait => {
                self.insert(tx).await?;
                None
            }
            Effect::Allow if self.has_canary || is_busy => {
                self.insert(tx).await?;
                None
            }
            Effect::Allow => {
                self.insert(tx).await?;
                let moved = self.order.settle(governance, tx, &mut self.row, now).await?;
                Some(moved)
            }
        };
        self.keep(tx, log_position, now).await?;
        let event = self.event();
        audit::record(tx, &self.order.origin, &event, now).await?;
        Ok(Done { row: self.row, key: self.key, log_position })
    }

    async fn insert(&self, tx: &mut Tx) -> Result<(), Error> {
        stored::insert(tx, &self.row).await?;
        if let Some(key) = &self.key {
            let now = self.row.requested_at;
            rollback_key::insert(tx, key.hash().as_str(), &self.row.id, now).await?;
        }
        Ok(())
    }

    /// It is over before it began: nothing of the channel changes.
    async fn deny(&mut self, tx: &mut Tx, now: Timestamp) -> Result<i64, Error> {
        let problem = super::settle::denied(&self.order.decision);
        stored::insert(tx, &self.row).await?;
        self.order.keep(tx, now).await?;
        let ended = Ending { state: State::Denied, problem, now }.end(tx, self.row.clone()).await?;
        let (row, position) = ended.ok_or(Error::Changed)?;
        self.row = row;
        Ok(position)
    }

    async fn keep(
        &self,
        tx: &mut Tx,
        log_position: Option<i64>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some((name, request)) = &self.idempotency else { return Ok(()) };
        let answer = KeptAnswer { promotion: self.row.id.clone(), log_position };
        let answer = serde_json::to_string(&answer).unwrap_or_default();
        let done = idempotency::Done { request: request.clone(), answer };
        let actor = crate::leaf::actor_of(&self.order.origin);
        if idempotency::keep(tx, (&actor, name), &done, now).await? {
            return Ok(());
        }
        // The same request is being carried out; what it was answered is answered then.
        Err(Error::Changed)
    }

    fn event(&self) -> Event {
        let target = format!("channel:{}", subject_of(&self.row.name));
        let project = self.row.repository.as_str().split('/').next().unwrap_or_default();
        let detail = serde_json::json!({
            "promotion": self.row.id,
            "digest": self.row.digest,
            "repository": self.row.repository.as_str(),
            "state": self.row.state,
        });
        let event = Event { detail: detail.to_string(), ..Event::done("channel.promote", target) };
        let event = event.of_project(project);
        if self.effect != Effect::Deny {
            return event;
        }
        let rule = self.order.decision.blocking().next().map(|outcome| outcome.rule.clone());
        Event { outcome: audit::Outcome::Denied, rule: rule.unwrap_or_default(), ..event }
    }
}

fn new_row(
    origin: &Origin,
    request: &PromoteRequest,
    destination: &Destination,
    decided: &Decided,
    now: Timestamp,
) -> stored::Promotion {
    let id = uuid::Uuid::now_v7().to_string();
    let state = match decided.decision.effect {
        Effect::Wait => State::Waiting,
        Effect::Allow | Effect::Deny => State::Requested,
    };
    let patience = decided.in_force.governance.promotion.patience.after(crate::instant(now));
    stored::Promotion {
        chain: id.clone(),
        id,
        name: destination.name.clone(),
        repository: request.repository.clone(),
        digest: request.digest,
        place: destination.place.clone(),
        origin: request.from.as_ref().map(ToString::to_string),
        requested_at: now,
        requested_by: Requester::write(origin),
        reason: request.reason.clone(),
        state: state.as_str().to_owned(),
        problem: (state == State::Waiting).then(|| super::settle::waited_for(&decided.decision)),
        step: 0,
        weight: 0,
        r#move: None,
        expires_at: crate::channels::timestamp(patience),
        due_at: Some(if state == State::Waiting { now.after(RECHECK) } else { now }),
        changed_at: now,
        version: decided.version,
        decision: serde_json::to_string(&decided.decision).ok(),
        progress: None,
    }
}
