//! Who one is, and why somebody may do something or not.

use plura_access::{ExplainAs, Principal, schema};
use plura_oci::RepositoryName;
use plura_policy::{Decision, Effect, Grant, Permission, Realm};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::ok,
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::auth::bad_request;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Verb::Get, "/api/v1/me", Need::Login, "me", me)
            .described(Description::new("Tells who one is, and one's roles").gives::<Me>()),
        Route::new(Verb::Get, "/api/v1/access/explain", Need::Explain, "access.explain", explain)
            .described(
                Description::new("Tells what would be decided, by which rule, and why")
                    .asks::<Question>()
                    .gives::<Explanation>()
                    .refuses(&[http::StatusCode::NOT_FOUND, http::StatusCode::CONFLICT]),
            ),
    ]
}

/// Who asks.
#[derive(Serialize, ToSchema)]
struct Me<'p> {
    /// What kind of identity.
    #[schema(value_type = String, pattern = "^(user|robot|workload|certificate|local)$")]
    kind: &'static str,
    name: &'p str,
    /// Whether it may do everything.
    administrator: bool,
    /// How the identity was shown: `password`, `token`, `session`, ...
    #[schema(value_type = String)]
    method: &'static str,
    /// The groups that an issuer named.
    groups: &'p [String],
    grants: Vec<OwnRole<'p>>,
}

/// A role, and through whom or what one has it.
#[derive(Serialize, ToSchema)]
struct OwnRole<'p> {
    #[schema(value_type = schema::Role)]
    role: plura_policy::Role,
    /// Where; everywhere without.
    #[schema(value_type = Option<schema::ProjectName>)]
    project: Option<&'p str>,
    /// In which repositories; all without.
    #[schema(value_type = Option<schema::RepositoryPattern>)]
    repositories: Option<&'p str>,
    /// `user:alice`, `group:sre`, `everyone`.
    origin: &'p str,
}

async fn me(call: Call) -> Answer {
    let Principal { identity, method, groups, rights, .. } = &*call.caller.principal;
    ok(&Me {
        kind: identity.kind(),
        name: identity.name(),
        administrator: rights.unlimited.is_some(),
        method: method.as_str(),
        groups,
        grants: rights.grants.iter().map(OwnRole::from).collect(),
    })
}

impl<'p> From<&'p Grant> for OwnRole<'p> {
    fn from(grant: &'p Grant) -> Self {
        let project = match &grant.realm {
            Realm::Everywhere => None,
            Realm::Project(name) => Some(name.as_str()),
        };
        let repositories = grant.repositories.as_ref().map(plura_policy::Pattern::as_str);
        Self { role: grant.role, project, repositories, origin: &grant.origin }
    }
}

/// What is to be explained.
#[derive(Deserialize, IntoParams)]
struct Question {
    /// As whom: a name, `user:NAME`, `robot:NAME`, `trust:NAME`, `spiffe://...` or `anonymous`.
    #[serde(rename = "as")]
    #[param(value_type = schema::Explained)]
    subject: String,
    /// What they would do.
    #[param(value_type = schema::Permission)]
    action: String,
    /// In which repository; without, on the whole installation.
    #[param(value_type = Option<schema::RepositoryName>)]
    repository: Option<RepositoryName>,
}

/// What would be decided.
#[derive(Serialize, ToSchema)]
struct Explanation {
    #[schema(pattern = "^(allow|deny)$")]
    effect: &'static str,
    /// The rule that decides.
    rule: String,
    /// Why, in words.
    reason: String,
    /// What would have to change, where it may not be done.
    fix: Option<String>,
}

async fn explain(call: Call) -> Answer {
    let Question { subject, action, repository } = call.query()?;
    let subject: ExplainAs = subject.parse()?;
    let permission: Permission =
        action.parse().map_err(|error| bad_request(&format!("action: {error}")))?;
    let decision = call.access().explain(&subject, permission, repository.as_ref()).await?;
    ok(&Explanation::from(decision))
}

impl From<Decision> for Explanation {
    fn from(decision: Decision) -> Self {
        let Decision { effect, rule, reason, fix } = decision;
        let effect = match effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        };
        Self { effect, rule, reason, fix }
    }
}
