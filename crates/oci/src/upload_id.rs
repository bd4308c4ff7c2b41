use std::{fmt, str::FromStr, sync::Arc};

use crate::{ErrorCode, RequestError};

/// The identifier of an upload session; opaque to clients, and safe as a file name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(Arc<str>);

impl UploadId {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UploadId {
    type Err = RequestError;

    /// Accepts what could have been handed out; anything else is as unknown as a session that ended.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-');
        if valid {
            return Ok(Self(text.into()));
        }
        Err(RequestError::new(
            ErrorCode::BlobUploadUnknown,
            "no such upload session: use the Location of the last answer, or start again with POST",
        ))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
