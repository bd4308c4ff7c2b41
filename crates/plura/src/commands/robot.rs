//! `plura robot`.

use reqwest::Method;
use serde_json::{Map, Value};

use super::answers;
use crate::api_client::{ApiClient, Ask};
use crate::cli::{RobotArgs, RobotCommand, RobotCreateArgs, RobotRotateArgs, RobotUpdateArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell, grants};

const COLUMNS: &[Column] = &[
    ("NAME", |robot| cell(&robot["name"])),
    ("STATE", state),
    ("MAY", grants),
    ("EXPIRES", |robot| cell(&robot["expires_at"])),
    ("LAST USED", |robot| cell(&robot["last_used_at"])),
    ("DESCRIPTION", |robot| cell(&robot["description"])),
];

const FIELDS: &[Column] = &[
    ("name", |robot| cell(&robot["name"])),
    ("project", |robot| cell(&robot["project"])),
    ("description", |robot| cell(&robot["description"])),
    ("state", state),
    ("may", grants),
    ("created", |robot| cell(&robot["created_at"])),
    ("expires", |robot| cell(&robot["expires_at"])),
    ("last used", |robot| cell(&robot["last_used_at"])),
];

pub(super) fn run(command: &RobotCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            RobotCommand::List(args) => {
                let ask = Ask::api(Method::GET, ["robots"]).query("project", args.project.as_ref());
                let robots = ApiClient::of(&args.server).await?.all("robots", ask).await?;
                answers::list(&args.output, "robots", &robots, COLUMNS, printer)
            }
            RobotCommand::Create(args) => create(args, printer).await,
            RobotCommand::Show(args) => {
                let robot = ask(args, Method::GET, None).await?;
                answers::one(&args.output, &robot, FIELDS, printer)
            }
            RobotCommand::Update(args) => update(args, printer).await,
            RobotCommand::Disable(args) => set_disabled(args, true, printer).await,
            RobotCommand::Enable(args) => set_disabled(args, false, printer).await,
            RobotCommand::Rotate(args) => rotate(args, printer).await,
            RobotCommand::Delete(args) => {
                ask(args, Method::DELETE, None).await?;
                let note = format_args!("deleted robot `{}`", args.name);
                answers::done(&args.output, &answers::deleted(&args.name), note, printer)
            }
        }
    })
}

fn state(robot: &Value) -> String {
    let state = if robot["disabled"] == Value::Bool(true) {
        "disabled"
    } else if robot["expires_soon"] == Value::Bool(true) {
        "expires soon"
    } else {
        "active"
    };
    state.to_owned()
}

async fn ask(args: &RobotArgs, method: Method, disabled: Option<bool>) -> anyhow::Result<Value> {
    let ask = Ask::api(method, ["robots", &args.name]).field("disabled", disabled);
    ApiClient::of(&args.server).await?.ask(ask).await
}

async fn create(args: &RobotCreateArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut place = Map::new();
    if let Some(repositories) = &args.repositories {
        place.insert("repositories".to_owned(), repositories.as_str().into());
    }
    let ask = Ask::api(Method::POST, ["robots"])
        .field("name", Some(args.name.as_str()))
        .field("project", args.project.as_deref())
        .field("description", args.description.as_deref())
        .field("grants", Some(answers::grants(&args.role, &place)))
        .field("expires_in_days", args.expires_in_days);
    let answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format!("created {}", described(&answer["robot"]));
    answers::secret(&args.output, &answer, note, printer)
}

async fn update(args: &RobotUpdateArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::PATCH, ["robots", &args.name])
        .field("description", args.change.description.as_deref())
        .field("expires_in_days", args.change.expires_in_days);
    let robot = ApiClient::of(&args.server).await?.ask(ask).await?;
    answers::done(&args.output, &robot, format_args!("changed {}", described(&robot)), printer)
}

async fn set_disabled(
    args: &RobotArgs,
    disabled: bool,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let robot = ask(args, Method::PATCH, Some(disabled)).await?;
    let done = if disabled { "disabled" } else { "enabled" };
    answers::done(&args.output, &robot, format_args!("{done} robot `{}`", args.name), printer)
}

async fn rotate(args: &RobotRotateArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let overlap = args.overlap.map(|span| span.duration().as_secs());
    let ask = Ask::api(Method::POST, ["robots", &args.name, "rotate"])
        .body(Map::new())
        .field("overlap_seconds", overlap);
    let answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format!("a new secret for {}", described(&answer["robot"]));
    answers::secret(&args.output, &answer, note, printer)
}

/// The robot, and what its owner has to keep in mind.
fn described(robot: &Value) -> String {
    let expires = match &robot["expires_at"] {
        Value::Null => "which never expires".to_owned(),
        time => format!("which expires at {}", cell(time)),
    };
    format!("robot `{}`, {expires}", cell(&robot["name"]))
}
