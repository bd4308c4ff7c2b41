//! Identities, credentials and tokens: who is asking, and how that is known.
//!
//! Nothing here knows `/v2` or HTTP servers; what a caller may do is decided by `plura_policy`.

mod fading;
pub mod lockout;
pub mod password;
mod random;
pub mod rate;
pub mod secret;
pub mod signing;
pub mod verdict;

pub use random::NoRandomness;
