//! Where documents of issuers may come from.

use std::net::IpAddr;

use reqwest::Url;

use super::FetchError;

/// Longer addresses belong to nobody.
const LONGEST: usize = 1024;

/// The address of an issuer: https, or http on this machine, without a user, a query or a fragment.
pub(super) fn issuer(text: &str) -> Result<Url, FetchError> {
    let refused = || FetchError::Address(text.chars().take(LONGEST).collect());
    let url = parse(text).ok_or_else(refused)?;
    let plain = url.query().is_none() && url.fragment().is_none();
    let secure = url.scheme() == "https" || is_local_http(&url);
    if plain && secure { Ok(url) } else { Err(refused()) }
}

/// An address that a document of `issuer` names. Only an issuer on this machine may name one that is
/// asked without TLS, so that none can make us ask the services of this machine.
pub(super) fn named_by(issuer: &Url, text: &str) -> Result<Url, FetchError> {
    let refused = || FetchError::Address(text.chars().take(LONGEST).collect());
    let url = parse(text).ok_or_else(refused)?;
    let secure = url.scheme() == "https" || (is_local_http(issuer) && is_local_http(&url));
    if secure { Ok(url) } else { Err(refused()) }
}

/// Where the issuer says what it is.
pub(super) fn discovery(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    let path = format!("{}/.well-known/openid-configuration", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= LONGEST)?;
    let anonymous = url.username().is_empty() && url.password().is_none();
    (anonymous && url.has_host()).then_some(url)
}

fn is_local_http(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    url.scheme() == "http" && local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_https_or_on_this_machine() {
        for good in [
            "https://token.actions.githubusercontent.com",
            "https://sso.example.com/realms/a",
            "http://127.0.0.1:8080",
            "http://[::1]:8080/x",
            "http://localhost:1",
        ] {
            assert!(issuer(good).is_ok(), "{good}");
        }
        for bad in [
            "http://sso.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "file:///etc/passwd",
            "ftp://127.0.0.1",
            "https://user@example.com",
            "https://:word@example.com",
            "https://example.com?a=b",
            "https://example.com#a",
            "data:,x",
            "sso.example.com",
            "",
        ] {
            assert_eq!(issuer(bad), Err(FetchError::Address(bad.to_owned())));
        }
        assert!(issuer(&format!("https://example.com/{}", "a".repeat(LONGEST))).is_err());
    }

    #[test]
    fn only_an_issuer_on_this_machine_names_addresses_on_it() {
        let remote = issuer("https://sso.example.com").unwrap();
        assert!(named_by(&remote, "https://keys.example.net/jwks?v=1").is_ok());
        assert!(named_by(&remote, "http://127.0.0.1:5000/").is_err());
        let local = issuer("http://127.0.0.1:8080").unwrap();
        assert!(named_by(&local, "http://127.0.0.1:8081/jwks").is_ok());
        assert!(named_by(&local, "http://10.0.0.1/jwks").is_err());
    }

    #[test]
    fn discovery_is_below_the_path_of_the_issuer() {
        for (text, expected) in [
            ("https://a.example", "https://a.example/.well-known/openid-configuration"),
            ("https://a.example/r/x/", "https://a.example/r/x/.well-known/openid-configuration"),
        ] {
            assert_eq!(discovery(&issuer(text).unwrap()).as_str(), expected);
        }
    }
}
