//! Documents of Harbor's pluggable scanner API, version 1.0 and 1.1, for both of its sides.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Finding, Scanner};
use crate::{
    Band, CvssVersion, Decision, Ecosystem, Match, MatchedAs, Package, Score, Severity,
    SeveritySource,
};

/// Media types of the API.
pub mod media_types {
    /// Of [`super::AdapterMetadata`].
    pub const METADATA: &str = "application/vnd.scanner.adapter.metadata+json; version=1.0";
    /// Of [`super::ScanRequest`].
    pub const SCAN_REQUEST: &str = "application/vnd.scanner.adapter.scan.request+json; version=1.0";
    /// Of [`super::ScanResponse`].
    pub const SCAN_RESPONSE: &str =
        "application/vnd.scanner.adapter.scan.response+json; version=1.0";
    /// Of [`super::ErrorResponse`].
    pub const ERROR: &str = "application/vnd.scanner.adapter.error+json; version=1.0";
    /// Of [`super::VulnerabilityReport`].
    pub const REPORT: &str = "application/vnd.security.vulnerability.report; version=1.1";
    /// Of the same, before it was renamed.
    pub const REPORT_1_0: &str =
        "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0";
    /// Of [`super::SbomReport`].
    pub const SBOM: &str = "application/vnd.security.sbom.report+json; version=1.0";
}

/// What a scanner can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterMetadata {
    /// Who it is.
    pub scanner: Scanner,
    /// What it reads and writes.
    #[serde(default)]
    pub capabilities: Vec<Capability>,
    /// What else it says, for example when its database was updated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// One thing that a scanner can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// `vulnerability` or `sbom`; version 1.0 knows the former only and does not say so.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Media types of artifacts that it takes.
    #[serde(default)]
    pub consumes_mime_types: Vec<String>,
    /// Media types of reports that it makes.
    #[serde(default)]
    pub produces_mime_types: Vec<String>,
}

/// Asks for a scan.
#[derive(Clone, Serialize, Deserialize)]
pub struct ScanRequest {
    /// Where the artifact is.
    pub registry: ScanRegistry,
    /// What to scan.
    pub artifact: Artifact,
    /// What to report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enabled_capabilities: Vec<EnabledCapability>,
}

/// A registry, and how to log in there. Not to be printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct ScanRegistry {
    /// Its address.
    pub url: String,
    /// The value of the header of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<String>,
    /// Whether its certificate need not be valid.
    #[serde(default)]
    pub insecure: bool,
}

/// An artifact of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its repository.
    #[serde(default)]
    pub repository: String,
    /// Its digest.
    #[serde(default)]
    pub digest: String,
    /// One of its tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The size of its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// What a scan should report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnabledCapability {
    /// `vulnerability` or `sbom`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Media types of the reports.
    #[serde(default)]
    pub produces_mime_types: Vec<String>,
    /// What the report should be like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
}

/// A scan that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanResponse {
    /// Its name.
    pub id: String,
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// Why.
    pub error: ErrorMessage,
}

/// Words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// The words.
    pub message: String,
}

/// What a scan found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VulnerabilityReport {
    /// When it was made.
    pub generated_at: Timestamp,
    /// What was scanned.
    #[serde(default)]
    pub artifact: Artifact,
    /// By whom.
    #[serde(default)]
    pub scanner: Scanner,
    /// The highest of all.
    #[serde(default)]
    pub severity: HarborSeverity,
    /// What was found.
    #[serde(default)]
    pub vulnerabilities: Option<Vec<VulnerabilityItem>>,
}

/// A vulnerability of a package.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VulnerabilityItem {
    /// Its name.
    pub id: String,
    /// The package's name.
    #[serde(default)]
    pub package: String,
    /// The package's version.
    #[serde(default)]
    pub version: String,
    /// The version that fixes it.
    #[serde(default)]
    pub fix_version: String,
    /// How severe it is.
    #[serde(default)]
    pub severity: HarborSeverity,
    /// What the vendor does about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What it is about.
    #[serde(default)]
    pub description: String,
    /// Where to read more.
    #[serde(default)]
    pub links: Vec<String>,
    /// In which artifacts it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifact_digests: Vec<String>,
    /// Its scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_cvss: Option<PreferredCvss>,
    /// Its weaknesses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cwe_ids: Vec<String>,
    /// What else the scanner says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_attributes: Option<Value>,
}

/// Scores by CVSS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PreferredCvss {
    /// By version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_v3: Option<f64>,
    /// By version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_v2: Option<f64>,
    /// The vector of version 3.
    #[serde(default)]
    pub vector_v3: String,
    /// The vector of version 2.
    #[serde(default)]
    pub vector_v2: String,
}

/// Harbor's words for severities; one that it does not know is `Unknown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String")]
#[expect(missing_docs, reason = "the variants are the words")]
pub enum HarborSeverity {
    None,
    #[default]
    Unknown,
    Negligible,
    Low,
    Medium,
    High,
    Critical,
}

/// A software bill of materials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SbomReport {
    /// When it was made.
    pub generated_at: Timestamp,
    /// Of what.
    #[serde(default)]
    pub artifact: Artifact,
    /// By whom.
    #[serde(default)]
    pub scanner: Scanner,
    /// In which form.
    #[serde(default)]
    pub media_type: String,
    /// The document itself.
    #[serde(default)]
    pub sbom: Value,
}

impl VulnerabilityReport {
    /// The report of matches.
    pub fn of<'a>(
        matches: impl IntoIterator<Item = &'a Match>,
        artifact: Artifact,
        scanner: Scanner,
        generated_at: Timestamp,
    ) -> Self {
        let digest = artifact.digest.clone();
        let item = |found| VulnerabilityItem {
            artifact_digests: vec![digest.clone()],
            ..VulnerabilityItem::from(found)
        };
        let items: Vec<VulnerabilityItem> = matches.into_iter().map(item).collect();
        let severity = items.iter().map(|item| item.severity).max().unwrap_or(HarborSeverity::None);
        Self { generated_at, artifact, scanner, severity, vulnerabilities: Some(items) }
    }

    /// What was found. Such a report does not say where packages come from.
    pub fn findings(&self) -> Vec<Finding> {
        let items = self.vulnerabilities.iter().flatten();
        items.map(VulnerabilityItem::finding).collect()
    }
}

impl From<&Match> for VulnerabilityItem {
    fn from(found: &Match) -> Self {
        let vector = found.severity.vector.as_deref().unwrap_or_default().to_owned();
        let score = found.severity.score.map(Score::value);
        let preferred_cvss = match found.severity.source {
            SeveritySource::CvssV3 => Some(PreferredCvss {
                score_v3: score,
                vector_v3: vector,
                ..PreferredCvss::default()
            }),
            SeveritySource::CvssV2 => Some(PreferredCvss {
                score_v2: score,
                vector_v2: vector,
                ..PreferredCvss::default()
            }),
            _ => None,
        };
        let page = super::sarif::page(&found.vulnerability);
        Self {
            id: found.vulnerability.to_string(),
            package: found.package.name.to_string(),
            version: found.package.version.to_string(),
            fix_version: found.fixed.join(", "),
            severity: found.severity.band.into(),
            description: if found.summary.is_empty() {
                found.reason()
            } else {
                found.summary.to_string()
            },
            links: page.into_iter().collect(),
            preferred_cvss,
            ..Self::default()
        }
    }
}

impl VulnerabilityItem {
    fn finding(&self) -> Finding {
        let fixed = self.fix_version.split(',').map(str::trim).filter(|text| !text.is_empty());
        let package = Package::new(Ecosystem::from(""), &self.package, &self.version);
        Finding {
            found: Match {
                vulnerability: self.id.as_str().into(),
                aliases: Vec::new(),
                advisories: Vec::new(),
                summary: self.description.as_str().into(),
                package,
                matched_as: MatchedAs::Binary,
                severity: self.own_severity(),
                decision: Decision::Reported,
                fixed: fixed.map(Into::into).collect(),
            },
            status: self.status.as_deref().unwrap_or_default().into(),
            suppressed: None,
        }
    }

    fn own_severity(&self) -> Severity {
        let cvss = self.preferred_cvss.clone().unwrap_or_default();
        let scored = match (cvss.score_v3, cvss.score_v2) {
            (Some(score), _) => Some((score, cvss.vector_v3, CvssVersion::V3)),
            (None, Some(score)) => Some((score, cvss.vector_v2, CvssVersion::V2)),
            (None, None) => None,
        };
        let score = scored.as_ref().map(|(score, ..)| Score::from_value(*score));
        let by_score =
            scored.as_ref().zip(score).map(|((.., version), score)| score.band(*version));
        let own = Band::from(self.severity);
        let vector = scored.map(|(_, vector, _)| vector).filter(|vector| !vector.is_empty());
        Severity {
            band: if own == Band::Unknown { by_score.unwrap_or_default() } else { own },
            score,
            vector: vector.map(Into::into),
            source: SeveritySource::Scanner,
            stated_by: None,
        }
    }
}

impl From<String> for HarborSeverity {
    fn from(word: String) -> Self {
        match word.as_str() {
            "None" => Self::None,
            "Negligible" => Self::Negligible,
            "Low" => Self::Low,
            "Medium" => Self::Medium,
            "High" => Self::High,
            "Critical" => Self::Critical,
            _ => Self::Unknown,
        }
    }
}

impl From<Band> for HarborSeverity {
    fn from(band: Band) -> Self {
        match band {
            Band::Unknown => Self::Unknown,
            Band::Negligible => Self::Negligible,
            Band::Low => Self::Low,
            Band::Medium => Self::Medium,
            Band::High => Self::High,
            Band::Critical => Self::Critical,
        }
    }
}

impl From<HarborSeverity> for Band {
    fn from(severity: HarborSeverity) -> Self {
        match severity {
            HarborSeverity::Unknown => Self::Unknown,
            HarborSeverity::None | HarborSeverity::Negligible => Self::Negligible,
            HarborSeverity::Low => Self::Low,
            HarborSeverity::Medium => Self::Medium,
            HarborSeverity::High => Self::High,
            HarborSeverity::Critical => Self::Critical,
        }
    }
}
