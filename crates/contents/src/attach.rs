//! SBOMs beside the images that they are of: pushed like anybody's, so that every client finds them.

use bytes::Bytes;
use plura_oci::{Digest, Page, Reference, RepositoryName, media_types};
use plura_registry::{Chunk, PutManifest};
use serde_json::json;
use tracing::warn;

use crate::{
    Contents, Error, READER, SbomFormat,
    ask::KnownImage,
    sbom::{self, Sbom},
};

/// By which reader the SBOM was made: there is one of each.
pub(crate) const MADE_BY: &str = "plura.contents.reader";

impl Contents {
    /// Pushes the SBOM of an image, if that is wanted and not done. That it cannot be, for want of room,
    /// is nothing that anybody waits for.
    pub(crate) async fn attach(&self, repository: &RepositoryName, known: &KnownImage) {
        let Some(format) = self.shared.settings.attach_sbom else { return };
        // What is about another image is described by that one.
        if known.manifest.manifest.subject.is_some() {
            return;
        }
        if let Err(error) = self.push_sbom(repository, known, format).await {
            let digest = known.manifest.digest;
            warn!(%error, %repository, %digest, "the SBOM of an image cannot be pushed");
        }
    }

    async fn push_sbom(
        &self,
        repository: &RepositoryName,
        known: &KnownImage,
        format: SbomFormat,
    ) -> Result<(), Error> {
        let digest = known.manifest.digest;
        if self.is_attached(repository, &digest, format).await? {
            return Ok(());
        }
        let sbom = sbom::write(repository, known, format).ok_or(Error::Sbom(digest))?;
        let manifest = manifest(known, &sbom, self.manifest_size(repository, &digest).await?);
        for blob in [Bytes::from_static(b"{}"), sbom.bytes.into()] {
            self.push_blob(repository, blob).await?;
        }
        let put = PutManifest {
            repository: repository.clone(),
            reference: Reference::Digest(Digest::sha256(&manifest)),
            tags: Vec::new(),
            content_type: Some(media_types::OCI_MANIFEST.to_owned()),
            bytes: manifest.into(),
        };
        self.registry().put_manifest(put).await?;
        Ok(())
    }

    async fn is_attached(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        format: SbomFormat,
    ) -> Result<bool, Error> {
        let reader = json!(READER.to_string());
        let mut page = Page::default();
        loop {
            let kind = Some(format.media_type());
            let found = self.registry().referrers(repository, digest, kind, &page).await?;
            if found.descriptors.iter().any(|one| one.annotations.get(MADE_BY) == Some(&reader)) {
                return Ok(true);
            }
            let last = found.descriptors.last().map(|last| last.digest.to_string());
            if !found.more || last.is_none() {
                return Ok(false);
            }
            page.after = last;
        }
    }

    async fn manifest_size(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<usize, Error> {
        let reference = Reference::Digest(*digest);
        Ok(self.registry().manifest(repository, &reference).await?.bytes.len())
    }

    async fn push_blob(&self, repository: &RepositoryName, bytes: Bytes) -> Result<(), Error> {
        let digest = Digest::sha256(&bytes);
        if self.registry().own_blob(repository, &digest).await?.is_some() {
            return Ok(());
        }
        Ok(self.registry().push_blob(repository, &digest, Chunk::from(bytes)).await?)
    }
}

/// An artifact with the SBOM, about the image (image-spec, "Guidelines for Artifact Usage").
fn manifest(known: &KnownImage, sbom: &Sbom, subject_size: usize) -> Vec<u8> {
    let media_type = sbom.format.media_type();
    let empty: &[u8] = b"{}";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_MANIFEST,
        "artifactType": media_type,
        "config": {
            "mediaType": media_types::OCI_EMPTY,
            "digest": Digest::sha256(empty),
            "size": empty.len(),
        },
        "layers": [{
            "mediaType": media_type,
            "digest": Digest::sha256(&sbom.bytes),
            "size": sbom.bytes.len(),
        }],
        "subject": {
            "mediaType": known.manifest.manifest.media_type.to_string(),
            "digest": known.manifest.digest,
            "size": subject_size,
        },
        "annotations": { MADE_BY: READER.to_string() },
    });
    manifest.to_string().into_bytes()
}
