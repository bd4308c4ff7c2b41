//! The settings of the database, with their documentation.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use plura_registry::DatabaseServer;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::Count;
use super::keys::{COUNT, Key, PATH, Section};

/// Where the metadata are, if not in the data directory; see [`Database::server`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    url: Option<DatabaseUrl>,
    url_file: Option<PathBuf>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) max_connections: Count,
    pub(crate) ca_file: Option<PathBuf>,
}

/// How the server is named.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Named<'a> {
    Directly(&'a DatabaseUrl),
    InFile(&'a Path),
}

/// The address of a PostgreSQL server and a database. It may hold a password, so it is never shown as
/// it is.
#[derive(Clone, PartialEq)]
pub(crate) struct DatabaseUrl(String);

impl Database {
    /// How the server is named, when one has the metadata.
    pub(crate) fn server(&self) -> Option<Named<'_>> {
        let url = self.url.as_ref().map(Named::Directly);
        url.or_else(|| self.url_file.as_deref().map(Named::InFile))
    }

    pub(super) fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.url.is_some() && self.url_file.is_some() {
            found.push((
                "database.url_file",
                "set beside `database.url`; name the server in one of the two".to_owned(),
            ));
        }
        let without = |key: &'static str| {
            (key, "set without `database.url` or `database.url_file`, the server".to_owned())
        };
        if self.server().is_none() {
            found.extend(self.password_file.is_some().then(|| without("database.password_file")));
            found.extend(self.ca_file.is_some().then(|| without("database.ca_file")));
        }
        found
    }
}

impl DatabaseUrl {
    /// With its password.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    /// What is refused is not repeated: a password may be in it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match DatabaseServer::new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(EXPECTED),
        }
    }
}

const EXPECTED: &str = "expected the URL of a PostgreSQL database, such as \
                        \"postgres://plura@db.example.com/plura\"";

impl Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("postgres", &self.0));
        let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let shown = match address.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((name, _)) => format!("{name}:***@{host}"),
                None => address.to_owned(),
            },
            None => address.to_owned(),
        };
        write!(f, "{scheme}://{shown}")?;
        // `password` may be one of them.
        if parameters.is_empty() { Ok(()) } else { f.write_str("?***") }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Url;

        impl Visitor<'_> for Url {
            type Value = DatabaseUrl;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the URL of a PostgreSQL database")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<DatabaseUrl, E> {
                text.parse().map_err(E::custom)
            }
        }

        from.deserialize_str(Url)
    }
}

pub(super) const DATABASE: Section = Section {
    name: "database",
    about: "Where the metadata are: in the data directory by SQLite, or with a PostgreSQL server, \
            which several servers may share.",
    keys: &[
        Key {
            path: "database.url",
            kind: "URL that begins with postgres://",
            default: None,
            example: r#""postgres://plura@db.example.com/plura?sslmode=verify-full""#,
            about: "The PostgreSQL database (15 or later). Unset, the metadata are in the data \
                    directory. `plura db copy` moves an installation.",
        },
        Key {
            path: "database.url_file",
            kind: PATH,
            default: None,
            example: r#""/run/secrets/database-url""#,
            about: "A file with that URL, instead of `database.url`, so that no password is in the \
                    settings.",
        },
        Key {
            path: "database.password_file",
            kind: PATH,
            default: None,
            example: r#""/run/secrets/database-password""#,
            about: "A file with the password alone, for a URL without one.",
        },
        Key {
            path: "database.max_connections",
            kind: COUNT,
            default: Some("16"),
            example: "50",
            about: "The most connections for reading that a server keeps to PostgreSQL, beside the \
                    one that writes.",
        },
        Key {
            path: "database.ca_file",
            kind: PATH,
            default: None,
            example: r#""/etc/ssl/db-ca.pem""#,
            about: "The authorities whose certificates of the database server count, for \
                    `sslmode=verify-ca` or `verify-full` in the URL.",
        },
    ],
};
