//! What people and robots say about an image: approvals, and results of checks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plura_access::schema;
use plura_governance::{GivenApproval, ListedCheck, NewApproval, NewCheck};
use plura_oci::{Reference, RepositoryName};
use plura_policy::{ChannelName, Permission, facts::CheckState, roles_in};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::{gone, ok},
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError};

pub(super) fn routes() -> Vec<Route> {
    const PULL: Need = Need::Repository(Permission::Pull);
    const PROMOTE: Need = Need::Repository(Permission::Promote);
    const PUSH: Need = Need::Repository(Permission::Push);
    const APPROVALS: &str = "/api/v1/approvals";
    const CHECKS: &str = "/api/v1/checks";
    vec![
        Route::new(Verb::Get, APPROVALS, PULL, "approval.list", approvals).described(
            Description::new("Lists the approvals of an image")
                .asks::<Which>()
                .gives::<Approvals>(),
        ),
        Route::new(Verb::Post, APPROVALS, PROMOTE, "approval.given", approve).described(
            Description::new("Approves an image for a channel")
                .asks::<Which>()
                .takes::<Approving>()
                .gives::<GivenApproval>(),
        ),
        Route::new(Verb::Delete, APPROVALS, PROMOTE, "approval.revoked", revoke)
            .described(Description::new("Takes an approval back").asks::<Given>().gives_nothing()),
        Route::new(Verb::Get, CHECKS, PULL, "check.list", checks).described(
            Description::new("Lists the results of checks of an image")
                .asks::<Which>()
                .gives::<Checks>(),
        ),
        Route::new(Verb::Post, CHECKS, PUSH, "check.post", post).described(
            Description::new("Keeps the result of a check of an image")
                .asks::<Which>()
                .takes::<CheckOutcome>()
                .gives::<ListedCheck>(),
        ),
    ]
}

/// Which image.
#[derive(Deserialize, IntoParams)]
struct Which {
    /// Where it is.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// A tag, or a digest: what is said is said of the digest.
    #[param(max_length = 200)]
    reference: String,
}

/// Which approval.
#[derive(Deserialize, IntoParams)]
struct Given {
    /// Where the image is.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// The approval's name.
    #[param(value_type = schema::Key)]
    approval: String,
}

/// For what somebody stands.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Approving {
    /// The channel: `prod:stable`.
    channel: String,
    /// Why.
    reason: Option<String>,
    /// When it ends.
    #[schema(value_type = Option<schema::Instant>)]
    expires_at: Option<String>,
}

/// How a check went.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CheckOutcome {
    /// What the check is called: `smoke`.
    name: String,
    /// How it went.
    state: CheckState,
    /// More about it.
    detail: Option<String>,
}

/// Approvals, the oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = GivenApprovals)]
struct Approvals {
    approvals: Vec<GivenApproval>,
}

/// Results of checks, by name.
#[derive(Serialize, ToSchema)]
#[schema(as = PostedChecks)]
struct Checks {
    checks: Vec<ListedCheck>,
}

const EXPECTED: &str = r#"{"channel": "prod:stable", "reason": "tested by hand"}"#;
const EXPECTED_CHECK: &str = r#"{"name": "smoke", "state": "success"}"#;

async fn approvals(call: Call) -> Answer {
    let (repository, reference) = which(&call)?;
    let approvals = call.state.knowledge.governance.approvals(&repository, &reference).await?;
    ok(&Approvals { approvals })
}

async fn approve(call: Call) -> Answer {
    let (repository, reference) = which(&call)?;
    let Approving { channel, reason, expires_at } = call.json(EXPECTED)?;
    let channel: ChannelName =
        channel.parse().map_err(|error| bad_request(&format!("channel: {error}")))?;
    let expires = expires_at.as_deref().map(str::parse::<Timestamp>).transpose();
    let expires = expires.map_err(|_| bad_request("expires_at: expected an instant (RFC 3339)"))?;
    let roles: BTreeSet<String> = roles_in(&call.caller.principal.rights, &repository);
    let reason = reason.unwrap_or_default();
    let new = NewApproval { repository, reference, channel, roles, reason, expires };
    ok(&call.state.knowledge.governance.approve(&call.caller.origin, new).await?)
}

async fn revoke(call: Call) -> Answer {
    let Given { repository, approval } = call.query()?;
    let governance = &call.state.knowledge.governance;
    // Every approval's name is a UUID.
    let id: uuid::Uuid =
        approval.parse().map_err(|error| bad_request(&format!("approval: {error}")))?;
    let id = id.to_string();
    governance.revoke_approval(&call.caller.origin, &repository, &id).await?;
    gone()
}

async fn checks(call: Call) -> Answer {
    let (repository, reference) = which(&call)?;
    let checks = call.state.knowledge.governance.checks(&repository, &reference).await?;
    ok(&Checks { checks })
}

async fn post(call: Call) -> Answer {
    let (repository, reference) = which(&call)?;
    let CheckOutcome { name, state, detail } = call.json(EXPECTED_CHECK)?;
    let detail = detail.unwrap_or_default();
    let new = NewCheck { repository, reference, name, state, detail };
    ok(&call.state.knowledge.governance.post_check(&call.caller.origin, new).await?)
}

fn which(call: &Call) -> Result<(RepositoryName, Reference), ApiError> {
    let Which { repository, reference } = call.query()?;
    let reference = reference.parse();
    Ok((repository, reference.map_err(|error| bad_request(&format!("reference: {error}")))?))
}
