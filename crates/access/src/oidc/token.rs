//! A signed token (RFC 7515, RFC 7519), before anything of it is believed.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{Claims, FetchError, keys};

/// Larger tokens are not looked at.
const LARGEST: usize = 16 << 10;
/// Longer names of keys are not looked up.
const LONGEST_KEY_ID: usize = 256;

/// Whose tokens are accepted, and for whom they must have been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The issuer, exactly as it writes itself.
    pub issuer: String,
    /// The audience, which must be the token's or among the token's.
    pub audience: String,
    /// A file with the issuer's keys, if it cannot be asked for them.
    pub jwks_file: Option<PathBuf>,
}

/// Why a token is refused. The text is for whoever sent it, and has nothing of the token in it.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is longer than tokens are.
    #[error("the token is longer than {LARGEST} bytes")]
    TooLong,
    /// It is not a signed JWT.
    #[error("the token is not a signed JWT: {0}")]
    Malformed(&'static str),
    /// It is not signed with a private key: not at all, with a shared secret, or in an unknown way.
    #[error("the token's algorithm is not accepted; use RS, PS, ES256, ES384 or EdDSA")]
    AlgorithmRefused,
    /// It says that it must not be understood by those who do not know an extension.
    #[error("the token's header has `crit`, which is not supported")]
    Critical,
    /// The name of the key cannot be one.
    #[error("the token's `kid` is empty or longer than {LONGEST_KEY_ID} bytes")]
    KeyIdInvalid,
    /// It does not say with which of several keys it is signed.
    #[error("the token's header has no `kid`, and its issuer has several keys")]
    KeyIdMissing,
    /// Its issuer does not have the key, as far as we know.
    #[error("the token is signed with a key that its issuer does not publish")]
    UnknownKey,
    /// The key is for another algorithm than the header says.
    #[error("the token's algorithm is not the one of the key that it names")]
    AlgorithmMismatch,
    /// The signature is not the key's.
    #[error("the token's signature is not valid")]
    Signature,
    /// It is another issuer's.
    #[error("the token is not issued by {expected}")]
    WrongIssuer {
        /// Whose it should be.
        expected: String,
    },
    /// It was made for somebody else.
    #[error("the token is not for the audience `{expected}`")]
    WrongAudience {
        /// For whom it should be.
        expected: String,
    },
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
    /// It will be valid.
    #[error("the token is not valid yet (`nbf`)")]
    NotYetValid,
    /// It was issued in the future.
    #[error("the token was issued in the future (`iat`); compare the clocks")]
    IssuedInFuture,
    /// It lacks a claim that every token must have.
    #[error("the token has no claim `{0}`")]
    ClaimMissing(&'static str),
    /// A claim is not of the type that it must have.
    #[error("the token's claim `{0}` is not what it must be")]
    ClaimInvalid(&'static str),
    /// The keys of the issuer are not available.
    #[error("the keys of {issuer} are not available; try again later")]
    NoKeys {
        /// Whose keys.
        issuer: String,
        /// Why; not for the caller.
        source: FetchError,
    },
}

/// Who the token says its issuer is. Good for nothing but choosing what to verify it against.
pub fn claimed_issuer(token: &str) -> Result<String, TokenError> {
    Ok(Token::parse(token)?.unverified_claims()?.issuer)
}

/// A token in its parts.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) header: Header,
    /// What is signed.
    pub(super) message: &'a str,
    claims: &'a str,
    pub(super) signature: &'a str,
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
}

/// The header as far as it is read. Where it says that keys are to be found (`jku`, `x5u`, `jwk`,
/// `x5c`) is not read: a token does not choose what it is verified with.
#[derive(Deserialize)]
struct RawHeader {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > LARGEST {
            return Err(TokenError::TooLong);
        }
        let (message, signature) =
            token.rsplit_once('.').ok_or(TokenError::Malformed("it has no three parts"))?;
        let (header, claims) =
            message.split_once('.').ok_or(TokenError::Malformed("it has no three parts"))?;
        let header = Header::parse(&decode(header)?)?;
        Ok(Self { header, message, claims, signature })
    }

    /// What it says, to be believed only after the signature was checked.
    pub(super) fn unverified_claims(&self) -> Result<Claims, TokenError> {
        let claims: Map<String, Value> = serde_json::from_slice(&decode(self.claims)?)
            .map_err(|_| TokenError::Malformed("its claims are not a JSON object"))?;
        Claims::parse(claims)
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, TokenError> {
        let raw: RawHeader = serde_json::from_slice(bytes)
            .map_err(|_| TokenError::Malformed("its header is not one"))?;
        let algorithm = keys::algorithm(&raw.alg).ok_or(TokenError::AlgorithmRefused)?;
        if raw.crit.is_some() {
            return Err(TokenError::Critical);
        }
        if raw.kid.as_ref().is_some_and(|id| id.is_empty() || id.len() > LONGEST_KEY_ID) {
            return Err(TokenError::KeyIdInvalid);
        }
        Ok(Self { algorithm, key_id: raw.kid })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed("a part is not base64url"))
}
