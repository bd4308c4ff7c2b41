//! How much is stored, and which plans of what rules let go were carried out.

use plura_access::schema;
use plura_governance::{RetentionRuns, UsageFilter, UsagePage};
use plura_oci::RepositoryName;
use plura_policy::{Permission, ProjectName};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    answer::ok,
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    page::Page,
    route::{Route, Verb},
};
use crate::auth::bad_request;

pub(super) fn routes() -> Vec<Route> {
    const OPERATE: Need = Need::Installation(Permission::Operate);
    vec![
        Route::new(Verb::Get, "/api/v1/retention/runs", OPERATE, "retention.list", runs).described(
            Description::new("Lists the last 100 plans of what rules let go that were carried out")
                .gives::<RetentionRuns>(),
        ),
        Route::new(Verb::Get, "/api/v1/usage", OPERATE, "usage.read", usage).described(
            Description::new("Says how much is stored in repositories")
                .asks::<Wanted>()
                .asks::<Page>()
                .gives::<UsagePage>(),
        ),
    ]
}

/// Of what to tell.
#[derive(Deserialize, IntoParams)]
struct Wanted {
    /// Only repositories of this project.
    #[param(value_type = Option<schema::ProjectName>)]
    project: Option<String>,
    /// Only this repository.
    #[param(value_type = Option<schema::RepositoryName>)]
    repository: Option<RepositoryName>,
}

async fn runs(call: Call) -> Answer {
    ok(&call.state.knowledge.governance.retention_runs().await?)
}

async fn usage(call: Call) -> Answer {
    let page = call.query::<Page>()?.checked()?;
    let Wanted { project, repository } = call.query()?;
    if let Some(Err(error)) = project.as_ref().map(|name| name.parse::<ProjectName>()) {
        return Err(bad_request(&format!("project: {error}")));
    }
    let repository = repository.map(|name| name.to_string());
    let filter = UsageFilter { project, repository };
    let governance = &call.state.knowledge.governance;
    ok(&governance.usage(&filter, page.after(), page.wanted() - 1).await?)
}
