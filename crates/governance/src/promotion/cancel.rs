//! Promotions that somebody cancels.

use plura_meta::{Timestamp, Tx, audit::Origin, promotion as stored};

use super::{Progress, Promotion, State, ending::Ending, settle::later};
use crate::{Error, Governance, refusal::Refusal};

impl Governance {
    /// Cancels a promotion. What it has of the traffic goes back first.
    pub async fn cancel(
        &self,
        origin: &Origin,
        id: &str,
        reason: &str,
    ) -> Result<Promotion, Error> {
        let (origin, id, reason) = (origin.clone(), id.to_owned(), reason.to_owned());
        let work = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            let row = stored::find(tx, &id).await?.ok_or(Refusal::NoPromotion(id))?;
            let state = State::of(&row)?;
            if state.is_end() {
                return Err(Refusal::Ended(state.as_str()).into());
            }
            let problem = match reason.as_str() {
                "" => format!("by {}", origin.actor),
                reason => format!("by {}: {reason}", origin.actor),
            };
            if state.has_traffic() {
                let progress = Progress::cancelled(&row)?;
                let row = returning(tx, row, format!("cancelled {problem}"), now).await?;
                let new = stored::Promotion { progress, ..row.clone() };
                if !stored::update(tx, &row, &new).await? {
                    return Err(Error::Changed);
                }
                return Ok(new);
            }
            let ending = Ending { state: State::Cancelled, problem, now };
            let ended = ending.end_by(tx, &origin, row).await?;
            ended.map(|(row, _)| row).ok_or(Error::Changed)
        };
        let row = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.ask();
        Promotion::of(&row)
    }
}

/// Has the traffic of a promotion go back to what was there before.
pub(crate) async fn returning(
    tx: &mut Tx,
    row: stored::Promotion,
    problem: String,
    now: Timestamp,
) -> Result<stored::Promotion, Error> {
    let new = stored::Promotion {
        state: State::Returning.as_str().to_owned(),
        problem: Some(problem),
        due_at: Some(now),
        changed_at: later(&row, now),
        ..row.clone()
    };
    if stored::update(tx, &row, &new).await? { Ok(new) } else { Err(Error::Changed) }
}
