//! Settings: defaults, then a TOML file, then the environment, then flags, resolved once into one
//! plain struct.
//!
//! Adding a key takes two lines: the field here, and its row in [`keys`], which carries the default
//! and the documentation. A [`Settings`] that came out of [`resolve()`] is valid; nothing checks it
//! again.

mod access;
mod address;
mod count;
mod database;
mod environment;
mod events;
mod file;
mod keys;
mod log_filter;
mod origin;
mod resolve;
mod rollout;
mod size;
mod sources;
mod span;
mod storage;
mod text;

use std::path::{Path, PathBuf};

use plura_tlog::KeyName;
use serde::{Deserialize, Serialize};

pub(crate) use self::access::{Access, Limits};
pub(crate) use self::address::{BaseUrl, ListenAddress, ServiceUrl};
pub(crate) use self::count::Count;
pub(crate) use self::database::{Database, DatabaseUrl, Named};
pub(crate) use self::events::Events;
pub(crate) use self::keys::{Key, SECTIONS, Section};
pub(crate) use self::log_filter::LogFilter;
pub(crate) use self::origin::{Origin, Problem, Problems};
pub(crate) use self::resolve::{Resolved, resolve};
pub(crate) use self::rollout::Rollout;
pub(crate) use self::size::{ByteSize, ManifestLimit};
pub(crate) use self::sources::{Flag, Sources};
pub(crate) use self::span::{Keep, PositiveSpan, Span};
pub(crate) use self::storage::{Backend, Encryption, Network, Secret, Storage};

/// Everything an installation can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) database: Database,
    pub(crate) storage: Storage,
    pub(crate) server: Server,
    pub(crate) access: Access,
    pub(crate) limits: Limits,
    pub(crate) registry: Registry,
    pub(crate) collection: Collection,
    pub(crate) evidence: Evidence,
    pub(crate) contents: Contents,
    pub(crate) vulnerabilities: Vulnerabilities,
    pub(crate) transparency: Transparency,
    pub(crate) rollout: Rollout,
    pub(crate) events: Events,
    pub(crate) health: Health,
    pub(crate) log: Log,
}

/// How clients reach the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) listen: ListenAddress,
    pub(crate) public_url: Option<BaseUrl>,
    pub(crate) allow_unauthenticated: bool,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) max_connections: Count,
    pub(crate) header_timeout: PositiveSpan,
    pub(crate) idle_timeout: PositiveSpan,
    pub(crate) stall_timeout: PositiveSpan,
    pub(crate) drain_timeout: Span,
    pub(crate) tls: Tls,
}

/// Encryption of connections. Either both files are named or neither; see [`Tls::files`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    pub(crate) client_certificates: ClientCertificates,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) reload_interval: PositiveSpan,
}

/// Whether clients are asked for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientCertificates {
    /// No client is asked.
    Off,
    /// A client that has one shows it.
    Optional,
    /// A client without one gets no connection.
    Required,
}

impl Tls {
    /// The certificate chain and its key, when connections are to be encrypted.
    pub(crate) fn files(&self) -> Option<(&Path, &Path)> {
        self.certificate.as_deref().zip(self.key.as_deref())
    }

    /// Half of what it takes to know clients by their certificates must not pass for the whole.
    fn client_contradiction(&self) -> Option<(&'static str, String)> {
        let (key, message) = match (self.client_certificates, &self.client_ca) {
            (ClientCertificates::Off, None) => return None,
            (ClientCertificates::Off, Some(_)) => (
                "server.tls.client_ca",
                "set, but no client is asked for a certificate; set \
                 `server.tls.client_certificates` to \"optional\" or \"required\", or leave this \
                 unset",
            ),
            (_, None) => (
                "server.tls.client_certificates",
                "set without `server.tls.client_ca`, the authorities whose certificates count",
            ),
            (_, Some(_)) if self.files().is_none() => (
                "server.tls.client_ca",
                "clients show certificates only when connections are encrypted; set \
                 `server.tls.certificate` and `server.tls.key`, too",
            ),
            _ => return None,
        };
        Some((key, message.to_owned()))
    }
}

/// What the registry accepts and keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registry {
    pub(crate) sparse: Sparse,
    pub(crate) upload_expiry: PositiveSpan,
    pub(crate) minimum_chunk: ByteSize,
    pub(crate) delete: bool,
    pub(crate) manifest_limit: ManifestLimit,
    pub(crate) blob_limit: Option<ByteSize>,
}

/// Which manifests may name content that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sparse {
    /// Everything a manifest names must be there.
    None,
    /// An index may name manifests that are not there.
    Index,
    /// Any manifest may name anything.
    All,
}

/// Removal of what nothing reaches any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collection {
    pub(crate) enabled: bool,
    pub(crate) interval: PositiveSpan,
    pub(crate) grace: Span,
    pub(crate) keep_untagged: Keep,
    pub(crate) retention_interval: PositiveSpan,
}

/// What is known of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evidence {
    pub(crate) gather: bool,
}

/// What is in images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    pub(crate) read: bool,
    pub(crate) attach_sbom: AttachedSbom,
}

/// The SBOM that is pushed beside each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AttachedSbom {
    /// None is.
    None,
    /// One in the form of `CycloneDX`.
    CycloneDx,
    /// One in the form of SPDX.
    Spdx,
}

/// Which images have which vulnerabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vulnerabilities {
    pub(crate) r#match: bool,
    pub(crate) longest_exception: PositiveSpan,
    pub(crate) exception_warning: Span,
}

/// The log of what was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transparency {
    pub(crate) origin: Option<KeyName>,
    pub(crate) public: bool,
    pub(crate) integrate: bool,
}

/// When the server calls itself unhealthy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    pub(crate) interval: PositiveSpan,
    pub(crate) failures: Count,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) level: LogFilter,
    pub(crate) format: LogFormat,
}

/// The shape of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for machines.
    Json,
}

impl Settings {
    /// What no single value shows: values that do not go together, each with the key to blame.
    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        match (&self.server.tls.certificate, &self.server.tls.key) {
            (Some(_), None) => found.push(("server.tls.certificate", lonely("key"))),
            (None, Some(_)) => found.push(("server.tls.key", lonely("certificate"))),
            _ => {}
        }
        found.extend(self.access.oidc.contradictions(self.server.public_url.as_ref()));
        found.extend(self.server.tls.client_contradiction());
        found.extend(self.storage.contradictions());
        found.extend(self.database.contradictions());
        found.extend(self.rollout.contradictions());
        found
    }
}

fn lonely(missing: &str) -> String {
    format!("set without `server.tls.{missing}`; encryption needs both files, or name neither")
}

#[cfg(test)]
mod tests;
