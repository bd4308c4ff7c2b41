//! What is no part of the API: for browsers, probes, Prometheus and operators.

use std::sync::Arc;

use axum::{
    Json,
    extract::State as Extract,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use plura_oci::RepositoryName;
use plura_policy::Permission;
use plura_registry::{CollectRequest, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::{
    answer::ok,
    authorise::Need,
    call::{Answer, Call},
    route::{Route, Verb},
};
use crate::app::{App, State};

pub(super) fn routes() -> Vec<Route> {
    const OPERATE: Need = Need::Installation(Permission::Operate);
    vec![
        Route::open(Verb::Get, "/", "welcome", welcome),
        Route::open(Verb::Get, "/healthz", "health.alive", alive),
        Route::open(Verb::Get, "/readyz", "health.ready", ready),
        Route::new(Verb::Get, "/metrics", Need::Figures, "metrics.read", metrics),
        Route::new(Verb::Post, "/v1/registry/gc", OPERATE, "registry.collect", collect),
    ]
}

async fn welcome() -> &'static str {
    "plura is a container registry: push and pull with any OCI client, see /v2/ for the API.\n"
}

/// The process answers.
async fn alive() -> &'static str {
    "ok\n"
}

/// The storage can be used, too.
async fn ready(state: Extract<Arc<State>>) -> Response {
    match state.health.problem() {
        None => Json(json!({ "ready": true })).into_response(),
        Some(problem) => {
            let body = Json(json!({ "ready": false, "problem": problem }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

async fn metrics(call: Call) -> Answer {
    const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let state = &call.state;
    let ready = state.health.problem().is_none();
    let figures = (&state.registry, &state.knowledge);
    let text = state.metrics.render(figures, ready, &state.options.connections).await;
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

/// What `POST /v1/registry/gc` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Collect {
    repo: Option<RepositoryName>,
    #[serde(default)]
    dry_run: bool,
}

async fn collect(call: Call) -> Answer {
    let Collect { repo, dry_run } =
        call.json(r#"{"repo": "apps/search", "dry_run": true}, both optional"#)?;
    let state = &call.state;
    let now = Timestamp::now();
    let request = CollectRequest { repository: repo, dry_run, now };
    let report = state.registry.collect(request).await;
    if !dry_run {
        state.metrics.collection(report.as_ref().ok(), now);
    }
    let report = report?;
    if !dry_run {
        state.access.record(&call.caller.origin, App::collected(&report)).await?;
    }
    ok(&report)
}
