//! Asking a server: bounded in size and in time, and never led elsewhere.

use std::{error::Error as _, path::Path, sync::OnceLock, time::Duration};

use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode, Url,
    header::{HeaderMap, LOCATION},
    redirect::Policy,
};

/// The most bytes of an answer: a thousand samples have less than a hundredth of it.
const LIMIT: usize = 4 * 1024 * 1024;
/// The most bytes of a file with a secret.
const MAX_SECRET: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Web {
    /// Made when it is needed first, so that a machine without trusted certificates can do without.
    client: OnceLock<Result<Client, String>>,
    pub(crate) timeout: Duration,
}

/// What was answered.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    /// Where else to ask.
    pub(crate) location: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Web {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self { client: OnceLock::new(), timeout }
    }

    pub(crate) fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, String> {
        let client = self.client.get_or_init(|| {
            // What is sent is signed, or is a secret: it goes where the settings say and nowhere else.
            let builder = Client::builder().redirect(Policy::none()).referer(false);
            builder.user_agent("plura").build().map_err(|error| cause(&error))
        });
        match client {
            Ok(client) => Ok(client.request(method, url.clone())),
            Err(reason) => Err(format!("HTTPS cannot be used: {reason}")),
        }
    }

    /// The answer to a request, or why there is none.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answered, String> {
        let whole = async {
            let response = request.send().await.map_err(|error| cause(&error))?;
            let status = response.status();
            let location = location(response.headers());
            Ok(Answered { status, location, body: body(response).await? })
        };
        tokio::time::timeout(self.timeout, whole)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {:?}", self.timeout)))
    }
}

fn location(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(LOCATION)?.to_str().ok()?.to_owned())
}

/// The body, unless it is too large: what it says about its length is not believed.
async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| cause(&error))? {
        if body.len() + chunk.len() > LIMIT {
            return Err(format!("the answer is larger than {LIMIT} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost reason; the outer ones repeat the address or say "error sending request".
fn cause(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut text = None;
    while let Some(inner) = source {
        text = Some(inner.to_string());
        source = inner.source();
    }
    text.unwrap_or_else(|| error.to_string())
}

/// What a file holds, without the spaces around it. `key` is the setting that names the file.
pub(crate) async fn secret(path: &Path, key: &str) -> Result<String, String> {
    use tokio::io::AsyncReadExt as _;

    let read = async {
        let file = tokio::fs::File::open(path).await?;
        let mut text = String::new();
        let limit = u64::try_from(MAX_SECRET).unwrap_or(u64::MAX);
        file.take(limit).read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    let text = read.await.map_err(|error| format!("cannot read the file of `{key}`: {error}"))?;
    match text.trim() {
        "" => Err(format!("the file of `{key}` is empty")),
        text => Ok(text.to_owned()),
    }
}
