//! Identities, credentials and tokens: who is asking, and how that is known.
//!
//! Nothing here knows `/v2` or HTTP servers; what a caller may do is decided by `plura_policy`.

pub mod oidc;
