//! HTTP to one registry: no redirects, no retries, no opinion.

use std::fmt::Write as _;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Method};
use serde_json::Value;

use crate::{Answer, Repository};

/// Where a registry is. Shared, because a restarted server listens on another port.
#[derive(Debug, Clone)]
pub(crate) struct Address(Arc<RwLock<String>>);

impl Address {
    pub(crate) fn new(base: &str) -> Self {
        Self(Arc::new(RwLock::new(base.trim_end_matches('/').to_owned())))
    }

    pub(crate) fn get(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, base: &str) {
        base.clone_into(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Sends requests to one registry.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    address: Address,
    headers: Vec<(String, String)>,
}

impl Client {
    /// A client of the registry at `base`, such as `http://127.0.0.1:5000`.
    pub fn of(base: &str) -> Self {
        Self::at(Address::new(base))
    }

    pub(crate) fn at(address: Address) -> Self {
        Self { http: build(|builder| builder), address, headers: Vec::new() }
    }

    /// A client of the same registry whose transport is set up differently, with connections of
    /// its own: another version of HTTP, another trusted certificate.
    #[must_use]
    pub fn with(&self, set_up: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        Self { http: build(set_up), ..self.clone() }
    }

    /// A client of the same registry that sends this header with every request.
    pub fn sending(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// A client that shows a name and a password, or whatever stands for one.
    pub fn basic(&self, name: &str, password: &str) -> Self {
        let encoded = STANDARD.encode(format!("{name}:{password}"));
        self.sending("authorization", &format!("Basic {encoded}"))
    }

    /// A client that shows a token.
    pub fn bearer(&self, token: &str) -> Self {
        self.sending("authorization", &format!("Bearer {token}"))
    }

    /// Scheme, host and port of the registry.
    pub fn base(&self) -> String {
        self.address.get()
    }

    /// Host and port of the registry.
    pub fn authority(&self) -> String {
        let base = self.base();
        base.split_once("://").map(|(_, authority)| authority.to_owned()).expect("a base URL")
    }

    /// The repository of that name.
    pub fn repository(&self, name: &str) -> Repository {
        Repository { client: self.clone(), name: name.to_owned() }
    }

    /// A request for a path (and query), or for an absolute URL of this registry.
    pub fn request(&self, method: Method, target: &str) -> Request {
        let base = self.base();
        let path = target.strip_prefix(&base).unwrap_or(target);
        assert!(path.starts_with('/'), "{target} is not on {base}");
        let path = path.to_owned();
        let (http, headers) = (self.http.clone(), self.headers.clone());
        Request { http, base, method, path, headers, body: Payload::None }
    }

    /// A `GET`.
    pub fn get(&self, target: &str) -> Request {
        self.request(Method::GET, target)
    }

    /// A `HEAD`.
    pub fn head(&self, target: &str) -> Request {
        self.request(Method::HEAD, target)
    }

    /// A `PUT`.
    pub fn put(&self, target: &str) -> Request {
        self.request(Method::PUT, target)
    }

    /// A `POST`.
    pub fn post(&self, target: &str) -> Request {
        self.request(Method::POST, target)
    }

    /// A `PATCH`.
    pub fn patch(&self, target: &str) -> Request {
        self.request(Method::PATCH, target)
    }

    /// A `DELETE`.
    pub fn delete(&self, target: &str) -> Request {
        self.request(Method::DELETE, target)
    }

    /// The answers of a paged listing, following `Link` to its end.
    pub async fn pages(&self, first: &str) -> Vec<Answer> {
        let mut pages = vec![self.get(first).await.expect(200)];
        while let Some(next) = pages.last().and_then(Answer::next_page) {
            assert!(pages.len() < 1000, "{first} links on and on");
            pages.push(self.get(&next).await.expect(200));
        }
        pages
    }

    /// The strings in `field` of every page of a listing, in the order listed.
    pub async fn listing(&self, first: &str, field: &str) -> Vec<String> {
        let pages = self.pages(first).await;
        pages.iter().flat_map(|page| strings(&page.json()[field])).collect()
    }

    /// The repositories the catalogue lists: all of them, every page.
    pub async fn catalog(&self) -> Vec<String> {
        self.listing("/v2/_catalog", "repositories").await
    }
}

fn build(set_up: impl FnOnce(ClientBuilder) -> ClientBuilder) -> reqwest::Client {
    let builder = reqwest::Client::builder()
        .redirect(Policy::none())
        .timeout(Duration::from_mins(1))
        .no_proxy();
    set_up(builder).build().expect("a client can be built")
}

/// The strings of a JSON array.
fn strings(array: &Value) -> Vec<String> {
    let items = array.as_array().unwrap_or_else(|| panic!("expected a list, got {array}"));
    items.iter().map(|item| item.as_str().expect("a list of strings").to_owned()).collect()
}

/// A request being put together; await it to send it.
#[derive(Debug)]
#[must_use = "a request is sent by awaiting it"]
pub struct Request {
    http: reqwest::Client,
    base: String,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Payload,
}

#[derive(Debug)]
enum Payload {
    None,
    Sized(Bytes),
    Streamed(Bytes),
}

impl Request {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a percent-encoded query parameter.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.path = with_query(&self.path, name, value);
        self
    }

    /// Sets the body, with its `Content-Length`.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Payload::Sized(body.into());
        self
    }

    /// Sets a body of JSON.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Sets a body as forms of web pages send it.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    /// Sets a body of unannounced length, sent in several pieces.
    pub fn streamed(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Payload::Streamed(body.into());
        self
    }

    /// Sends the request; an error of the transport comes back as its text.
    pub async fn attempt(self) -> Result<Answer, String> {
        let line = format!("{} {}", self.method, self.path);
        let mut builder = self.http.request(self.method, format!("{}{}", self.base, self.path));
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        builder = match self.body {
            Payload::None => builder,
            // For an empty body the HTTP library may leave out the length; real clients send it.
            Payload::Sized(body) => builder.header("content-length", body.len()).body(body),
            Payload::Streamed(body) => builder.body(pieces(&body)),
        };
        let failed = |error: reqwest::Error| format!("{line}: {error:?}");
        let response = builder.send().await.map_err(failed)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let version = response.version();
        let body = response.bytes().await.map_err(failed)?;
        Ok(Answer { request: line, version, status, headers, body })
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.attempt().await.unwrap_or_else(|error| panic!("{error}")) })
    }
}

/// The path with one more query parameter, escaped.
pub(crate) fn with_query(path: &str, name: &str, value: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut path = format!("{path}{separator}{name}=");
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                path.push(char::from(byte));
            }
            _ => write!(path, "%{byte:02X}").expect("writing to a string"),
        }
    }
    path
}

/// A body that arrives in a few pieces.
fn pieces(body: &Bytes) -> reqwest::Body {
    let size = (body.len() / 3).max(1);
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        body.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
}
