//! Where to listen, and the address under which a registry is reached.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::str::FromStr;

use super::text::{Rejected, Text, text_serde};

/// The address and port a server listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListenAddress(SocketAddr);

impl ListenAddress {
    /// The address to bind.
    pub(crate) fn socket(self) -> SocketAddr {
        self.0
    }

    /// Whether only processes on this machine can connect.
    pub(crate) fn is_loopback(self) -> bool {
        // An IPv4 address written as IPv6 is as local as the address it stands for.
        self.0.ip().to_canonical().is_loopback()
    }
}

impl Text for ListenAddress {
    const EXPECTED: &'static str =
        r#"an IP address and port such as "127.0.0.1:5000", "0.0.0.0:5000" or "[::]:5000""#;
}

impl FromStr for ListenAddress {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        text.parse().map(Self).map_err(|_| Self::reject(text))
    }
}

impl Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_serde!(ListenAddress);

/// The address of a registry: scheme, host and perhaps a port, without a path, because the
/// specification fixes `/v2/` at the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(reqwest::Url);

impl BaseUrl {
    /// The address, whose path is `/`.
    pub(crate) fn url(&self) -> &reqwest::Url {
        &self.0
    }
}

impl Text for BaseUrl {
    const EXPECTED: &'static str =
        r#"an http or https address without a path, such as "https://registry.example.com""#;
}

impl FromStr for BaseUrl {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        text.parse().ok().filter(is_base).map(Self).ok_or_else(|| Self::reject(text))
    }
}

/// Without the slash at the end, as people write it.
impl Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

text_serde!(BaseUrl);

/// The address of a service that plura asks or tells: with a path, perhaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceUrl(reqwest::Url);

impl ServiceUrl {
    /// The address.
    pub(crate) fn url(&self) -> &reqwest::Url {
        &self.0
    }
}

impl Text for ServiceUrl {
    const EXPECTED: &'static str = r#"an http or https address without user, query and fragment, such as "https://a.example/b""#;
}

impl FromStr for ServiceUrl {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        text.parse().ok().filter(is_plain).map(Self).ok_or_else(|| Self::reject(text))
    }
}

impl Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_serde!(ServiceUrl);

fn is_base(url: &reqwest::Url) -> bool {
    is_plain(url) && url.path() == "/"
}

fn is_plain(url: &reqwest::Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_a_scheme_a_host_and_perhaps_a_port() {
        for (text, printed) in [
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("https://Registry.Example.com/", "https://registry.example.com"),
        ] {
            assert_eq!(text.parse::<BaseUrl>().map(|url| url.to_string()), Ok(printed.to_owned()));
        }
        for text in [
            "",
            "localhost:5000",
            "registry.example.com",
            "ftp://a",
            "http://a/v2",
            "http://a/?b",
            "http://u:p@a",
        ] {
            assert_eq!(text.parse::<BaseUrl>(), Err(BaseUrl::reject(text)));
        }
    }

    #[test]
    fn a_service_may_have_a_path_and_no_password() {
        for text in ["http://127.0.0.1:9090/", "https://a.example/prometheus"] {
            assert_eq!(text.parse::<ServiceUrl>().map(|url| url.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "a.example", "ftp://a", "http://u:p@a", "http://a/?b", "http://a/#b"] {
            assert_eq!(text.parse::<ServiceUrl>(), Err(ServiceUrl::reject(text)));
        }
    }

    #[test]
    fn loopback_is_recognised_in_every_spelling() {
        for (text, loopback) in [
            ("127.0.0.1:5000", true),
            ("127.1.2.3:1", true),
            ("[::1]:5000", true),
            ("[::ffff:127.0.0.1]:5000", true),
            ("0.0.0.0:5000", false),
            ("[::]:5000", false),
            ("10.0.0.1:5000", false),
        ] {
            let address: ListenAddress = text.parse().expect("the address is well written");
            assert_eq!(address.is_loopback(), loopback, "{text}");
        }
    }
}
