//! One repository, in the words of the specification.

use bytes::Bytes;
use reqwest::Method;
use serde_json::Value;

use crate::client::with_query;
use crate::{Algorithm, Answer, Blob, Client, Image, Manifest, Request, Upload};

/// One repository of one registry.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Where it is.
    pub client: Client,
    /// Its name.
    pub name: String,
}

/// The ways to push a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushMethod {
    /// One `POST` with the digest and the bytes.
    Post,
    /// `POST`, then one `PUT` with everything.
    PostPut,
    /// `POST`, then one `PUT` of unannounced length.
    PostStreamedPut,
    /// `POST`, one `PATCH` with a range, an empty `PUT`.
    Chunk,
    /// `POST`, one `PATCH` without a range and of unannounced length, an empty `PUT`.
    Stream,
    /// `POST`, three `PATCH`es with ranges, an empty `PUT`.
    Chunks,
    /// `POST`, two `PATCH`es with ranges, the last chunk in the `PUT`.
    ChunksAndPut,
}

/// Goes on if a chunk was taken; else its answer is the last.
macro_rules! accepted {
    ($sent:expr) => {{
        let answer = $sent.await;
        if answer.status != 202 {
            return answer;
        }
    }};
}

impl PushMethod {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Post,
        Self::PostPut,
        Self::PostStreamedPut,
        Self::Chunk,
        Self::Stream,
        Self::Chunks,
        Self::ChunksAndPut,
    ];
}

impl Repository {
    /// The path of something in this repository: `/v2/<name>/<rest>`.
    pub fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.name)
    }

    /// The repository `<name>/<child>`.
    #[must_use]
    pub fn child(&self, child: &str) -> Self {
        self.client.repository(&format!("{}/{child}", self.name))
    }

    /// A request about a blob.
    pub fn blob(&self, method: Method, digest: &str) -> Request {
        self.client.request(method, &self.path(&format!("blobs/{digest}")))
    }

    /// `GET` of a blob.
    pub async fn get_blob(&self, digest: &str) -> Answer {
        self.blob(Method::GET, digest).await
    }

    /// `HEAD` of a blob.
    pub async fn head_blob(&self, digest: &str) -> Answer {
        self.blob(Method::HEAD, digest).await
    }

    /// `DELETE` of a blob.
    pub async fn delete_blob(&self, digest: &str) -> Answer {
        self.blob(Method::DELETE, digest).await
    }

    /// A request about a manifest. Like real clients it accepts every kind, without which some
    /// registries do not show OCI manifests.
    pub fn manifest(&self, method: Method, reference: &str) -> Request {
        let request = self.client.request(method, &self.path(&format!("manifests/{reference}")));
        request.header("accept", ACCEPT)
    }

    /// `GET` of a manifest.
    pub async fn get_manifest(&self, reference: &str) -> Answer {
        self.manifest(Method::GET, reference).await
    }

    /// `HEAD` of a manifest.
    pub async fn head_manifest(&self, reference: &str) -> Answer {
        self.manifest(Method::HEAD, reference).await
    }

    /// `DELETE` of a manifest or a tag.
    pub async fn delete_manifest(&self, reference: &str) -> Answer {
        self.manifest(Method::DELETE, reference).await
    }

    /// `PUT` of a manifest.
    pub async fn put_manifest(&self, reference: &str, manifest: &Manifest) -> Answer {
        self.put_bytes(reference, &manifest.media_type, manifest.bytes.clone()).await
    }

    /// `PUT` of any bytes as a manifest.
    pub async fn put_bytes(
        &self,
        reference: &str,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> Answer {
        let request = self.manifest(Method::PUT, reference);
        request.header("content-type", media_type).body(bytes).await
    }

    /// Opens an upload.
    pub async fn start_upload(&self) -> Upload {
        let answer = self.client.post(&self.path("blobs/uploads/")).body(Bytes::new()).await;
        Upload::opened(&self.client, &answer.expect(202))
    }

    /// Asks for a blob of another repository.
    pub async fn mount(&self, digest: &str, from: Option<&str>) -> Answer {
        let mut target = with_query(&self.path("blobs/uploads/"), "mount", digest);
        if let Some(from) = from {
            target = with_query(&target, "from", from);
        }
        self.client.post(&target).body(Bytes::new()).await
    }

    /// Pushes bytes under a digest (right or wrong) and returns the last answer, or the first that
    /// refuses a chunk.
    pub async fn push_by(&self, method: PushMethod, bytes: &[u8], digest: &str) -> Answer {
        let all = Bytes::copy_from_slice(bytes);
        if method == PushMethod::Post {
            let target = with_query(&self.path("blobs/uploads/"), "digest", digest);
            return self.client.post(&target).header("content-type", BYTES).body(all).await;
        }
        let mut upload = self.start_upload().await;
        let third = bytes.len() / 3;
        match method {
            PushMethod::Post | PushMethod::PostPut => {
                return upload.put(digest).body(all).await;
            }
            PushMethod::PostStreamedPut => return upload.put(digest).streamed(all).await,
            PushMethod::Chunk => accepted!(upload.patch(0, all)),
            PushMethod::Stream => accepted!(upload.stream(all)),
            PushMethod::Chunks | PushMethod::ChunksAndPut => {
                accepted!(upload.patch(0, all.slice(..third)));
                accepted!(upload.patch(third, all.slice(third..2 * third)));
                let last = all.slice(2 * third..);
                if method == PushMethod::ChunksAndPut {
                    return upload.finish_with(2 * third, last, digest).await;
                }
                accepted!(upload.patch(2 * third, last));
            }
        }
        upload.finish(digest).await
    }

    /// Pushes a blob in the simplest way and returns its SHA-256 digest.
    pub async fn push_bytes(&self, bytes: &[u8]) -> String {
        let digest = Algorithm::Sha256.digest(bytes);
        self.push_by(PushMethod::PostPut, bytes, &digest).await.expect(201);
        digest
    }

    /// Pushes blobs, each under its SHA-256 digest.
    pub async fn push_blobs(&self, blobs: &[Blob]) {
        for blob in blobs {
            self.push_bytes(&blob.bytes).await;
        }
    }

    /// Pushes an image under a tag or its digest.
    pub async fn push_image_as(&self, reference: &str, image: &Image) -> Answer {
        self.push_blobs(&image.blobs).await;
        self.put_manifest(reference, &image.manifest).await.expect(201)
    }

    /// Pushes an image under its digest, which it returns.
    pub async fn push_image(&self, image: &Image) -> String {
        let digest = image.digest();
        self.push_image_as(&digest, image).await;
        digest
    }

    /// All tags, page by page.
    pub async fn tags(&self) -> Vec<String> {
        self.client.listing(&self.path("tags/list"), "tags").await
    }

    /// The referrers of a digest, all pages.
    pub async fn referrers(&self, digest: &str) -> Vec<Value> {
        let pages = self.client.pages(&self.path(&format!("referrers/{digest}"))).await;
        let entries = pages.iter().flat_map(|page| {
            let body = page.json();
            body["manifests"].as_array().expect("an index has manifests").clone()
        });
        entries.collect()
    }
}

const BYTES: &str = "application/octet-stream";

/// What clients that understand every kind of manifest send.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, */*";
