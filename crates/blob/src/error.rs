use std::{io, path::PathBuf};

use plura_oci::Digest;

use crate::bucket::code_of;

/// Why bytes could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The bytes under a key, or of an upload, are gone or cut short: reading again will not help.
    #[error("{} is damaged: {detail}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The object store refused, or did not answer.
    #[error("cannot {action} {key} in the bucket: {source}")]
    Store {
        /// What was being done.
        action: &'static str,
        /// To which object.
        key: String,
        /// Whether what it was done to does not exist.
        missing: bool,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The bucket cannot be used as it is set.
    #[error("{0}")]
    Options(String),
    /// The content is not what the digest says.
    #[error("the content has the digest {computed}")]
    DigestMismatch {
        /// The digest of what arrived.
        computed: Digest,
    },
}

impl Error {
    /// Wraps what the operating system said about `path`.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// Whether the disk is full, or the quota of the account that plura runs as is used up.
    pub fn is_storage_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ))
    }

    /// Whether the object store refuses this one object, which says nothing about others: it is archived,
    /// or encrypted with a key that cannot be used.
    pub fn is_of_object(&self) -> bool {
        let Self::Store { source, .. } = self else { return false };
        code_of(&**source)
            .is_some_and(|code| code == "InvalidObjectState" || code.starts_with("KMS."))
    }

    /// Whether the bytes are not there.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Store { missing, .. } => *missing,
            _ => false,
        }
    }
}
