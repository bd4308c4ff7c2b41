//! Going back: a channel points again at what it pointed at before, in one transaction.

pub(crate) mod target;

use std::sync::Arc;

use jiff::Timestamp as Instant;
use plura_access::secret::{Secret, SecretHash};
use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    channel::{self, ChannelId, Move, MoveKind, NewMove, Pointer},
    idempotency, promotion as stored, rollback_key,
};
use plura_oci::{Digest, Reference, RepositoryName};
use plura_policy::{
    ChannelName,
    gate::{Effect, GateDecision},
};
use plura_registry::Placement;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Error, Governance, InForce,
    channels::{Destination, Hold, subject_of},
    instant,
    leaf::{self, Leaf, actor_of},
    promotion::{State, returning},
    refusal::{KeyProblem, Refusal},
};

/// How often is looked again if others move the channel meanwhile.
const TRIES: u32 = 100;
/// How far back is looked for what to go back to.
const HISTORY: u32 = 1000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct RollbackRequest {
    /// The repository of the images.
    pub repository: RepositoryName,
    /// The channel.
    pub channel: ChannelName,
    /// What to go back to; what was there before, if nothing is said.
    pub digest: Option<Digest>,
    /// What gives the right to, if it is not a role.
    pub key: Option<Secret>,
    /// Why.
    pub reason: String,
    /// Why it is to be done even though it may not: for administrators.
    pub break_glass: Option<String>,
    /// Whether only to say what would be done.
    pub dry_run: bool,
    /// What the request is called by who asks, so that it is carried out once.
    pub idempotency: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RolledBack {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The channel: `prod:stable`.
    #[schema(value_type = String)]
    pub channel: ChannelName,
    /// The service.
    pub service: String,
    /// What it points at now.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// What it pointed at before.
    #[schema(value_type = String)]
    pub previous: Digest,
    /// The number of the move.
    #[serde(rename = "move")]
    pub number: i64,
    /// The position of the entry in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_position: Option<i64>,
    /// When.
    #[schema(value_type = String)]
    pub at: Instant,
    /// What was decided about what it points at now; nothing where its image is gone from where it came
    /// from, so that nothing can be found out about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<GateDecision>,
    /// Why nothing is promoted into it until somebody releases it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Hold>,
}

/// A way back that was found and looked at.
struct Way {
    destination: Destination,
    pointer: Pointer,
    target: Move,
    in_force: Arc<InForce>,
    decision: Option<GateDecision>,
    /// The hash of the key.
    key: Option<String>,
    asked_at: Timestamp,
}

impl Governance {
    /// Takes a channel back to what was there before, and holds it.
    pub async fn roll_back(
        &self,
        origin: &Origin,
        request: &RollbackRequest,
    ) -> Result<RolledBack, Error> {
        let asked_at = Timestamp::now();
        for _ in 0..TRIES {
            if let Some(kept) = self.kept_rollback(origin, request).await? {
                return Ok(kept);
            }
            let way = self.way_back(request, asked_at).await?;
            if request.dry_run {
                let at = instant(asked_at);
                return Ok(way.told(true, None, at, None));
            }
            match self.take(origin, request, way).await {
                Err(Error::Changed) => {}
                other => return other,
            }
        }
        Err(Refusal::Busy.into())
    }

    async fn take(
        &self,
        origin: &Origin,
        request: &RollbackRequest,
        way: Way,
    ) -> Result<RolledBack, Error> {
        let (place, tag) = (way.destination.place.clone(), way.destination.tag.clone());
        let (governance, origin, request) = (self.clone(), origin.clone(), request.clone());
        let work = async move |tx: &mut Tx| way.go(&governance, tx, &origin, &request).await;
        let registry = &self.shared.registry;
        let done = registry
            .change_channel(&place, &[tag], move |tx| Box::pin(async move { work(tx).await }))
            .await;
        plura_fault::point("rollback.done").map_err(Error::fault)?;
        self.ask();
        done
    }

    /// What to go back to, and whether that may be there.
    async fn way_back(&self, request: &RollbackRequest, asked_at: Timestamp) -> Result<Way, Error> {
        let in_force = self.in_force().await?;
        let destination =
            Destination::find(&in_force.governance, &request.repository, &request.channel)?;
        let mut connection = self.db().read().await?;
        let pointer = channel::find(&mut connection, &destination.name).await?;
        destination.check_bound(pointer.as_ref(), &request.repository)?;
        let pointer = pointer.ok_or_else(|| Refusal::nothing_there(&destination))?;
        let key = request.key.as_ref().map(Secret::hash);
        let key = key.as_ref().map(SecretHash::as_str);
        if let Some(hash) = key {
            let found = rollback_key::find(&mut connection, hash).await?;
            check_key(found.as_ref(), &pointer, asked_at).map_err(Refusal::Key)?;
        }
        let moves = channel::moves(&mut connection, pointer.id, None, HISTORY).await?;
        drop(connection);
        let (target, decision) =
            self.target(request, &in_force, &pointer, &moves, key.is_some()).await?;
        let key = key.map(str::to_owned);
        Ok(Way { destination, pointer, target, in_force, decision, key, asked_at })
    }

    /// The move whose image the channel is to point at again, and what is decided about that.
    async fn target(
        &self,
        request: &RollbackRequest,
        in_force: &InForce,
        pointer: &Pointer,
        moves: &[Move],
        by_key: bool,
    ) -> Result<(Move, Option<GateDecision>), Error> {
        let channel = &request.channel;
        let named = match (request.digest, by_key) {
            (Some(digest), _) => Some(digest),
            // A key undoes its move, wherever that came from.
            (None, true) => moves.first().and_then(|last| last.previous),
            (None, false) => None,
        };
        if by_key && request.digest.is_none() && named.is_none() {
            return Err(Refusal::NoTarget(channel.clone()).into());
        }
        if by_key && named.is_none_or(|named| Some(named) != moves.first().and_then(|m| m.previous))
        {
            let problem = if request.digest.is_some() {
                KeyProblem::OtherTarget
            } else {
                KeyProblem::MovedSince
            };
            return Err(Refusal::Key(problem).into());
        }
        let Some(named) = named else {
            for target in target::candidates(moves, &pointer.digest) {
                if in_force.block(&target.repository, &target.digest).is_some() {
                    continue;
                }
                let decision = self.judged(in_force, target, request).await?;
                return Ok((target.clone(), decision));
            }
            return Err(Refusal::NoTarget(channel.clone()).into());
        };
        if named == pointer.digest {
            let (channel, digest) = (channel.clone(), named);
            return Err(Refusal::AlreadyThere { channel, digest }.into());
        }
        let target = match moves.iter().find(|made| made.digest == named) {
            Some(target) => target.clone(),
            None if request.break_glass.is_some() => target::never_there(pointer, named),
            None => {
                let (channel, digest) = (channel.clone(), named);
                return Err(Refusal::NeverThere { channel, digest }.into());
            }
        };
        let decision = self.judged(in_force, &target, request).await?;
        Ok((target, decision))
    }

    /// What is decided about an image that is to be there again; an error, if it may not.
    async fn judged(
        &self,
        in_force: &InForce,
        target: &Move,
        request: &RollbackRequest,
    ) -> Result<Option<GateDecision>, Error> {
        let reference = Reference::Digest(target.digest);
        let facts = match self.facts(&target.repository, &reference).await {
            Ok(facts) => facts,
            // What the channel has of it is all that there is.
            Err(Error::ManifestUnknown { .. }) => {
                let blocked = in_force.block(&target.repository, &target.digest).is_some();
                let (channel, digest) = (request.channel.clone(), target.digest);
                return match (blocked, &request.break_glass) {
                    (true, None) => Err(Refusal::Blocked { channel, digest }.into()),
                    _ => Ok(None),
                };
            }
            Err(error) => return Err(error),
        };
        let now = instant(Timestamp::now());
        let decision = in_force.verify(&facts, &request.channel, now)?;
        // What is not known yet does not stand in the way of going back: it was there before.
        if decision.effect == Effect::Deny && request.break_glass.is_none() {
            return Err(Refusal::Denied(Box::new(decision)).into());
        }
        Ok(Some(decision))
    }

    /// What was answered to a request of the same name.
    async fn kept_rollback(
        &self,
        origin: &Origin,
        request: &RollbackRequest,
    ) -> Result<Option<RolledBack>, Error> {
        let Some(name) = request.idempotency.as_ref().filter(|_| !request.dry_run) else {
            return Ok(None);
        };
        let mut connection = self.db().read().await?;
        let done = idempotency::find(&mut connection, &actor_of(origin), name).await?;
        let Some(done) = done else { return Ok(None) };
        if done.request != request.digest_of_all() {
            return Err(Refusal::KeyReused.into());
        }
        Ok(Some(crate::promotion::read("idempotency_key.answer", &done.answer)?))
    }
}

fn check_key(
    key: Option<&rollback_key::RollbackKey>,
    pointer: &Pointer,
    now: Timestamp,
) -> Result<(), KeyProblem> {
    let key = key.ok_or(KeyProblem::Unknown)?;
    let (Some(channel), Some(number), Some(expires_at)) = (key.channel, key.r#move, key.expires_at)
    else {
        return Err(KeyProblem::NotMoved);
    };
    if channel != pointer.id {
        return Err(KeyProblem::Unknown);
    }
    if key.used_at.is_some() {
        return Err(KeyProblem::Used);
    }
    if expires_at <= now {
        return Err(KeyProblem::Expired);
    }
    if number == pointer.moves { Ok(()) } else { Err(KeyProblem::MovedSince) }
}

impl RollbackRequest {
    fn digest_of_all(&self) -> String {
        let digest = self.digest.map(|digest| digest.to_string()).unwrap_or_default();
        let glass = self.break_glass.as_deref().unwrap_or_default();
        // Whoever shows another key is told nothing of what was answered to this one.
        let key = self.key.as_ref().map(|key| key.hash().to_string()).unwrap_or_default();
        let Self { repository, channel, reason, .. } = self;
        let all = format!("{repository}\n{channel}\n{digest}\n{glass}\n{key}\n{reason}");
        Digest::sha256(all.as_bytes()).to_string()
    }
}

impl Way {
    async fn go(
        self,
        governance: &Governance,
        tx: &mut Tx,
        origin: &Origin,
        request: &RollbackRequest,
    ) -> Result<RolledBack, Error> {
        let now = Timestamp::now();
        let Self { target, pointer, destination, .. } = &self;
        if request.break_glass.is_none() {
            self.in_force.check_unchanged(tx).await?;
        }
        if let Some(hash) = &self.key
            && !rollback_key::spend(tx, hash, now).await?
        {
            return Err(Refusal::Key(KeyProblem::Used).into());
        }
        let placement = Placement {
            sources: &[&destination.place, &target.place, &target.repository],
            place: &destination.place,
            digest: &target.digest,
            tag: &destination.tag,
        };
        governance.shared.registry.place(tx, placement, now).await?;
        let position = self.log(tx, origin, request, now).await?;
        let channel = self.make_move(tx, origin, request, position, now).await?;
        let hold = self.hold(tx, channel, origin, request, now).await?;
        for row in stored::running(tx, &pointer.name).await? {
            if matches!(State::of(&row)?, State::Canary | State::Paused) {
                returning(tx, row, "the channel went back".to_owned(), now).await?;
            }
        }
        let done = self.told(false, Some(position), instant(now), Some(hold));
        keep(tx, origin, request, &done, now).await?;
        Ok(done)
    }

    async fn log(
        &self,
        tx: &mut Tx,
        origin: &Origin,
        request: &RollbackRequest,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let Self { target, pointer, .. } = self;
        let subject = subject_of(&pointer.name);
        let detail = serde_json::json!({
            "digest": target.digest, "previous": pointer.digest, "number": pointer.moves + 1,
            "reason": request.reason, "break_glass": request.break_glass,
            "by_key": self.key.is_some(),
        });
        let project = target.repository.as_str().split('/').next().unwrap_or_default();
        let event = Event::done("channel.rollback", format!("channel:{subject}"));
        let event = Event { detail: detail.to_string(), ..event }.of_project(project);
        audit::record(tx, origin, &event, now).await?;
        let leaf = Leaf::new("channel.rolled_back", origin, now)
            .about(&pointer.name, &target.digest)
            .from(&target.repository)
            .moved(pointer.moves + 1, Some(&pointer.digest))
            .because(&request.reason)
            .decided(self.decision.as_ref())
            .breaking_glass(request.break_glass.as_deref());
        leaf::append(tx, &subject, &leaf, now).await
    }

    async fn make_move(
        &self,
        tx: &mut Tx,
        origin: &Origin,
        request: &RollbackRequest,
        position: i64,
        now: Timestamp,
    ) -> Result<ChannelId, Error> {
        let decision = self.decision.as_ref().and_then(|one| serde_json::to_string(one).ok());
        let new = NewMove {
            name: &self.pointer.name,
            expected: self.pointer.moves,
            kind: MoveKind::Rollback,
            digest: &self.target.digest,
            repository: &self.pointer.repository,
            place: &self.destination.place,
            promotion: None,
            actor: &actor_of(origin),
            reason: &request.reason,
            decision: decision.as_deref(),
            position,
            took: now.0.saturating_sub(self.asked_at.0),
        };
        let moved = channel::make_move(tx, &new, now).await?;
        Ok(moved.ok_or(Error::Changed)?.0)
    }

    async fn hold(
        &self,
        tx: &mut Tx,
        channel: ChannelId,
        origin: &Origin,
        request: &RollbackRequest,
        now: Timestamp,
    ) -> Result<Hold, Error> {
        let reason = match request.reason.as_str() {
            "" => "it went back".to_owned(),
            reason => format!("it went back: {reason}"),
        };
        let hold = Hold { by: origin.actor.clone(), at: instant(now), reason };
        let text = serde_json::to_string(&hold).unwrap_or_default();
        channel::hold(tx, channel, Some(&text)).await?;
        Ok(hold)
    }

    fn told(
        &self,
        dry_run: bool,
        log_position: Option<i64>,
        at: Instant,
        held: Option<Hold>,
    ) -> RolledBack {
        RolledBack {
            dry_run,
            channel: self.destination.channel.clone(),
            service: self.pointer.name.service.clone(),
            digest: self.target.digest,
            previous: self.pointer.digest,
            number: self.pointer.moves + 1,
            log_position,
            at,
            decision: self.decision.clone(),
            held,
        }
    }
}

async fn keep(
    tx: &mut Tx,
    origin: &Origin,
    request: &RollbackRequest,
    done: &RolledBack,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(name) = &request.idempotency else { return Ok(()) };
    let answer = serde_json::to_string(done).unwrap_or_default();
    let kept = idempotency::Done { request: request.digest_of_all(), answer };
    if idempotency::keep(tx, (&actor_of(origin), name), &kept, now).await? {
        return Ok(());
    }
    // The same request is being carried out; what it was answered is answered then.
    Err(Error::Changed)
}
