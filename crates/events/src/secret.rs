//! Secrets of webhooks, by their names: what is stored is where a secret is, never the secret.
//!
//! Whoever manages a project names secrets, and what is named is sent to an address that they chose. So
//! a project has secrets of its own, and none of them is a file or variable that somebody else meant for
//! something else.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use crate::Error;

/// What the names of variables begin with that are secrets of webhooks.
const VARIABLES: &str = "WEBHOOK_SECRET_";
/// The longest secret that is read.
const LONGEST: u64 = 4096;
/// The longest name.
const LONGEST_NAME: usize = 256;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretName {
    /// In a variable of the server's environment.
    Variable(String),
    /// In a file below the directory of secrets.
    File(String),
}

impl SecretName {
    /// Whether the text says where something is, and is not the thing itself.
    pub(crate) fn is_name(text: &str) -> bool {
        text.starts_with("env:") || text.starts_with("file:")
    }

    /// The name of a secret that webhooks of the project, or of everything, may have.
    pub(crate) fn parse(
        field: &'static str,
        text: &str,
        project: Option<&str>,
    ) -> Result<Self, Error> {
        let name = Self::read_name(text).ok_or_else(|| expected(field, project))?;
        match (&name, project) {
            (Self::File(path), Some(project)) if path.split('/').next() == Some(project) => {}
            (_, None) => {}
            _ => return Err(expected(field, project)),
        }
        Ok(name)
    }

    fn read_name(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if text.len() > LONGEST_NAME {
            return None;
        }
        if let Some(name) = text.strip_prefix("env:") {
            let rest = name.strip_prefix(VARIABLES)?;
            let known = !rest.is_empty() && rest.bytes().all(|byte| plain(byte) && byte != b'.');
            return known.then(|| Self::Variable(name.to_owned()));
        }
        let path = text.strip_prefix("file:")?;
        let is_segment = |segment: &str| {
            !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(plain)
        };
        path.split('/').all(is_segment).then(|| Self::File(path.to_owned()))
    }

    /// The secret, without the end of its line; or what is wrong, for whoever looks at deliveries.
    pub(crate) async fn read(
        &self,
        directory: Option<&Path>,
    ) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let mut bytes = match self {
            Self::Variable(name) => {
                let value =
                    std::env::var(name).map_err(|_| "the variable of the secret is not set")?;
                Zeroizing::new(value.into_bytes())
            }
            Self::File(path) => {
                let directory = directory.ok_or("`events.secrets` names no directory")?;
                read_file(&directory.join(path)).await?
            }
        };
        let length = bytes.trim_ascii_end().len();
        bytes.truncate(length);
        if bytes.is_empty() { Err("the secret is empty") } else { Ok(bytes) }
    }
}

async fn read_file(path: &PathBuf) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    const UNREADABLE: &str = "the file of the secret cannot be read";
    let file = tokio::fs::File::open(path).await.map_err(|_| UNREADABLE)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LONGEST + 1).read_to_end(&mut bytes).await.map_err(|_| UNREADABLE)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > LONGEST { Err("the secret is too long") } else { Ok(bytes) }
}

fn expected(field: &'static str, project: Option<&str>) -> Error {
    Error::invalid(
        field,
        match project {
            Some(project) => format!(
                "expected `file:{project}/NAME`, a file below the directory that `events.secrets` names"
            ),
            None => format!(
                "expected `file:NAME`, a file below the directory that `events.secrets` names, or \
                 `env:{VARIABLES}NAME`, a variable of the server"
            ),
        },
    )
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_names_only_its_own_secrets() {
        for (text, project, expected) in [
            ("file:apps/ci", Some("apps"), true),
            ("file:apps", Some("apps"), true),
            ("file:other/ci", Some("apps"), false),
            ("file:apps2/ci", Some("apps"), false),
            ("file:apps/../other/ci", Some("apps"), false),
            ("env:WEBHOOK_SECRET_CI", Some("apps"), false),
            ("env:WEBHOOK_SECRET_CI", None, true),
            ("env:PATH", None, false),
            ("env:PLURA_DATABASE__URL", None, false),
            ("env:WEBHOOK_SECRET_", None, false),
            ("file:/etc/passwd", None, false),
            ("file:../passwd", None, false),
            ("file:.hidden", None, false),
            ("file:a//b", None, false),
            ("file:", None, false),
            ("hunter2", None, false),
        ] {
            let parsed = SecretName::parse("secret", text, project);
            assert_eq!(parsed.is_ok(), expected, "{text} of {project:?}");
            if let Ok(name) = parsed {
                assert_eq!(name.to_string(), text);
            }
        }
    }
}
