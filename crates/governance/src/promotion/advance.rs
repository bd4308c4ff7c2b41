//! Goes on with promotions that are due.

use std::time::Duration;

use futures_util::StreamExt;
use plura_meta::{Timestamp, Tx, channel, idempotency, promotion as stored, rollback_key};
use plura_oci::{Reference, Tag};
use plura_policy::gate::Effect;
use plura_registry::{Placement, Progress, at_a_time, did, tell};
use tracing::{error, warn};

use super::{
    Requester, State,
    ending::Ending,
    settle::{self, Order, RECHECK, later},
};
use crate::{
    Cause, Decided, Error, Governance,
    channels::{Destination, timestamp},
    refusal::Refusal,
    summaries,
};

/// What is taken at a time.
const BATCH: u32 = 64;
/// How long what was taken is left to who took it.
const CLAIM: Duration = Duration::from_mins(1);
/// How soon is tried again what failed.
const AGAIN: Duration = Duration::from_secs(10);
/// How often is forgotten what nobody needs any more.
const TIDY: Duration = Duration::from_hours(1);
/// For how long requests are known by their names, and keys that ended by what became of them.
const REMEMBERED: Duration = Duration::from_hours(24 * 7);
/// How often is looked for what is due.
const PAUSE: Duration = Duration::from_secs(1);

/// Promotions that have not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromotionsWaiting {
    /// How many there are.
    pub running: u64,
    /// How many of them somebody ought to look at now.
    pub due: u64,
    /// For how long nobody looked at the one that waits longest for that.
    pub overdue: Duration,
}

/// What becomes of a promotion that was looked at.
pub(super) enum Next {
    /// It stays on its way.
    Stay(Box<stored::Promotion>),
    /// It gets some of the traffic, so that it can be pulled where the channel is.
    Begin(Box<stored::Promotion>),
    /// It ends otherwise than at its goal.
    End(State, String),
    /// It may not be there.
    Deny(Box<Decided>),
    /// The channel is moved.
    Settle(Box<Order>),
}

impl Governance {
    /// How many promotions are gone on with at a time, if nobody says something else.
    pub const PROMOTIONS_AT_A_TIME: usize = 4;

    /// Goes on with promotions, for ever.
    pub async fn watch_promotions(&self) {
        if let Err(error) = self.let_go().await {
            error!(%error, "promotions that were begun are left for a minute");
        }
        let mut tidied = Timestamp::now();
        loop {
            let now = Timestamp::now();
            if tidied.after(TIDY) <= now {
                tidied = now;
                if let Err(error) = self.tidy(now).await {
                    error!(%error, "what nobody needs any more of promotions is not forgotten");
                }
            }
            match self.advance().await {
                Ok(true) => {
                    tell(Progress::Works);
                    continue;
                }
                Ok(false) => tell(Progress::Rests),
                Err(error) => {
                    tell(Progress::Failed(error.to_string()));
                    error!(%error, "promotions do not go on; trying again");
                }
            }
            let _ = tokio::time::timeout(PAUSE, self.shared.asked.notified()).await;
        }
    }

    /// Goes on with promotions that are due; whether there may be more.
    pub async fn advance(&self) -> Result<bool, Error> {
        let now = Timestamp::now();
        if !stored::is_any_due(&mut self.db().read().await?, now).await? {
            return Ok(false);
        }
        let work = async move |tx: &mut Tx| stored::take(tx, now, now.after(CLAIM), BATCH).await;
        let taken = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        let count = taken.len() as u64;
        futures_util::stream::iter(taken)
            .for_each_concurrent(at_a_time(Self::PROMOTIONS_AT_A_TIME), |row| self.go_on(row))
            .await;
        did(count).await;
        Ok(count > 0)
    }

    /// How many promotions have not ended, how many of them are due, and since when the one that is due the
    /// longest is.
    pub async fn promotions_waiting(&self) -> Result<PromotionsWaiting, Error> {
        let now = Timestamp::now();
        let (running, due, since) =
            stored::count_running(&mut self.db().read().await?, now).await?;
        let overdue = since.map_or(0, |since| now.0.saturating_sub(since.0));
        Ok(PromotionsWaiting {
            running: running.unsigned_abs(),
            due: due.unsigned_abs(),
            overdue: Duration::from_millis(overdue.unsigned_abs()),
        })
    }

    /// Forgets the names of requests and the keys that are too old to be of use.
    async fn tidy(&self, now: Timestamp) -> Result<(), Error> {
        let work = async move |tx: &mut Tx| {
            idempotency::forget(tx, now.before(REMEMBERED)).await?;
            rollback_key::forget(tx, now.before(REMEMBERED)).await
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(())
    }

    /// The only process that there is goes on at once with what the one before it had taken.
    async fn let_go(&self) -> Result<(), Error> {
        // What is claimed is due some day; mostly there is nothing, and nothing is written.
        let some_day = Timestamp(i64::MAX);
        if self.db().is_shared()
            || !stored::is_any_due(&mut self.db().read().await?, some_day).await?
        {
            return Ok(());
        }
        let work = async move |tx: &mut Tx| stored::release_all(tx).await;
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }

    async fn go_on(&self, row: stored::Promotion) {
        let id = row.id.clone();
        let mut again = AGAIN;
        match self.step(row).await {
            Ok(()) => return,
            // Something changed meanwhile: it is looked at again, as it is now.
            Err(Error::Changed) => again = Duration::ZERO,
            Err(Error::Place(error)) => return self.give_up(&id, error.to_string()).await,
            Err(error) => warn!(%error, promotion = %id, "a promotion does not go on"),
        }
        let due_at = Timestamp::now().after(again);
        let due_at = async move |tx: &mut Tx| stored::release(tx, &id, due_at).await;
        let released = self.db().write(move |tx| Box::pin(async move { due_at(tx).await })).await;
        if let Err(error) = released {
            warn!(%error, "a promotion that does not go on is left for a minute");
        }
    }

    /// Ends a promotion whose image cannot be put where the channel is pulled.
    async fn give_up(&self, id: &str, problem: String) {
        let found = async {
            let found = stored::find(&mut self.db().read().await?, id).await?;
            let Some(row) = found else { return Ok(()) };
            self.take_step(row, Next::End(State::Failed, problem), Timestamp::now()).await
        };
        if let Err(error) = found.await {
            warn!(%error, promotion = %id, "a promotion that failed is looked at again");
        }
    }

    /// Does the next thing for a promotion.
    async fn step(&self, row: stored::Promotion) -> Result<(), Error> {
        let now = Timestamp::now();
        let next = match State::of(&row)? {
            State::Requested | State::Waiting => self.at_gates(&row, now).await?,
            State::Canary | State::Paused => self.at_canary(&row, now).await?,
            State::Returning => self.go_back(&row, now).await?,
            // Somebody else ended it.
            _ => return Ok(()),
        };
        plura_fault::point("promotion.stepped").map_err(Error::fault)?;
        self.take_step(row, next, now).await
    }

    /// Writes down what becomes of a promotion.
    async fn take_step(
        &self,
        row: stored::Promotion,
        next: Next,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (place, tag) = (row.place.clone(), row.name.tag.parse().ok());
        let canary = super::canary::tag(&row)?;
        let governance = self.clone();
        let own = canary.clone();
        let work = async move |tx: &mut Tx| next.write(&governance, tx, row, (&own, now)).await;
        let tags: Vec<_> = tag.into_iter().chain([canary]).collect();
        let registry = &self.shared.registry;
        let done = registry
            .change_channel(&place, &tags, move |tx| Box::pin(async move { work(tx).await }));
        done.await?;
        plura_fault::point("promotion.written").map_err(Error::fault)?;
        self.ask();
        Ok(())
    }

    async fn at_gates(&self, row: &stored::Promotion, now: Timestamp) -> Result<Next, Error> {
        if row.expires_at <= now {
            let waited = row.problem.clone().unwrap_or_default();
            return Ok(Next::End(State::Expired, format!("waited for too long: {waited}")));
        }
        let (destination, decided) = match self.decide_about(row).await {
            Ok(found) => found,
            Err(error) => return ended_by(error),
        };
        let others = stored::running(&mut self.db().read().await?, &row.name).await?;
        let busy = |other: &&stored::Promotion| {
            other.id != row.id && State::of(other).is_ok_and(State::has_traffic)
        };
        if let Some(other) = others.iter().find(busy) {
            let problem = format!("{} has its canary", other.id);
            return Ok(wait(row, &decided, problem, now));
        }
        match decided.decision.effect {
            Effect::Deny => Ok(Next::Deny(Box::new(decided))),
            Effect::Wait => self.watched(row, &decided, now).await,
            Effect::Allow => {
                let channels = &decided.in_force.governance.channels;
                let channel = channels.get(&destination.channel);
                match channel.and_then(|channel| channel.canary.clone()) {
                    Some(canary) => self.begin_canary(row, &decided, &canary, now).await,
                    None => self.order(row, destination, decided).await,
                }
            }
        }
    }

    /// Where an image of a promotion goes, and whether it may.
    pub(super) async fn decide_about(
        &self,
        row: &stored::Promotion,
    ) -> Result<(Destination, Decided), Error> {
        let in_force = self.in_force().await?;
        let channel = crate::channels::channel_of(&row.name)?;
        let destination = Destination::find(&in_force.governance, &row.repository, &channel)?;
        let reference = Reference::Digest(row.digest);
        let decided = self.decide(&row.repository, &reference, &channel).await?;
        Ok((destination, decided))
    }

    /// What is to be done where the image may be there.
    pub(super) async fn order(
        &self,
        row: &stored::Promotion,
        destination: Destination,
        decided: Decided,
    ) -> Result<Next, Error> {
        let pointer = channel::find(&mut self.db().read().await?, &destination.name).await?;
        if let Err(refusal) = destination.check_bound(pointer.as_ref(), &row.repository) {
            return Ok(Next::End(State::Failed, refusal.to_string()));
        }
        Ok(Next::Settle(Box::new(Order {
            kept: decided.packed(Cause::Promotion),
            destination,
            expected: pointer.map_or(0, |pointer| pointer.moves),
            origin: Requester::read(row)?.origin(),
            in_force: decided.in_force,
            decision: decided.decision,
        })))
    }
}

impl Next {
    /// Writes what becomes of a promotion; `canary` is the tag of what has some of the traffic.
    async fn write(
        self,
        governance: &Governance,
        tx: &mut Tx,
        row: stored::Promotion,
        (canary, now): (&Tag, Timestamp),
    ) -> Result<(), Error> {
        let registry = &governance.shared.registry;
        match self {
            Self::Stay(new) => stay(tx, &row, *new, now).await,
            Self::Begin(new) => {
                check_alone(tx, &row).await?;
                let placement = Placement {
                    sources: &[&row.repository],
                    place: &row.place,
                    digest: &row.digest,
                    tag: canary,
                };
                registry.place(tx, placement, now).await?;
                stay(tx, &row, *new, now).await
            }
            Self::End(state, problem) => {
                registry.displace(tx, &row.place, canary, now).await?;
                let ended = Ending { state, problem, now }.end(tx, row).await?;
                ended.map(|_| ()).ok_or(Error::Changed)
            }
            Self::Deny(decided) => {
                let decision = serde_json::to_string(&decided.decision).ok();
                let row = stored::Promotion { version: decided.version, decision, ..row };
                if let Some(kept) = decided.packed(Cause::Promotion) {
                    kept.keep(tx).await?;
                }
                summaries::queue(tx, &decided.decision, now).await?;
                let problem = settle::denied(&decided.decision);
                let ended = Ending { state: State::Denied, problem, now }.end(tx, row).await?;
                ended.map(|_| ()).ok_or(Error::Changed)
            }
            Self::Settle(order) => {
                let mut row = row;
                order.settle(governance, tx, &mut row, now).await.map(|_| ())
            }
        }
    }
}

async fn stay(
    tx: &mut Tx,
    row: &stored::Promotion,
    new: stored::Promotion,
    now: Timestamp,
) -> Result<(), Error> {
    let new = stored::Promotion { changed_at: later(row, now), ..new };
    if stored::update(tx, row, &new).await? { Ok(()) } else { Err(Error::Changed) }
}

/// One at a time has some of the traffic beside what the channel points at.
async fn check_alone(tx: &mut Tx, row: &stored::Promotion) -> Result<(), Error> {
    for other in stored::running(tx, &row.name).await? {
        if other.id != row.id && State::of(&other)?.has_traffic() {
            return Err(Error::Changed);
        }
    }
    Ok(())
}

/// What nobody can wait for to change ends a promotion; what may pass is tried again.
pub(super) fn ended_by(error: Error) -> Result<Next, Error> {
    let is_final = matches!(
        &error,
        Error::Channel(_)
            | Error::ManifestUnknown { .. }
            | Error::Refused(Refusal::NoService(_) | Refusal::OtherRepository { .. })
    );
    if is_final { Ok(Next::End(State::Failed, error.to_string())) } else { Err(error) }
}

/// It waits: until time changes something, or somebody does.
pub(super) fn wait(
    row: &stored::Promotion,
    decided: &Decided,
    problem: String,
    now: Timestamp,
) -> Next {
    let soon = now.after(RECHECK);
    let until = decided.decision.until.map(timestamp).filter(|until| *until > now);
    let due_at = until.map_or(soon, |until| until.min(soon)).min(row.expires_at);
    Next::Stay(Box::new(stored::Promotion {
        state: State::Waiting.as_str().to_owned(),
        problem: Some(problem),
        due_at: Some(due_at.max(now)),
        version: decided.version,
        decision: serde_json::to_string(&decided.decision).ok(),
        ..row.clone()
    }))
}
