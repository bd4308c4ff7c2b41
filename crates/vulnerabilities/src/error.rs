use plura_advisories::{RefusedException, openvex, report::trivy, trivyignore};
use plura_oci::Reference;

/// Why nothing is known, or nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository has no such manifest or tag.
    #[error("{0} is unknown to this repository")]
    ManifestUnknown(Reference),
    /// There is no such source of advisories.
    #[error("there is no source of advisories `{0}`")]
    SourceUnknown(String),
    /// Advisories could not be taken over.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The exception may not be granted.
    #[error(transparent)]
    Refused(#[from] RefusedException),
    /// The name of the exception cannot be one.
    #[error("an exception is named by 1 to 128 letters, digits, `.`, `_`, `:` or `-`, not `{0}`")]
    ExceptionName(String),
    /// There is an exception of that name.
    #[error("there is an exception `{0}` already")]
    ExceptionExists(String),
    /// There is none.
    #[error("there is no exception `{0}`")]
    ExceptionUnknown(String),
    /// What was sent is no ignore file.
    #[error(transparent)]
    Ignore(#[from] trivyignore::ImportIgnoreError),
    /// What was sent is no VEX document.
    #[error(transparent)]
    Vex(#[from] openvex::ReadVexError),
    /// There is no such VEX document.
    #[error("there is no VEX document {0}")]
    VexUnknown(plura_oci::Digest),
    /// The name of the scanner cannot be one.
    #[error("a scanner is named by 1 to 64 letters, digits, `.`, `_` or `-`, not `{0}`")]
    ScannerName(String),
    /// The address of the scanner cannot be one.
    #[error("a scanner is at an address of http or https, without user and query, not at `{0}`")]
    ScannerUrl(String),
    /// There is a scanner of that name.
    #[error("there is a scanner `{0}` already")]
    ScannerExists(String),
    /// There is none.
    #[error("there is no scanner `{0}`")]
    ScannerUnknown(String),
    /// What was sent is no report.
    #[error(transparent)]
    Report(#[from] trivy::ReadTrivyError),
    /// The search cannot be carried out.
    #[error("{0}")]
    Search(String),
    /// The image could not be looked at.
    #[error(transparent)]
    Image(#[from] plura_registry::ImageError),
    /// Its contents could not be read.
    #[error(transparent)]
    Contents(#[from] plura_contents::Error),
    /// What is said about it could not be found out.
    #[error(transparent)]
    Evidence(#[from] plura_evidence::Error),
    /// Bytes could not be read.
    #[error(transparent)]
    Registry(#[from] plura_registry::Error),
    /// Metadata could not be read or changed.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
    /// What arrived could not be kept while it is read.
    #[error("cannot keep what arrives: {0}")]
    Spool(std::io::Error),
    /// The process is shutting down.
    #[error("the server is stopping")]
    Stopped,
}

/// Why advisories were not taken over. What was in force stays so.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The sender went away.
    #[error("what was sent ended before it was complete: {0}")]
    Interrupted(std::io::Error),
    /// More than is read.
    #[error("advisories may have {most} bytes at most", most = crate::import::MOST_BYTES)]
    TooLarge,
    /// Nothing in it is an advisory.
    #[error(
        "nothing in it is an advisory; expected a zip archive of OSV records, such as the all.zip of \
         an ecosystem, one OSV record, or one OSV record on each line{first}",
        first = .0.as_deref().map(|first| format!("; {first}")).unwrap_or_default()
    )]
    Nothing(Option<String>),
    /// The archive cannot be read.
    #[error("the archive cannot be read: {0}")]
    Archive(&'static str),
    /// The artifact has no layer that is read.
    #[error("{0} has no layer that is a zip archive or JSON")]
    NoLayer(String),
    /// The name of the source cannot be one.
    #[error("a source is named by 1 to 64 letters, digits, `.`, `_` or `-`, not `{0}`")]
    Name(String),
}

impl plura_meta::Failure for Error {
    fn of_database(&self) -> Option<&plura_meta::Error> {
        match self {
            Self::Metadata(error) => Some(error),
            Self::Registry(error) => error.of_database(),
            Self::Contents(error) => error.of_database(),
            Self::Evidence(error) => error.of_database(),
            _ => None,
        }
    }
}
