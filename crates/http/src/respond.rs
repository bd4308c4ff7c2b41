//! Small pieces of responses.

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::body::Body;

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    with_body(status, Body::empty())
}

/// A response with a body.
pub(crate) fn with_body(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // What is serialised here are our own types with text keys, for which this cannot fail.
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    with_body(status, bytes.into()).with(header::CONTENT_TYPE, "application/json")
}

/// Adds headers in the flow of an expression.
pub(crate) trait With: Sized {
    /// Adds a header whose value is plain text.
    fn with(self, name: impl Into<HeaderName>, value: impl AsRef<str>) -> Self;
}

impl With for Response<Body> {
    fn with(mut self, name: impl Into<HeaderName>, value: impl AsRef<str>) -> Self {
        // Values are digests, paths of parsed names, media types and numbers: none can hold a control
        // character. If one did, a missing header is better than a split answer.
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers_mut().append(name.into(), value);
        }
        self
    }
}
