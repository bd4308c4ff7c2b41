//! What a token says, and what is expected of it.

use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use plura_meta::{Timestamp, build::Build};
use serde::{Deserialize, Serialize};

/// Seconds that another machine's clock may be ahead of ours.
const CLOCK_AHEAD: i64 = 5;

/// What one of plura's tokens says. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// Who made it: the address of this registry.
    pub iss: String,
    /// Whom it stands for: the id of an account, or another text that stays the same.
    pub sub: String,
    /// For whom it was made: the service that a client asked for.
    pub aud: String,
    /// From when on it is refused.
    pub exp: i64,
    /// Before when it is refused.
    pub nbf: i64,
    /// When it was made.
    pub iat: i64,
    /// Names this token, for the audit.
    pub jti: String,
    /// What it may be used for, at most; without, it is not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Vec<AccessEntry>>,
    /// The kind of identity in `sub`: `user`, `robot`, `trust`, `anonymous`.
    pub kind: String,
    /// The id of the stored credential that it was made from, which ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The run of a build that it was given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Arc<Build>>,
}

/// One entry of `access`, as in Docker's token protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// `repository` or `registry`.
    #[serde(rename = "type")]
    pub resource: String,
    /// The name of the repository.
    pub name: String,
    /// `pull`, `push`, `delete`, `*`.
    pub actions: Vec<String>,
}

/// What a token must say to be accepted here and now.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The one issuer.
    pub issuer: &'a str,
    /// The one audience.
    pub audience: &'a str,
    /// The time.
    pub now: Timestamp,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It is longer than any that is made here.
    #[error("the token is too long")]
    TooLong,
    /// It is not a JSON Web Token, or lacks what every token of ours has.
    #[error("this is not a token of this registry")]
    Malformed,
    /// It is signed in another way than with `EdDSA`, or not at all.
    #[error("the token is not signed with EdDSA")]
    Algorithm,
    /// It names no key, or one that is not accepted (any more).
    #[error("the token was signed with a key that is not in use; log in again")]
    UnknownKey,
    /// It was changed, or somebody else signed it.
    #[error("the signature of the token is wrong")]
    Signature,
    /// Its time is over.
    #[error("the token has expired; log in again")]
    Expired,
    /// Its time has not come: the clocks differ.
    #[error("the token is not valid yet; compare the clocks of the machines")]
    NotYet,
    /// Another registry made it.
    #[error("the token was issued by another registry")]
    Issuer,
    /// It was made for another service.
    #[error("the token was issued for another service")]
    Audience,
}

impl TokenClaims {
    pub(crate) fn check(&self, expected: &Expected<'_>) -> Result<(), InvalidToken> {
        let now = expected.now.0.div_euclid(1000);
        if self.iss != expected.issuer {
            return Err(InvalidToken::Issuer);
        }
        if self.aud != expected.audience {
            return Err(InvalidToken::Audience);
        }
        if now >= self.exp {
            return Err(InvalidToken::Expired);
        }
        if now.saturating_add(CLOCK_AHEAD) < self.nbf {
            return Err(InvalidToken::NotYet);
        }
        Ok(())
    }
}

impl InvalidToken {
    pub(super) fn from_signature(error: &jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::InvalidAlgorithm => Self::Algorithm,
            _ => Self::Malformed,
        }
    }
}
