use std::{io, path::PathBuf};

use plura_oci::{Digest, ManifestError, Reference, RepositoryName};

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository does not link the blob.
    #[error("blob {0} is unknown to this repository")]
    BlobUnknown(Digest),
    /// The repository has no such manifest or tag.
    #[error("{0} is unknown to this repository")]
    ManifestUnknown(Reference),
    /// There is no such repository.
    #[error("repository {0} does not exist")]
    RepositoryUnknown(RepositoryName),
    /// There is no such upload session in the repository.
    #[error("no such upload session; it was finished, cancelled or expired: start again with POST")]
    UploadUnknown,
    /// Another request is writing to the session.
    #[error("another request is writing to this upload session; wait for its answer")]
    UploadBusy,
    /// The chunk does not begin where the last one ended.
    #[error("the chunk begins at {start}, and the session goes on at {offset}")]
    UploadOutOfOrder {
        /// Where the chunk begins.
        start: u64,
        /// Where the session goes on.
        offset: u64,
    },
    /// The client went away, or broke the transfer; what arrived is kept.
    #[error("the transfer broke off at byte {offset}: {source}")]
    UploadInterrupted {
        /// How much is kept.
        offset: u64,
        /// What the connection said.
        source: io::Error,
    },
    /// The body is not as long as was announced.
    #[error("expected {expected} bytes, and {received} came")]
    Length {
        /// As announced.
        expected: u64,
        /// As received.
        received: u64,
    },
    /// The blob is larger than one may be.
    #[error("a blob has at most {limit} bytes (setting `registry.blob_limit`)")]
    BlobTooLarge {
        /// The limit.
        limit: u64,
    },
    /// The content is not what the digest says.
    #[error("the content has the digest {computed}, and the request says {expected}")]
    DigestMismatch {
        /// As announced.
        expected: Digest,
        /// As computed.
        computed: Box<Digest>,
    },
    /// The manifest cannot be understood.
    #[error(transparent)]
    ManifestInvalid(#[from] ManifestError),
    /// The manifest references content that the repository does not have.
    #[error("the manifest references what is not in this repository: {}", list(missing))]
    ManifestReferences {
        /// What is missing, in the manifest's order.
        missing: Vec<Digest>,
    },
    /// What was pushed under a tag for signatures cannot be added to what is there.
    #[error("{0}")]
    Signatures(#[from] Box<plura_trust::Refusal>),
    /// The document that governs does not allow it.
    #[error("{}", refused(.0))]
    Governed(Vec<plura_policy::tags::Refusal>),
    /// The rules that it was judged by are not in force any more; with those that are, it may be done.
    #[error("the document that governs was changed meanwhile; try again")]
    RulesChanged,
    /// The project would hold more than it may.
    #[error(
        "project {} may hold {} {}, and would hold {}; delete what is not needed, or have its quota \
         raised", .0.project, .0.quota, .0.what, .0.wanted
    )]
    OverQuota(Box<plura_meta::project::OverQuota>),
    /// Another process on the same database collects; one does at a time.
    #[error("another process is collecting; ask again when it is done")]
    CollectingElsewhere,
    /// Clients may not delete.
    #[error("deleting is switched off by the setting `registry.delete`")]
    DeleteDisabled,
    /// The bytes could not be kept or found.
    #[error(transparent)]
    Blobs(plura_blob::Error),
    /// The metadata could not be read or changed.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
    /// The directory of the installation cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Directory {
        /// The directory or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process has the installation open.
    #[error("{} is in use by another plura process; stop it first", .0.display())]
    InUse(PathBuf),
}

impl From<plura_blob::Error> for Error {
    fn from(error: plura_blob::Error) -> Self {
        Self::Blobs(error)
    }
}

impl From<plura_trust::Refusal> for Error {
    fn from(refusal: plura_trust::Refusal) -> Self {
        Self::Signatures(refusal.into())
    }
}

impl plura_meta::Failure for Error {
    fn of_database(&self) -> Option<&plura_meta::Error> {
        match self {
            Self::Metadata(error) => Some(error),
            _ => None,
        }
    }
}

impl Error {
    /// What a failed read of stored bytes says.
    pub(crate) fn reading(key: &str) -> impl FnOnce(io::Error) -> Self {
        let path = PathBuf::from(key);
        move |source| Self::Blobs(plura_blob::Error::Io { action: "read", path, source })
    }

    /// What an armed fault point says.
    pub(crate) fn fault(source: io::Error) -> Self {
        Self::Directory { path: PathBuf::new(), source }
    }

    /// Whether the disk is full, and so the operator's to mend.
    pub fn is_storage_full(&self) -> bool {
        match self {
            Self::Blobs(error) => error.is_storage_full(),
            Self::Metadata(plura_meta::Error::Database { full, .. }) => *full,
            _ => false,
        }
    }

    /// Whether what is stored is damaged, so that trying again will not help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Blobs(error) => {
                matches!(error, plura_blob::Error::Corrupt { .. }) || error.is_missing()
            }
            Self::Metadata(plura_meta::Error::Corrupt(_)) => true,
            _ => false,
        }
    }
}

/// Everything that stands in the way, in one line, as clients print it.
fn refused(refusals: &[plura_policy::tags::Refusal]) -> String {
    let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    refusals.join("; ")
}

/// The first few are enough to go on; a thousand would hide them.
fn list(digests: &[Digest]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = digests.iter().take(SHOWN).map(ToString::to_string).collect();
    match digests.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
