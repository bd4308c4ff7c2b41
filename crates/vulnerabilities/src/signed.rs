//! OpenVEX attestations: what signers whom a trust policy trusts say about an image. One that nobody such
//! signed is not believed, wherever it is.

use std::borrow::Cow;

use plura_advisories::openvex::VexDocument;
use plura_evidence::{Error as EvidenceError, FoundStatement};
use plura_oci::{Digest, Reference, RepositoryName};

use crate::{Error, Vulnerabilities, ask::Said};

/// Manifests whose attestations are looked at for one image: itself, and indexes that have it.
const MOST_SUBJECTS: usize = 16;

impl Vulnerabilities {
    /// What is said about an image that is known by those digests: by vendors, and by trusted signers.
    pub(crate) async fn documents<'s>(
        &self,
        repository: &RepositoryName,
        digests: &[Digest],
        said: &'s Said,
    ) -> Result<Cow<'s, [VexDocument]>, Error> {
        let mut attested = Vec::new();
        for (number, digest) in digests.iter().enumerate().take(MOST_SUBJECTS) {
            if !digests[..number].contains(digest) {
                attested.extend(self.attested(repository, *digest).await?);
            }
        }
        if attested.is_empty() {
            return Ok(Cow::Borrowed(&said.documents));
        }
        attested.extend(said.documents.iter().cloned());
        Ok(Cow::Owned(attested))
    }

    async fn attested(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Vec<VexDocument>, Error> {
        let evidence = &self.shared.sources.evidence;
        let known = match evidence.of(repository, &Reference::Digest(digest)).await {
            Err(EvidenceError::ManifestUnknown(_)) => return Ok(Vec::new()),
            known => known?,
        };
        let document = |statement: &FoundStatement| document(statement, digest);
        Ok(known.statements.iter().filter_map(document).collect())
    }
}

fn document(statement: &FoundStatement, subject: Digest) -> Option<VexDocument> {
    let text = statement.open_vex.as_ref().filter(|_| !statement.signers.is_empty())?.to_string();
    match VexDocument::parse(text.as_bytes()) {
        Ok(document) => {
            let signers = statement.signers.iter().map(|signer| signer.as_str().into()).collect();
            Some(VexDocument { subject: Some(subject), signers, ..document })
        }
        Err(error) => {
            tracing::debug!(%error, place = statement.place, "an OpenVEX attestation says nothing");
            None
        }
    }
}
