//! What channels point at.

use jiff::Timestamp as Instant;
use plura_meta::channel::{self, Pointer};
use plura_policy::gate::GateDecision;
use plura_registry::Readable;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Hold, Where};
use crate::{Error, Governance, instant};

/// How many channels are looked at for one answer.
const PAGE: u32 = 500;

/// Which channels; what is not given does not narrow.
#[derive(Clone, Debug, Default)]
pub struct ChannelFilter {
    /// Of this environment.
    pub environment: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// Of this service.
    pub service: Option<String>,
}

/// What a channel points at.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelHead {
    /// Which channel, and what is there.
    #[serde(flatten)]
    pub at: Where,
    /// Since when, without interruption.
    #[schema(value_type = String)]
    pub since: Instant,
    /// How often it was moved.
    pub moves: i64,
    /// Why nothing is promoted into it, if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Hold>,
    /// What was last decided about what is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// What was last decided about what is in a channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ChannelStanding)]
pub struct Standing {
    /// When.
    #[schema(value_type = String)]
    pub decided_at: Instant,
    /// Whether it may still be there, and why.
    pub decision: GateDecision,
}

impl Governance {
    /// What channels point at, as far as somebody may read it; by service, environment and tag.
    pub async fn channels(
        &self,
        filter: &ChannelFilter,
        readable: &Readable,
    ) -> Result<Vec<ChannelHead>, Error> {
        let narrow =
            (filter.environment.as_deref(), filter.tag.as_deref(), filter.service.as_deref());
        let mut connection = self.db().read().await?;
        let mut heads = Vec::new();
        let mut after = None;
        loop {
            let page = channel::list(&mut connection, narrow, after, PAGE).await?;
            after = page.last().map(|pointer| pointer.id);
            let is_last = page.len() < PAGE as usize;
            for pointer in page.iter().filter(|pointer| readable.contains(&pointer.place)) {
                heads.push((pointer.name.clone(), ChannelHead::of(pointer)?));
            }
            if is_last {
                break;
            }
        }
        heads.sort_by(|(one, _), (other, _)| {
            let key = |name: &channel::Name| {
                (name.service.clone(), name.environment.clone(), name.tag.clone())
            };
            key(one).cmp(&key(other))
        });
        Ok(heads.into_iter().map(|(_, head)| head).collect())
    }
}

impl ChannelHead {
    pub(crate) fn of(pointer: &Pointer) -> Result<Self, Error> {
        let standing = pointer.standing.as_ref().map(|standing| {
            Ok::<_, Error>(Standing {
                decided_at: instant(standing.decided_at),
                decision: crate::promotion::read("channel.decision", &standing.decision)?,
            })
        });
        Ok(Self {
            at: Where::of(pointer)?,
            since: instant(pointer.since),
            moves: pointer.moves,
            held: pointer.held.as_deref().map(Hold::read).transpose()?,
            standing: standing.transpose()?,
        })
    }
}
