use plura_oci::{Digest, RepositoryName};
use plura_registry::ImageError;
use plura_trust::Refusal;

/// Why nothing can be told of an image, or attested.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is no such image, or it is none.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Nothing says what to compare with.
    #[error("there is nothing that {repository} was released as before; say what to compare with")]
    NothingBefore {
        /// The repository.
        repository: RepositoryName,
    },
    /// What belongs to an image is too much for one file.
    #[error("what belongs to {digest} is too much for one file: more than {limit} bytes")]
    TooLarge {
        /// The image.
        digest: Digest,
        /// How much may be in it.
        limit: usize,
    },
    /// A statement could not be signed.
    #[error("the statement cannot be signed: {0}")]
    Signing(Refusal),
    /// A file could not be put together.
    #[error("the file cannot be written")]
    Writing(#[source] std::io::Error),
    /// What is decided cannot be said.
    #[error(transparent)]
    Governance(Box<crate::Error>),
    /// What is in it is not known now.
    #[error(transparent)]
    Contents(#[from] plura_contents::Error),
    /// Which vulnerabilities it has is not known now.
    #[error(transparent)]
    Vulnerabilities(Box<plura_vulnerabilities::Error>),
    /// Who signed it is not known now.
    #[error(transparent)]
    Evidence(#[from] plura_evidence::Error),
    /// What the log has of it cannot be proved now.
    #[error(transparent)]
    Log(Box<plura_transparency::Error>),
    /// Bytes or manifests could not be read or kept.
    #[error(transparent)]
    Registry(#[from] plura_registry::Error),
    /// Metadata could not be read.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
}

impl From<crate::Error> for ReportError {
    fn from(error: crate::Error) -> Self {
        Self::Governance(Box::new(error))
    }
}

impl From<plura_transparency::Error> for ReportError {
    fn from(error: plura_transparency::Error) -> Self {
        Self::Log(Box::new(error))
    }
}

impl From<plura_vulnerabilities::Error> for ReportError {
    fn from(error: plura_vulnerabilities::Error) -> Self {
        Self::Vulnerabilities(Box::new(error))
    }
}
