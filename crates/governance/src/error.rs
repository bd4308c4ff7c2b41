use plura_oci::{Digest, Reference, RepositoryName};
use plura_policy::{
    document::{ChannelError, DocumentError},
    facts::Block,
    gate::{GateDecision, Outcome},
};
use plura_registry::MoveError;

use crate::Refusal;

/// Why it cannot be said or done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository has no such manifest or tag.
    #[error("{repository} has no {reference}")]
    ManifestUnknown {
        /// The repository.
        repository: RepositoryName,
        /// What was looked for.
        reference: Reference,
    },
    /// There is no such channel, or it is not for the repository.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A channel is not moved.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The image cannot be put where its channel is pulled.
    #[error(transparent)]
    Place(MoveError),
    /// Something changed that it was decided from: it is decided again.
    #[error("something changed meanwhile; try again")]
    Changed,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// What a test makes fail.
    #[error(transparent)]
    Fault(std::io::Error),
    /// It is blocked.
    #[error(
        "{repository}@{digest} must not be run: blocked by {by} on {at}: {reason}",
        by = block.by, at = block.at, reason = block.reason
    )]
    Blocked {
        /// The repository.
        repository: RepositoryName,
        /// The manifest.
        digest: Digest,
        /// Who blocked it, when, and why.
        block: Box<Block>,
    },
    /// What the document asks of pulls is not so.
    #[error("{}", told(.0))]
    PullDenied(Box<GateDecision>),
    /// The document cannot govern.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Another document is in force than the one that was expected.
    #[error("another document is in force: {in_force}; compare yours with it, and apply it again")]
    PolicyChanged {
        /// The SHA-256 of what it says.
        in_force: String,
    },
    /// There is no such version of the document.
    #[error("there is no version {0} of the policy")]
    VersionUnknown(i64),
    /// There is no such approval, or it was taken back.
    #[error("there is no approval `{0}` that could be taken back")]
    ApprovalUnknown(String),
    /// There is no such freeze, or it is over.
    #[error("there is no freeze `{0}` that could be ended")]
    FreezeUnknown(String),
    /// It is blocked already.
    #[error("{0} is blocked there already")]
    BlockedAlready(Digest),
    /// It is not blocked.
    #[error("{0} is not blocked there")]
    NotBlocked(Digest),
    /// There is no such plan.
    #[error("there is no plan {0}; `plura reg gc --dry-run` makes one")]
    PlanUnknown(Digest),
    /// There is no such hold, or it was released, or is over.
    #[error("there is no hold `{0}` that could be released")]
    HoldUnknown(String),
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Metadata could not be read or changed.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
    /// Bytes or manifests could not be read.
    #[error(transparent)]
    Registry(#[from] plura_registry::Error),
}

impl plura_meta::Failure for Error {
    fn of_database(&self) -> Option<&plura_meta::Error> {
        match self {
            Self::Metadata(error) => Some(error),
            Self::Registry(error) => error.of_database(),
            _ => None,
        }
    }
}

impl Error {
    pub(crate) fn fault(error: std::io::Error) -> Self {
        Self::Fault(error)
    }
}

impl From<MoveError> for Error {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::Metadata(error) => Self::Metadata(error),
            error => Self::Place(error),
        }
    }
}

/// What stands in the way of a pull, in one line, as clients print it.
fn told(decision: &GateDecision) -> String {
    let reasons = decision.blocking().map(|outcome: &Outcome| {
        let Outcome { rule, observed, required, fix, .. } = outcome;
        let fix = fix.as_deref().map(|fix| format!("; {fix}")).unwrap_or_default();
        format!("{rule}: {observed}; required: {required}{fix}")
    });
    let reasons: Vec<String> = reasons.collect();
    let GateDecision { repository, digest, .. } = decision;
    format!("{repository}@{digest} may not be pulled: {}", reasons.join(" | "))
}
