use plura_oci::{Digest, RepositoryName};
use plura_policy::ChannelName;

/// That an image gets so much of the traffic from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The promotion. With the weight, it tells this from every other one.
    pub promotion: String,
    /// The channel.
    pub channel: ChannelName,
    /// The service.
    pub service: String,
    /// The repository of the channel, in which both images are.
    pub repository: RepositoryName,
    /// The image that gets the traffic.
    pub digest: Digest,
    /// The image that has the rest of it.
    pub previous: Option<Digest>,
    /// How much, in percent; 0 to take it back.
    pub weight: u8,
}

/// Why traffic was not moved, or is not known to have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShiftError {
    /// Nobody is there to do it.
    #[error("nobody moves traffic here: `rollout.traffic.url` is not set")]
    NotConfigured,
    /// It is not going to be done, however often it is asked for.
    #[error("whoever moves traffic refuses (status {status}): {reason}")]
    Refused {
        /// The status.
        status: u16,
        /// What they say.
        reason: String,
    },
    /// It may be done later, or may have been done. To be asked again.
    #[error("whoever moves traffic has not acknowledged it: {reason}")]
    Unacknowledged {
        /// What is in the way.
        reason: String,
    },
}

impl ShiftError {
    /// Whether it is of no use to ask again.
    pub fn is_final(&self) -> bool {
        match self {
            Self::NotConfigured | Self::Refused { .. } => true,
            Self::Unacknowledged { .. } => false,
        }
    }
}

impl Shift {
    /// What tells it from every other one, so that it is done once however often it is asked for.
    pub fn key(&self) -> String {
        format!("{}-{}", self.promotion, self.weight)
    }
}
