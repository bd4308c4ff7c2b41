//! Passwords of people: what a good one is, and how they are stored and verified.

mod hasher;
mod strength;

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

pub use hasher::{Hasher, HasherError, Verified};
pub use strength::{WeakPassword, check_strength};

/// Fewest characters of a password that is set.
pub const SHORTEST: usize = 12;
/// Most characters of a password that is set.
pub const LONGEST: usize = 256;

/// A password in clear text. It is never printed, and its memory is overwritten when it goes.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The characters, to be hashed or compared.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_it() {
        #[derive(Debug, Deserialize)]
        struct Login {
            password: Password,
        }
        let login: Login = serde_json::from_str(r#"{"password":"tr0ub4dor&3"}"#).unwrap();
        assert_eq!(login.password.expose(), "tr0ub4dor&3");
        assert_eq!(format!("{login:?}"), "Login { password: Password(..) }");
    }
}
