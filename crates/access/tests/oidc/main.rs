//! Tokens of other issuers, against an issuer that really signs them and answers over HTTP.

mod fetching;
mod login;
mod trust;
mod verifying;

use std::time::Duration;

use plura_access::oidc::{Claims, Expected, Issuers, Options, TokenError};
use plura_testkit::Issuer;
use serde_json::{Value, json};

/// The audience of every token here, unless a test says otherwise.
const AUDIENCE: &str = "registry.example.com";

/// The time in these tests: what depends on time is given one, and nobody waits.
const NOW: i64 = 1_900_000_000;

/// Fails fast when an issuer does not answer, for that is tested often.
fn issuers() -> Issuers {
    Issuers::new(Options { patience: Duration::from_secs(5), ..Options::default() })
}

fn expected(issuer: &Issuer) -> Expected {
    Expected { issuer: issuer.url().to_owned(), audience: AUDIENCE.to_owned(), jwks_file: None }
}

/// The least that a token must say.
fn claims(issuer: &Issuer) -> Value {
    json!({"iss": issuer.url(), "aud": AUDIENCE, "sub": "someone", "exp": NOW + 300})
}

/// The claims with some of them changed; `null` removes one.
fn with(mut claims: Value, changes: Value) -> Value {
    let (Value::Object(all), Value::Object(changes)) = (&mut claims, changes) else {
        panic!("claims are objects")
    };
    for (name, value) in changes {
        match value {
            Value::Null => drop(all.remove(&name)),
            value => drop(all.insert(name, value)),
        }
    }
    claims
}

/// Verifies with nothing known of the issuer before.
async fn verify(issuer: &Issuer, token: &str) -> Result<Claims, TokenError> {
    issuers().verify(token, &expected(issuer), NOW).await
}
