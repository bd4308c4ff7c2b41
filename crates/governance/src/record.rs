//! What is decided by people is one row of the audit and one leaf of the log, in the transaction that does it.

use jiff::Timestamp as Instant;
use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    log::{self, NewEntry},
};
use plura_oci::{Digest, RepositoryName};
use plura_policy::ChannelName;
use serde::Serialize;

use crate::{Error, instant};

/// What everybody can verify later.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type")]
pub(crate) enum Leaf {
    /// Another document is in force.
    #[serde(rename = "policy.applied")]
    PolicyApplied { version: i64, digest: Digest, reason: String },
    /// Somebody approved a digest for a channel.
    #[serde(rename = "approval.given")]
    ApprovalGiven {
        approval: String,
        repository: RepositoryName,
        digest: Digest,
        channel: ChannelName,
        roles: Vec<String>,
        reason: String,
        expires: Option<Instant>,
    },
    /// An approval was taken back.
    #[serde(rename = "approval.revoked")]
    ApprovalRevoked {
        approval: String,
        repository: String,
        digest: String,
        channel: String,
        approver: String,
    },
    /// A digest must not be run any more.
    #[serde(rename = "block.created")]
    BlockCreated {
        block: String,
        digest: Digest,
        repository: Option<RepositoryName>,
        kind: &'static str,
        reason: String,
    },
    /// A digest may be run again.
    #[serde(rename = "block.lifted")]
    BlockLifted {
        block: String,
        digest: Digest,
        repository: Option<RepositoryName>,
        reason: String,
    },
    /// Nothing moves into some channels.
    #[serde(rename = "freeze.begun")]
    FreezeBegun { freeze: String, channels: String, reason: String, begins: Instant, ends: Instant },
    /// A freeze was ended before its time.
    #[serde(rename = "freeze.ended")]
    FreezeEnded { freeze: String, channels: String },
    /// Something must not be deleted.
    #[serde(rename = "hold.placed")]
    HoldPlaced {
        hold: String,
        digest: Digest,
        repository: Option<RepositoryName>,
        reason: String,
        until: Option<Instant>,
    },
    /// Something may be deleted again.
    #[serde(rename = "hold.released")]
    HoldReleased {
        hold: String,
        digest: Digest,
        repository: Option<RepositoryName>,
        reason: String,
    },
    /// A plan of what rules let go was carried out.
    #[serde(rename = "retention.run")]
    RetentionRun {
        plan: String,
        repository: String,
        rules: String,
        tags: i64,
        manifests: i64,
        bytes: i64,
        refused: i64,
    },
}

/// A leaf as it is hashed.
#[derive(Serialize)]
struct Document<'a> {
    at: Instant,
    actor: Actor<'a>,
    #[serde(flatten)]
    leaf: &'a Leaf,
}

#[derive(Serialize)]
struct Actor<'a> {
    kind: &'a str,
    name: &'a str,
}

impl Leaf {
    fn kind(&self) -> &'static str {
        match self {
            Self::PolicyApplied { .. } => "policy.applied",
            Self::ApprovalGiven { .. } => "approval.given",
            Self::ApprovalRevoked { .. } => "approval.revoked",
            Self::BlockCreated { .. } => "block.created",
            Self::BlockLifted { .. } => "block.lifted",
            Self::FreezeBegun { .. } => "freeze.begun",
            Self::FreezeEnded { .. } => "freeze.ended",
            Self::HoldPlaced { .. } => "hold.placed",
            Self::HoldReleased { .. } => "hold.released",
            Self::RetentionRun { .. } => "retention.run",
        }
    }

    /// What it is looked for by.
    fn subject(&self) -> String {
        match self {
            Self::PolicyApplied { digest, .. }
            | Self::ApprovalGiven { digest, .. }
            | Self::BlockCreated { digest, .. }
            | Self::BlockLifted { digest, .. }
            | Self::HoldPlaced { digest, .. }
            | Self::HoldReleased { digest, .. } => digest.to_string(),
            Self::RetentionRun { plan, .. } => plan.clone(),
            Self::ApprovalRevoked { digest, .. } => digest.clone(),
            Self::FreezeBegun { channels, .. } | Self::FreezeEnded { channels, .. } => {
                channels.clone()
            }
        }
    }

    /// The image that it is about.
    fn digest(&self) -> Option<Digest> {
        match self {
            Self::ApprovalGiven { digest, .. }
            | Self::BlockCreated { digest, .. }
            | Self::BlockLifted { digest, .. }
            | Self::HoldPlaced { digest, .. }
            | Self::HoldReleased { digest, .. } => Some(*digest),
            Self::ApprovalRevoked { digest, .. } => digest.parse().ok(),
            Self::PolicyApplied { .. }
            | Self::FreezeBegun { .. }
            | Self::FreezeEnded { .. }
            | Self::RetentionRun { .. } => None,
        }
    }

    fn target(&self) -> String {
        match self {
            Self::PolicyApplied { version, .. } => format!("policy:{version}"),
            Self::ApprovalGiven { repository, digest, .. } => format!("{repository}@{digest}"),
            Self::ApprovalRevoked { repository, digest, .. } => format!("{repository}@{digest}"),
            Self::BlockCreated { digest, repository, .. }
            | Self::BlockLifted { digest, repository, .. }
            | Self::HoldPlaced { digest, repository, .. }
            | Self::HoldReleased { digest, repository, .. } => match repository {
                Some(repository) => format!("{repository}@{digest}"),
                None => digest.to_string(),
            },
            Self::FreezeBegun { freeze, .. } | Self::FreezeEnded { freeze, .. } => {
                format!("freeze:{freeze}")
            }
            Self::RetentionRun { plan, .. } => format!("plan:{plan}"),
        }
    }

    fn project(&self) -> &str {
        let repository = match self {
            Self::ApprovalGiven { repository, .. } => repository.as_str(),
            Self::ApprovalRevoked { repository, .. } | Self::RetentionRun { repository, .. } => {
                repository
            }
            Self::BlockCreated { repository, .. }
            | Self::BlockLifted { repository, .. }
            | Self::HoldPlaced { repository, .. }
            | Self::HoldReleased { repository, .. } => {
                repository.as_ref().map_or("", RepositoryName::as_str)
            }
            _ => "",
        };
        repository.split('/').next().unwrap_or_default()
    }
}

/// Writes down what is done, for the audit and for everybody; its place in the log.
pub(crate) async fn record(
    tx: &mut Tx,
    origin: &Origin,
    leaf: &Leaf,
    now: Timestamp,
) -> Result<i64, Error> {
    let detail = serde_json::to_string(leaf).unwrap_or_default();
    let event = Event { detail, ..Event::done(leaf.kind(), leaf.target()) };
    audit::record(tx, origin, &event.of_project(leaf.project()), now).await?;
    let actor = Actor { kind: &origin.actor_kind, name: &origin.actor };
    let document = Document { at: instant(now), actor, leaf };
    // Keys are texts, and numbers are small: nothing in it cannot be written.
    let document = serde_json::to_vec(&document).unwrap_or_default();
    let subject = leaf.subject();
    let digests: Vec<Digest> = leaf.digest().into_iter().collect();
    let (kind, subject) = (leaf.kind(), subject.as_str());
    let entry = NewEntry { kind, subject, digests: &digests, document: &document };
    Ok(log::append(tx, &entry, now).await?)
}
