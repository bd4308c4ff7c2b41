//! How channels came to point at what they do.

use jiff::Timestamp as Instant;
use plura_meta::channel::{self, Move, MoveKind};
use plura_oci::{Digest, RepositoryName};
use plura_policy::{ChannelName, gate::GateDecision};
use plura_registry::Readable;
use serde::Serialize;
use utoipa::ToSchema;

use super::{name_of, timestamp};
use crate::{Error, Governance, instant, promotion::read, refusal::Refusal};

/// A move of a channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ChannelMove)]
pub struct Moved {
    /// Which one, counted from one.
    #[serde(rename = "move")]
    pub number: i64,
    /// When.
    #[schema(value_type = String)]
    pub at: Instant,
    /// How: `promotion`, `rollback`.
    pub kind: &'static str,
    /// What the channel points at since then.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// What it pointed at before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub previous: Option<Digest>,
    /// The repository that the image came from.
    #[schema(value_type = String)]
    pub repository: RepositoryName,
    /// The promotion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<String>,
    /// Who asked for it: `user:alice`.
    pub by: String,
    /// Why, as they said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What was decided about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<GateDecision>,
    /// Its position in the log.
    pub log_position: i64,
}

/// Some of the moves of a channel, the last first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ChannelHistory)]
pub struct HistoryPage {
    /// The channel.
    #[schema(value_type = String)]
    pub channel: ChannelName,
    /// The service.
    pub service: String,
    /// The moves.
    pub moves: Vec<Moved>,
    /// What the next page begins behind.
    pub next: Option<i64>,
}

impl Governance {
    /// The moves of a channel before the one of that number, the last first; or only the one by which it
    /// came to point at what it did at a time.
    pub async fn history(
        &self,
        (channel, service): (&ChannelName, &str),
        at: Option<Instant>,
        (before, limit): (Option<i64>, u32),
        readable: &Readable,
    ) -> Result<HistoryPage, Error> {
        let mut connection = self.db().read().await?;
        let pointer = channel::find(&mut connection, &name_of(channel, service)).await?;
        // Whoever may not read it is told what they are told of one that there is not.
        let Some(pointer) = pointer.filter(|pointer| readable.contains(&pointer.place)) else {
            let (channel, service) = (channel.clone(), service.to_owned());
            return Err(Refusal::NothingThere { channel, service }.into());
        };
        let mut moves = match at {
            Some(at) => {
                let found = channel::move_at(&mut connection, pointer.id, timestamp(at)).await?;
                found.into_iter().collect()
            }
            None => channel::moves(&mut connection, pointer.id, before, limit + 1).await?,
        };
        let more = moves.len() > limit as usize;
        moves.truncate(limit as usize);
        let next = moves.last().filter(|_| more).map(|last| last.number);
        let moves: Result<Vec<Moved>, Error> = moves.iter().map(Moved::of).collect();
        let (channel, service) = (channel.clone(), service.to_owned());
        Ok(HistoryPage { channel, service, moves: moves?, next })
    }
}

impl Moved {
    fn of(row: &Move) -> Result<Self, Error> {
        let decision = row.decision.as_deref().map(|text| read("channel_move.decision", text));
        Ok(Self {
            number: row.number,
            at: instant(row.at),
            kind: match row.kind {
                MoveKind::Promotion => "promotion",
                MoveKind::Rollback => "rollback",
            },
            digest: row.digest,
            previous: row.previous,
            repository: row.repository.clone(),
            promotion: row.promotion.clone(),
            by: row.actor.clone(),
            reason: row.reason.clone(),
            decision: decision.transpose()?,
            log_position: row.position,
        })
    }
}
