//! Networks of addresses, as `10.0.0.0/8`.

use std::fmt::{self, Display};
use std::str::FromStr;

use super::text::{Rejected, Text, text_serde};

/// A network of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network(plura_http::Network);

impl Network {
    /// The network.
    pub(crate) fn network(self) -> plura_http::Network {
        self.0
    }
}

impl Text for Network {
    const EXPECTED: &'static str = r#"a network such as "10.0.0.0/8", "fd00::/8" or "127.0.0.1/32", without bits behind the prefix"#;
}

impl FromStr for Network {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        text.parse().map(Self).map_err(|_| Self::reject(text))
    }
}

impl Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_serde!(Network);
