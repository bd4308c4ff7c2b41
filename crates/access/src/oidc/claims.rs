//! What a token says.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{Expected, LEEWAY, TokenError};

/// The claims of a token: those that every token has, and all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// Who issued it (`iss`).
    pub issuer: String,
    /// Whom it is about (`sub`).
    pub subject: String,
    /// For whom it was issued (`aud`).
    pub audience: Vec<String>,
    /// Which one it is among the tokens of the issuer (`jti`).
    pub jwt_id: Option<String>,
    /// When it ends (`exp`), in seconds since 1970.
    pub expires_at: i64,
    /// All claims, those above among them.
    pub all: Map<String, Value>,
}

/// What must be remembered so that a token is not used twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce {
    /// Issuer and `jti` in 64 hexadecimal digits, whatever length they have.
    pub value: String,
    /// From when on, in seconds since 1970, the token is refused anyway.
    pub keep_until: i64,
}

impl Claims {
    /// Reads claims, and verifies nothing: claims that are to be believed come from
    /// [`super::Issuers::verify`].
    pub fn parse(all: Map<String, Value>) -> Result<Self, TokenError> {
        Ok(Self {
            issuer: text(&all, "iss")?.ok_or(TokenError::ClaimMissing("iss"))?,
            subject: text(&all, "sub")?.ok_or(TokenError::ClaimMissing("sub"))?,
            audience: audience(&all)?,
            jwt_id: text(&all, "jti")?,
            expires_at: seconds(&all, "exp")?.ok_or(TokenError::ClaimMissing("exp"))?,
            all,
        })
    }

    /// What to remember so that the token is used once; nothing if the token has no `jti`.
    pub fn nonce(&self) -> Option<Nonce> {
        let jwt_id = self.jwt_id.as_ref()?;
        let mut hash = Sha256::new();
        hash.update(self.issuer.as_bytes());
        // No issuer has this byte in its address, so no two pairs give the same text.
        hash.update([0]);
        hash.update(jwt_id.as_bytes());
        let mut value = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a string does not fail.
            let _ = write!(value, "{byte:02x}");
        }
        Some(Nonce { value, keep_until: self.expires_at.saturating_add(LEEWAY) })
    }

    /// The claim at `path`: the one of that name, or one inside of others, with `/` between the names
    /// (`kubernetes.io/serviceaccount/uid`).
    pub fn get(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.all.get(path) {
            return Some(value);
        }
        let (first, rest) = path.split_once('/')?;
        rest.split('/').try_fold(self.all.get(first)?, |value, name| value.as_object()?.get(name))
    }

    pub(super) fn check_issuer(&self, expected: &str) -> Result<(), TokenError> {
        if self.issuer == expected {
            return Ok(());
        }
        Err(TokenError::WrongIssuer { expected: expected.to_owned() })
    }

    /// Whether the claims are meant for us, now.
    pub(crate) fn check(&self, expected: &Expected, now: i64) -> Result<(), TokenError> {
        if !self.audience.contains(&expected.audience) {
            return Err(TokenError::WrongAudience { expected: expected.audience.clone() });
        }
        let latest = now.saturating_add(LEEWAY);
        if self.expires_at <= now.saturating_sub(LEEWAY) {
            return Err(TokenError::Expired);
        }
        if seconds(&self.all, "nbf")?.is_some_and(|from| from > latest) {
            return Err(TokenError::NotYetValid);
        }
        if seconds(&self.all, "iat")?.is_some_and(|issued| issued > latest) {
            return Err(TokenError::IssuedInFuture);
        }
        Ok(())
    }
}

/// A claim that is text if it is there; an empty text says nothing and is not one.
fn text(all: &Map<String, Value>, name: &'static str) -> Result<Option<String>, TokenError> {
    match all.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(TokenError::ClaimInvalid(name)),
    }
}

/// One audience or several.
fn audience(all: &Map<String, Value>) -> Result<Vec<String>, TokenError> {
    let invalid = TokenError::ClaimInvalid("aud");
    match all.get("aud") {
        None => Err(TokenError::ClaimMissing("aud")),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(several)) => {
            let texts = several.iter().map(|one| one.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or(invalid)
        }
        Some(_) => Err(invalid),
    }
}

/// A time in seconds, which may have a fraction (RFC 7519, section 2).
fn seconds(all: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, TokenError> {
    // Up to here, a double holds every whole number.
    const LATEST: f64 = 9_007_199_254_740_992.0;
    let Some(value) = all.get(name) else { return Ok(None) };
    if let Some(whole) = value.as_i64().filter(|whole| *whole >= 0) {
        return Ok(Some(whole));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the fraction goes, the rest fits")]
    let whole = value.as_f64().filter(|real| (0.0..LATEST).contains(real)).map(|real| real as i64);
    whole.map(Some).ok_or(TokenError::ClaimInvalid(name))
}
