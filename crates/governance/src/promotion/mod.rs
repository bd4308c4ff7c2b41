//! Promotions: how an image comes into a channel, step by step, whatever ends in between.
//!
//! A promotion is a row that says how far it is. Each step reads it, does one thing, and writes how far it
//! is then, if nobody else did meanwhile. What is done outside of the database bears to be done twice.

mod advance;
mod canary;
mod cancel;
mod ending;
mod list;
mod request;
mod settle;

use jiff::Timestamp as Instant;
use plura_meta::{audit::Origin, promotion as stored};
use plura_oci::{Digest, RepositoryName};
use plura_policy::{ChannelName, gate::GateDecision};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::{Error, channels::channel_of, instant};

pub use advance::PromotionsWaiting;
pub use canary::Progress;
pub(crate) use cancel::returning;
pub use list::{PromotionFilter, PromotionPage};
pub use request::{PromoteRequest, Promoted};

/// How far a promotion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PromotionState)]
pub enum State {
    /// It may go on.
    Requested,
    /// Gates wait for something, or an older promotion has its canary.
    Waiting,
    /// It gets more and more of the traffic.
    Canary,
    /// Its canary went wrong and stays where it is until somebody decides.
    Paused,
    /// Its canary went wrong, and the traffic goes back.
    Returning,
    /// The channel points at it.
    Finished,
    /// It may not be there.
    Denied,
    /// It could not be done.
    Failed,
    /// Gates waited for longer than they may.
    Expired,
    /// Its canary went wrong, and the traffic is where it was.
    RolledBack,
    /// A newer one took its place.
    Superseded,
    /// Somebody cancelled it.
    Cancelled,
}

/// A promotion.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Promotion {
    /// Its key.
    pub id: String,
    /// The channel: `prod:stable`.
    #[schema(value_type = String)]
    pub channel: ChannelName,
    /// The service.
    pub service: String,
    /// The repository of the image.
    #[schema(value_type = String)]
    pub repository: RepositoryName,
    /// The manifest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The channel that it was said to come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How far it is.
    pub state: State,
    /// What it waits for, or why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The part of the traffic that it has, in percent.
    pub weight: i64,
    /// How its canary goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Progress>,
    /// When it was asked for.
    #[schema(value_type = String)]
    pub requested_at: Instant,
    /// By whom.
    pub requested_by: String,
    /// Why, as they said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When it came to where it is.
    #[schema(value_type = String)]
    pub changed_at: Instant,
    /// Until when gates may wait.
    #[schema(value_type = String)]
    pub expires_at: Instant,
    /// The number of the move that it made.
    #[serde(skip_serializing_if = "Option::is_none", rename = "move")]
    pub number: Option<i64>,
    /// The first promotion of those that followed one another by themselves.
    pub chain: String,
    /// What was decided last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<GateDecision>,
}

impl State {
    const ALL: [Self; 12] = [
        Self::Requested,
        Self::Waiting,
        Self::Canary,
        Self::Paused,
        Self::Returning,
        Self::Finished,
        Self::Denied,
        Self::Failed,
        Self::Expired,
        Self::RolledBack,
        Self::Superseded,
        Self::Cancelled,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Waiting => "waiting",
            Self::Canary => "canary",
            Self::Paused => "paused",
            Self::Returning => "returning",
            Self::Finished => "finished",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::RolledBack => "rolled_back",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing comes of it any more.
    pub const fn is_end(self) -> bool {
        match self {
            Self::Requested | Self::Waiting | Self::Canary | Self::Paused | Self::Returning => {
                false
            }
            Self::Finished
            | Self::Denied
            | Self::Failed
            | Self::Expired
            | Self::RolledBack
            | Self::Superseded
            | Self::Cancelled => true,
        }
    }

    /// Whether it may have some of the traffic.
    pub const fn has_traffic(self) -> bool {
        matches!(self, Self::Canary | Self::Paused | Self::Returning)
    }

    pub(crate) fn of(row: &stored::Promotion) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == row.state);
        Ok(found.ok_or_else(|| {
            plura_meta::Error::Corrupt(format!("promotion.state holds `{}`", row.state))
        })?)
    }
}

impl Promotion {
    pub(crate) fn of(row: &stored::Promotion) -> Result<Self, Error> {
        let requester = Requester::read(row)?;
        let decision = row.decision.as_deref().map(|text| read("promotion.decision", text));
        let progress = row.progress.as_deref().map(|text| read("promotion.progress", text));
        Ok(Self {
            id: row.id.clone(),
            channel: channel_of(&row.name)?,
            service: row.name.service.clone(),
            repository: row.repository.clone(),
            digest: row.digest,
            from: row.origin.clone(),
            state: State::of(row)?,
            problem: row.problem.clone(),
            weight: row.weight,
            canary: progress.transpose()?,
            requested_at: instant(row.requested_at),
            requested_by: requester.actor,
            reason: row.reason.clone(),
            changed_at: instant(row.changed_at),
            expires_at: instant(row.expires_at),
            number: row.r#move,
            chain: row.chain.clone(),
            decision: decision.transpose()?,
        })
    }
}

/// Who asked for a promotion, as it is kept with it: what is done later is done in their name.
#[derive(Serialize, Deserialize)]
pub(crate) struct Requester {
    request_id: String,
    actor_kind: String,
    pub(crate) actor: String,
    subject: String,
    method: String,
    address: String,
}

impl Requester {
    pub(crate) fn write(origin: &Origin) -> String {
        let Origin { request_id, actor_kind, actor, subject, method, address, .. } = origin.clone();
        let requester = Self { request_id, actor_kind, actor, subject, method, address };
        serde_json::to_string(&requester).unwrap_or_default()
    }

    pub(crate) fn read(row: &stored::Promotion) -> Result<Self, Error> {
        read("promotion.requested_by", &row.requested_by)
    }

    pub(crate) fn origin(self) -> Origin {
        let Self { request_id, actor_kind, actor, subject, method, address } = self;
        Origin { request_id, actor_kind, actor, subject, method, address, build: None }
    }
}

/// Reads what a column holds.
pub(crate) fn read<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Error> {
    let read = serde_json::from_str(text);
    Ok(read.map_err(|error| plura_meta::Error::Corrupt(format!("{column}: {error}")))?)
}
