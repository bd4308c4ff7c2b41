//! Trivy's JSON reports, schema version 2. All fields are optional; what is there must have its type.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Database, Finding, Scanner, ScannerReport, System};
use crate::{
    Band, Decision, Ecosystem, Match, MatchedAs, Package, Score, Severity, SeveritySource,
    purl::Purl,
};

/// The most bytes of a report.
pub const MAX_BYTES: usize = 256 << 20;

/// The bytes are not a report of Trivy.
#[derive(Debug, thiserror::Error)]
pub enum ReadTrivyError {
    /// More bytes than are read.
    #[error("a report has at most {MAX_BYTES} bytes, this one has {0}")]
    TooLarge(usize),
    /// Not JSON, or not of the form.
    #[error("expected a JSON report of Trivy: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another version of the form.
    #[error("expected `SchemaVersion` 2, found {0}")]
    SchemaVersion(u64),
}

/// Reads a report.
pub fn parse(json: &[u8]) -> Result<ScannerReport, ReadTrivyError> {
    if json.len() > MAX_BYTES {
        return Err(ReadTrivyError::TooLarge(json.len()));
    }
    let report: Report = serde_json::from_slice(json)?;
    if report.schema_version != 2 {
        return Err(ReadTrivyError::SchemaVersion(report.schema_version));
    }
    let system = report.metadata.os.as_ref();
    let findings = report.results.unwrap_or_default();
    let findings = findings.into_iter().flat_map(|result| result.findings(system)).collect();
    let references = report.metadata.repo_digests.unwrap_or_default();
    let digests = references.iter().filter_map(|r| r.rsplit_once('@')).map(|(_, d)| d.into());
    Ok(ScannerReport {
        scanner: Scanner {
            name: "Trivy".into(),
            vendor: "Aqua Security".into(),
            version: report.trivy.version,
        },
        database: report.trivy.database.map(|database| Database {
            version: database.version.to_string().into(),
            updated_at: database.updated_at,
        }),
        created_at: report.created_at,
        artifact: report.artifact_name,
        digests: digests.collect(),
        system: report.metadata.os.map(|os| System {
            family: os.family,
            release: os.name,
            end_of_life: os.end_of_life,
        }),
        findings,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    trivy: Identity,
    #[serde(default)]
    created_at: Option<Timestamp>,
    #[serde(default)]
    artifact_name: Box<str>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    results: Option<Vec<ScanResult>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Identity {
    version: Box<str>,
    #[serde(rename = "VulnerabilityDB")]
    database: Option<TrivyDatabase>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrivyDatabase {
    #[serde(default)]
    version: u64,
    #[serde(default)]
    updated_at: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Metadata {
    #[serde(rename = "OS")]
    os: Option<Os>,
    repo_digests: Option<Vec<Box<str>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Os {
    family: Box<str>,
    name: Box<str>,
    #[serde(rename = "EOSL")]
    end_of_life: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScanResult {
    #[serde(default)]
    class: Box<str>,
    #[serde(default, rename = "Type")]
    kind: Box<str>,
    #[serde(default)]
    vulnerabilities: Option<Vec<Vulnerability>>,
    #[serde(default)]
    experimental_modified_findings: Option<Vec<Modified>>,
}

/// What Trivy was told to leave out, by VEX or an ignore file.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Modified {
    #[serde(default, rename = "Type")]
    kind: Box<str>,
    #[serde(default)]
    status: Box<str>,
    #[serde(default)]
    statement: Box<str>,
    #[serde(default)]
    source: Box<str>,
    finding: serde_json::Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Vulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: Box<str>,
    #[serde(rename = "VendorIDs")]
    vendor_ids: Option<Vec<Box<str>>>,
    pkg_name: Box<str>,
    pkg_identifier: Identifier,
    installed_version: Box<str>,
    fixed_version: Box<str>,
    status: Box<str>,
    severity_source: Box<str>,
    title: Box<str>,
    severity: Box<str>,
    #[serde(rename = "CVSS")]
    cvss: Option<BTreeMap<String, Cvss>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Identifier {
    #[serde(rename = "PURL")]
    purl: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Cvss {
    v2_vector: Option<Box<str>>,
    v2_score: Option<f64>,
    v3_vector: Option<Box<str>>,
    v3_score: Option<f64>,
    v40_vector: Option<Box<str>>,
    v40_score: Option<f64>,
}

impl ScanResult {
    fn findings(self, system: Option<&Os>) -> Vec<Finding> {
        let fallback = ecosystem(&self.class, &self.kind, system);
        let mut findings: Vec<Finding> = Vec::new();
        for vulnerability in self.vulnerabilities.unwrap_or_default() {
            findings.push(vulnerability.finding(&fallback, None));
        }
        for modified in self.experimental_modified_findings.unwrap_or_default() {
            if &*modified.kind != "vulnerability" {
                continue;
            }
            if let Ok(found) = serde_json::from_value::<Vulnerability>(modified.finding) {
                let reason =
                    [&modified.status, &modified.statement, &modified.source].map(|text| &**text);
                let reason: Vec<&str> =
                    reason.into_iter().filter(|text| !text.is_empty()).collect();
                findings.push(found.finding(&fallback, Some(reason.join(": ").into())));
            }
        }
        findings
    }
}

impl Vulnerability {
    fn finding(self, fallback: &Ecosystem, suppressed: Option<Box<str>>) -> Finding {
        let severity = self.severity();
        let purl = Purl::parse(&self.pkg_identifier.purl);
        let ecosystem = purl.and_then(|purl| purl.ecosystem()).unwrap_or_else(|| fallback.clone());
        let mut advisories = self.vendor_ids.unwrap_or_default();
        advisories.sort_unstable();
        let fixed = self.fixed_version.split(',').map(str::trim).filter(|text| !text.is_empty());
        Finding {
            found: Match {
                vulnerability: self.id,
                aliases: Vec::new(),
                advisories,
                summary: self.title,
                package: Package {
                    ecosystem,
                    name: self.pkg_name,
                    version: self.installed_version,
                    source: None,
                },
                matched_as: MatchedAs::Binary,
                severity,
                fixed: fixed.map(Into::into).collect(),
                decision: Decision::Reported,
            },
            status: self.status,
            suppressed,
        }
    }

    fn severity(&self) -> Severity {
        let band = match &*self.severity {
            "CRITICAL" => Band::Critical,
            "HIGH" => Band::High,
            "MEDIUM" => Band::Medium,
            "LOW" => Band::Low,
            _ => Band::Unknown,
        };
        let all = self.cvss.as_ref();
        let cvss = all.and_then(|all| all.get(&*self.severity_source).or_else(|| all.get("nvd")));
        let scored = cvss.and_then(|cvss| {
            let scores = [
                (cvss.v40_score, &cvss.v40_vector),
                (cvss.v3_score, &cvss.v3_vector),
                (cvss.v2_score, &cvss.v2_vector),
            ];
            scores.into_iter().find_map(|(score, vector)| Some((score?, vector.clone())))
        });
        Severity {
            band,
            score: scored.as_ref().map(|(score, _)| Score::from_value(*score)),
            vector: scored.and_then(|(_, vector)| vector),
            source: SeveritySource::Scanner,
            stated_by: Some(self.severity_source.clone()).filter(|source| !source.is_empty()),
        }
    }
}

/// Where the packages of a result come from that have no package URL.
fn ecosystem(class: &str, kind: &str, system: Option<&Os>) -> Ecosystem {
    if class == "os-pkgs" {
        let release = system.map_or("", |os| &os.name);
        let family = match kind {
            "redhat" => "rhel",
            "alma" => "almalinux",
            "suse linux enterprise server" => "sles",
            "opensuse.leap" => "opensuse-leap",
            "opensuse.tumbleweed" => "opensuse-tumbleweed",
            other => other,
        };
        let known = Ecosystem::of_operating_system(family, release);
        return known.unwrap_or_else(|| format!("{kind}:{release}").as_str().into());
    }
    let purl_type = match kind {
        "npm" | "node-pkg" | "yarn" | "pnpm" | "bun" => "npm",
        "pip" | "python-pkg" | "poetry" | "pipenv" | "uv" => "pypi",
        "cargo" | "rustbinary" => "cargo",
        "gomod" | "gobinary" => "golang",
        "jar" | "pom" | "gradle" | "sbt" => "maven",
        "bundler" | "gemspec" => "gem",
        "composer" | "composer-vendor" => "composer",
        "nuget" | "dotnet-core" => "nuget",
        other => other,
    };
    Ecosystem::of_purl_type(purl_type).unwrap_or_else(|| kind.into())
}
