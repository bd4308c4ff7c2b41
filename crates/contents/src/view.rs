//! What is in an image, as it is told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plura_inventory::{Finding, ImageConfiguration, ImagePackage, OsRelease};
use plura_oci::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{identity::word, image::Document};

/// What is in an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageContents {
    /// The image.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The index that it was chosen from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub index: Option<Digest>,
    /// What it runs on, `linux/amd64`.
    pub platform: String,
    /// The operating system.
    pub os: Option<OperatingSystem>,
    /// How many packages it has.
    pub packages: u64,
    /// How many of each kind.
    pub packages_by_kind: BTreeMap<String, u64>,
    /// Its layers, lowest first.
    #[schema(value_type = Vec<String>)]
    pub layers: Vec<Digest>,
    /// Bytes of configuration and layers, as they are pulled.
    pub size: u64,
    /// Bytes of its layers, uncompressed.
    pub expanded_size: u64,
    /// What its configuration says.
    pub configuration: ConfigurationFacts,
    /// Secrets that whoever can pull it can read; never their values.
    pub secrets: Vec<Secret>,
    /// Files that could not be read: there may be more packages than are listed.
    pub unread: Vec<Unread>,
    /// What of the image could not be read.
    pub problems: Vec<String>,
    /// When it was read.
    #[schema(value_type = String)]
    pub read_at: Timestamp,
}

/// The operating system of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatingSystem {
    /// `debian`
    pub id: String,
    /// `12`
    pub version: String,
    /// For people.
    pub name: String,
}

/// What the configuration of an image says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationFacts {
    /// As which user it runs, as written.
    pub user: String,
    /// Whether that is root.
    pub runs_as_root: bool,
    /// What is run.
    pub entrypoint: Vec<String>,
    /// Its arguments.
    pub command: Vec<String>,
    /// Where it is run.
    pub working_directory: String,
    /// Ports that it declares.
    pub ports: Vec<String>,
    /// Paths that it declares as volumes.
    pub volumes: Vec<String>,
    /// The environment.
    pub environment: Vec<Variable>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// When it was built, as written.
    pub created: Option<String>,
    /// Whether it says how its health is checked.
    pub has_health_check: bool,
}

/// A variable of the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; nothing if that looks like a secret.
    pub value: Option<String>,
    /// Whether it belongs to one environment only, so that the image has to be built for each.
    pub environment_specific: bool,
}

/// A secret in an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImageSecret)]
pub struct Secret {
    /// What it is: `private-key`, `github-token`.
    pub rule: String,
    /// The file, or the part of the configuration.
    pub path: String,
    /// The line, counted from one.
    pub line: u64,
    /// By which two findings of the same secret are known.
    pub fingerprint: String,
    /// The layer; nothing for what is in the configuration.
    #[schema(value_type = Option<String>)]
    pub layer: Option<Digest>,
}

/// Something that was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unread {
    /// The file.
    pub path: String,
    /// Why.
    pub reason: String,
    /// The layer.
    #[schema(value_type = Option<String>)]
    pub layer: Option<Digest>,
}

/// The packages of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PackageList {
    /// The image.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The operating system.
    pub os: Option<OperatingSystem>,
    /// Those that were asked for.
    pub packages: Vec<ListedPackage>,
    /// What of the image could not be read: it may have more packages.
    pub problems: Vec<String>,
}

/// A package of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListedPackage {
    /// Its packaging: `apk`, `deb`, `rpm`, `python`, `npm`, `go`, `cargo`, `java`, `gem`, `composer`,
    /// `nuget`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// What it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePackage>,
    /// Licenses, as declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<String>,
    /// Its package URL.
    pub purl: String,
    /// The file that says so.
    pub path: String,
    /// The layer that first brought it.
    #[schema(value_type = Option<String>)]
    pub layer: Option<Digest>,
}

/// The package that another was built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl ImageContents {
    pub(crate) fn of(
        digest: Digest,
        index: Option<Digest>,
        document: Document,
        read_at: Timestamp,
    ) -> Self {
        let Document { facts, configuration, size, problems, .. } = document;
        let layer = |number: usize| facts.layers.get(number).copied();
        let mut packages_by_kind = BTreeMap::new();
        for package in &facts.packages {
            *packages_by_kind.entry(word(package.package.kind).to_owned()).or_default() += 1;
        }
        let in_layers =
            facts.findings.iter().map(|found| secret(&found.finding, layer(found.layer)));
        let in_configuration = configuration.findings.iter().map(|found| secret(found, None));
        let unread = |(number, note): &(usize, plura_inventory::Note)| Unread {
            path: note.path.clone(),
            reason: note.reason.clone(),
            layer: layer(*number),
        };
        Self {
            digest,
            index,
            platform: platform(&configuration),
            os: facts.os.as_ref().map(OperatingSystem::from),
            packages: facts.packages.len() as u64,
            packages_by_kind,
            secrets: in_layers.chain(in_configuration).collect(),
            unread: facts.notes.iter().map(unread).collect(),
            expanded_size: facts.expanded_bytes,
            layers: facts.layers,
            size,
            configuration: configuration.into(),
            problems,
            read_at,
        }
    }
}

impl ListedPackage {
    pub(crate) fn of(found: ImagePackage, layers: &[Digest]) -> Self {
        let ImagePackage { package, path, layer, purl } = found;
        let source = package.source.map(|source| {
            let plura_inventory::SourcePackage { name, version } = source;
            SourcePackage { name, version }
        });
        Self {
            kind: word(package.kind).to_owned(),
            name: package.name,
            version: package.version,
            architecture: package.architecture,
            source,
            licenses: package.licenses,
            purl: purl.to_string(),
            path,
            layer: layers.get(layer).copied(),
        }
    }
}

impl From<&OsRelease> for OperatingSystem {
    fn from(os: &OsRelease) -> Self {
        let (id, version, name) = (os.id.clone(), os.version_id.clone(), os.pretty_name.clone());
        Self { id, version, name }
    }
}

impl From<ImageConfiguration> for ConfigurationFacts {
    fn from(configuration: ImageConfiguration) -> Self {
        let variable = |variable: plura_inventory::Variable| Variable {
            name: variable.name,
            value: variable.value,
            environment_specific: variable.is_environment_specific,
        };
        Self {
            user: configuration.user,
            runs_as_root: configuration.is_root,
            entrypoint: configuration.entrypoint,
            command: configuration.command,
            working_directory: configuration.working_directory,
            ports: configuration.ports,
            volumes: configuration.volumes,
            environment: configuration.environment.into_iter().map(variable).collect(),
            labels: configuration.labels,
            created: configuration.created,
            has_health_check: configuration.has_health_check,
        }
    }
}

/// `linux/arm64/v8`
fn platform(configuration: &ImageConfiguration) -> String {
    let ImageConfiguration { os, architecture, variant, .. } = configuration;
    let parts = [os, architecture, variant];
    let parts: Vec<&str> =
        parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

fn secret(finding: &Finding, layer: Option<Digest>) -> Secret {
    let Finding { rule, path, line, fingerprint } = finding;
    let (rule, path, fingerprint) = (rule.to_string(), path.clone(), fingerprint.clone());
    Secret { rule, path, line: *line, fingerprint, layer }
}
