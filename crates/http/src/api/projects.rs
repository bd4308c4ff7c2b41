//! Projects: who owns repositories, and how much they may hold.

use plura_access::{ChangeProject, NewProject, Project, schema::LARGEST_QUOTA};
use plura_policy::{Asked, Permission, ProjectName};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{created, gone, ok},
    authorise::{self, Need},
    call::{Answer, Call},
    describe::Description,
    page::Page,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError};

pub(super) fn routes() -> Vec<Route> {
    const ADMINISTER: Need = Need::Installation(Permission::Administer);
    const MANAGE: Need = Need::Project(Permission::ManageProject);
    const ALL: &str = "/api/v1/projects";
    const ONE: &str = "/api/v1/projects/{project}";
    vec![
        Route::new(Verb::Get, ALL, Need::Login, "project.list", list).described(
            Description::new("Lists the projects that one may see, by name")
                .asks::<Page>()
                .gives::<Projects>(),
        ),
        Route::new(Verb::Post, ALL, ADMINISTER, "project.create", create).described(
            Description::new("Makes a project").takes::<NewProject>().makes::<Project>(),
        ),
        Route::new(Verb::Get, ONE, Need::SeeProject, "project.show", show)
            .described(Description::new("Shows a project and what it uses").gives::<Project>()),
        Route::new(Verb::Patch, ONE, MANAGE, "project.update", change).described(
            Description::new("Changes a project; quotas and redirects are the administrators'")
                .takes::<ChangeProject>()
                .gives::<Project>(),
        ),
        Route::new(Verb::Delete, ONE, ADMINISTER, "project.delete", delete).described(
            Description::new("Removes a project without repositories, its members and robots")
                .gives_nothing(),
        ),
    ]
}

/// Projects, by name.
#[derive(Serialize, ToSchema)]
struct Projects {
    projects: Vec<Project>,
    /// `after` of the next page, if there is one.
    next: Option<String>,
}

async fn list(call: Call) -> Answer {
    let page = call.query::<Page>()?.checked()?;
    let (access, principal) = (call.access(), &call.caller.principal);
    let visible = |name: &ProjectName, public: bool| {
        let asked = Asked::Project(name);
        public || access.decide(principal, Permission::ViewProject, asked).is_allowed()
    };
    let found = access.projects(page.after(), page.wanted(), visible).await?;
    let (projects, next) = page.cut(found, |project| &project.name);
    ok(&Projects { projects, next })
}

async fn create(call: Call) -> Answer {
    let new: NewProject = call.json(
        r#"{"name": "apps", "public": false, "quota_bytes": 10000000000, "quota_tags": 1000, "redirect": "inherit"}; only `name` is required"#,
    )?;
    check_quotas([new.quota_bytes, new.quota_tags])?;
    let project = call.access().create_project(&call.caller, new).await?;
    created(&call, &format!("/api/v1/projects/{}", project.name), &project)
}

async fn show(call: Call) -> Answer {
    ok(&call.access().project(&call.parameter("project")?).await?)
}

async fn change(call: Call) -> Answer {
    let name: ProjectName = call.parameter("project")?;
    let change: ChangeProject = call.json(
        r#"some of {"public": true, "quota_bytes": 10000000000, "quota_tags": null, "redirect": "off"}; `null` ends a quota"#,
    )?;
    // What it may hold and whom it is a load for is not for those to say who only use it.
    if change.quota_bytes.is_change() || change.quota_tags.is_change() || change.redirect.is_some()
    {
        authorise::installation(&call, Permission::Administer).await?;
    }
    check_quotas([change.quota_bytes.value().copied(), change.quota_tags.value().copied()])?;
    ok(&call.access().change_project(&call.caller, &name, change).await?)
}

async fn delete(call: Call) -> Answer {
    call.access().delete_project(&call.caller, &call.parameter("project")?).await?;
    gone()
}

fn check_quotas(quotas: [Option<u64>; 2]) -> Result<(), ApiError> {
    let largest = LARGEST_QUOTA.unsigned_abs();
    match quotas.into_iter().flatten().find(|quota| *quota > largest) {
        Some(quota) => {
            Err(bad_request(&format!("{quota} is too much; expected at most {largest}")))
        }
        None => Ok(()),
    }
}
