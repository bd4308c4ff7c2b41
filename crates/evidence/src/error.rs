use plura_oci::Reference;
use plura_trust::Refusal;

/// Why nothing is known, or nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository has no such manifest or tag.
    #[error("{0} is unknown to this repository")]
    ManifestUnknown(Reference),
    /// There is no such trust policy.
    #[error("there is no trust policy `{0}`")]
    PolicyUnknown(String),
    /// The policy or root cannot be what is trusted.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// Bytes could not be read.
    #[error(transparent)]
    Registry(#[from] plura_registry::Error),
    /// Metadata could not be read or changed.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into())
    }
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
