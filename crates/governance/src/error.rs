use plura_oci::{Reference, RepositoryName};
use plura_policy::document::ChannelError;

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
