//! Requests that show themselves: each prints the command that does the same, and how long it took.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use plura_oci::Digest;
use reqwest::{Method, Response, StatusCode};

use crate::printer::Printer;

/// Speaks to the demo's server.
pub(super) struct Client<'a> {
    http: reqwest::Client,
    base: String,
    printer: &'a Printer,
    shows: Shows,
    /// Whether requests are not told.
    quiet: bool,
}

/// Who the client says it is.
#[derive(Clone)]
enum Shows {
    Nothing,
    Password(String, String),
    Token(String),
}

/// A request to be made.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Whether the body has a password in it, which is not printed.
    secret: bool,
    pub(super) expected: StatusCode,
}

impl Ask {
    pub(super) fn new(method: Method, path: impl Into<String>, expected: StatusCode) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
            secret: false,
            expected,
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn json(self, body: &serde_json::Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    pub(super) fn secret_json(self, body: &serde_json::Value) -> Self {
        Self { secret: true, ..self.json(body) }
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

impl<'a> Client<'a> {
    pub(super) fn new(address: &str, printer: &'a Printer) -> Self {
        let http = reqwest::Client::new();
        Self {
            http,
            base: format!("http://{address}"),
            printer,
            shows: Shows::Nothing,
            quiet: false,
        }
    }

    /// The same client for a server that was started again.
    pub(super) fn moved_to(self, address: &str) -> Self {
        Self { base: format!("http://{address}"), ..self }
    }

    /// The same client, logged in.
    pub(super) fn logged_in(self, name: &str, password: &str) -> Self {
        Self { shows: Shows::Password(name.to_owned(), password.to_owned()), ..self }
    }

    /// Somebody else at the same server.
    pub(super) fn as_other(&self, name: &str, password: &str) -> Self {
        self.showing(Shows::Password(name.to_owned(), password.to_owned()))
    }

    /// Somebody with a token at the same server.
    pub(super) fn with_token(&self, token: &str) -> Self {
        self.showing(Shows::Token(token.to_owned()))
    }

    fn showing(&self, shows: Shows) -> Self {
        let (http, base) = (self.http.clone(), self.base.clone());
        Self { http, base, printer: self.printer, shows, quiet: self.quiet }
    }

    /// The same client, which does not tell what it asks.
    pub(super) fn quiet(&self) -> Self {
        Self { quiet: true, ..self.showing(self.shows.clone()) }
    }

    /// A step of the story.
    pub(super) fn tell(&self, step: &str) -> anyhow::Result<()> {
        self.printer.data(format!("\n{step}\n"))
    }

    /// What another tool would be called with for the same.
    pub(super) fn same_as(&self, command: &str) -> anyhow::Result<()> {
        let host = self.base.trim_start_matches("http://");
        self.printer.data(format!("             {}\n", command.replace("HOST", host)))
    }

    /// Makes a request; another status than expected ends the demo.
    pub(super) async fn ask(&self, ask: Ask) -> anyhow::Result<Response> {
        let line = self.as_curl(&ask);
        let Ask { method, path, headers, body, expected, .. } = ask;
        let mut request = self.http.request(method, format!("{}{path}", self.base)).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request = match &self.shows {
            Shows::Nothing => request,
            Shows::Password(name, password) => request.basic_auth(name, Some(password)),
            Shows::Token(token) => request.bearer_auth(token),
        };
        let started = Instant::now();
        let response = request.send().await.with_context(|| line.clone())?;
        let took = started.elapsed();
        if !self.quiet {
            self.printer.data(format!("{}  {line}\n", milliseconds(took)))?;
        }
        if response.status() != expected {
            let (status, text) = (response.status(), response.text().await.unwrap_or_default());
            bail!("expected {expected}, got {status}: {text}");
        }
        Ok(response)
    }

    /// Makes a request and reads its body, which must have the digest, if one is given.
    pub(super) async fn fetch(&self, ask: Ask, digest: Option<&Digest>) -> anyhow::Result<Vec<u8>> {
        let bytes = self.ask(ask).await?.bytes().await.context("the transfer broke off")?;
        if let Some(digest) = digest {
            ensure!(Digest::of(digest.algorithm(), &bytes) == *digest, "not the bytes of {digest}");
        }
        Ok(bytes.to_vec())
    }

    /// What is there, or that there is nothing yet.
    pub(super) async fn fetch_if_there(&self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if let Shows::Password(name, password) = &self.shows {
            request = request.basic_auth(name, Some(password));
        }
        let response = request.send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(response.error_for_status()?.bytes().await?.to_vec()))
    }

    fn as_curl(&self, ask: &Ask) -> String {
        let method = match ask.method {
            Method::GET => String::new(),
            Method::HEAD => " -I".to_owned(),
            ref other => format!(" -X {other}"),
        };
        let headers = ask.headers.iter().map(|(name, value)| format!(" -H '{name}: {value}'"));
        let shows = match &self.shows {
            Shows::Nothing => String::new(),
            Shows::Password(name, _) => format!(" -u {name}:$PASSWORD"),
            Shows::Token(_) => " -H 'Authorization: Bearer $TOKEN'".to_owned(),
        };
        let body = match ask.body.len() {
            _ if ask.secret => " -d @FILE".to_owned(),
            0 => String::new(),
            1..200 => format!(" -d '{}'", String::from_utf8_lossy(&ask.body)),
            _ => " --data-binary @FILE".to_owned(),
        };
        let headers: String = headers.collect();
        format!("curl{method}{shows}{headers}{body} '{}{}'", self.base, ask.path)
    }
}

fn milliseconds(took: Duration) -> String {
    format!("{:>8.2} ms", took.as_secs_f64() * 1000.0)
}
