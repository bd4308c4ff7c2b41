//! The settings of where bytes are kept, with their documentation.

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::keys::{BOOLEAN, COUNT, Key, PATH, POSITIVE_DURATION, Section};
use super::text::{Rejected, Text, text_serde};
use super::{BaseUrl, ByteSize, Count, PositiveSpan};

/// Where bytes are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Storage {
    pub(crate) backend: Backend,
    pub(crate) s3: S3,
    pub(crate) redirect: Redirect,
}

/// What keeps bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Backend {
    /// The data directory.
    Directory,
    /// A bucket of an object store.
    S3,
}

/// A bucket of an object store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct S3 {
    pub(crate) endpoint: Option<BaseUrl>,
    pub(crate) region: String,
    pub(crate) bucket: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) access_key: Option<String>,
    pub(crate) access_key_file: Option<PathBuf>,
    pub(crate) secret_key: Option<Secret>,
    pub(crate) secret_key_file: Option<PathBuf>,
    pub(crate) path_style: Option<bool>,
    pub(crate) allow_http: bool,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) encryption: Encryption,
    pub(crate) encryption_key: Option<String>,
    pub(crate) storage_class: Option<String>,
    pub(crate) part_size: ByteSize,
    pub(crate) uniform_parts: bool,
    pub(crate) parts_in_flight: Count,
    pub(crate) upload_memory: ByteSize,
}

/// How an object store is to encrypt what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encryption {
    /// As the bucket does by itself.
    None,
    /// With keys of the object store.
    Aes256,
    /// With a key of the key management service.
    Kms,
}

/// Whether clients fetch blobs from the object store themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redirect {
    pub(crate) enabled: bool,
    pub(crate) endpoint: Option<BaseUrl>,
    pub(crate) expires: PositiveSpan,
    pub(crate) stream_to: Vec<Network>,
}

/// A secret that stands in the settings themselves; never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

/// A network of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network(plura_http::Network);

impl Secret {
    /// What stands for a secret where it would be printed.
    pub(crate) const NOT_SHOWN: &str = "(not shown)";

    /// The secret.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NOT_SHOWN)
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(Self::NOT_SHOWN)
    }
}

impl Network {
    /// The network as the server knows it.
    pub(crate) fn network(self) -> plura_http::Network {
        self.0
    }
}

impl Text for Network {
    const EXPECTED: &'static str = r#"a network such as "10.0.0.0/8" or "2001:db8::/32""#;
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

impl S3 {
    /// Whether requests may go without encryption: where that was allowed, or does not leave the machine.
    pub(crate) fn allows_http(&self) -> bool {
        self.allow_http || self.endpoint.as_ref().is_some_and(is_here)
    }

    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut blame = |key, message: &str| found.push((key, message.to_owned()));
        if self.bucket.is_none() {
            blame("storage.s3.bucket", "not set, and `storage.backend` is \"s3\"");
        }
        if let Some(endpoint) = &self.endpoint
            && endpoint.url().scheme() == "http"
            && !self.allows_http()
        {
            let message = "is not encrypted; use https, or set `storage.s3.allow_http` if the network \
                           is trusted";
            blame("storage.s3.endpoint", message);
        }
        if self.access_key.is_some() && self.access_key_file.is_some() {
            blame(
                "storage.s3.access_key_file",
                "set beside `storage.s3.access_key`; set one of them",
            );
        }
        if self.secret_key.is_some() && self.secret_key_file.is_some() {
            blame(
                "storage.s3.secret_key_file",
                "set beside `storage.s3.secret_key`; set one of them",
            );
        }
        let access = self.access_key.is_some() || self.access_key_file.is_some();
        let secret = self.secret_key.is_some() || self.secret_key_file.is_some();
        match (access, secret) {
            (true, false) => blame("storage.s3.access_key", "set without its secret"),
            (false, true) => blame("storage.s3.secret_key", "set without `storage.s3.access_key`"),
            _ => {}
        }
        if self.encryption_key.is_some() && self.encryption != Encryption::Kms {
            blame("storage.s3.encryption_key", "set, but `storage.s3.encryption` is not \"kms\"");
        }
        if self.prefix.as_ref().is_some_and(|prefix| !is_prefix(prefix)) {
            blame(
                "storage.s3.prefix",
                "expected names with a slash between them and none at the ends",
            );
        }
        self.check_sizes(&mut blame);
        found
    }

    fn check_sizes(&self, blame: &mut impl FnMut(&'static str, &str)) {
        const LEAST: u64 = 5 << 20;
        let part = self.part_size.bytes();
        if !(LEAST..=1 << 30).contains(&part) {
            blame("storage.s3.part_size", "expected a size from 5MiB to 1GiB");
        } else if self.upload_memory.bytes() < 2 * (part + LEAST) + (1 << 20) {
            let message =
                "too small: it must hold two parts, 10MiB and an eighth for small uploads";
            blame("storage.s3.upload_memory", message);
        }
    }
}

impl Storage {
    /// What no single value shows.
    pub(super) fn contradictions(&self) -> Vec<(&'static str, String)> {
        if self.backend == Backend::Directory {
            return Vec::new();
        }
        let mut found = self.s3.contradictions();
        if let Some(endpoint) = &self.redirect.endpoint
            && endpoint.url().scheme() == "http"
            && !(self.s3.allow_http || is_here(endpoint))
        {
            let message = "is not encrypted, and what clients are given is a credential; use https, or \
                           set `storage.s3.allow_http` if the network is trusted";
            found.push(("storage.redirect.endpoint", message.to_owned()));
        }
        found
    }
}

/// Whether what is sent there does not leave this machine.
fn is_here(endpoint: &BaseUrl) -> bool {
    let Some(host) = endpoint.url().host_str() else { return false };
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn is_prefix(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.split('/').all(|name| !matches!(name, "" | "." | "..") && name.chars().all(plain))
}

pub(super) const STORAGE: Section = Section {
    name: "storage",
    about: "Where the bytes of blobs are kept. Metadata is in the database.",
    keys: &[Key {
        path: "storage.backend",
        kind: r#""directory" or "s3""#,
        default: Some(r#""directory""#),
        example: r#""s3""#,
        about: "The data directory, or a bucket of an object store that speaks S3. Keys are the same \
                in both: whoever changes this copies `blobs/` first.",
    }],
};

pub(super) const S3_KEYS: Section = Section {
    name: "storage.s3",
    about: "The bucket. `plura config check` tries what is set here.",
    keys: &[
        Key {
            path: "storage.s3.endpoint",
            kind: "http or https address without a path",
            default: None,
            example: r#""https://minio.example.com:9000""#,
            about: "The address of the object store; AWS if unset. Clients that are redirected use \
                    it, too, unless `storage.redirect.endpoint` names another.",
        },
        Key {
            path: "storage.s3.region",
            kind: "text",
            default: Some(r#""us-east-1""#),
            example: r#""eu-central-1""#,
            about: "The region of the bucket, as the object store calls it.",
        },
        Key {
            path: "storage.s3.bucket",
            kind: "text",
            default: None,
            example: r#""plura""#,
            about: "The name of the bucket, which must exist.",
        },
        Key {
            path: "storage.s3.prefix",
            kind: "path without a slash at its ends",
            default: None,
            example: r#""registry/production""#,
            about: "What the keys of all objects begin with.",
        },
        Key {
            path: "storage.s3.access_key",
            kind: "text",
            default: None,
            example: r#""AKIAIOSFODNN7EXAMPLE""#,
            about: "The access key. Without one, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY count, \
                    and then the role of the machine or pod.",
        },
        Key {
            path: "storage.s3.access_key_file",
            kind: PATH,
            default: None,
            example: r#""/run/secrets/s3-access-key""#,
            about: "A file with the access key alone.",
        },
        Key {
            path: "storage.s3.secret_key",
            kind: "text",
            default: None,
            example: r#""wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY""#,
            about: "The secret of the access key. Better in a file of its own.",
        },
        Key {
            path: "storage.s3.secret_key_file",
            kind: PATH,
            default: None,
            example: r#""/run/secrets/s3-secret-key""#,
            about: "A file with the secret alone.",
        },
        Key {
            path: "storage.s3.path_style",
            kind: BOOLEAN,
            default: None,
            example: "false",
            about: "Whether the bucket is named in the path, and not in the name of the host. Unset, \
                    it is where `storage.s3.endpoint` is set.",
        },
        Key {
            path: "storage.s3.allow_http",
            kind: BOOLEAN,
            default: Some("false"),
            example: "true",
            about: "Whether requests may leave this machine without encryption.",
        },
        Key {
            path: "storage.s3.ca_file",
            kind: PATH,
            default: None,
            example: r#""/etc/plura/tls/s3-ca.pem""#,
            about: "The authorities whose certificates count for the object store beside those of \
                    the system, PEM.",
        },
        Key {
            path: "storage.s3.encryption",
            kind: r#""none", "aes256" or "kms""#,
            default: Some(r#""none""#),
            example: r#""aes256""#,
            about: "How the object store is asked to encrypt: as the bucket does by itself, with its \
                    own keys (SSE-S3), or with a key of the key management service (SSE-KMS).",
        },
        Key {
            path: "storage.s3.encryption_key",
            kind: "text",
            default: None,
            example: r#""arn:aws:kms:eu-central-1:111122223333:key/1234""#,
            about: "The key of the key management service; its default key if unset.",
        },
        Key {
            path: "storage.s3.storage_class",
            kind: "text",
            default: None,
            example: r#""INTELLIGENT_TIERING""#,
            about: "The class of storage that is asked for. Not one whose objects must be restored \
                    before they are read.",
        },
        Key {
            path: "storage.s3.part_size",
            kind: "size from 5MiB to 1GiB",
            default: Some(r#""8MiB""#),
            example: r#""16MiB""#,
            about: "The size of the parts that large blobs are sent in. It doubles after every 1,000 \
                    parts.",
        },
        Key {
            path: "storage.s3.uniform_parts",
            kind: BOOLEAN,
            default: Some("false"),
            example: "true",
            about: "Whether all parts but the last must be of one size, as some object stores want. \
                    A blob has then at most 10,000 times `storage.s3.part_size`.",
        },
        Key {
            path: "storage.s3.parts_in_flight",
            kind: COUNT,
            default: Some("3"),
            example: "6",
            about: "How many parts of one upload are sent at once.",
        },
        Key {
            path: "storage.s3.upload_memory",
            kind: "size",
            default: Some(r#""256MiB""#),
            example: r#""1GiB""#,
            about: "How much memory all uploads of this process take for parts; further uploads \
                    wait for it. Each large one takes up to `storage.s3.part_size` and 5MiB until a \
                    part is full.",
        },
    ],
};

pub(super) const REDIRECT: Section = Section {
    name: "storage.redirect",
    about: "Whether clients fetch blobs from the object store themselves.",
    keys: &[
        Key {
            path: "storage.redirect.enabled",
            kind: BOOLEAN,
            default: Some("true"),
            example: "false",
            about: "Answer requests for blobs in a bucket with an address at the object store, under \
                    which the blob can be read without credentials for a while. Otherwise the bytes \
                    pass through this server. A project may have it the other way (`plura project \
                    update --redirect`).",
        },
        Key {
            path: "storage.redirect.endpoint",
            kind: "http or https address without a path",
            default: None,
            example: r#""https://s3.example.com""#,
            about: "Where clients reach the object store; `storage.s3.endpoint` if unset. The host is \
                    signed: whatever forwards requests from there must leave `Host` as it is.",
        },
        Key {
            path: "storage.redirect.expires",
            kind: POSITIVE_DURATION,
            default: Some(r#""15m""#),
            example: r#""1h""#,
            about: "How long such an address is good for the beginning of a transfer.",
        },
        Key {
            path: "storage.redirect.stream_to",
            kind: "list of networks",
            default: Some("[]"),
            example: r#"["10.0.0.0/8"]"#,
            about: "Clients that cannot reach the object store: their bytes pass through this server, \
                    whatever a project says.",
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret: Secret = toml::Value::String("hidden".into()).try_into().unwrap();
        assert_eq!(secret.reveal(), "hidden");
        let shown = toml::Value::try_from(&secret).unwrap();
        assert!(!format!("{secret:?} {shown}").contains("hidden"));
    }

    #[test]
    fn a_prefix_has_no_slash_at_its_ends() {
        for text in ["a", "a/b.c", "a_b-c/1"] {
            assert!(is_prefix(text), "{text}");
        }
        for text in ["/a", "a/", "a//b", "..", "a/../b", "a b", "~1"] {
            assert!(!is_prefix(text), "{text}");
        }
    }
}
