//! Why a channel is not moved.

use plura_oci::{Digest, RepositoryName};
use plura_policy::{ChannelName, gate::GateDecision};

use crate::channels::Destination;

/// Why a channel is not moved. Each says what to do instead.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The repository belongs to no service.
    #[error(
        "{0} belongs to no service; services are found by `layout.services` of the document in force"
    )]
    NoService(RepositoryName),
    /// The channel has its images from another repository of the service.
    #[error(
        "{channel} of {service} has its images from {bound}, not from {asked}; give {asked} a service \
         of its own in `layout.services`"
    )]
    OtherRepository {
        /// The channel.
        channel: ChannelName,
        /// The service.
        service: String,
        /// Where its images come from.
        bound: RepositoryName,
        /// Where this one comes from.
        asked: RepositoryName,
    },
    /// Images do not come from there.
    #[error("{to} does not come from {from}; the document in force says {}", listed(.known))]
    NotFrom {
        /// The channel.
        to: ChannelName,
        /// Where it was said to come from.
        from: ChannelName,
        /// Where it comes from.
        known: Vec<ChannelName>,
    },
    /// It is there already.
    #[error("{digest} is in {channel} already")]
    AlreadyThere {
        /// The channel.
        channel: ChannelName,
        /// The manifest.
        digest: Digest,
    },
    /// Nothing was ever promoted there.
    #[error("nothing was ever promoted into {channel} of {service}")]
    NothingThere {
        /// The channel.
        channel: ChannelName,
        /// The service.
        service: String,
    },
    /// Nothing keeps others from it.
    #[error("{0} is not held; promotions into it go on")]
    NotHeld(ChannelName),
    /// There is nothing to go back to.
    #[error(
        "{0} has nothing to go back to: everything before was rolled back from itself, or is blocked"
    )]
    NoTarget(ChannelName),
    /// It was never there.
    #[error(
        "{digest} was never in {channel}; an administrator may go there with --break-glass REASON"
    )]
    NeverThere {
        /// The channel.
        channel: ChannelName,
        /// The manifest.
        digest: Digest,
    },
    /// It may not be there any more.
    #[error("{}", told(.0))]
    Denied(Box<GateDecision>),
    /// Somebody decided that it must not be run.
    #[error("{digest} is blocked and may not be in {channel} any more; name another digest")]
    Blocked {
        /// The channel.
        channel: ChannelName,
        /// The manifest.
        digest: Digest,
    },
    /// There is no such promotion.
    #[error("there is no promotion `{0}`")]
    NoPromotion(String),
    /// It has ended.
    #[error("the promotion has ended: it is {0}")]
    Ended(&'static str),
    /// The key is none, or not for this.
    #[error("{0}")]
    Key(KeyProblem),
    /// The name of a request was used for another one.
    #[error("this Idempotency-Key was used for another request; use a new one")]
    KeyReused,
    /// Too much happens at once.
    #[error("the channel was moved by others again and again; try again")]
    Busy,
}

/// What is wrong with a key that gives the right to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// There is none such, or it is for another channel.
    #[error("this is no rollback key of the channel; a promotion answers with one")]
    Unknown,
    /// The promotion did not move the channel yet.
    #[error("the promotion that this key is of did not move the channel yet; cancel it instead")]
    NotMoved,
    /// It was used.
    #[error("this rollback key was used; it is good for once")]
    Used,
    /// Its time is up.
    #[error("this rollback key has expired; it takes the role of a promoter now")]
    Expired,
    /// The channel was moved since.
    #[error("the channel was moved again since; this rollback key undoes its own move only")]
    MovedSince,
    /// It only undoes its move.
    #[error("this rollback key undoes its own move only; leave the digest out")]
    OtherTarget,
}

impl Refusal {
    pub(crate) fn nothing_there(destination: &Destination) -> Self {
        let (channel, service) = (destination.channel.clone(), destination.name.service.clone());
        Self::NothingThere { channel, service }
    }
}

fn listed(channels: &[ChannelName]) -> String {
    if channels.is_empty() {
        return "that it comes from a push".to_owned();
    }
    let names: Vec<String> = channels.iter().map(ToString::to_string).collect();
    names.join(" or ")
}

fn told(decision: &GateDecision) -> String {
    let reasons: Vec<String> = decision.blocking().map(ToString::to_string).collect();
    format!("{} may not be there any more: {}", decision.digest, reasons.join("; "))
}
