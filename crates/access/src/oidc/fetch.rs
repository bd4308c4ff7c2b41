//! Asking an issuer: bounded in size and in time, and never led to another host.

use std::error::Error as _;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde_json::error::Category;

/// How often an issuer may send us on, within its own host.
const MOST_REDIRECTS: usize = 3;

/// Why the keys of an issuer, or what it says about itself, could not be had. For the log and for
/// those who set up trust; a caller with a token is told less.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address is not one that may be asked.
    #[error(
        "{0:?} is not an https address (http is for loopback only) without user, query and fragment"
    )]
    Address(String),
    /// There was no whole answer.
    #[error("{address} does not answer: {reason}")]
    Unreachable {
        /// What was asked.
        address: String,
        /// What the connection said.
        reason: String,
    },
    /// The answer is an error.
    #[error("{address} answers with status {status}")]
    Status {
        /// What was asked.
        address: String,
        /// The status.
        status: u16,
    },
    /// The answer is larger than any honest one.
    #[error("the answer of {address} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked.
        address: String,
        /// How large it may be.
        limit: usize,
    },
    /// The answer is not the document that it should be.
    #[error("{address} is not understood: {reason}")]
    Malformed {
        /// What was asked.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The document belongs to another issuer.
    #[error("{address} says that the issuer is {found:?}")]
    WrongIssuer {
        /// What was asked.
        address: String,
        /// Whose document it is.
        found: String,
    },
    /// The issuer has no endpoint that a login needs.
    #[error("{address} names no {endpoint}")]
    NoEndpoint {
        /// What was asked.
        address: String,
        /// Which one is missing.
        endpoint: &'static str,
    },
    /// A file with keys cannot be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// There is no HTTP client: the machine has no trusted certificates, for example.
    #[error("HTTPS cannot be used: {0}")]
    Client(String),
}

/// What asks.
#[derive(Debug)]
pub(super) struct Web {
    /// Made when it is needed first, so that a machine without trusted certificates can do without.
    client: OnceLock<Result<Client, String>>,
    patience: Duration,
    limit: usize,
}

impl Web {
    pub(super) const fn new(patience: Duration, limit: usize) -> Self {
        Self { client: OnceLock::new(), patience, limit }
    }

    /// The document at `url`.
    pub(super) async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let request = self.client()?.get(url.clone());
        let (status, body) = self.send(url, request).await?;
        if status == StatusCode::OK {
            return Ok(body);
        }
        Err(FetchError::Status { address: url.to_string(), status: status.as_u16() })
    }

    /// What `url` answers to a form, and the status.
    pub(super) async fn post(
        &self,
        url: &Url,
        form: String,
        credentials: Option<(&str, &str)>,
    ) -> Result<(StatusCode, Vec<u8>), FetchError> {
        let request = self.client()?.post(url.clone());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = match credentials {
            Some((name, secret)) => request.basic_auth(name, Some(secret)),
            None => request,
        };
        self.send(url, request.body(form)).await
    }

    fn client(&self) -> Result<&Client, FetchError> {
        let client = self.client.get_or_init(|| {
            let builder = Client::builder().redirect(Policy::custom(stay_on_host));
            let builder = builder.user_agent("plura").referer(false);
            builder.build().map_err(|error| cause(&error))
        });
        client.as_ref().map_err(|reason| FetchError::Client(reason.clone()))
    }

    async fn send(
        &self,
        url: &Url,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>), FetchError> {
        let unreachable = |reason| FetchError::Unreachable { address: url.to_string(), reason };
        let whole = async {
            let request = request.header(ACCEPT, "application/json");
            let response = request.send().await.map_err(|error| unreachable(cause(&error)))?;
            let status = response.status();
            let body = self.body(response).await.map_err(|error| unreachable(cause(&error)))?;
            let limit = self.limit;
            let body = body.ok_or(FetchError::TooLarge { address: url.to_string(), limit })?;
            Ok((status, body))
        };
        tokio::time::timeout(self.patience, whole)
            .await
            .unwrap_or_else(|_| Err(unreachable(format!("nothing within {:?}", self.patience))))
    }

    /// The body, unless it is too large: what it says about its length is not believed.
    async fn body(&self, mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > self.limit {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }
}

impl FetchError {
    /// Says where a document is wrong and not what is there: a file may be anything.
    pub(super) fn malformed(address: &str, error: &serde_json::Error) -> Self {
        let what = match error.classify() {
            Category::Data => "it is another kind of document",
            Category::Io | Category::Syntax | Category::Eof => "it is not JSON",
        };
        let reason = format!("{what} (line {}, column {})", error.line(), error.column());
        Self::Malformed { address: address.to_owned(), reason }
    }
}

fn stay_on_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let start = attempt.previous().first().map(Url::origin);
    if start != Some(attempt.url().origin()) {
        return attempt.error("it redirects to another host");
    }
    if attempt.previous().len() > MOST_REDIRECTS {
        return attempt.error("it redirects again and again");
    }
    attempt.follow()
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
