use plura_oci::{Reference, RepositoryName};
use plura_policy::document::ChannelError;
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
