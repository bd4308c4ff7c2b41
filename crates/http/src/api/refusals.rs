//! How requests are refused, as the description of the API has it.

use http::StatusCode;
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Header, HeaderBuilder, Ref, RefOr, Response, Schema, content::Content,
        response::ResponseBuilder,
    },
};

/// The form of every refusal.
#[derive(Serialize, ToSchema)]
pub(super) struct Errors {
    /// What is wrong; one entry.
    #[schema(min_items = 1, max_items = 1)]
    errors: Vec<Refusal>,
}

/// What is wrong.
#[derive(Serialize, ToSchema)]
pub(super) struct Refusal {
    /// What kind of refusal: `INVALID`, `DENIED`, ...
    #[schema(pattern = "^[A-Z_]+$")]
    code: String,
    /// In words, with what to do.
    message: String,
    /// More; for `DENIED`, the `rule` that decided and how to `fix` it.
    #[schema(value_type = Option<Object>)]
    detail: Option<serde_json::Value>,
}

/// Every status that refuses, what it is called in the description, and what it means.
const ALL: [(StatusCode, &str, &str); 10] = [
    (StatusCode::BAD_REQUEST, "Invalid", "The request is not of the expected form"),
    (StatusCode::UNAUTHORIZED, "Unauthorized", "The credentials are missing or not valid"),
    (StatusCode::FORBIDDEN, "Denied", "It may not be done; `detail` says by which rule"),
    (StatusCode::NOT_FOUND, "NotFound", "There is no such thing, or it may not be seen"),
    (StatusCode::CONFLICT, "Conflict", "Something stands in the way"),
    (StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", "The body is too large"),
    (StatusCode::TOO_MANY_REQUESTS, "TooMany", "Too many requests, or failed logins"),
    (StatusCode::INTERNAL_SERVER_ERROR, "Damaged", "The stored content is damaged"),
    (StatusCode::SERVICE_UNAVAILABLE, "Unavailable", "The server cannot answer now"),
    (StatusCode::INSUFFICIENT_STORAGE, "Full", "The storage is full"),
];

/// What a refusal is called in the description.
pub(super) fn name(status: StatusCode) -> &'static str {
    let found = ALL.iter().find(|(of, ..)| *of == status);
    found.map_or("Unknown", |(_, name, _)| name)
}

/// All refusals, for the description to refer to.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Response)> {
    ALL.into_iter().map(|(status, name, text)| (name, refusal(status, text)))
}

fn refusal(status: StatusCode, text: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name(Errors::name())));
    let answer = ResponseBuilder::new().description(text).content("application/json", content);
    match status {
        StatusCode::UNAUTHORIZED => {
            answer.header("WWW-Authenticate", header(String::schema(), "Where to get a token"))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            answer.header("Retry-After", header(u32::schema(), "Seconds to wait"))
        }
        _ => answer,
    }
    .build()
}

pub(super) fn header(schema: RefOr<Schema>, text: &str) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(text)).build()
}
