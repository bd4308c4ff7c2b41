//! Robots: accounts for machines.

use std::time::Duration;

use plura_access::{ChangeRobot, NewRobot, Robot, schema};
use plura_policy::{AccountName, ProjectName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::{created, gone, ok},
    authorise::{self, Need},
    call::{Answer, Call},
    describe::Description,
    page::Page,
    route::{Route, Verb},
};
use crate::auth::bad_request;

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/v1/robots";
    const ONE: &str = "/api/v1/robots/{robot}";
    const ROTATE: &str = "/api/v1/robots/{robot}/rotate";
    vec![
        Route::new(Verb::Get, ALL, Need::Robots, "robot.list", list).described(
            Description::new("Lists the robots of a project, or all, by name")
                .asks::<Whose>()
                .asks::<Page>()
                .gives::<Robots>(),
        ),
        Route::new(Verb::Post, ALL, Need::NewRobot, "robot.create", create).described(
            Description::new("Makes a robot").takes::<NewRobot>().makes::<RobotWithSecret>(),
        ),
        Route::new(Verb::Get, ONE, Need::Robots, "robot.show", show)
            .described(Description::new("Shows a robot").gives::<Robot>()),
        Route::new(Verb::Patch, ONE, Need::Robots, "robot.update", change)
            .described(Description::new("Changes a robot").takes::<ChangeRobot>().gives::<Robot>()),
        Route::new(Verb::Delete, ONE, Need::Robots, "robot.delete", delete).described(
            Description::new("Removes a robot with its secrets and roles").gives_nothing(),
        ),
        Route::new(Verb::Post, ROTATE, Need::Robots, "robot.rotate", rotate).described(
            Description::new("Gives a robot another secret; the one before works for a while")
                .may_take::<Rotate>()
                .gives::<RobotWithSecret>(),
        ),
    ]
}

/// Whose robots.
#[derive(Deserialize, IntoParams)]
struct Whose {
    /// The project; all robots without.
    #[param(value_type = Option<schema::ProjectName>)]
    project: Option<ProjectName>,
}

/// Robots, by name.
#[derive(Serialize, ToSchema)]
struct Robots {
    robots: Vec<Robot>,
    /// `after` of the next page, if there is one.
    next: Option<String>,
}

/// A robot, and a secret that was made for it.
#[derive(Serialize, ToSchema)]
struct RobotWithSecret<'s> {
    robot: Robot,
    /// The secret. It is told once.
    #[schema(value_type = schema::Secret)]
    secret: &'s str,
}

/// How to change from one secret to the next.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// How long the secret before still works.
    #[serde(default = "hour", deserialize_with = "plura_access::whole::number")]
    #[schema(minimum = 0, maximum = 604_800, default = 3600)]
    overlap_seconds: u64,
}

impl Default for Rotate {
    fn default() -> Self {
        Self { overlap_seconds: hour() }
    }
}

const fn hour() -> u64 {
    60 * 60
}

async fn list(call: Call) -> Answer {
    let Whose { project } = call.query()?;
    let page = call.query::<Page>()?.checked()?;
    let found = call.access().robots(project.as_ref(), page.after(), page.wanted()).await?;
    let (robots, next) = page.cut(found, |robot| &robot.name);
    ok(&Robots { robots, next })
}

async fn create(call: Call) -> Answer {
    let new: NewRobot = call.json(
        r#"{"name": "ci", "project": "apps", "description": "...", "grants": [{"role": "developer"}], "expires_in_days": 90}; only `name` is required"#,
    )?;
    authorise::robots(&call, new.project.as_ref()).await?;
    // It would be the name of a robot of another project.
    if new.name.contains('+') {
        return Err(bad_request("name: expected the last part of the robot's name, without `+`"));
    }
    let made = call.access().create_robot(&call.caller, new).await;
    let (robot, secret) = call.done(made).await?;
    let path = format!("/api/v1/robots/{}", robot.name);
    created(&call, &path, &RobotWithSecret { robot, secret: secret.expose() })
}

async fn show(call: Call) -> Answer {
    ok(&call.access().robot(&call.parameter("robot")?).await?)
}

async fn change(call: Call) -> Answer {
    let name: AccountName = call.parameter("robot")?;
    let change: ChangeRobot =
        call.json(r#"some of {"description": "...", "disabled": true, "expires_in_days": 90}"#)?;
    let changed = call.access().change_robot(&call.caller, &name, change).await;
    ok(&call.done(changed).await?)
}

async fn delete(call: Call) -> Answer {
    let deleted = call.access().delete_robot(&call.caller, &call.parameter("robot")?).await;
    call.done(deleted).await?;
    gone()
}

async fn rotate(call: Call) -> Answer {
    let name: AccountName = call.parameter("robot")?;
    let Rotate { overlap_seconds } = call.json_or_default(r#"{"overlap_seconds": 3600}"#)?;
    let overlap = Duration::from_secs(overlap_seconds);
    let rotated = call.access().rotate_robot(&call.caller, &name, overlap).await;
    let (robot, secret) = call.done(rotated).await?;
    ok(&RobotWithSecret { robot, secret: secret.expose() })
}
