//! What handlers answer with.

use axum::{Json, response::IntoResponse};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::call::{Answer, Call};

/// 200.
#[expect(clippy::unnecessary_wraps, reason = "handlers end with it")]
pub(super) fn ok(value: &impl Serialize) -> Answer {
    Ok(Json(value).into_response())
}

/// 201, and where it is.
#[expect(clippy::unnecessary_wraps, reason = "handlers end with it")]
pub(super) fn created(call: &Call, path: &str, value: &impl Serialize) -> Answer {
    let base = call.state.options.public_url.as_deref().unwrap_or_default();
    let mut response = (StatusCode::CREATED, Json(value)).into_response();
    // Names and keys are plain characters, all of which may stand in a path.
    if let Ok(location) = HeaderValue::from_str(&format!("{base}{path}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// 204.
#[expect(clippy::unnecessary_wraps, reason = "handlers end with it")]
pub(super) fn gone() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}
