//! What is no part of the API: for browsers, probes, Prometheus and operators.

use std::sync::Arc;

use axum::{
    Json,
    extract::State as Extract,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use plura_governance::RetentionPlan;
use plura_oci::{Digest, RepositoryName};
use plura_policy::Permission;
use plura_registry::{CollectReport, CollectRequest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    answer::ok,
    authorise::Need,
    call::{Answer, Call},
    route::{Route, Verb},
};
use crate::{
    app::{App, State},
    auth::bad_request,
};

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

const EXPECTED: &str =
    r#"{"repo": "apps/search", "dry_run": true}, both optional, or {"plan": "sha256:..."}"#;

/// What `POST /v1/registry/gc` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Collect {
    repo: Option<RepositoryName>,
    #[serde(default)]
    dry_run: bool,
    /// The plan that is to be carried out.
    plan: Option<Digest>,
    /// Has the plan stopped instead.
    #[serde(default)]
    cancel: bool,
}

/// What a collection did, and what rules let go beside it.
#[derive(Serialize)]
struct Collected {
    #[serde(flatten)]
    report: CollectReport,
    /// The plan of a dry run; none where rules let nothing go.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<RetentionPlan>,
}

async fn collect(call: Call) -> Answer {
    let Collect { repo, dry_run, plan, cancel } = call.json(EXPECTED)?;
    let state = &call.state;
    let (governance, origin) = (&state.knowledge.governance, &call.caller.origin);
    match (plan, cancel) {
        (Some(_), _) if dry_run || repo.is_some() => {
            return Err(bad_request(
                "a plan says itself what it is about; leave `repo` and `dry_run`",
            ));
        }
        (Some(plan), true) => return ok(&governance.cancel_retention(plan).await?),
        (Some(plan), false) => return ok(&governance.carry_out_retention(origin, plan).await?),
        (None, true) => return Err(bad_request("cancel: expected `plan`, too")),
        (None, false) => {}
    }
    let name = repo.clone();
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
    let plan = if dry_run { governance.plan_retention(origin, name.as_ref()).await? } else { None };
    ok(&Collected { report, plan })
}
