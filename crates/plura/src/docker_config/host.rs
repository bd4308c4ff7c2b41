//! How docker names a registry in its file.

use reqwest::Url;

/// What Docker Hub is called in the file, and everywhere else.
const HUB: &str = "https://index.docker.io/v1/";
const HUB_NAMES: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// The registry at an address: its host, and its port unless that follows from the scheme.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The key under which a registry is stored.
pub(super) fn key_of(host: &str) -> &str {
    if HUB_NAMES.contains(&host) { HUB } else { host }
}

/// Whether a key of the file is about this registry. Keys may be whole addresses, as older clients
/// wrote them. One with a path and no scheme is podman's way to name a part of a registry only.
pub(super) fn names(key: &str, host: &str) -> bool {
    let (address, whole) = match key.split_once("://") {
        Some((_, rest)) => (rest, true),
        None => (key, false),
    };
    let (named, path) = address.split_once('/').unwrap_or((address, ""));
    (whole || path.is_empty()) && key_of(named).eq_ignore_ascii_case(key_of(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_its_host_and_port() {
        for (url, host) in [
            ("https://registry.example.com", "registry.example.com"),
            ("https://registry.example.com:443", "registry.example.com"),
            ("https://registry.example.com:8443", "registry.example.com:8443"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000"),
            ("http://[::1]:5000", "[::1]:5000"),
        ] {
            assert_eq!(host_of(&url.parse().expect("an address")), host);
        }
    }

    #[test]
    fn keys_of_every_age_are_recognised() {
        for (key, host, expected) in [
            ("registry.example.com", "registry.example.com", true),
            ("Registry.example.com", "registry.example.com", true),
            ("https://registry.example.com", "registry.example.com", true),
            ("https://registry.example.com/v1/", "registry.example.com", true),
            ("127.0.0.1:5000", "127.0.0.1:5000", true),
            ("127.0.0.1:5001", "127.0.0.1:5000", false),
            ("registry.example.com/apps", "registry.example.com", false),
            ("https://index.docker.io/v1/", "docker.io", true),
            ("docker.io", "registry-1.docker.io", true),
            ("example.com", "registry.example.com", false),
            ("", "registry.example.com", false),
        ] {
            assert_eq!(names(key, host), expected, "{key} {host}");
        }
        assert_eq!(key_of("index.docker.io"), HUB);
    }
}
