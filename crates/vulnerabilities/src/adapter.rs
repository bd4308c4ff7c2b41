//! What is found here, as the open API of pluggable scanners tells it.

use std::collections::BTreeMap;

use plura_advisories::report::{
    Scanner,
    harbor::{AdapterMetadata, Artifact, Capability, VulnerabilityReport, media_types},
};
use plura_oci::{Digest, Reference, RepositoryName, media_types as manifests};

use crate::{Error, Vulnerabilities, instant};

impl Vulnerabilities {
    /// What plura is as a scanner, and how old its advisories are.
    pub async fn adapter_metadata(&self, scanner: Scanner) -> Result<AdapterMetadata, Error> {
        let in_force = self.in_force().await?;
        let mut properties = BTreeMap::from([
            ("harbor.scanner-adapter/scanner-type".to_owned(), "vulnerability".to_owned()),
            ("plura.dev/advisories".to_owned(), in_force.basis.clone()),
        ]);
        if let Some(newest) = in_force.newest() {
            let name = "harbor.scanner-adapter/vulnerability-database-updated-at";
            properties.insert(name.to_owned(), instant(newest).to_string());
        }
        let capability = |kind: &str, produces: &[&str]| Capability {
            kind: Some(kind.to_owned()),
            consumes_mime_types: owned(&[manifests::OCI_MANIFEST, manifests::DOCKER_MANIFEST]),
            produces_mime_types: owned(produces),
        };
        let reports = [media_types::REPORT, media_types::REPORT_1_0];
        let capabilities =
            vec![capability("vulnerability", &reports), capability("sbom", &[media_types::SBOM])];
        Ok(AdapterMetadata { scanner, capabilities, properties })
    }

    /// What counts of an image's vulnerabilities now.
    pub async fn adapter_report(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        scanner: Scanner,
    ) -> Result<VulnerabilityReport, Error> {
        let found = self.of(repository, &Reference::Digest(*digest), None).await?;
        let artifact = Artifact {
            repository: repository.to_string(),
            digest: digest.to_string(),
            ..Artifact::default()
        };
        let counting = found.vulnerabilities.iter().filter(|one| one.suppressed.is_none());
        let matches = counting.map(|one| &one.found);
        Ok(VulnerabilityReport::of(matches, artifact, scanner, found.at))
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
