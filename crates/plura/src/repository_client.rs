//! A repository as its clients see it: manifests and blobs at `/v2`, each with its digest.

use anyhow::{Context, ensure};
use plura_oci::{Digest, Reference, RepositoryName, media_types};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;

use crate::api_client::{ApiClient, Ask, answer, body};
use crate::cli::ServerArgs;

/// The most bytes of a manifest that are read; servers allow less.
const LONGEST_MANIFEST: usize = 16 * 1024 * 1024;

/// Every kind of manifest there is: a registry may refuse to answer with a type not asked for.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// A client of one repository.
pub(crate) struct RepositoryClient {
    client: ApiClient,
    repository: RepositoryName,
}

/// Something that is stored, as manifests point at it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stored {
    /// What it is.
    pub(crate) media_type: String,
    /// Which it is.
    pub(crate) digest: Digest,
    /// How many bytes it has.
    pub(crate) size: u64,
}

/// A manifest with its bytes.
pub(crate) struct StoredManifest {
    /// What it is, and which.
    pub(crate) stored: Stored,
    /// The bytes, which have the digest.
    pub(crate) bytes: Vec<u8>,
}

impl Stored {
    /// Whether it is a manifest that holds others.
    pub(crate) fn is_index(&self) -> bool {
        [media_types::OCI_INDEX, media_types::DOCKER_LIST].contains(&self.media_type.as_str())
    }
}

impl RepositoryClient {
    /// A client of a repository on the server that was named, with the login that is kept for it.
    pub(crate) async fn of(args: &ServerArgs, repository: &RepositoryName) -> anyhow::Result<Self> {
        let client = ApiClient::of_repository(args, repository).await?;
        Ok(Self { client, repository: repository.clone() })
    }

    /// The client for other questions to the same server.
    pub(crate) fn api(&self) -> &ApiClient {
        &self.client
    }

    /// The manifest that a tag or digest stands for now.
    pub(crate) async fn manifest(&self, reference: &Reference) -> anyhow::Result<StoredManifest> {
        let reference_text = reference.to_string();
        let ask = self.ask(Method::GET, &["manifests", &reference_text]).accept(MANIFESTS);
        let response = refused(self.client.send(ask).await?).await?;
        let told = content_digest(&response);
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.context("the answer names no media type")?.to_owned();
        let bytes = body(response, LONGEST_MANIFEST).await?;
        let digest = match (reference, told) {
            (Reference::Digest(digest), _) => *digest,
            (Reference::Tag(_), Some(told)) => told,
            (Reference::Tag(_), None) => Digest::sha256(&bytes),
        };
        let found = Digest::of(digest.algorithm(), &bytes);
        ensure!(found == digest, "the server answered with {found} instead of {digest}");
        let size = bytes.len() as u64;
        Ok(StoredManifest { stored: Stored { media_type, digest, size }, bytes })
    }

    /// Pushes a blob.
    pub(crate) async fn push_blob(
        &self,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> anyhow::Result<Stored> {
        let (digest, size) = (Digest::sha256(&bytes), bytes.len() as u64);
        let ask = self
            .ask(Method::POST, &["blobs", "uploads"])
            .query("digest", Some(digest))
            .content("application/octet-stream", bytes);
        let response = refused(self.client.send(ask).await?).await?;
        let status = response.status();
        ensure!(status == StatusCode::CREATED, "the server answered {status} to a blob");
        Ok(Stored { media_type: media_type.to_owned(), digest, size })
    }

    /// Pushes a manifest that has no tag; its digest.
    pub(crate) async fn push_manifest(&self, bytes: Vec<u8>) -> anyhow::Result<Digest> {
        let digest = Digest::sha256(&bytes);
        let told = self.put(&Reference::Digest(digest), bytes).await?;
        ensure!(told.is_none_or(|told| told == digest), "the server stored {digest} as another");
        Ok(digest)
    }

    /// Pushes a manifest under a tag that is merged with what is there.
    pub(crate) async fn push_attachment(
        &self,
        tag: &plura_oci::Tag,
        bytes: Vec<u8>,
    ) -> anyhow::Result<()> {
        self.put(&Reference::Tag(tag.clone()), bytes).await.map(drop)
    }

    async fn put(&self, reference: &Reference, bytes: Vec<u8>) -> anyhow::Result<Option<Digest>> {
        let ask = self
            .ask(Method::PUT, &["manifests", &reference.to_string()])
            .content(media_types::OCI_MANIFEST, bytes);
        let response = refused(self.client.send(ask).await?).await?;
        Ok(content_digest(&response))
    }

    fn ask(&self, method: Method, rest: &[&str]) -> Ask {
        let name = self.repository.as_str().split('/');
        Ask::at(method, ["v2"].into_iter().chain(name).chain(rest.iter().copied()))
    }
}

/// The answer, unless it says no.
async fn refused(response: Response) -> anyhow::Result<Response> {
    if response.status().is_success() {
        return Ok(response);
    }
    answer(response).await?;
    anyhow::bail!("the answer is neither content nor a refusal")
}

fn content_digest(response: &Response) -> Option<Digest> {
    response.headers().get("docker-content-digest")?.to_str().ok()?.parse().ok()
}
