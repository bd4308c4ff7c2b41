//! The names of images on the command line.

use std::fmt;
use std::str::FromStr;

use plura_oci::{Reference, RepositoryName};

use crate::docker_config::host_of;

/// The name of an image as it is typed: perhaps with the server in front, as container clients want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageName {
    /// The repository, and what may stand in front of it.
    name: String,
    /// The tag or digest.
    pub(crate) reference: Reference,
}

impl ImageName {
    /// Another image of the same repository.
    pub(crate) fn with(&self, reference: Reference) -> Self {
        Self { reference, ..self.clone() }
    }

    /// The registry that stands in front, as container clients recognise one: by a dot, a colon, or as
    /// `localhost`.
    pub(crate) fn host(&self) -> Option<&str> {
        let (first, _) = self.name.split_once('/')?;
        (first.contains(['.', ':']) || first == "localhost").then_some(first)
    }

    /// The repository, whatever registry stands in front.
    pub(crate) fn path(&self) -> &str {
        match self.host() {
            Some(host) => self.name.get(host.len() + 1..).unwrap_or_default(),
            None => &self.name,
        }
    }

    /// The repository, on the server at this address.
    pub(crate) fn repository(&self, server: &reqwest::Url) -> Result<RepositoryName, BadName> {
        let own = format!("{}/", host_of(server));
        let name = self.name.strip_prefix(&own).unwrap_or(&self.name);
        let first = name.split('/').next().unwrap_or_default();
        if first.contains(':') {
            return Err(BadName::OtherServer(first.to_owned()));
        }
        name.parse().map_err(|error| BadName::Name(name.to_owned(), error))
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if matches!(self.reference, Reference::Digest(_)) { '@' } else { ':' };
        write!(f, "{}{separator}{}", self.name, self.reference)
    }
}

/// Why a text is no name of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadName {
    /// Not that of a repository.
    #[error("`{0}` is no name of a repository: {1}")]
    Name(String, plura_oci::ParseNameError),
    /// It begins with another server than the one that is asked.
    #[error("`{0}` is not the server that is asked")]
    OtherServer(String),
    /// Neither a tag nor a digest stands behind it.
    #[error("`{0}`: {1}")]
    Reference(String, String),
}

impl FromStr for ImageName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        const USUAL: &str = "latest";
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let path = name.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match name[path..].split_once(':') {
            Some((last, tag)) => (&name[..path + last.len()], Some(tag)),
            None => (name, None),
        };
        // With both, the digest decides, as for container clients.
        let reference = digest.or(tag).unwrap_or(USUAL);
        let parsed = match digest {
            Some(digest) => digest.parse().map(Reference::Digest).map_err(|e| e.to_string()),
            None => reference.parse().map(Reference::Tag).map_err(|e| e.to_string()),
        };
        let reference = parsed.map_err(|e| BadName::Reference(reference.to_owned(), e))?;
        Ok(Self { name: name.to_owned(), reference })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_container_clients_do() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let server: reqwest::Url = "http://127.0.0.1:5000".parse().expect("an address");
        for (text, repository, reference) in [
            ("web".to_owned(), "web", "latest"),
            ("apps/web:1.0".to_owned(), "apps/web", "1.0"),
            ("127.0.0.1:5000/apps/web:1.0".to_owned(), "apps/web", "1.0"),
            ("127.0.0.1:5000/apps/web".to_owned(), "apps/web", "latest"),
            (format!("apps/web@{digest}"), "apps/web", &digest),
            (format!("apps/web:1.0@{digest}"), "apps/web", &digest),
        ] {
            let name: ImageName = text.parse().expect("a name");
            assert_eq!(name.reference.to_string(), reference, "{text}");
            let found = name.repository(&server).expect("a repository");
            assert_eq!(found.as_str(), repository, "{text}");
        }
        for (text, host) in [
            ("apps/web", None),
            ("web:1.0", None),
            ("localhost/web", Some("localhost")),
            ("127.0.0.1:5000/apps/web", Some("127.0.0.1:5000")),
            ("registry.example.com/apps/web:1.0", Some("registry.example.com")),
        ] {
            assert_eq!(text.parse::<ImageName>().expect("a name").host(), host, "{text}");
        }
        for text in ["apps/web:", "apps/web@x", "apps/web:a:b", "web@"] {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
        }
        for text in ["localhost:6000/apps/web", "Apps/web", ""] {
            let name: ImageName = text.parse().expect("it is looked at later");
            assert!(name.repository(&server).is_err(), "{text}");
        }
    }
}
