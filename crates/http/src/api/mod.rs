//! Everything beside `/v2`.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{State as Extract, rejection::JsonRejection},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{Method, StatusCode, header};
use plura_oci::{ErrorCode, RepositoryName};
use plura_registry::{CollectReport, CollectRequest, Timestamp};
use serde::Deserialize;
use serde_json::json;

use crate::{app::State, error::ApiError};

type Shared = Extract<Arc<State>>;

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/", get(welcome))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/registry/gc", post(collect))
        .merge(crate::auth::router())
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(state)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        Self::into_response(self).map(axum::body::Body::new)
    }
}

async fn welcome() -> &'static str {
    "plura is a container registry: push and pull with any OCI client, see /v2/ for the API.\n"
}

/// The process answers.
async fn alive() -> &'static str {
    "ok\n"
}

/// The storage can be used, too.
async fn ready(state: Shared) -> Response {
    match state.health.problem() {
        None => Json(json!({ "ready": true })).into_response(),
        Some(problem) => {
            let body = Json(json!({ "ready": false, "problem": problem }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

async fn metrics(state: Shared) -> Response {
    const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let ready = state.health.problem().is_none();
    let text = state.metrics.render(&state.registry, ready, &state.options.connections).await;
    ([(header::CONTENT_TYPE, TEXT)], text).into_response()
}

/// What `POST /v1/registry/gc` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Collect {
    repo: Option<RepositoryName>,
    #[serde(default)]
    dry_run: bool,
}

async fn collect(
    Extract(state): Shared,
    body: Result<Json<Collect>, JsonRejection>,
) -> Result<Json<CollectReport>, ApiError> {
    let Json(Collect { repo, dry_run }) = body.map_err(|rejection| {
        let expected = r#"expected {"repo": "apps/search", "dry_run": true}, both optional"#;
        let message = format!("{}; {expected}", rejection.body_text());
        ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::Unsupported, message)
    })?;
    let now = Timestamp::now();
    let report = state.registry.collect(CollectRequest { repository: repo, dry_run, now }).await;
    if !dry_run {
        state.metrics.collection(report.as_ref().ok(), now);
    }
    Ok(Json(report?))
}

async fn no_such_path() -> ApiError {
    let message = "no such path; container clients use /v2/";
    ApiError::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, message)
}

async fn no_such_method(method: Method) -> ApiError {
    let message = format!("this path does not take {method}; `Allow` says what it takes");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, message)
}
