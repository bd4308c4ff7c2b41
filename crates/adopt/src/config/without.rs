//! What has no equivalent, or needs none, and why.

/// By how the key begins; the first that fits counts.
const REASONS: &[(&str, &str)] = &[
    ("log.accesslog", "requests are logged as `log.level` says"),
    ("log.fields", "no equivalent: lines have no fixed fields; the collector of logs adds them"),
    ("log.hooks", "no equivalent: let the collector of logs send mail"),
    ("log", "no equivalent"),
    ("loglevel", "`log.level` counts"),
    ("reporting", "no equivalent: nothing is sent anywhere"),
    ("storage.cache", "needs none: metadata is in a database, and caches size themselves"),
    ("storage.maintenance.uploadpurging", "needs none: abandoned uploads end by themselves"),
    ("storage.maintenance.readonly", "no equivalent: collection and backup need no read-only mode"),
    ("storage.tag", "needs none: tags are looked up, not listed"),
    ("storage.filesystem.maxthreads", "needs none"),
    ("storage.filesystem", "no equivalent"),
    ("storage.inmemory", "no equivalent: `plura demo` runs on a temporary directory"),
    ("storage.gcs", "no equivalent: plura stores in a directory or by S3, which GCS speaks, too"),
    ("storage.azure", "no equivalent: plura stores in a directory or by S3"),
    ("storage.swift", "no equivalent: plura stores in a directory or by S3"),
    ("storage.oss", "no equivalent: plura stores in a directory or by S3"),
    ("storage.redirect", "no equivalent"),
    ("storage", ""),
    ("auth.htpasswd.realm", "needs none"),
    (
        "auth.htpasswd",
        "accounts are in plura: `plura user create` for each; their passwords cannot be carried over",
    ),
    (
        "auth.token",
        "no equivalent: plura issues tokens itself, and accepts those of issuers that \
         `plura trust add` names",
    ),
    ("auth.silly", "no equivalent: a password that is not looked at is none"),
    ("auth", "no equivalent"),
    ("middleware", "no equivalent"),
    ("http.net", "no equivalent: plura listens on TCP"),
    ("http.prefix", "no equivalent: plura is at the root of its host"),
    ("http.secret", "needs none: sessions of uploads are in the database; it was not copied"),
    ("http.relativeurls", "needs none: addresses in answers follow the request"),
    ("http.tls.letsencrypt", "no equivalent: have certificates fetched, and name their files"),
    ("http.tls.minimumtls", "needs none: TLS 1.2 and 1.3 are spoken"),
    ("http.tls.ciphersuites", "needs none: there are no weak ones"),
    ("http.tls", "no equivalent"),
    ("http.debug", "needs none: `/metrics` and `/healthz` are where everything else is"),
    ("http.headers", "no equivalent: let a proxy add headers"),
    ("http.http2", "needs none: HTTP/2 is offered where there is TLS"),
    ("http.h2c", "needs none"),
    ("http", "no equivalent"),
    ("notifications", "no equivalent: nobody is notified; `plura audit` tells what was done"),
    ("redis", "needs none: there is no Redis; it was not copied"),
    ("health.storagedriver.enabled", "needs none: the store and the database are always looked at"),
    ("health", "no equivalent: let a monitor ask `/healthz`"),
    ("proxy", "no equivalent: plura is no pull-through cache; it was not copied"),
    ("compatibility", "no equivalent: Docker manifests of schema 1 are not accepted"),
    ("validation.manifests.urls", "no equivalent: layers that are elsewhere are not asked for"),
    ("validation", "see `registry.sparse`"),
    ("policy", "no equivalent"),
    ("catalog", "needs none: listings are paged"),
    ("profiling", "no equivalent"),
];

/// What has no equivalent among the settings of the S3 driver.
const S3: &[(&str, &str)] = &[
    ("accelerate", "no equivalent"),
    ("encrypt", "see `storage.s3.encryption`"),
    ("keyid", "see `storage.s3.encryption_key`; it counts together with `encrypt`"),
    ("loglevel", "no equivalent: see `log.level`"),
    ("multipart", "needs none: plura writes an object once, where it stays, and never copies it"),
    ("objectacl", "no equivalent: let the policy of the bucket say who may read"),
    ("rootdirectory", "see `storage.s3.prefix`"),
    ("secure", "the scheme of `storage.s3.endpoint` says it"),
    ("sessiontoken", "no equivalent: leave the keys out, and let plura find the machine's role"),
    ("skipverify", "no equivalent: name the authority in `storage.s3.ca_file`"),
    ("storageclass", "needs none"),
    ("usedualstack", "no equivalent: name the endpoint in `storage.s3.endpoint`"),
    ("useragent", "no equivalent"),
    ("usefipsendpoint", "no equivalent: name the endpoint in `storage.s3.endpoint`"),
    ("v4auth", "needs none: signatures are of version 4"),
];

/// Why a key is no setting.
pub(super) fn reason(path: &str) -> &'static str {
    let below = ["storage.s3.", "storage.s3aws."].iter().find_map(|above| path.strip_prefix(above));
    if let Some(name) = below {
        let found = S3.iter().find(|(start, _)| name.starts_with(start));
        return found.map_or("no equivalent", |(_, reason)| reason);
    }
    let fits = |start: &str| {
        path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let found = REASONS.iter().find(|(start, reason)| fits(start) && !reason.is_empty());
    found.map_or("not a key that is known of registry:2 or registry:3", |(_, reason)| reason)
}
