//! Promotions that end otherwise than at their goal.

use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    promotion as stored, rollback_key,
};
use plura_policy::gate::GateDecision;

use super::{Requester, State, read, settle::later};
use crate::{
    Error,
    channels::subject_of,
    leaf::{self, Leaf},
};

/// How a promotion ends, and why.
pub(super) struct Ending {
    pub(super) state: State,
    pub(super) problem: String,
    pub(super) now: Timestamp,
}

impl Ending {
    /// Ends a promotion in the name of who asked for it; its position in the log. Nothing, if it came
    /// elsewhere meanwhile.
    pub(super) async fn end(
        self,
        tx: &mut Tx,
        before: stored::Promotion,
    ) -> Result<Option<(stored::Promotion, i64)>, Error> {
        let origin = Requester::read(&before)?.origin();
        self.end_by(tx, &origin, before).await
    }

    /// The same in somebody's name.
    pub(super) async fn end_by(
        self,
        tx: &mut Tx,
        origin: &Origin,
        before: stored::Promotion,
    ) -> Result<Option<(stored::Promotion, i64)>, Error> {
        let Self { state, problem, now } = self;
        let row = stored::Promotion {
            state: state.as_str().to_owned(),
            problem: Some(problem),
            weight: 0,
            due_at: None,
            changed_at: later(&before, now),
            ..before.clone()
        };
        if !stored::update(tx, &before, &row).await? {
            return Ok(None);
        }
        rollback_key::forget_of(tx, &row.id).await?;
        record(tx, origin, &row, state, now).await?;
        let decision = row.decision.as_deref().map(|text| read("promotion.decision", text));
        let decision: Option<GateDecision> = decision.transpose()?;
        let leaf = Leaf::new(kind(state), origin, now)
            .about(&row.name, &row.digest)
            .from(&row.repository)
            .of_promotion(&row.id)
            .because(row.problem.as_deref().unwrap_or_default())
            .decided(decision.as_ref());
        let position = leaf::append(tx, &subject_of(&row.name), &leaf, now).await?;
        Ok(Some((row, position)))
    }
}

/// Ends what has nothing of the traffic yet and would come to the same channel as a newer one; whether
/// something has, which the newer one must wait for.
pub(super) async fn make_way(
    tx: &mut Tx,
    newer: &stored::Promotion,
    now: Timestamp,
) -> Result<bool, Error> {
    let mut is_busy = false;
    for other in stored::running(tx, &newer.name).await? {
        if State::of(&other)?.has_traffic() {
            is_busy = true;
            continue;
        }
        let problem = format!("by {}, which was asked for later", newer.id);
        Ending { state: State::Superseded, problem, now }.end(tx, other).await?;
    }
    Ok(is_busy)
}

async fn record(
    tx: &mut Tx,
    origin: &Origin,
    row: &stored::Promotion,
    state: State,
    now: Timestamp,
) -> Result<(), Error> {
    let target = format!("channel:{}", subject_of(&row.name));
    let project = row.repository.as_str().split('/').next().unwrap_or_default();
    let detail = serde_json::json!({
        "promotion": row.id, "digest": row.digest, "state": state.as_str(), "why": row.problem,
    });
    let event = Event { detail: detail.to_string(), ..Event::done("promotion.end", target) };
    Ok(audit::record(tx, origin, &event.of_project(project), now).await?)
}

const fn kind(state: State) -> &'static str {
    match state {
        State::Denied => "promotion.denied",
        State::Expired => "promotion.expired",
        State::RolledBack => "promotion.rolled_back",
        State::Superseded => "promotion.superseded",
        State::Cancelled => "promotion.cancelled",
        _ => "promotion.failed",
    }
}
