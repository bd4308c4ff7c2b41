//! The transaction that moves a channel forward.

use std::sync::Arc;

use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    channel::{self, MoveKind, NewMove},
    promotion as stored, rollback_key,
};
use plura_policy::{Governance as Document, gate::GateDecision};
use plura_registry::Placement;

use super::State;
use crate::{
    Error, Governance, InForce, PackedDecision,
    channels::{Destination, subject_of, timestamp},
    instant,
    leaf::{self, Leaf, actor_of},
    summaries,
};

/// How soon is looked again at what waits for something that nobody tells about.
pub(super) const RECHECK: std::time::Duration = std::time::Duration::from_secs(5);
/// How long is looked at what would take longer to write down than anybody reads.
const LONGEST: usize = 1000;

/// A move that was decided, and what it was decided from.
pub(crate) struct Order {
    pub(crate) destination: Destination,
    /// The number of the channel's last move.
    pub(crate) expected: i64,
    /// In whose name.
    pub(crate) origin: Origin,
    /// What was in force.
    pub(crate) in_force: Arc<InForce>,
    pub(crate) decision: GateDecision,
    /// The same with the facts, to be kept.
    pub(crate) kept: Option<PackedDecision>,
}

impl Order {
    fn document(&self) -> &Document {
        &self.in_force.governance
    }

    /// Moves the channel, if nothing changed that was decided from; else [`Error::Changed`]. The position
    /// of its entry in the log.
    pub(crate) async fn settle(
        &self,
        governance: &Governance,
        tx: &mut Tx,
        row: &mut stored::Promotion,
        now: Timestamp,
    ) -> Result<i64, Error> {
        self.in_force.check_unchanged(tx).await?;
        let pointer = channel::find(tx, &row.name).await?;
        if pointer.as_ref().is_some_and(|pointer| pointer.held.is_some()) {
            return Err(Error::Changed);
        }
        let previous = pointer.as_ref().map(|pointer| pointer.digest);
        let placement = Placement {
            sources: &[&row.repository],
            place: &self.destination.place,
            digest: &row.digest,
            tag: &self.destination.tag,
        };
        governance.shared.registry.place(tx, placement, now).await?;
        self.keep(tx, now).await?;
        let number = self.expected + 1;
        let leaf = Leaf::new("promotion.finished", &self.origin, now)
            .about(&row.name, &row.digest)
            .from(&row.repository)
            .moved(number, previous.as_ref())
            .of_promotion(&row.id)
            .because(&row.reason)
            .decided(Some(&self.decision));
        let position = leaf::append(tx, &subject_of(&row.name), &leaf, now).await?;
        let decision = serde_json::to_string(&self.decision).unwrap_or_default();
        let new = NewMove {
            name: &row.name,
            expected: self.expected,
            kind: MoveKind::Promotion,
            digest: &row.digest,
            repository: &row.repository,
            place: &self.destination.place,
            promotion: Some(&row.id),
            actor: &actor_of(&self.origin),
            reason: &row.reason,
            decision: Some(&decision),
            position,
            took: now.0.saturating_sub(row.requested_at.0),
        };
        let moved = channel::make_move(tx, &new, now).await?.ok_or(Error::Changed)?;
        self.finish(governance, tx, row, moved, now).await?;
        self.follow(tx, row, now).await?;
        Ok(position)
    }

    /// Keeps what was decided, so that another document can be asked about it, and has it attached to the
    /// image.
    pub(crate) async fn keep(&self, tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
        if let Some(kept) = &self.kept {
            kept.keep(tx).await?;
        }
        summaries::queue(tx, &self.decision, now).await
    }

    /// Writes that the promotion is done, and makes its key good for what it is for.
    async fn finish(
        &self,
        governance: &Governance,
        tx: &mut Tx,
        row: &mut stored::Promotion,
        moved: (channel::ChannelId, i64),
        now: Timestamp,
    ) -> Result<(), Error> {
        let before = row.clone();
        State::Finished.as_str().clone_into(&mut row.state);
        row.problem = None;
        row.weight = 100;
        row.r#move = Some(moved.1);
        row.due_at = None;
        row.changed_at = later(&before, now);
        row.version = self.in_force.version;
        row.decision = serde_json::to_string(&self.decision).ok();
        if !stored::update(tx, &before, row).await? {
            return Err(Error::Changed);
        }
        let life = self.document().promotion.rollback_key_life.after(instant(now));
        rollback_key::bind(tx, &row.id, moved, timestamp(life)).await?;
        if before.weight > 0 || before.progress.is_some() {
            let canary = super::canary::tag(row)?;
            governance.shared.registry.displace(tx, &row.place, &canary, now).await?;
        }
        let target = format!("channel:{}", subject_of(&row.name));
        let project = row.repository.as_str().split('/').next().unwrap_or_default();
        let detail = serde_json::json!({
            "digest": row.digest, "number": moved.1, "promotion": row.id,
        });
        let event = Event { detail: detail.to_string(), ..Event::done("channel.move", target) };
        Ok(audit::record(tx, &self.origin, &event.of_project(project), now).await?)
    }

    /// Asks for what comes by itself where an image came into this channel.
    async fn follow(
        &self,
        tx: &mut Tx,
        row: &stored::Promotion,
        now: Timestamp,
    ) -> Result<(), Error> {
        let here = &self.destination.channel;
        let channels = self.document().channels.values();
        let next = channels.filter(|channel| channel.automatic && channel.from.contains(here));
        for channel in next.filter(|channel| channel.covers(&row.repository)) {
            let to = Destination::find(self.document(), &row.repository, &channel.name)?;
            let pointer = channel::find(tx, &to.name).await?;
            let is_there = pointer.as_ref().is_some_and(|pointer| pointer.digest == row.digest);
            if is_there || to.check_bound(pointer.as_ref(), &row.repository).is_err() {
                continue;
            }
            let patience = channel.soak.map_or(instant(now), |soak| soak.after(instant(now)));
            let patience = self.document().promotion.patience.after(patience);
            let new = stored::Promotion {
                id: uuid::Uuid::now_v7().to_string(),
                name: to.name,
                place: to.place,
                origin: Some(here.to_string()),
                chain: row.chain.clone(),
                requested_at: now,
                state: State::Requested.as_str().to_owned(),
                problem: None,
                step: 0,
                weight: 0,
                r#move: None,
                expires_at: timestamp(patience),
                due_at: Some(now),
                changed_at: now,
                decision: None,
                progress: None,
                ..row.clone()
            };
            super::ending::make_way(tx, &new, now).await?;
            stored::insert(tx, &new).await?;
        }
        Ok(())
    }
}

/// When a promotion came to where it is now: no two steps of it are at the same time.
pub(super) fn later(before: &stored::Promotion, now: Timestamp) -> Timestamp {
    now.max(Timestamp(before.changed_at.0 + 1))
}

/// What stands in the way, in one line.
pub(super) fn denied(decision: &GateDecision) -> String {
    let reasons = decision.blocking().map(|outcome| {
        let about = outcome.platform.as_deref().map(|platform| format!(" ({platform})"));
        format!("{}{}: {}", outcome.rule, about.unwrap_or_default(), outcome.observed)
    });
    shortened(&reasons.collect::<Vec<_>>().join("; "))
}

/// What is waited for, in one line.
pub(super) fn waited_for(decision: &GateDecision) -> String {
    denied(decision)
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
