//! Second opinions: what other scanners say about an image, beside what is found here.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use futures_util::Stream;
use jiff::Timestamp;
use plura_advisories::report::{Database, ScannerReport, harbor::VulnerabilityReport, trivy};
use plura_meta::{
    audit::{self, Event, Origin},
    vulnerability_statement::{self, StoredReport},
};
use plura_oci::{Digest, Reference, RepositoryName};
use plura_registry::ImageQuery;
use serde::Serialize;

use crate::{Error, FoundVulnerability, Vulnerabilities, instant};

/// The most bytes of a report that is taken: a large image has a few MiB of findings.
const MOST_BYTES: usize = 64 << 20;
/// Vulnerabilities that are named in a comparison.
const MOST_NAMED: usize = 1000;

/// What was received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReceivedReport {
    /// What it is about.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Who says it.
    pub scanner: String,
    /// How many findings it has.
    pub findings: u64,
}

/// What another scanner says about an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SecondOpinion {
    /// Who says it.
    pub scanner: String,
    /// From which data, if it says so.
    pub database: String,
    /// When it was received.
    #[schema(value_type = String)]
    pub received_at: Timestamp,
    /// How many findings it has.
    pub findings: u64,
    /// Vulnerabilities that only the scanner found.
    pub only_there: Vec<String>,
    /// Vulnerabilities that the scanner did not find.
    pub only_here: Vec<String>,
    /// Whether the scanner says that nobody publishes advisories of the operating system any more.
    pub end_of_life: bool,
}

impl Vulnerabilities {
    /// Keeps a report of Trivy (`--format json`) about an image, or one of a scanner that speaks the open
    /// API of pluggable scanners. Such a report does not say which data the scanner had: `database` does.
    pub async fn add_report(
        &self,
        origin: &Origin,
        repository: &RepositoryName,
        reference: &Reference,
        database: Option<&str>,
        sent: impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
    ) -> Result<ReceivedReport, Error> {
        let query = ImageQuery {
            repository: repository.clone(),
            reference: reference.clone(),
            platform: None,
        };
        let digest = self.shared.registry.image_manifest(&query).await?.digest;
        let bytes = self.whole(sent, MOST_BYTES).await?;
        let database = database.map(ToOwned::to_owned);
        let report = crate::blocking(move || read(&bytes, database)).await?;
        let received = ReceivedReport {
            digest,
            scanner: report.scanner.name.to_string(),
            findings: report.findings.len() as u64,
        };
        let stored = stored(&report);
        let event = Event::in_repository("report.add", repository.as_str(), &digest.to_string());
        let detail = serde_json::json!({
            "scanner": stored.scanner, "database": stored.database, "findings": received.findings,
        });
        let event = Event { detail: detail.to_string(), ..event };
        let (origin, repository) = (origin.clone(), repository.clone());
        let work = async move |tx: &mut plura_meta::Tx| {
            if !vulnerability_statement::put_report(tx, &repository, &digest, &stored).await? {
                return Err(Error::ManifestUnknown(Reference::Digest(digest)));
            }
            audit::record(tx, &origin, &event, stored.received_at).await?;
            Ok(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(received)
    }

    /// What other scanners say about a manifest, compared with what is found here.
    pub(crate) async fn second_opinions(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        found: &[FoundVulnerability],
    ) -> Result<Vec<SecondOpinion>, Error> {
        let mut connection = self.db().read().await?;
        let stored = vulnerability_statement::reports(&mut connection, repository, digest).await?;
        stored.iter().map(|stored| compared(stored, found)).collect()
    }
}

/// A report of the one form, or of the other.
fn read(bytes: &[u8], database: Option<String>) -> Result<ScannerReport, Error> {
    let given = database.map(|version| Database { version: version.into(), updated_at: None });
    let mut report = match serde_json::from_slice::<VulnerabilityReport>(bytes) {
        Ok(report) if !report.scanner.name.is_empty() => of_adapter(&report),
        _ => trivy::parse(bytes)?,
    };
    report.database = report.database.or(given);
    Ok(report)
}

fn of_adapter(report: &VulnerabilityReport) -> ScannerReport {
    let digest = report.artifact.digest.as_str();
    ScannerReport {
        scanner: report.scanner.clone(),
        database: None,
        created_at: Some(report.generated_at),
        artifact: report.artifact.repository.as_str().into(),
        digests: Some(digest)
            .filter(|digest| !digest.is_empty())
            .map(Into::into)
            .into_iter()
            .collect(),
        system: None,
        findings: report.findings(),
    }
}

fn stored(report: &ScannerReport) -> StoredReport {
    let database = report.database.as_ref().map(|database| match database.updated_at {
        Some(updated) => format!("{} of {updated}", database.version),
        None => database.version.to_string(),
    });
    StoredReport {
        scanner: report.scanner.name.replace('\0', ""),
        database: database.unwrap_or_default().replace('\0', ""),
        received_at: plura_meta::Timestamp::now(),
        document: serde_json::to_string(report).unwrap_or_default(),
    }
}

fn compared(stored: &StoredReport, found: &[FoundVulnerability]) -> Result<SecondOpinion, Error> {
    let report: ScannerReport = serde_json::from_str(&stored.document).map_err(|error| {
        plura_meta::Error::Corrupt(format!("scanner_report of {}: {error}", stored.scanner))
    })?;
    let mut here: HashSet<&str> = HashSet::new();
    for one in found {
        here.extend(one.found.aliases.iter().chain(&one.found.advisories).map(|name| &**name));
        here.insert(&one.id);
    }
    let there: BTreeSet<&str> =
        report.findings.iter().map(|finding| &*finding.found.vulnerability).collect();
    let is_there = |one: &&FoundVulnerability| {
        let names = one.found.aliases.iter().chain(&one.found.advisories);
        names.map(|name| &**name).chain([one.id.as_str()]).any(|name| there.contains(name))
    };
    let theirs = there.iter().filter(|name| !here.contains(*name));
    let ours: BTreeSet<&str> =
        found.iter().filter(|one| !is_there(one)).map(|one| one.id.as_str()).collect();
    let named = |names: &mut dyn Iterator<Item = &str>| {
        names.take(MOST_NAMED).map(ToOwned::to_owned).collect()
    };
    Ok(SecondOpinion {
        scanner: stored.scanner.clone(),
        database: stored.database.clone(),
        received_at: instant(stored.received_at),
        findings: report.findings.len() as u64,
        only_there: named(&mut theirs.copied()),
        only_here: named(&mut ours.into_iter()),
        end_of_life: report.system.is_some_and(|system| system.end_of_life),
    })
}
