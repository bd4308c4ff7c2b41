//! One attempt to send.

use std::{
    error::Error as _,
    sync::OnceLock,
    time::{Duration, Instant},
};

use plura_meta::{Timestamp, webhook::StoredWebhook};
use reqwest::{
    Client, RequestBuilder, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    redirect::Policy,
};

use crate::{
    Error, Events,
    form::Body,
    schedule::Ending,
    secret::SecretName,
    signature::{SIGNATURE, TIMESTAMP, sign},
    target::{self, Guard, IsAllowed},
};

/// How long a receiver may take to accept a connection, and for all of it.
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);
/// Characters of what went wrong that are kept.
const LONGEST_ERROR: usize = 300;

/// Sends to addresses that may be sent to.
#[derive(Debug)]
pub(crate) struct Sender {
    plain: (Client, Guard),
    /// Made when it is needed: where there are no certificates to believe, other webhooks still work.
    encrypted: OnceLock<Client>,
    guard: Guard,
}

/// What is sent.
pub(crate) struct Message {
    /// What happened.
    pub(crate) kind: String,
    /// What it is called: the same for each attempt.
    pub(crate) id: String,
    /// The request that did it; empty for what plura does by itself.
    pub(crate) request: String,
    pub(crate) body: Body,
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) ending: Ending,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) took: Duration,
}

impl Sent {
    /// Nothing had to be sent.
    pub(crate) fn nothing() -> Self {
        Self { ending: Ending::Accepted, status: None, error: None, took: Duration::ZERO }
    }
}

impl Sender {
    /// A sender to public addresses, and to those that are allowed.
    pub(crate) fn new(is_allowed: IsAllowed) -> Result<Self, Error> {
        let guard = Guard::new(is_allowed.clone(), false);
        // Reading the system's certificates takes time, and fails where there are none.
        let client = builder(&guard).tls_certs_only([]).build();
        let client = client.map_err(|error| Error::Connections(error.to_string()))?;
        let guards = (guard, Guard::new(is_allowed, true));
        Ok(Self { plain: (client, guards.0), encrypted: OnceLock::new(), guard: guards.1 })
    }

    /// The client for an address, which may be asked.
    fn client(&self, url: &Url) -> Result<&Client, String> {
        if url.scheme() == "http" {
            let (client, guard) = &self.plain;
            guard.check_literal(url)?;
            return Ok(client);
        }
        self.guard.check_literal(url)?;
        if let Some(client) = self.encrypted.get() {
            return Ok(client);
        }
        let client = builder(&self.guard).build().map_err(|error| error.to_string())?;
        Ok(self.encrypted.get_or_init(|| client))
    }
}

fn builder(guard: &Guard) -> reqwest::ClientBuilder {
    // A redirect would lead to an address that nobody wrote down, and a proxy hides where it ends.
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(guard.clone())
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .user_agent(concat!("plura/", env!("CARGO_PKG_VERSION")))
}

impl Events {
    /// Sends a message to a webhook once.
    pub(crate) async fn send(&self, webhook: &StoredWebhook, message: Message) -> Sent {
        let started = Instant::now();
        let (ending, status, error) = match self.request(webhook, message).await {
            Err(reason) => (Ending::Refused, None, Some(reason)),
            // What the receiver says besides its status is not read, however much it is.
            Ok(request) => match request.send().await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let ending = Ending::of_status(status);
                    let refusal = || format!("the receiver answered {}", response.status());
                    let error = (ending != Ending::Accepted).then(refusal);
                    (ending, Some(status), error)
                }
                Err(error) => (Ending::Failed, None, Some(cause(&error))),
            },
        };
        let error = error.map(|text| text.chars().take(LONGEST_ERROR).collect());
        Sent { ending, status, error, took: started.elapsed() }
    }

    async fn request(
        &self,
        webhook: &StoredWebhook,
        message: Message,
    ) -> Result<RequestBuilder, String> {
        let url = self.url(webhook).await?;
        let mut request = self.shared.sender.client(&url)?.post(url);
        request = request
            .header(CONTENT_TYPE, message.body.content_type)
            .header("x-plura-event", message.kind)
            .header("x-plura-delivery", message.id);
        if !message.request.is_empty() {
            request = request.header("x-request-id", message.request);
        }
        let seconds = Timestamp::now().0 / 1000;
        request = request.header(TIMESTAMP, seconds);
        if let Some(name) = &webhook.signing_secret {
            let secret = self.secret(webhook, name).await?;
            request = request.header(SIGNATURE, sign(&secret, seconds, &message.body.bytes));
        }
        if let Some(name) = &webhook.authorization_secret {
            let secret = self.secret(webhook, name).await?;
            let value = HeaderValue::from_bytes(&secret);
            let mut value = value.map_err(|_| "the secret cannot stand in a header".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        Ok(request.body(message.body.bytes))
    }

    async fn url(&self, webhook: &StoredWebhook) -> Result<Url, String> {
        if !SecretName::is_name(&webhook.address) {
            return target::parse(&webhook.address).map_err(|error| error.to_string());
        }
        let secret = self.secret(webhook, &webhook.address).await?;
        let text = std::str::from_utf8(&secret).map_err(|_| "the secret is no address")?;
        target::parse(text).map_err(|error| error.to_string())
    }

    async fn secret(
        &self,
        webhook: &StoredWebhook,
        name: &str,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, String> {
        let name = SecretName::parse("secret", name, webhook.project.as_deref());
        let name = name.map_err(|error| error.to_string())?;
        Ok(name.read(self.shared.settings.secrets.as_deref()).await?)
    }
}

/// The innermost reason: the outer ones repeat the address, which may be a secret.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("the receiver did not answer within {} seconds", WHOLE.as_secs());
    }
    let mut source = error.source();
    let mut text = None;
    while let Some(inner) = source {
        text = Some(inner.to_string());
        source = inner.source();
    }
    text.unwrap_or_else(|| "the receiver cannot be reached".to_owned())
}
