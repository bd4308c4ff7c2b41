//! Tokens of other issuers: workload identities of CI systems and clusters, and people's logins.
//!
//! [`Issuers`] fetches and keeps the keys of issuers and verifies tokens with them. What a verified
//! token may stand for is said by a [`TrustRule`]; [`LoginProvider`] is how people come in through a
//! browser. Nothing here stores anything: that a token is used once is for the caller to see to, with
//! [`Claims::nonce`].

mod address;
mod claims;
mod discovery;
mod fetch;
mod file;
mod issuers;
mod keys;
mod login;
mod pattern;
mod source;
mod token;
mod trust;

pub use claims::{Claims, Nonce};
pub use fetch::FetchError;
pub use issuers::{Issuers, Options};
pub use login::{Begun, ClientSecret, Identity, LoginError, LoginProvider};
pub(crate) use login::{LONGEST_LOGIN, same};
pub use token::{Expected, TokenError, claimed_issuer};
pub use trust::{Mismatch, RuleError, TrustKind, TrustRule};

/// Clocks of issuers and ours differ by this many seconds at most.
pub const LEEWAY: i64 = 60;
