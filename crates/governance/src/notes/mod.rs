//! Release notes: what is different in an image from the one that was released before.

mod markdown;
mod packages;
mod source;

use std::collections::BTreeSet;

use plura_contents::{BaseReport, ImageContents};
use plura_meta::channel;
use plura_oci::{Digest, Reference, RepositoryName, image::Platform};
use plura_policy::ChannelName;
use plura_registry::{ImageDiff, ImageError, ImageQuery, MapChange, Readable};
use plura_vulnerabilities::{FoundVulnerability, ImageVulnerabilities};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Governance, ReportError};

pub use packages::{PackageChange, PackageChanges};

/// What is different in an image from another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseNotes {
    /// The image that was there before.
    pub from: Release,
    /// The image that is told about.
    pub to: Release,
    /// The commits between them, where both say which they were built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<Commits>,
    /// Packages.
    pub packages: PackageChanges,
    /// Vulnerabilities that are gone, as of what is known now.
    pub fixed: Vec<ReleaseVulnerability>,
    /// Vulnerabilities that came, as of what is known now.
    pub introduced: Vec<ReleaseVulnerability>,
    /// What they stand on, where that is another image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseChange>,
    /// What their configurations say differently.
    pub configuration: Vec<ConfigurationChange>,
    /// By how many bytes more are pulled.
    pub size_difference: i64,
    /// What could not be compared.
    pub problems: Vec<String>,
}

/// An image as release notes name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// The repository.
    #[schema(value_type = String)]
    pub repository: RepositoryName,
    /// The image that was looked at: of an index, that of the platform.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// What it runs on.
    pub platform: String,
    /// Its version, as its label says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The commit that it was built from, as its label says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Bytes that are pulled.
    pub size: u64,
}

/// The commits between two images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Commits {
    /// The commit behind which they begin.
    pub from: String,
    /// The last of them.
    pub to: String,
    /// Where they can be read, where the source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A vulnerability that came or went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct ReleaseVulnerability {
    /// Its name.
    pub id: String,
    /// How bad it is.
    pub severity: String,
    /// What has or had it.
    pub package: String,
    /// The version that has or had it.
    pub version: String,
}

/// What two images stand on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BaseChange {
    /// Before.
    pub from: Option<String>,
    /// Now.
    pub to: Option<String>,
}

/// Something that a configuration says differently. Values of the environment are not told: notes are
/// published, and there may be secrets among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationChange {
    /// What: `user`, `environment`, `label`.
    pub kind: String,
    /// Its name, of which there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What became of it.
    pub change: ChangeKind,
    /// Before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReleaseChange)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

/// What is compared of an image.
struct Side {
    query: ImageQuery,
    contents: ImageContents,
    vulnerabilities: ImageVulnerabilities,
    base: BaseReport,
}

/// Of an index, this one is looked at if nothing else is said.
const PLATFORM: &str = "linux/amd64";
/// As much of a value as is told.
const LONGEST: usize = 200;

impl Governance {
    /// What is different in an image from another one; without another one, from what the service's last
    /// stable channel had before it. Bases are told as far as they are in repositories that may be read.
    pub async fn release_notes(
        &self,
        to: ImageQuery,
        from: Option<ImageQuery>,
        readable: &Readable,
    ) -> Result<ReleaseNotes, ReportError> {
        let from = match from {
            Some(from) => from,
            None => self.released_before(&to, readable).await?,
        };
        let (from, to) = (self.chosen(from).await?, self.chosen(to).await?);
        let difference = self.shared.registry.image_diff(&from, &to).await?;
        let (from, to) = (self.side(from, readable).await?, self.side(to, readable).await?);
        let contents = &self.shared.sources.contents;
        let before = contents.packages(&from.query, None, None).await?;
        let after = contents.packages(&to.query, None, None).await?;
        let problems = [before.problems, after.problems, difference.problems.clone()].concat();
        Ok(ReleaseNotes {
            from: Release::of(&from),
            to: Release::of(&to),
            commits: source::commits(
                &from.contents.configuration.labels,
                &to.contents.configuration.labels,
            ),
            packages: PackageChanges::between(&before.packages, &after.packages),
            fixed: only_in(&from.vulnerabilities, &to.vulnerabilities),
            introduced: only_in(&to.vulnerabilities, &from.vulnerabilities),
            base: BaseChange::between(&from.base, &to.base),
            configuration: configuration(&difference),
            size_difference: difference.size_difference,
            problems: BTreeSet::from_iter(problems).into_iter().collect(),
        })
    }

    /// The image that is meant: of an index without a platform, the usual one.
    async fn chosen(&self, query: ImageQuery) -> Result<ImageQuery, ReportError> {
        let platform = match self.shared.registry.single_image(&query).await {
            Err(ImageError::PlatformNeeded { .. }) => PLATFORM.parse::<Platform>().ok(),
            Err(error) => return Err(error.into()),
            Ok(_) => query.platform.clone(),
        };
        Ok(ImageQuery { platform, ..query })
    }

    async fn side(&self, query: ImageQuery, readable: &Readable) -> Result<Side, ReportError> {
        let sources = &self.shared.sources;
        let contents = sources.contents.of(&query).await?;
        let base = sources.contents.base(&query, readable).await?;
        let (repository, reference) = (&query.repository, &query.reference);
        let platform = query.platform.as_ref();
        let vulnerabilities = sources.vulnerabilities.of(repository, reference, platform).await?;
        Ok(Side { query, contents, vulnerabilities, base })
    }

    /// What the last stable channel of the service has, or had before the image.
    async fn released_before(
        &self,
        to: &ImageQuery,
        readable: &Readable,
    ) -> Result<ImageQuery, ReportError> {
        let repository = to.repository.clone();
        let digest = self.shared.registry.image_manifest(to).await?.digest;
        let in_force = self.in_force().await?;
        let governance = &in_force.governance;
        let nothing = || ReportError::NothingBefore { repository: repository.clone() };
        let layout = &governance.layout;
        let service = layout
            .service_of(&repository)
            .or_else(|| layout.channels_of(&repository).map(|(_, service)| service));
        let service = service.ok_or_else(nothing)?;
        let names = governance.document.channels.iter().rev();
        let names = names.filter_map(|channel| channel.name.parse::<ChannelName>().ok());
        for name in names.filter(|name| name.tag() == ChannelName::STABLE) {
            let had = self.had_before(&name, service, &digest).await?;
            if let Some((place, found)) = had.filter(|(place, _)| readable.contains(place)) {
                return Ok(ImageQuery {
                    repository: place,
                    reference: Reference::Digest(found),
                    platform: to.platform.clone(),
                });
            }
        }
        Err(nothing())
    }

    async fn had_before(
        &self,
        name: &ChannelName,
        service: &str,
        digest: &Digest,
    ) -> Result<Option<(RepositoryName, Digest)>, ReportError> {
        let mut connection = self.db().read().await?;
        let name = channel::Name {
            environment: name.environment().to_owned(),
            tag: name.tag().to_owned(),
            service: service.to_owned(),
        };
        let Some(pointer) = channel::find(&mut connection, &name).await? else { return Ok(None) };
        if pointer.digest != *digest {
            return Ok(Some((pointer.place, pointer.digest)));
        }
        let moves = channel::moves(&mut connection, pointer.id, None, 1).await?;
        let previous = moves.into_iter().next().and_then(|last| last.previous);
        Ok(previous.map(|previous| (pointer.place, previous)))
    }
}

impl Release {
    fn of(side: &Side) -> Self {
        let ImageContents { digest, platform, size, configuration, .. } = &side.contents;
        let label = |name: &str| configuration.labels.get(name).map(|value| shortened(value));
        Self {
            repository: side.query.repository.clone(),
            digest: *digest,
            platform: platform.clone(),
            version: label("org.opencontainers.image.version"),
            revision: label(source::REVISION),
            size: *size,
        }
    }
}

impl BaseChange {
    fn between(from: &BaseReport, to: &BaseReport) -> Option<Self> {
        let (from, to) = (base_of(from), base_of(to));
        (from != to).then_some(Self { from, to })
    }
}

/// What an image stands on: as it says itself, or else as was found.
fn base_of(report: &BaseReport) -> Option<String> {
    let declared = report.declared.as_ref();
    let (name, digest) = match (declared, &report.found) {
        (Some(declared), _) => (declared.name.clone(), declared.digest),
        (None, Some(found)) => (found.places.first().cloned(), Some(found.digest)),
        (None, None) => return None,
    };
    match (name, digest) {
        (Some(name), Some(digest)) => Some(format!("{}@{digest}", shortened(&name))),
        (Some(name), None) => Some(shortened(&name)),
        (None, digest) => digest.map(|digest| digest.to_string()),
    }
}

/// Vulnerabilities that count in the one and are not in the other at all: one that somebody decided to live
/// with is neither gone nor new.
fn only_in(one: &ImageVulnerabilities, other: &ImageVulnerabilities) -> Vec<ReleaseVulnerability> {
    let key = |found: &FoundVulnerability| {
        (found.id.clone(), found.package.ecosystem.clone(), found.package.name.clone())
    };
    let there: BTreeSet<_> = other.vulnerabilities.iter().map(key).collect();
    let only = one.vulnerabilities.iter();
    let only = only.filter(|found| found.suppressed.is_none() && !there.contains(&key(found)));
    let mut told: Vec<ReleaseVulnerability> = Vec::new();
    for found in only {
        let one = ReleaseVulnerability {
            id: found.id.clone(),
            severity: found.severity.clone(),
            package: found.package.name.clone(),
            version: found.package.version.clone(),
        };
        // The worst come first, and stay so.
        if !told.contains(&one) {
            told.push(one);
        }
    }
    told
}

fn configuration(difference: &ImageDiff) -> Vec<ConfigurationChange> {
    let fields = difference.fields.iter().map(|change| ConfigurationChange {
        kind: change.field.replace('_', " "),
        name: None,
        change: kind(!change.from.is_null(), !change.to.is_null()),
        from: words(&change.from),
        to: words(&change.to),
    });
    let named = |kind_of: &'static str, changes: &[MapChange], is_told: bool| {
        let changes = changes.iter().map(move |one| ConfigurationChange {
            kind: kind_of.to_owned(),
            name: Some(shortened(&one.name)),
            change: kind(one.from.is_some(), one.to.is_some()),
            from: one.from.as_deref().filter(|_| is_told).map(shortened),
            to: one.to.as_deref().filter(|_| is_told).map(shortened),
        });
        changes.collect::<Vec<_>>()
    };
    let environment = named("environment", &difference.environment, false);
    fields.chain(environment).chain(named("label", &difference.labels, true)).collect()
}

fn kind(was_there: bool, is_there: bool) -> ChangeKind {
    match (was_there, is_there) {
        (false, _) => ChangeKind::Added,
        (_, false) => ChangeKind::Removed,
        _ => ChangeKind::Changed,
    }
}

fn words(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(shortened(text)),
        other => Some(shortened(&other.to_string())),
    }
}

/// What images say may be of any length.
fn shortened(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let start: String = text.chars().take(LONGEST).map(printable).collect();
    if text.chars().nth(LONGEST).is_some() { format!("{start}...") } else { start }
}
