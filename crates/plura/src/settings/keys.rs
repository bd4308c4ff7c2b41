//! Every key of the settings: its documentation, its default and an example.
//!
//! The defaults are read from here, `plura config reference` is printed from here, and a name that
//! is not here is an error; there is no second list to keep in step.

use super::{access, database, events, rollout, storage};

/// A group of keys: a table of the file.
pub(crate) struct Section {
    /// The name of the table, dots included; empty for the keys above the first table.
    pub(crate) name: &'static str,
    /// What the keys have in common.
    pub(crate) about: &'static str,
    /// The keys, in the order in which they are shown.
    pub(crate) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// The whole name, sections included.
    pub(crate) path: &'static str,
    /// The type of the value, in words.
    pub(crate) kind: &'static str,
    /// The value when nothing else is said, as TOML; a key without one may be left unset.
    pub(crate) default: Option<&'static str>,
    /// A value that is accepted, as TOML.
    pub(crate) example: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
}

impl Key {
    /// The environment variable that sets the key.
    pub(crate) fn environment(&self) -> String {
        format!("PLURA_{}", self.path.replace('.', "__").to_uppercase())
    }

    /// The name within its section.
    pub(crate) fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }
}

/// All keys.
pub(crate) fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// The key of that name.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    all().find(|key| key.path == path)
}

/// Whether `path` is a table: one that holds keys, or one that holds such tables.
pub(crate) fn is_section(path: &str) -> bool {
    let below = |key: &Key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    all().any(below)
}

pub(super) const DURATION: &str = "duration";
pub(super) const POSITIVE_DURATION: &str = "duration above zero";
pub(super) const BOOLEAN: &str = "true or false";
pub(super) const COUNT: &str = "whole number above zero";
pub(super) const PATH: &str = "path";

/// Every section with its keys, in the order in which they are shown.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        name: "",
        about: "Where the installation lives.",
        keys: &[Key {
            path: "data",
            kind: PATH,
            default: Some(r#""./plura-data""#),
            example: r#""/var/lib/plura""#,
            about: "The directory that holds everything: the database and the bytes. It is \
                    created when it is missing. A relative path starts where the command runs.",
        }],
    },
    database::DATABASE,
    storage::STORAGE,
    storage::S3_KEYS,
    storage::REDIRECT,
    Section {
        name: "server",
        about: "How clients reach the server.",
        keys: &[
            Key {
                path: "server.listen",
                kind: "IP address and port",
                default: Some(r#""127.0.0.1:5000""#),
                example: r#""[::1]:5000""#,
                about: "Where to accept connections. An address other than loopback needs an \
                        administrator first: `plura init`.",
            },
            Key {
                path: "server.public_url",
                kind: "http or https address without a path",
                default: None,
                example: r#""https://registry.example.com""#,
                about: "The address under which clients know the server, when it stands behind a \
                        proxy. Unset, addresses in answers follow the request.",
            },
            Key {
                path: "server.allow_unauthenticated",
                kind: BOOLEAN,
                default: Some("false"),
                example: "true",
                about: "Listen on an address other than loopback although there is no \
                        administrator: until there is one, whoever can connect may read, write \
                        and delete.",
            },
            Key {
                path: "server.trusted_proxies",
                kind: "list of networks",
                default: Some("[]"),
                example: r#"["127.0.0.1/32", "10.0.0.0/8"]"#,
                about: "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto`, or `Forwarded`, are \
                        believed: the last address in the list that is none of these is the \
                        client's, for the audit, rates and lockout. From all others these headers \
                        mean nothing.",
            },
            Key {
                path: "server.max_connections",
                kind: COUNT,
                default: Some("4096"),
                example: "512",
                about: "Connections served at once. Further clients wait until one closes.",
            },
            Key {
                path: "server.header_timeout",
                kind: POSITIVE_DURATION,
                default: Some(r#""30s""#),
                example: r#""10s""#,
                about: "How long a client may take to send the head of a request.",
            },
            Key {
                path: "server.idle_timeout",
                kind: POSITIVE_DURATION,
                default: Some(r#""120s""#),
                example: r#""5m""#,
                about: "How long a connection may stay open without a request.",
            },
            Key {
                path: "server.stall_timeout",
                kind: POSITIVE_DURATION,
                default: Some(r#""60s""#),
                example: r#""2m""#,
                about: "A transfer that makes no progress for this long is cut. One that makes \
                        progress, however slowly, has no limit.",
            },
            Key {
                path: "server.drain_timeout",
                kind: DURATION,
                default: Some(r#""30s""#),
                example: r#""0s""#,
                about: "How long requests under way may take to finish once the server was asked \
                        to stop.",
            },
        ],
    },
    Section {
        name: "server.tls",
        about: "Encryption. Name both files or neither; they are read again when they change.",
        keys: &[
            Key {
                path: "server.tls.certificate",
                kind: PATH,
                default: None,
                example: r#""/etc/plura/tls/tls.crt""#,
                about: "The certificate chain, PEM, the server's own certificate first.",
            },
            Key {
                path: "server.tls.key",
                kind: PATH,
                default: None,
                example: r#""/etc/plura/tls/tls.key""#,
                about: "The private key of the certificate, PEM.",
            },
            Key {
                path: "server.tls.client_certificates",
                kind: r#""off", "optional" or "required""#,
                default: Some(r#""off""#),
                example: r#""optional""#,
                about: "Whether clients are asked for a certificate: no; they may show one, and \
                        are known by it; or there is no connection without one.",
            },
            Key {
                path: "server.tls.client_ca",
                kind: PATH,
                default: None,
                example: r#""/etc/plura/tls/clients.pem""#,
                about: "The certificates of the authorities whose client certificates count, PEM. \
                        Each may vouch for any name, SPIFFE IDs of every trust domain included. \
                        One that is taken out of the file counts no more.",
            },
            Key {
                path: "server.tls.reload_interval",
                kind: POSITIVE_DURATION,
                default: Some(r#""30s""#),
                example: r#""5m""#,
                about: "How often the files are looked at for a change.",
            },
        ],
    },
    access::ACCESS,
    access::OIDC,
    access::LIMITS,
    Section {
        name: "registry",
        about: "What the registry accepts.",
        keys: &[
            Key {
                path: "registry.sparse",
                kind: r#""none", "index" or "all""#,
                default: Some(r#""index""#),
                example: r#""all""#,
                about: "Which manifests may name content that is not there: none; an index, whose \
                        platforms are often copied in part; or all.",
            },
            Key {
                path: "registry.upload_expiry",
                kind: POSITIVE_DURATION,
                default: Some(r#""24h""#),
                example: r#""2h""#,
                about: "An upload that was not touched for this long is abandoned.",
            },
            Key {
                path: "registry.minimum_chunk",
                kind: "size",
                default: Some("0"),
                example: r#""5MiB""#,
                about: "The least size of a chunk of an upload, announced to clients as \
                        `OCI-Chunk-Min-Length`. 0 announces nothing.",
            },
            Key {
                path: "registry.delete",
                kind: BOOLEAN,
                default: Some("true"),
                example: "false",
                about: "Whether clients may delete tags, manifests and blobs.",
            },
            Key {
                path: "registry.manifest_limit",
                kind: "size of at least 4MiB",
                default: Some(r#""4MiB""#),
                example: r#""8MiB""#,
                about: "How large a manifest may be. Clients may rely on 4MiB.",
            },
            Key {
                path: "registry.blob_limit",
                kind: "size",
                default: None,
                example: r#""20GiB""#,
                about: "How large a blob may be; no limit if unset.",
            },
        ],
    },
    Section {
        name: "collection",
        about: "Removal of what nothing reaches any more.",
        keys: &[
            Key {
                path: "collection.enabled",
                kind: BOOLEAN,
                default: Some("true"),
                example: "false",
                about: "Whether content is removed at all.",
            },
            Key {
                path: "collection.interval",
                kind: POSITIVE_DURATION,
                default: Some(r#""1m""#),
                example: r#""10m""#,
                about: "The pause between two looks at what became unreachable.",
            },
            Key {
                path: "collection.grace",
                kind: DURATION,
                default: Some(r#""24h""#),
                example: r#""7d""#,
                about: "How long content stays after the last thing that reached it went away. A \
                        push that takes longer than this may lose blobs it sent early. A change \
                        counts for what becomes unreachable from then on.",
            },
            Key {
                path: "collection.keep_untagged",
                kind: r#"duration or "forever""#,
                default: Some(r#""30d""#),
                example: r#""forever""#,
                about: "How long a manifest without a tag is kept. What an index or a referrer \
                        still needs is kept with it. A change counts for what loses its last tag \
                        from then on.",
            },
            Key {
                path: "collection.retention_interval",
                kind: POSITIVE_DURATION,
                default: Some(r#""7d""#),
                example: r#""1d""#,
                about: "How often what the policy's rules of retention let go is deleted; first that \
                        long after the policy was applied. `plura reg gc --dry-run` shows what that is.",
            },
        ],
    },
    Section {
        name: "evidence",
        about: "What is known of images: who signed them, how they were built.",
        keys: &[Key {
            path: "evidence.gather",
            kind: BOOLEAN,
            default: Some("true"),
            example: "false",
            about: "Whether this process gathers evidence as things arrive. Otherwise another \
                    replica does, or else whoever asks first waits for it.",
        }],
    },
    Section {
        name: "contents",
        about: "What is in images: packages, secrets, what they stand on.",
        keys: &[
            Key {
                path: "contents.read",
                kind: BOOLEAN,
                default: Some("true"),
                example: "false",
                about: "Whether this process reads images as they arrive. Otherwise another replica \
                        does, or else whoever asks first waits for it.",
            },
            Key {
                path: "contents.attach_sbom",
                kind: r#""none", "cyclonedx" or "spdx""#,
                default: Some(r#""none""#),
                example: r#""spdx""#,
                about: "The form of the SBOM that is pushed beside each image once it was read, as \
                        a referrer. It counts for the quota of the project.",
            },
        ],
    },
    Section {
        name: "vulnerabilities",
        about: "Which images have which vulnerabilities.",
        keys: &[
            Key {
                path: "vulnerabilities.match",
                kind: BOOLEAN,
                default: Some("true"),
                example: "false",
                about: "Whether this process matches packages with advisories as either change. \
                        Otherwise another replica does, or else whoever asks first waits for it.",
            },
            Key {
                path: "vulnerabilities.longest_exception",
                kind: POSITIVE_DURATION,
                default: Some(r#""90d""#),
                example: r#""30d""#,
                about: "How long an exception may hold at most. A change counts for exceptions \
                        that are granted from then on.",
            },
            Key {
                path: "vulnerabilities.exception_warning",
                kind: DURATION,
                default: Some(r#""14d""#),
                example: r#""7d""#,
                about: "How long before its end an exception is told of.",
            },
        ],
    },
    rollout::ROLLOUT,
    rollout::PROMETHEUS,
    rollout::TRAFFIC,
    Section {
        name: "transparency",
        about: "The log of what was decided, which anybody can verify.",
        keys: &[
            Key {
                path: "transparency.origin",
                kind: "name without spaces and `+`",
                default: None,
                example: r#""registry.example.com/log""#,
                about: "The name of the log, which its keys have, too. It is kept once it was chosen: \
                        the host of `server.public_url` if there is one then, otherwise one that is \
                        made up. To those who verify, another name is another log.",
            },
            Key {
                path: "transparency.public",
                kind: BOOLEAN,
                default: Some("false"),
                example: "true",
                about: "Whether checkpoint, tiles and entries can be read without a login.",
            },
            Key {
                path: "transparency.integrate",
                kind: BOOLEAN,
                default: Some("true"),
                example: "false",
                about: "Whether this process makes new entries part of the log and signs it. \
                        Otherwise another replica has to.",
            },
        ],
    },
    events::EVENTS,
    Section {
        name: "health",
        about: "When the server calls itself unhealthy.",
        keys: &[
            Key {
                path: "health.interval",
                kind: POSITIVE_DURATION,
                default: Some(r#""10s""#),
                example: r#""30s""#,
                about: "The pause between two checks of the database and the data directory.",
            },
            Key {
                path: "health.failures",
                kind: COUNT,
                default: Some("3"),
                example: "1",
                about: "Failed checks in a row until the server calls itself unhealthy.",
            },
        ],
    },
    Section {
        name: "log",
        about: "What is logged, to standard error.",
        keys: &[
            Key {
                path: "log.level",
                kind: "level, or levels by module",
                default: Some(r#""info""#),
                example: r#""info,plura_http=debug""#,
                about: "The least level that is logged: error, warn, info, debug or trace; for \
                        single modules after a comma.",
            },
            Key {
                path: "log.format",
                kind: r#""text" or "json""#,
                default: Some(r#""text""#),
                example: r#""json""#,
                about: "Lines for people, or one JSON object a line for machines.",
            },
        ],
    },
];
