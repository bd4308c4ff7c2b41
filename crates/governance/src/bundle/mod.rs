//! Everything that is known of an image in one file, for those who have to check it elsewhere or later.
//!
//! The file is a tar with `evidence.json` first, which names all others with their digests, and is signed
//! (`evidence.sig`, as `cosign verify-blob` reads it). What was pushed is below `blobs/`, byte for byte, by
//! its digest; what plura says is below `reports/`, what its log has, with proofs, below `log/`. The same content gives the same bytes, but for the
//! signature.

mod collect;
mod log;
mod verify;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use plura_contents::SbomFormat;
use plura_meta::decision;
use plura_oci::{Digest, Reference, RepositoryName};
use plura_registry::ImageQuery;
use plura_trust::PrivateKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Governance, ReportError, blocking};

use collect::Collected;
use log::LogIndex;
pub use verify::{BundleProblem, LoggedFact, ProvedLog, Trusted, VerifiedBundle, verify_bundle};

/// The form of the file that is written and read here.
const FORMAT: &str = "plura.evidence/1";
/// The file that names all others.
const INDEX: &str = "evidence.json";
/// The signature of the installation over that file, in Base64.
const SIGNATURE: &str = "evidence.sig";
/// What verifies the signatures of the installation.
const KEY: &str = "keys/attestation.pem";
/// The most bytes of a file, all in all.
const LIMIT: usize = 64 * 1024 * 1024;
/// Decisions that are told.
const MOST_DECISIONS: u32 = 200;

/// What is in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Index {
    format: String,
    repository: RepositoryName,
    digest: Digest,
    files: Vec<File>,
    /// What belongs to the image and is not in the file, since it is too large or not there.
    left_out: Vec<LeftOut>,
    /// What the log has about it; nothing in files of before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<LogIndex>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    path: String,
    digest: Digest,
    size: u64,
}

/// Something that is not in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LeftOut {
    digest: Digest,
    reason: String,
}

impl Governance {
    /// Everything that is known of an image, as a tar.
    pub async fn evidence_bundle(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Vec<u8>, ReportError> {
        let query = ImageQuery {
            repository: repository.clone(),
            reference: reference.clone(),
            platform: None,
        };
        let digest = self.shared.registry.image_manifest(&query).await?.digest;
        let pinned = ImageQuery { reference: Reference::Digest(digest), ..query };
        let mut collected = self.collect(&pinned).await?;
        let (log, reports) = Box::pin(self.reports(&pinned, &digest)).await?;
        collected.log = Some(log);
        for (path, report) in reports {
            collected.files.insert(path, report.into());
        }
        let total: usize = collected.files.values().map(bytes::Bytes::len).sum();
        if total > LIMIT {
            return Err(ReportError::TooLarge { digest, limit: LIMIT });
        }
        let (repository, attestor) = (repository.clone(), self.shared.sources.attestor.clone());
        blocking(move || write(repository, digest, collected, attestor.key())).await
    }

    /// What plura says, and what its log has.
    async fn reports(
        &self,
        query: &ImageQuery,
        digest: &Digest,
    ) -> Result<(LogIndex, Vec<(String, Vec<u8>)>), ReportError> {
        let (repository, reference) = (&query.repository, &query.reference);
        let sources = &self.shared.sources;
        let in_force = self.in_force().await?;
        let facts = Box::pin(self.facts(repository, reference)).await?;
        let evidence = sources.evidence.of(repository, reference).await?;
        let vulnerabilities = sources.vulnerabilities.of(repository, reference, None).await?;
        let mut reports = vec![
            ("reports/facts.json".to_owned(), json_of(&facts)),
            ("reports/signatures.json".to_owned(), json_of(&evidence)),
            ("reports/vulnerabilities.json".to_owned(), json_of(&vulnerabilities)),
            (
                "reports/decisions.json".to_owned(),
                json_of(&self.decisions_about(repository, digest).await?),
            ),
            ("reports/policy.toml".to_owned(), in_force.governance.document.to_toml().into_bytes()),
            (KEY.to_owned(), self.attestation_key().into_bytes()),
        ];
        if let Some(applied) = &in_force.applied {
            // As it was written, comments and all.
            reports.retain(|(path, _)| path != "reports/policy.toml");
            reports.push(("reports/policy.toml".to_owned(), applied.document.clone().into_bytes()));
        }
        let mut digests = vec![*digest];
        for image in self.shared.registry.all_images(query).await? {
            digests.extend(Some(image.digest).filter(|child| child != digest));
            let hex = image.digest.hex();
            let one = ImageQuery { reference: Reference::Digest(image.digest), ..query.clone() };
            let sbom = sources.contents.sbom(&one, SbomFormat::CycloneDx).await?;
            reports.push((format!("reports/sbom-{hex}.cdx.json"), sbom.bytes));
            let contents = sources.contents.of(&one).await?;
            reports.push((format!("reports/contents-{hex}.json"), json_of(&contents)));
        }
        let policy = in_force.governance.source;
        let (log, proofs) = self.proofs(repository, &digests, &vulnerabilities, &policy).await?;
        reports.extend(proofs);
        Ok((log, reports))
    }

    /// What was decided about it, the newest first.
    async fn decisions_about(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Value>, ReportError> {
        let filter = decision::Filter {
            repository: Some(repository.to_string()),
            digest: Some(digest.to_string()),
            ..decision::Filter::default()
        };
        let mut connection = self.db().read().await?;
        let stored = decision::list(&mut connection, &filter, MOST_DECISIONS).await?;
        let told = stored.into_iter().map(|one| {
            let decision: Value = serde_json::from_str(&one.document).unwrap_or_default();
            json!({ "id": one.id, "cause": one.cause, "decision": decision })
        });
        Ok(told.collect())
    }
}

/// Maps of texts can always be written.
fn json_of(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

/// Where something that was pushed is.
fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

fn write(
    repository: RepositoryName,
    digest: Digest,
    collected: Collected,
    key: &PrivateKey,
) -> Result<Vec<u8>, ReportError> {
    let files = collected.files.iter().map(|(path, bytes)| File {
        path: path.clone(),
        digest: Digest::sha256(bytes),
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
    });
    let index = Index {
        format: FORMAT.to_owned(),
        repository,
        digest,
        files: files.collect(),
        left_out: collected.left_out,
        log: collected.log,
    };
    let index = json_of(&index);
    let signature = STANDARD.encode(key.sign(&index).map_err(ReportError::Signing)?);
    let signed = [(INDEX, index.as_slice()), (SIGNATURE, signature.as_bytes())];
    let files = collected.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_ref()));
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in signed.into_iter().chain(files) {
        append(&mut archive, path, bytes).map_err(ReportError::Writing)?;
    }
    archive.into_inner().map_err(ReportError::Writing)
}

/// Adds a file that is of no time and of nobody.
fn append(archive: &mut tar::Builder<Vec<u8>>, path: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    header.set_mode(0o644);
    header.set_mtime(0);
    archive.append_data(&mut header, path, bytes)
}

#[cfg(test)]
mod tests;
