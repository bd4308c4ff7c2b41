//! Between hyper and the service: panics, extensions, and the bookkeeping of requests.

use std::any::Any;
use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::Service;

use super::activity::{Activity, UnderWay};
use super::metrics::Metrics;
use super::{Connection, Options, RequestBody};
use crate::body::{Body, FileQueue};

/// The service of one connection.
pub(super) struct PerConnection<S> {
    pub(super) service: S,
    pub(super) connection: Connection,
    pub(super) activity: Arc<Activity>,
    pub(super) options: Arc<Options>,
    pub(super) queue: Option<FileQueue>,
}

impl<S> Service<Request<Incoming>> for PerConnection<S>
where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let under_way = UnderWay::new(&self.activity, request.version() == Version::HTTP_2);
        let queue = self.queue.clone().filter(|_| request.version() == Version::HTTP_11);
        let head_only = request.method() == Method::HEAD;
        let request = self.request(request);
        let service = self.service.clone();
        let metrics = Arc::clone(&self.options.metrics);
        Box::pin(async move {
            // The call itself is inside, because it may panic before there is a future.
            let answer = AssertUnwindSafe(async move { service.call(request).await });
            let mut response = match answer.catch_unwind().await {
                Ok(Ok(response)) => response,
                Err(panic) => after_panic(&*panic, &metrics),
            };
            if let Some(queue) = queue
                && !head_only
                && has_plain_length(&response)
            {
                response.body_mut().send_through(queue);
            }
            Ok(response.map(|body| Tracked { body, under_way }))
        })
    }
}

impl<S> PerConnection<S> {
    fn request(&self, request: Request<Incoming>) -> Request<RequestBody> {
        let stall_timeout = self.options.stall_timeout;
        let mut request =
            request.map(|body| RequestBody::new(body, Arc::clone(&self.activity), stall_timeout));
        request.extensions_mut().insert(self.connection.clone());
        request
    }
}

/// Whether the body goes out as exactly its own bytes: no chunk sizes between them, and no header
/// that promises another length.
fn has_plain_length(response: &Response<Body>) -> bool {
    let length = http_body::Body::size_hint(response.body()).exact();
    let promised = response.headers().get(CONTENT_LENGTH);
    !response.headers().contains_key(TRANSFER_ENCODING)
        && promised.is_none_or(|promised| {
            promised.to_str().ok().and_then(|promised| promised.parse().ok()) == length
        })
}

fn after_panic(panic: &(dyn Any + Send), metrics: &Metrics) -> Response<Body> {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(panic = text, "a request handler panicked");
    Metrics::add(&metrics.panics, 1);
    let mut response = Response::new(Body::from("internal error\n"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// A response body whose request is under way until it is dropped.
pub(super) struct Tracked {
    body: Body,
    under_way: UnderWay,
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.under_way.asked();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.under_way.handed_over();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
