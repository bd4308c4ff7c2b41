use std::collections::BTreeMap;

use plura_oci::Digest;
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{Finding, secrets};

/// What an image's configuration says (image-spec, "Image Configuration"), for gates and for people.
///
/// Values that look like secrets are not in it: only that they are there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfiguration {
    /// As which user it runs, as written.
    pub user: String,
    /// Whether that is root: also without a user, and by any spelling of number and group.
    pub is_root: bool,
    /// What is run.
    pub entrypoint: Vec<String>,
    /// Its arguments.
    pub command: Vec<String>,
    /// Where it is run.
    pub working_directory: String,
    /// Ports that it declares, `8080/tcp`.
    pub ports: Vec<String>,
    /// Paths that it declares as volumes.
    pub volumes: Vec<String>,
    /// The environment.
    pub environment: Vec<Variable>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// When it was built, as written.
    pub created: Option<String>,
    /// `linux`
    pub os: String,
    /// `amd64`
    pub architecture: String,
    /// `v8`
    pub variant: String,
    /// Whether it says how its health is checked.
    pub has_health_check: bool,
    /// The layers, uncompressed, lowest first.
    pub layers: Vec<Digest>,
    /// Secrets in the environment, in labels and in the history.
    pub findings: Vec<Finding>,
}

/// A variable of the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; nothing if that looks like a secret.
    pub value: Option<String>,
    /// Whether it is of the kind that is not the same in every environment, so that the image would
    /// have to be built for each.
    pub is_environment_specific: bool,
}

/// Why bytes are no image configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// More than the largest that is read.
    #[error("the image's configuration is larger than {0} bytes")]
    TooLarge(usize),
    /// Not the JSON that it should be.
    #[error("the image's configuration is not valid, at line {line}, column {column}")]
    Malformed {
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
}

/// Real ones have a few kilobytes.
const LARGEST: usize = 4 << 20;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    created: Option<String>,
    #[serde(deserialize_with = "or_default")]
    os: String,
    #[serde(deserialize_with = "or_default")]
    architecture: String,
    #[serde(deserialize_with = "or_default")]
    variant: String,
    #[serde(deserialize_with = "or_default")]
    config: RawConfig,
    #[serde(deserialize_with = "or_default")]
    rootfs: RawRoot,
    #[serde(deserialize_with = "or_default")]
    history: Vec<RawHistory>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RawConfig {
    #[serde(deserialize_with = "or_default")]
    user: String,
    #[serde(deserialize_with = "or_default")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    working_dir: String,
    #[serde(deserialize_with = "or_default")]
    exposed_ports: BTreeMap<String, Box<RawValue>>,
    #[serde(deserialize_with = "or_default")]
    volumes: BTreeMap<String, Box<RawValue>>,
    #[serde(deserialize_with = "or_default")]
    env: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
    healthcheck: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawRoot {
    #[serde(deserialize_with = "or_default")]
    diff_ids: Vec<Digest>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawHistory {
    #[serde(deserialize_with = "or_default")]
    created_by: String,
}

/// Writers put `null` where they have nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl ImageConfiguration {
    /// Reads the JSON of a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        if bytes.len() > LARGEST {
            return Err(ConfigurationError::TooLarge(LARGEST));
        }
        // What serde says of an error quotes the value, which may be a secret.
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| {
            ConfigurationError::Malformed { line: error.line(), column: error.column() }
        })?;
        let findings = find(&raw);
        let config = raw.config;
        Ok(Self {
            is_root: is_root(&config.user),
            user: config.user,
            entrypoint: config.entrypoint.into_iter().map(secrets::redacted).collect(),
            command: config.cmd.into_iter().map(secrets::redacted).collect(),
            working_directory: config.working_dir,
            ports: config.exposed_ports.into_keys().collect(),
            volumes: config.volumes.into_keys().collect(),
            environment: config.env.iter().map(|variable| Variable::of(variable)).collect(),
            labels: config.labels.into_iter().map(|(k, v)| (k, secrets::redacted(v))).collect(),
            created: raw.created,
            os: raw.os,
            architecture: raw.architecture,
            variant: raw.variant,
            has_health_check: config.healthcheck.is_some(),
            layers: raw.rootfs.diff_ids,
            findings,
        })
    }
}

impl Variable {
    fn of(variable: &str) -> Self {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        let secret = secrets::is_secret_variable(name, value);
        Self {
            name: name.to_owned(),
            value: (!secret).then(|| value.to_owned()),
            is_environment_specific: is_environment_specific(name, value),
        }
    }
}

fn find(raw: &Raw) -> Vec<Finding> {
    let mut findings = Vec::new();
    for variable in &raw.config.env {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        findings.extend(secrets::in_variable(name, value));
    }
    for (name, value) in &raw.config.labels {
        findings.extend(secrets::search(&format!("label {name}"), value.as_bytes()));
    }
    for (index, argument) in raw.config.entrypoint.iter().chain(&raw.config.cmd).enumerate() {
        findings.extend(secrets::search(&format!("argument {index}"), argument.as_bytes()));
    }
    for (index, step) in raw.history.iter().enumerate() {
        findings.extend(secrets::search(&format!("history {index}"), step.created_by.as_bytes()));
    }
    findings
}

/// `0`, `root` or nothing in front of the group.
fn is_root(user: &str) -> bool {
    let name = user.trim().split(':').next().unwrap_or_default();
    let zero = !name.is_empty() && name.bytes().all(|byte| byte == b'0');
    name.is_empty() || name == "root" || zero
}

/// What such variables are called, or that they name a server.
fn is_environment_specific(name: &str, value: &str) -> bool {
    const NAMES: [&str; 9] = [
        "ENVIRONMENT",
        "APP_ENV",
        "NODE_ENV",
        "RAILS_ENV",
        "DEPLOY_ENV",
        "STAGE",
        "DATABASE_URL",
        "ASPNETCORE_ENVIRONMENT",
        "SPRING_PROFILES_ACTIVE",
    ];
    const ENDINGS: [&str; 6] = ["_HOST", "_HOSTNAME", "_ENDPOINT", "_DSN", "_DATABASE", "_DB_NAME"];
    const SERVERS: [&str; 7] =
        ["postgres://", "postgresql://", "mysql://", "mongodb://", "redis://", "amqp://", "jdbc:"];
    let named = NAMES.contains(&name) || ENDINGS.iter().any(|ending| name.ends_with(ending));
    let local = ["", "localhost", "127.0.0.1", "0.0.0.0", "::"].contains(&value);
    (named && !local) || SERVERS.iter().any(|server| value.starts_with(server))
}
