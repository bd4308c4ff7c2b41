//! A route: what it is asked with, what it needs, what it answers, and what carries it out.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{RawPathParams, Request, State as Extract, rejection::RawPathParamsRejection},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, header};

use super::{
    authorise::{Need, deciding_name, permit},
    call::{Answer, Call, read},
    describe::Description,
};
use crate::{app::State, auth, error::ApiError, identify::Sender, v2::authorise::challenge};

/// What a route does to what its path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Reads.
    Get,
    /// Adds, or acts.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

/// A route beside `/v2`: the router, the description of the API and the tests are made from it.
pub(crate) struct Route {
    pub(super) verb: Verb,
    pub(super) path: &'static str,
    pub(super) need: Need,
    /// `user.create`: its name in the description, and in the audit where it is refused.
    pub(super) action: &'static str,
    /// For those who write clients; `None` for what is no part of the API.
    pub(super) description: Option<Description>,
    /// Whether the body may be large: the handler reads it, as it comes.
    streams: bool,
    handler: Handler,
}

type Run = Box<dyn Fn(Call) -> BoxFuture<'static, Answer> + Send + Sync>;

enum Handler {
    /// Runs after the sender was identified and permitted.
    Call(Run),
    /// Does everything itself; for what needs nothing.
    Plain(Box<MethodRouter<Arc<State>>>),
}

impl Route {
    /// A route that is answered by `handler` once its need is met.
    pub(crate) fn new<F, Fut>(
        verb: Verb,
        path: &'static str,
        need: Need,
        action: &'static str,
        handler: F,
    ) -> Self
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let handler = Handler::Call(Box::new(move |call| Box::pin(handler(call))));
        Self { verb, path, need, action, description: None, streams: false, handler }
    }

    /// Leaves the body, which may be large, to the handler.
    #[must_use]
    pub(crate) fn streamed(self) -> Self {
        Self { streams: true, ..self }
    }

    /// A route that needs nothing.
    pub(crate) fn open<H, T>(
        verb: Verb,
        path: &'static str,
        action: &'static str,
        handler: H,
    ) -> Self
    where
        H: axum::handler::Handler<T, Arc<State>>,
        T: 'static,
    {
        let handler = Handler::Plain(Box::new(on(verb.filter(), handler)));
        let need = Need::Nothing;
        Self { verb, path, need, action, description: None, streams: false, handler }
    }

    /// Makes it part of the description of the API.
    #[must_use]
    pub(crate) fn described(self, description: Description) -> Self {
        Self { description: Some(description), ..self }
    }

    /// Adds the route to a router.
    pub(super) fn mount(self, router: Router<Arc<State>>) -> Router<Arc<State>> {
        let Self { verb, path, need, action, description, streams, handler } = self;
        let run = match handler {
            Handler::Plain(plain) => return router.route(path, *plain),
            Handler::Call(run) => run,
        };
        let known = description.map(|description| description.query_names());
        let shape = Arc::new(Shape { need, action, known, streams, run });
        let handler =
            move |state: Extract<Arc<State>>, parameters: Parameters, request: Request| {
                let shape = Arc::clone(&shape);
                async move { shape.answer(state.0, parameters, request).await }
            };
        router.route(path, on(verb.filter(), handler))
    }
}

type Parameters = Result<RawPathParams, RawPathParamsRejection>;

/// What remains of a route when it serves.
struct Shape {
    need: Need,
    action: &'static str,
    /// The parameters that a query may have, where that is told.
    known: Option<Vec<String>>,
    streams: bool,
    run: Run,
}

impl Shape {
    async fn answer(
        &self,
        state: Arc<State>,
        parameters: Parameters,
        request: Request,
    ) -> Response {
        let (head, body) = request.into_parts();
        let realm = state.realm(&head);
        let shown = head.headers.contains_key(header::AUTHORIZATION).then_some("invalid_token");
        let call = self.call(state, head, parameters, body).await;
        let answer = match call {
            Ok(call) => (self.run)(call).await,
            Err(error) => Err(error),
        };
        let mut response = answer.unwrap_or_else(|error| {
            let challenge = challenge(&realm, None, shown);
            error.into_response_with_challenge(&challenge).map(axum::body::Body::new)
        });
        // Answers are for who asked, and some are secrets (RFC 9111, "no-store"), unless they say
        // otherwise.
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(no_store);
        response
    }

    /// Who asks, whether they may, and what for: in this order, for every route.
    async fn call(
        &self,
        state: Arc<State>,
        head: http::request::Parts,
        parameters: Parameters,
        body: axum::body::Body,
    ) -> Result<Call, ApiError> {
        let (body, rest) =
            if self.streams { (Ok(Bytes::new()), Some(body)) } else { (read(body).await, None) };
        let sender = Sender::find(&state, &head, &crate::request::RequestId::of(&head)).await?;
        state.check_rate(&sender)?;
        sender.check_same_origin(&state, &head)?;
        let parameters = named(parameters)?;
        let caller = auth::caller(&sender, &head);
        let (action, address) = (self.action, sender.address);
        let mut call =
            Call { state, caller, address, action, head, parameters, body, rest: Mutex::new(rest) };
        permit(&call, self.need).await?;
        if let Some(actor) = deciding_name(&call, self.need)? {
            Arc::make_mut(&mut call.caller.origin).actor = actor;
        }
        if let Some(known) = &self.known {
            call.check_query(known)?;
        }
        Ok(call)
    }
}

fn named(parameters: Parameters) -> Result<Vec<(String, String)>, ApiError> {
    match parameters {
        Ok(parameters) => {
            let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
            Ok(parameters.iter().map(owned).collect())
        }
        Err(RawPathParamsRejection::InvalidUtf8InPathParam(error)) => {
            Err(auth::bad_request(&error.body_text()))
        }
        // The path has no placeholders.
        Err(_) => Ok(Vec::new()),
    }
}

impl Verb {
    /// As it stands in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether it changes nothing.
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get)
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        Self::into_response(self).map(axum::body::Body::new)
    }
}
