/// Why the log cannot be read or continued.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Metadata could not be read or changed.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
}

impl plura_meta::Failure for Error {
    fn of_database(&self) -> Option<&plura_meta::Error> {
        match self {
            Self::Metadata(error) => Some(error),
        }
    }
}
