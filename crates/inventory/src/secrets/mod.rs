//! Secrets that were baked into an image. The rules are precise rather than many: each token has a
//! checksum, or a prefix that nothing else has, and each file its format. The secret itself goes
//! nowhere: a finding has a fingerprint.

mod files;
mod tokens;

use std::fmt;

use plura_oci::Digest;
use serde::{Deserialize, Serialize};

/// A secret that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub rule: Rule,
    /// The file, or the part of the configuration.
    pub path: String,
    /// The line, counted from one.
    pub line: u64,
    /// The first eight hexadecimal characters of its SHA-256: enough to see whether two findings are
    /// the same, too few to tell a guess from chance.
    pub fingerprint: String,
}

/// What kind of secret it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A PEM block of a private key
    PrivateKey,
    /// The secret of an AWS access key
    AwsSecretKey,
    /// A token of GitHub
    GithubToken,
    /// A token of GitLab
    GitlabToken,
    /// A token or webhook of Slack
    SlackToken,
    /// A token of npm's registry
    NpmToken,
    /// A token of `PyPI`
    PypiToken,
    /// A live key of Stripe
    StripeKey,
    /// A token of `HashiCorp` Vault
    VaultToken,
    /// The key of a Google Cloud service account
    GcpServiceAccount,
    /// A login for a registry in a Docker configuration
    DockerLogin,
    /// A password in `.netrc`
    NetrcPassword,
    /// A password in `.pgpass`
    PgpassPassword,
    /// A password in `.git-credentials`
    GitCredentials,
    /// A token, password or key in a kubeconfig
    KubeconfigCredential,
    /// A token or password in `.npmrc`
    NpmrcCredential,
    /// A password in `.pypirc`
    PypircPassword,
    /// A variable of the environment whose name says that it is a secret
    EnvironmentSecret,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A secret that was seen: where it begins, and itself.
struct Seen<'a> {
    rule: Rule,
    at: usize,
    value: &'a [u8],
}

/// Searches a file that is small enough to be searched, in one pass over its bytes.
pub(crate) fn search(path: &str, text: &[u8]) -> Vec<Finding> {
    let mut seen = tokens::search(path, text);
    files::search(path, text, &mut seen);
    findings(path, text, &mut seen)
}

/// Searches a variable of the environment.
pub(crate) fn in_variable(name: &str, value: &str) -> Vec<Finding> {
    let place = format!("environment {name}");
    let found = search(&place, value.as_bytes());
    if !found.is_empty() || !is_secret_variable(name, value) {
        return found;
    }
    let seen = Seen { rule: Rule::EnvironmentSecret, at: 0, value: value.as_bytes() };
    findings(&place, value.as_bytes(), &mut [seen])
}

/// Whether a value must not be shown: its name says so and it is not a reference to elsewhere, or it is
/// a token of a known form.
pub(crate) fn is_secret_variable(name: &str, value: &str) -> bool {
    named_secret(name, value) || !search("", value.as_bytes()).is_empty()
}

/// The text, unless it holds a token of a known form.
pub(crate) fn redacted(text: String) -> String {
    if search("", text.as_bytes()).is_empty() { text } else { "(redacted)".to_owned() }
}

fn named_secret(name: &str, value: &str) -> bool {
    // `TOKEN_TTL`, `SECRET_NAME`, `PASSWORD_FILE`: about a secret, not the secret.
    const ABOUT: [&str; 12] = [
        "FILE", "PATH", "DIR", "TTL", "NAME", "URL", "URI", "LENGTH", "EXPIRY", "TIMEOUT", "TYPE",
        "ID",
    ];
    const WORDS: [&str; 11] = [
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "TOKEN",
        "CREDENTIAL",
        "CREDENTIALS",
        "APIKEY",
        "PWD",
        "PRIVATE",
        "AUTHTOKEN",
    ];
    const PAIRS: [(&str, &str); 5] = [
        ("API", "KEY"),
        ("ACCESS", "KEY"),
        ("SECRET", "KEY"),
        ("PRIVATE", "KEY"),
        ("ENCRYPTION", "KEY"),
    ];
    // A file, a variable or a flag is not the secret itself.
    let elsewhere = value.starts_with(['/', '$', '%', '~']) || value.contains("://");
    let flag = matches!(
        value.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "none" | "null"
    );
    let number = value.len() < 6 && value.bytes().all(|byte| byte.is_ascii_digit());
    if value.is_empty() || flag || number || (elsewhere && !has_password(value)) {
        return false;
    }
    let upper = name.to_ascii_uppercase();
    let words: Vec<&str> = upper.split(['_', '-', '.']).collect();
    let about = words.last().is_some_and(|last| ABOUT.contains(last))
        || upper == "PWD"
        || upper == "OLDPWD";
    let word = words.iter().any(|word| WORDS.contains(word));
    let pair = words.windows(2).any(|pair| PAIRS.contains(&(pair[0], pair[1])));
    (!about && (word || pair)) || has_password(value)
}

/// `scheme://user:password@server`
fn has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    user.split_once(':').is_some_and(|(_, password)| {
        !password.is_empty() && !password.starts_with(['$', '{', '<', '*'])
    })
}

fn findings(path: &str, text: &[u8], seen: &mut [Seen<'_>]) -> Vec<Finding> {
    seen.sort_unstable_by_key(|seen| seen.at);
    let (mut line, mut counted) = (1, 0);
    let mut findings = Vec::new();
    for seen in seen {
        let at = seen.at.min(text.len());
        line += memchr::memchr_iter(b'\n', &text[counted..at]).count() as u64;
        counted = at;
        let fingerprint = Digest::sha256(seen.value).hex()[..8].to_owned();
        findings.push(Finding { rule: seen.rule, path: path.to_owned(), line, fingerprint });
    }
    findings.sort_unstable();
    findings.dedup();
    findings
}

/// Whether the file belongs to somebody's published software or documentation, where keys are
/// examples and fixtures.
fn is_published(path: &str) -> bool {
    const PLACES: [&str; 4] = ["usr/share/doc/", "usr/share/man/", "usr/include/", "usr/local/go/"];
    const DIRECTORIES: [&str; 14] = [
        "test",
        "tests",
        "testdata",
        "test-data",
        "testing",
        "fixtures",
        "spec",
        "__tests__",
        "example",
        "examples",
        "node_modules",
        "site-packages",
        "dist-packages",
        "gems",
    ];
    let directories = path.split('/').rev().skip(1);
    PLACES.iter().any(|place| path.starts_with(place))
        || directories.into_iter().any(|directory| DIRECTORIES.contains(&directory))
}
