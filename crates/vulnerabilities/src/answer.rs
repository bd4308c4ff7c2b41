//! What is answered about an image.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plura_advisories::{Match, Package, openvex::VexStatement};
use plura_oci::{Digest, RepositoryName};
use serde::Serialize;

use crate::SecondOpinion;

/// The vulnerabilities of an image, as of now.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ImageVulnerabilities {
    /// The repository.
    #[schema(value_type = String)]
    pub repository: RepositoryName,
    /// The manifest that was asked about.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The images that it stands for: itself, or the children of an index.
    pub images: Vec<ImageContents>,
    /// What to call the advisories that this is of.
    pub advisories: String,
    /// When the advisory was changed that was changed last; nothing where there are no advisories, which
    /// is why there are no vulnerabilities either.
    #[schema(value_type = Option<String>)]
    pub newest_advisory: Option<Timestamp>,
    /// How many count, by severity.
    pub counts: SeverityCounts,
    /// All that were found, the worst first; those that are suppressed do not count.
    pub vulnerabilities: Vec<FoundVulnerability>,
    /// Packages about which no advisories are at hand: that nothing is found in them means nothing.
    pub not_covered: Vec<NotCovered>,
    /// Exceptions about this image to look at.
    pub exceptions: ExceptionNotes,
    /// What other scanners say.
    pub reports: Vec<SecondOpinion>,
    /// When this was so.
    #[schema(value_type = String)]
    pub at: Timestamp,
}

/// An image, and what is known of its contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ImageContents {
    /// The image.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// When its contents were read; nothing as long as they were not, so that nothing is known.
    #[schema(value_type = Option<String>)]
    pub read_at: Option<Timestamp>,
    /// How many packages it has.
    pub packages: u64,
    /// What could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How many there are of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SeverityCounts {
    /// 9.0 to 10.
    pub critical: u64,
    /// 7.0 to 8.9.
    pub high: u64,
    /// 4.0 to 6.9.
    pub medium: u64,
    /// 0.1 to 3.9.
    pub low: u64,
    /// It does no harm.
    pub negligible: u64,
    /// Nobody says.
    pub unknown: u64,
    /// Those among them that an update fixes.
    pub fixable: u64,
    /// Those that do not count.
    pub suppressed: u64,
}

/// A vulnerability of a package of an image.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct FoundVulnerability {
    /// Its name: the CVE if it has one.
    pub id: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// The advisories that say so.
    pub advisories: Vec<String>,
    /// What it is about.
    pub summary: String,
    /// `critical`, `high`, `medium`, `low`, `negligible` or `unknown`.
    pub severity: String,
    /// The CVSS score behind it.
    pub score: Option<f64>,
    /// The CVSS vector that the score was computed from.
    pub vector: Option<String>,
    /// What has it.
    pub package: VulnerablePackage,
    /// Why it has it, in a sentence.
    pub reason: String,
    /// Whether it is certain; else nothing could be said.
    pub certain: bool,
    /// Versions that fix it, in ascending order.
    pub fixed: Vec<String>,
    /// Since when the image is known to have it.
    #[schema(value_type = String)]
    pub first_seen_at: Timestamp,
    /// The images that have it.
    #[schema(value_type = Vec<String>)]
    pub images: Vec<Digest>,
    /// Why it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppression>,
    /// What a vendor says about it without clearing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<VexNote>,
    #[serde(skip)]
    pub(crate) found: Match,
}

/// A package that has a vulnerability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
pub struct VulnerablePackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it comes from.
    pub ecosystem: String,
    /// What it was built from, where that is called otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The package URL.
    pub purl: String,
}

/// Why a vulnerability does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Suppression {
    /// Who says so.
    pub by: SuppressionKind,
    /// The name of the exception, or what the VEX statement says.
    pub name: String,
    /// In words.
    pub reason: String,
    /// Until when, if it ends.
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// Who signed the VEX statement, of those whom a trust policy trusts; nobody where an administrator
    /// took it over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<String>,
}

/// Who says that a vulnerability does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionKind {
    /// It was decided to live with it.
    Exception,
    /// A VEX statement says that the image does not have it.
    Vex,
}

/// What a VEX statement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct VexNote {
    /// `affected` or `under_investigation`.
    pub status: String,
    /// In words.
    pub statement: String,
}

/// Packages about which there are no advisories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct NotCovered {
    /// Where they come from.
    pub ecosystem: String,
    /// How many.
    pub packages: u64,
}

/// Exceptions about an image that somebody should look at, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ExceptionNotes {
    /// The image has nothing that they cover.
    pub unused: Vec<String>,
    /// They are over.
    pub expired: Vec<String>,
    /// They soon will be.
    pub expiring: Vec<String>,
}

impl FoundVulnerability {
    pub(crate) fn of(found: &Match, purl: String, first_seen_at: Timestamp, image: Digest) -> Self {
        let texts = |list: &[Box<str>]| list.iter().map(ToString::to_string).collect();
        Self {
            id: found.vulnerability.to_string(),
            aliases: texts(&found.aliases),
            advisories: texts(&found.advisories),
            summary: found.summary.to_string(),
            severity: found.severity.band.to_string(),
            score: found.severity.score.map(plura_advisories::Score::value),
            vector: found.severity.vector.as_deref().map(ToOwned::to_owned),
            package: VulnerablePackage::of(&found.package, purl),
            reason: found.reason(),
            certain: found.is_certain(),
            fixed: texts(&found.fixed),
            first_seen_at,
            images: vec![image],
            suppressed: None,
            note: None,
            found: found.clone(),
        }
    }

    /// In which order people want to see them.
    pub(crate) fn order(&self) -> impl Ord + '_ {
        let severity = &self.found.severity;
        let score = severity.score.map(plura_advisories::Score::tenths);
        let worst_first = std::cmp::Reverse((severity.band, score));
        (self.suppressed.is_some(), worst_first, &self.id, &self.package)
    }
}

impl VulnerablePackage {
    pub(crate) fn of(package: &Package, purl: String) -> Self {
        let source = package.source.as_ref().filter(|source| source.name != package.name);
        Self {
            name: package.name.to_string(),
            version: package.version.to_string(),
            ecosystem: package.ecosystem.to_string(),
            source: source.map(|source| source.name.to_string()),
            purl,
        }
    }
}

impl SeverityCounts {
    pub(crate) fn of(found: &[FoundVulnerability]) -> Self {
        use plura_advisories::Band;
        let mut counts = Self::default();
        for one in found {
            if one.suppressed.is_some() {
                counts.suppressed += 1;
                continue;
            }
            *match one.found.severity.band {
                Band::Critical => &mut counts.critical,
                Band::High => &mut counts.high,
                Band::Medium => &mut counts.medium,
                Band::Low => &mut counts.low,
                Band::Negligible => &mut counts.negligible,
                Band::Unknown => &mut counts.unknown,
            } += 1;
            counts.fixable += u64::from(one.found.is_fixable());
        }
        counts
    }
}

impl NotCovered {
    pub(crate) fn list(counts: BTreeMap<String, u64>) -> Vec<Self> {
        counts.into_iter().map(|(ecosystem, packages)| Self { ecosystem, packages }).collect()
    }
}

impl VexNote {
    pub(crate) fn of(statement: &VexStatement) -> Self {
        let words = statement.impact_statement.as_deref().unwrap_or_default();
        Self { status: name_of(&statement.status), statement: words.to_owned() }
    }
}

/// A value as JSON names it.
pub(crate) fn name_of(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
