use plura_policy::Decision;

use crate::{NoRandomness, oidc, password};

/// Why something about access was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was shown proves nothing: unknown name, wrong password, ended or revoked. It does not say
    /// which, since that would tell who exists.
    #[error("the credentials are not valid")]
    BadCredentials,
    /// A token of ours that cannot be used any more; a new one can be had.
    #[error("the token is not valid: {0}")]
    BadToken(String),
    /// Too many attempts failed.
    #[error("too many failed attempts; wait {} seconds", .0.as_secs().max(1))]
    Locked(std::time::Duration),
    /// Nobody has shown who they are, and this needs it.
    #[error("login is required")]
    LoginRequired,
    /// It was decided that this may not be done.
    #[error("{}", .0.reason)]
    Denied(Box<Decision>),
    /// A value is not what it must be.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// There is no such thing, or the caller may not know of it.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// Which.
        name: String,
    },
    /// There is such a thing already, or something stands in the way.
    #[error("{0}")]
    Conflict(String),
    /// A token of another issuer is refused.
    #[error(transparent)]
    Token(#[from] oidc::TokenError),
    /// No trust entry wants the token.
    #[error("no trust entry accepts this token: {0}")]
    NotTrusted(String),
    /// The login elsewhere did not succeed.
    #[error(transparent)]
    Login(#[from] oidc::LoginError),
    /// The server is not set up for this.
    #[error("{0}")]
    NotConfigured(&'static str),
    /// Metadata could not be read or changed.
    #[error(transparent)]
    Metadata(#[from] plura_meta::Error),
    /// The server's own keys could not be used.
    #[error("the server's token keys: {0}")]
    Keys(String),
    /// The system could not do its part.
    #[error("{0}")]
    System(String),
}

impl plura_meta::Failure for Error {
    fn of_database(&self) -> Option<&plura_meta::Error> {
        match self {
            Self::Metadata(error) => Some(error),
            _ => None,
        }
    }
}

impl From<NoRandomness> for Error {
    fn from(error: NoRandomness) -> Self {
        Self::System(error.to_string())
    }
}

impl From<password::HasherError> for Error {
    fn from(error: password::HasherError) -> Self {
        Self::System(error.to_string())
    }
}

impl Error {
    pub(crate) fn invalid(field: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Invalid { field, reason: reason.to_string() }
    }

    pub(crate) fn unknown(what: &'static str, name: impl std::fmt::Display) -> Self {
        Self::Unknown { what, name: name.to_string() }
    }
}
