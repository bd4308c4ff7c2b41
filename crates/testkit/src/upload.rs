//! An upload under way: every step of the protocol by itself.

use bytes::Bytes;

use crate::client::with_query;
use crate::{Answer, Client};

/// One upload session, followed from `Location` to `Location`.
#[derive(Debug, Clone)]
pub struct Upload {
    client: Client,
    /// Path and query of where to go next.
    pub location: String,
}

impl Upload {
    /// The session that this answer (202, with a `Location`) opened.
    #[track_caller]
    pub fn opened(client: &Client, answer: &Answer) -> Self {
        let mut upload = Self::at(client, "");
        upload.follow(answer);
        assert!(!upload.location.is_empty(), "no Location in {}", answer.describe());
        upload
    }

    /// The session that may be at this path.
    pub fn at(client: &Client, path: &str) -> Self {
        Self { client: client.clone(), location: path.to_owned() }
    }

    /// Sends a chunk that begins at `start`, saying so.
    pub async fn patch(&mut self, start: usize, chunk: impl Into<Bytes>) -> Answer {
        let chunk = chunk.into();
        let range = content_range(start, chunk.len());
        let request = self.client.patch(&self.location).header("content-type", BYTES);
        let request = match range {
            Some(range) => request.header("content-range", &range),
            None => request,
        };
        let answer = request.body(chunk).await;
        self.follow(&answer);
        answer
    }

    /// Sends bytes without saying where they begin or how many they are.
    pub async fn stream(&mut self, bytes: impl Into<Bytes>) -> Answer {
        let request = self.client.patch(&self.location).header("content-type", BYTES);
        let answer = request.streamed(bytes).await;
        self.follow(&answer);
        answer
    }

    /// Asks how far the upload is.
    pub async fn progress(&mut self) -> Answer {
        let answer = self.client.get(&self.location).await;
        self.follow(&answer);
        answer
    }

    /// Gives the upload up.
    pub async fn cancel(&self) -> Answer {
        self.client.delete(&self.location).await
    }

    /// Finishes with what was sent so far.
    pub async fn finish(&self, digest: &str) -> Answer {
        self.put(digest).body(Bytes::new()).await
    }

    /// Finishes with a last chunk that begins at `start`.
    pub async fn finish_with(&self, start: usize, chunk: impl Into<Bytes>, digest: &str) -> Answer {
        let chunk = chunk.into();
        let request = self.put(digest);
        match content_range(start, chunk.len()) {
            Some(range) => request.header("content-range", &range).body(chunk).await,
            None => request.body(chunk).await,
        }
    }

    /// The finishing request, to be given a body.
    pub fn put(&self, digest: &str) -> crate::Request {
        let target = with_query(&self.location, "digest", digest);
        self.client.put(&target).header("content-type", BYTES)
    }

    fn follow(&mut self, answer: &Answer) {
        if let Some(location) = answer.header_if_any("location") {
            // Only the path is kept: a restarted server listens on another port.
            let base = self.client.base();
            location.strip_prefix(&base).unwrap_or(location).clone_into(&mut self.location);
            assert!(self.location.starts_with('/'), "Location {location} is not on {base}");
        }
    }
}

const BYTES: &str = "application/octet-stream";

/// `Content-Range` as the specification writes it; there is no way to write the range of nothing.
fn content_range(start: usize, length: usize) -> Option<String> {
    (length > 0).then(|| format!("{start}-{}", start + length - 1))
}
