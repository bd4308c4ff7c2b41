//! Where webhooks are, and whether they may be there.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use crate::{Error, address::is_public};

/// The longest address of a webhook.
pub(crate) const LONGEST: usize = 2048;

/// Why nothing is sent to an address.
pub(crate) const NOT_ALLOWED: &str =
    "the address is not one of the public Internet; `events.allow_private_targets` names others";

/// Why nothing is sent there without encryption.
const NOT_ENCRYPTED: &str =
    "expected an https address; http is for addresses that `events.allow_private_targets` names";

/// Addresses that may be asked although they are not everybody's.
pub(crate) type IsAllowed = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The address of a webhook.
pub(crate) fn parse(text: &str) -> Result<Url, Error> {
    let wrong = || {
        Error::invalid(
            "address",
            "expected an https address without user and fragment, such as \
             https://ci.example.com/hook, or the name of a secret that is one",
        )
    };
    if text.len() > LONGEST {
        return Err(wrong());
    }
    let url: Url = text.parse().map_err(|_| wrong())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let known = matches!(url.scheme(), "http" | "https") && url.has_host();
    if plain && known { Ok(url) } else { Err(wrong()) }
}

/// Decides which addresses may be connected to; the connection is to one that was decided about, since
/// there is no other that names are resolved by.
#[derive(Clone)]
pub(crate) struct Guard {
    is_allowed: IsAllowed,
    /// Whether the connection is encrypted: without, nothing leaves the networks that are allowed.
    encrypted: bool,
}

impl Guard {
    /// A guard of connections that are encrypted, or not.
    pub(crate) fn new(is_allowed: IsAllowed, encrypted: bool) -> Self {
        Self { is_allowed, encrypted }
    }

    /// Refuses an address that is written as one: no name is resolved for it.
    pub(crate) fn check_literal(&self, url: &Url) -> Result<(), &'static str> {
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match host.parse() {
            Ok(address) => self.check(address),
            Err(_) => Ok(()),
        }
    }

    fn check(&self, address: IpAddr) -> Result<(), &'static str> {
        if (self.is_allowed)(address) {
            return Ok(());
        }
        match (self.encrypted, is_public(address)) {
            (true, true) => Ok(()),
            (true, false) => Err(NOT_ALLOWED),
            (false, _) => Err(NOT_ENCRYPTED),
        }
    }

    async fn resolve(self, name: String) -> io::Result<Vec<SocketAddr>> {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
        // One that may not be asked among others is no accident.
        for address in &addresses {
            self.check(address.ip()).map_err(io::Error::other)?;
        }
        Ok(addresses)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("encrypted", &self.encrypted).finish_non_exhaustive()
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let resolving = self.clone().resolve(name.as_str().to_owned());
        Box::pin(async move {
            let addresses: Addrs = Box::new(resolving.await?.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(encrypted: bool) -> Guard {
        let allowed: IpAddr = "10.1.2.3".parse().expect("an address");
        Guard::new(Arc::new(move |address| address == allowed), encrypted)
    }

    #[test]
    fn addresses_that_are_written_in_any_way_are_checked() {
        for (url, encrypted, expected) in [
            ("https://8.8.8.8/hook", true, true),
            ("http://8.8.8.8/hook", false, false),
            ("http://10.1.2.3/hook", false, true),
            ("https://10.1.2.3/hook", true, true),
            ("https://10.1.2.4/hook", true, false),
            ("https://127.0.0.1/hook", true, false),
            ("https://2130706433/hook", true, false),
            ("https://0x7f.1/hook", true, false),
            ("https://0177.0.0.1/hook", true, false),
            ("https://[::1]/hook", true, false),
            ("https://[::ffff:127.0.0.1]/hook", true, false),
            ("https://169.254.169.254/latest", true, false),
            ("https://ci.example.com/hook", true, true),
        ] {
            let url = parse(url).expect("an address");
            assert_eq!(guard(encrypted).check_literal(&url).is_ok(), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn names_of_this_machine_are_refused() {
        let refused = guard(true).resolve("localhost".to_owned()).await;
        assert_eq!(refused.expect_err("refused").to_string(), NOT_ALLOWED);
    }

    #[test]
    fn other_text_is_no_address() {
        let long = format!("https://example.com/{}", "a".repeat(LONGEST));
        for text in [
            "",
            "example.com",
            "ftp://example.com",
            "https://a:b@example.com",
            "https://x/#a",
            &long,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
