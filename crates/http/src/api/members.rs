//! Members: the roles that people, robots and others have, in a project or everywhere.

use plura_access::{Member, NewMember};
use plura_policy::{Permission, ProjectName};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{created, gone, ok},
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    key::Key,
    route::{Route, Verb},
};

pub(super) fn routes() -> Vec<Route> {
    const ADMINISTER: Need = Need::Installation(Permission::Administer);
    const VIEW: Need = Need::Project(Permission::ViewProject);
    const MANAGE: Need = Need::Project(Permission::ManageProject);
    const EVERYWHERE: &str = "/api/v1/members";
    const ONE_EVERYWHERE: &str = "/api/v1/members/{member}";
    const ALL: &str = "/api/v1/projects/{project}/members";
    const ONE: &str = "/api/v1/projects/{project}/members/{member}";
    let list_all = || Description::new("Lists the roles that hold everywhere").gives::<Members>();
    let list_some = || Description::new("Lists the roles in a project").gives::<Members>();
    let adds = |text| Description::new(text).takes::<NewMember>().makes::<Member>();
    let removes = || Description::new("Takes a role away").gives_nothing();
    vec![
        Route::new(Verb::Get, EVERYWHERE, ADMINISTER, "member.list_everywhere", list)
            .described(list_all()),
        Route::new(Verb::Post, EVERYWHERE, ADMINISTER, "member.add_everywhere", add)
            .described(adds("Gives a role everywhere; nothing changes if it is there")),
        Route::new(Verb::Delete, ONE_EVERYWHERE, ADMINISTER, "member.remove_everywhere", remove)
            .described(removes()),
        Route::new(Verb::Get, ALL, VIEW, "member.list", list).described(list_some()),
        Route::new(Verb::Post, ALL, MANAGE, "member.add", add)
            .described(adds("Gives a role in a project; nothing changes if it is there")),
        Route::new(Verb::Delete, ONE, MANAGE, "member.remove", remove).described(removes()),
    ]
}

/// Roles that somebody has.
#[derive(Serialize, ToSchema)]
struct Members {
    members: Vec<Member>,
}

async fn list(call: Call) -> Answer {
    let project: Option<ProjectName> = call.named("project")?;
    ok(&Members { members: call.access().members(project.as_ref()).await? })
}

async fn add(call: Call) -> Answer {
    let project: Option<ProjectName> = call.named("project")?;
    let new: NewMember = call.json(
        r#"{"subject": "user:alice", "role": "developer", "repositories": "apps/web-*"}; `repositories` is optional"#,
    )?;
    let added = call.access().add_member(&call.caller, project.as_ref(), new).await;
    let member = call.done(added).await?;
    let path = match &project {
        Some(project) => format!("/api/v1/projects/{project}/members/{}", member.id),
        None => format!("/api/v1/members/{}", member.id),
    };
    created(&call, &path, &member)
}

async fn remove(call: Call) -> Answer {
    let project: Option<ProjectName> = call.named("project")?;
    let key: Key = call.parameter("member")?;
    let removed = call.access().remove_member(&call.caller, project.as_ref(), key.as_str()).await;
    call.done(removed).await?;
    gone()
}
