use std::fmt;

use crate::{ParseDigestError, ParseNameError};

/// The error codes of `/v2` (distribution-spec, "Error Codes", and those that clients of the
/// reference registry know besides).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The blob is unknown to the registry, or not linked to this repository.
    BlobUnknown,
    /// The upload cannot go on as asked.
    BlobUploadInvalid,
    /// No such upload session in this repository.
    BlobUploadUnknown,
    /// The digest is malformed, of an unsupported algorithm, or not that of the content.
    DigestInvalid,
    /// The manifest references a manifest or blob that is unknown to the repository.
    ManifestBlobUnknown,
    /// The manifest is malformed.
    ManifestInvalid,
    /// No such manifest or tag.
    ManifestUnknown,
    /// The repository name is not of the grammar.
    NameInvalid,
    /// No such repository.
    NameUnknown,
    /// The page size is not a number.
    PaginationNumberInvalid,
    /// The requested byte range lies outside the content.
    RangeInvalid,
    /// The length differs from what was announced, or exceeds a limit.
    SizeInvalid,
    /// The tag is not of the grammar.
    TagInvalid,
    /// Login is required.
    Unauthorized,
    /// The caller may not do this.
    Denied,
    /// The operation is not supported, or switched off.
    Unsupported,
    /// A value is not what it must be; outside of `/v2`.
    Invalid,
    /// There is no such thing; outside of `/v2`.
    NotFound,
    /// Something stands in the way; outside of `/v2`.
    Conflict,
    /// Too many requests.
    TooManyRequests,
    /// The service cannot answer now; trying again later is right.
    Unavailable,
    /// Something failed that is not the caller's doing.
    Unknown,
}

impl ErrorCode {
    /// The code as it stands in the answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::Invalid => "INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request to `/v2` could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct RequestError {
    /// The code for the answer.
    pub code: ErrorCode,
    /// What was expected, and how to do it right.
    pub message: String,
    /// Set where the path is right and the method is not: the methods that it allows.
    pub allow: Option<&'static str>,
}

impl RequestError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), allow: None }
    }
}

impl From<ParseDigestError> for RequestError {
    fn from(error: ParseDigestError) -> Self {
        Self::new(ErrorCode::DigestInvalid, error.to_string())
    }
}

impl From<ParseNameError> for RequestError {
    fn from(error: ParseNameError) -> Self {
        Self::new(ErrorCode::NameInvalid, error.to_string())
    }
}
