/// Why it cannot be said or done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
        }
    }
}
