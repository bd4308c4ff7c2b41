use std::{
    convert::Infallible,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, header, request::Parts};
use hyper::service::Service;
use plura_access::{Access, Event};
use plura_contents::Contents;
use plura_events::{Events, Jobs};
use plura_evidence::Evidence;
use plura_governance::Governance;
use plura_registry::{CollectReport, Registry, on_request};
use plura_transparency::Transparency;
use plura_vulnerabilities::Vulnerabilities;
use tower::ServiceExt;
use tracing::{debug, error, info};

use crate::{
    api,
    body::Body,
    error::{ApiError, Cause},
    forwarded,
    health::Health,
    identify::Sender,
    listen::{self, RequestBody},
    metrics::Metrics,
    network::Network,
    request::RequestId,
    v2,
};

/// Everything that answers requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) state: Arc<State>,
    router: axum::Router,
}

/// What the answers need besides the registry.
#[derive(Debug, Default)]
pub struct AppOptions {
    /// The address that clients reach this server by, without a slash at the end. `Location` is
    /// relative without it, which every client understands and every proxy survives.
    pub public_url: Option<String>,
    /// Whether everybody may read `/metrics`.
    pub anonymous_metrics: bool,
    /// The proxies whose word on whom they forward for is taken.
    pub trusted_proxies: Vec<Network>,
    /// Counts of the connection layer, for `/metrics`.
    pub connections: Arc<listen::Metrics>,
    /// How clients are sent to the object store for blobs, where there is one.
    pub redirect: Redirect,
    /// Whether everybody may read the log.
    pub public_log: bool,
}

/// How clients are sent to the object store.
#[derive(Clone, Debug, Default)]
pub struct Redirect {
    /// Whether they are, unless the project says otherwise.
    pub enabled: bool,
    /// How long the address that they are sent to is good for.
    pub expires: Duration,
    /// Clients that are not sent anywhere, since they cannot reach the object store, or pay for it.
    pub stream_to: Vec<Network>,
}

impl Redirect {
    /// Whether a client at that address is sent to the object store. What `project` says counts before
    /// the settings; but no project knows whom the object store cannot be reached by.
    pub(crate) fn applies_to(&self, project: Option<bool>, client: IpAddr) -> bool {
        project.unwrap_or(self.enabled)
            && !self.stream_to.iter().any(|network| network.contains(client))
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) registry: Registry,
    pub(crate) knowledge: Knowledge,
    pub(crate) access: Access,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Metrics,
    pub(crate) options: AppOptions,
}

impl State {
    /// The address that the client reached this server by: what was set, or what it asked for.
    ///
    /// The `Host` header is the client's own word, and what is made of it is answered to that client
    /// only; what cannot be a host is not repeated.
    pub(crate) fn base_url(&self, head: &Parts) -> String {
        if let Some(url) = &self.options.public_url {
            return url.clone();
        }
        let tls = head.extensions.get::<listen::Connection>().is_some_and(|c| c.tls);
        let scheme = if tls { "https" } else { "http" };
        let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| head.uri.authority().map(http::uri::Authority::as_str));
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        let host = host.filter(|host| !host.is_empty() && host.chars().all(plain));
        format!("{scheme}://{}", host.unwrap_or("localhost"))
    }

    /// The address of the token service, as challenges name it.
    pub(crate) fn realm(&self, head: &Parts) -> String {
        format!("{}/auth/token", self.base_url(head))
    }

    /// Refuses who sends too many requests.
    pub(crate) fn check_rate(&self, sender: &Sender) -> Result<(), ApiError> {
        let checked = self.access.check_rate(&sender.principal, sender.address);
        checked.map_err(ApiError::too_many)
    }
}

/// What is known of the images of a registry. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Knowledge {
    /// Who signed them, and how they were built.
    pub evidence: Evidence,
    /// What is in them.
    pub contents: Contents,
    /// Which vulnerabilities they have.
    pub vulnerabilities: Vulnerabilities,
    /// What may be where.
    pub governance: Governance,
    /// What was decided, for everybody to verify.
    pub transparency: Transparency,
    /// What happens, told to others.
    pub events: Events,
    /// What goes on in the background.
    pub jobs: Jobs,
}

impl App {
    /// An application over a registry, what is known of its manifests and images, and its access control.
    pub fn new(
        registry: Registry,
        knowledge: Knowledge,
        access: Access,
        health: Arc<Health>,
        options: AppOptions,
    ) -> Self {
        let metrics = Metrics::default();
        let state = Arc::new(State { registry, knowledge, access, health, metrics, options });
        Self { router: api::router(Arc::clone(&state)), state }
    }

    /// The counts behind `/metrics`, for those who do something worth counting elsewhere.
    pub fn metrics(&self) -> &Metrics {
        &self.state.metrics
    }

    /// A collection as the audit has it, whoever asked for it.
    pub fn collected(report: &CollectReport) -> Event {
        let detail = serde_json::json!({
            "manifests": report.manifests,
            "links": report.links,
            "blobs": report.blobs,
            "uploads": report.uploads,
            "bytes": report.bytes,
        });
        Event { detail: detail.to_string(), ..Event::done("collect", "") }
    }

    async fn answer(self, mut request: Request<RequestBody>) -> Response<Body> {
        let started = Instant::now();
        let id = RequestId::new(request.headers());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answered = async {
            match self.find_client(&mut request) {
                Err(error) => ("not_understood", error.into_response()),
                Ok(()) if v2::is_ours(&path) => v2::answer(&self.state, request, &id).await,
                Ok(()) => {
                    request.extensions_mut().insert(id.clone());
                    ("api", self.route(request).await)
                }
            }
        };
        let (action, mut response) = on_request(id.text(), Box::pin(answered)).await;
        let status = response.status();
        if let Some(Cause(cause)) = response.extensions_mut().remove() {
            error!(request = %id, cause, "the registry could not do its part");
        }
        let took = started.elapsed();
        self.state.metrics.request(action, status.as_u16(), took);
        // Reads come by the thousand a second; what changes something is always worth a line.
        if method.is_safe() && !status.is_server_error() {
            debug!(request = %id, %method, path, status = status.as_u16(), ?took, "answered");
        } else {
            info!(request = %id, %method, path, status = status.as_u16(), ?took, "answered");
        }
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert("x-request-id", id.header());
        response
    }

    /// Puts the client's end of the connection in the place of the proxy's.
    fn find_client(&self, request: &mut Request<RequestBody>) -> Result<(), ApiError> {
        let trusted = &self.state.options.trusted_proxies;
        let Some(peer) = request.extensions().get::<listen::Connection>() else { return Ok(()) };
        if !trusted.is_empty() {
            let client = forwarded::connection(peer, request.headers(), trusted)?;
            request.extensions_mut().insert(client);
        }
        Ok(())
    }

    async fn route(&self, request: Request<RequestBody>) -> Response<Body> {
        let request = request.map(axum::body::Body::new);
        let Ok(mut response) = self.router.clone().oneshot(request).await;
        let headers = response.headers_mut();
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        );
        response.map(Body::boxed)
    }
}

impl Service<Request<RequestBody>> for App {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<RequestBody>) -> Self::Future {
        let app = self.clone();
        Box::pin(async move { Ok(app.answer(request).await) })
    }
}
