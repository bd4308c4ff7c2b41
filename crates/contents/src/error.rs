use std::io;

use plura_oci::Digest;
use plura_registry::ImageError;

/// Why nothing is known of an image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such image, or it is none.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The bytes of a layer could not be read now.
    #[error("the layer {digest} cannot be read now")]
    Layer {
        /// The layer.
        digest: Digest,
        /// What the store said.
        #[source]
        source: io::Error,
    },
    /// What is kept is not what was written.
    #[error("what is kept of {0} cannot be read")]
    Kept(Digest),
    /// An SBOM could not be written.
    #[error("the SBOM of {0} cannot be written")]
    Sbom(Digest),
    /// Bytes could not be found or kept.
    #[error(transparent)]
    Registry(#[from] plura_registry::Error),
    /// Metadata could not be read or changed.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
}

impl plura_meta::Failure for Error {
    fn of_database(&self) -> Option<&plura_meta::Error> {
        match self {
            Self::Metadata(error) => Some(error),
            Self::Registry(error) | Self::Image(ImageError::Registry(error)) => error.of_database(),
            _ => None,
        }
    }
}
