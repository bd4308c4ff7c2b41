//! `plura project`.

use reqwest::Method;
use serde_json::Value;

use super::answers;
use crate::api_client::{ApiClient, Ask};
use crate::cli::{
    Limit, ProjectArgs, ProjectCommand, ProjectCreateArgs, ProjectUpdateArgs, RedirectArg,
};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::settings::ByteSize;
use crate::table::{Column, bytes, cell};

const COLUMNS: &[Column] = &[
    ("NAME", |project| cell(&project["name"])),
    ("PUBLIC", |project| cell(&project["public"])),
    ("USED", |project| bytes(&project["used_bytes"])),
    ("QUOTA", |project| bytes(&project["quota_bytes"])),
    ("TAGS", |project| cell(&project["used_tags"])),
    ("QUOTA", |project| cell(&project["quota_tags"])),
];

const FIELDS: &[Column] = &[
    ("name", |project| cell(&project["name"])),
    ("public", |project| cell(&project["public"])),
    ("used", |project| bytes(&project["used_bytes"])),
    ("quota", |project| bytes(&project["quota_bytes"])),
    ("tags", |project| cell(&project["used_tags"])),
    ("quota of tags", |project| cell(&project["quota_tags"])),
    ("redirect", |project| cell(&project["redirect"])),
    ("created", |project| cell(&project["created_at"])),
];

pub(super) fn run(command: &ProjectCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            ProjectCommand::List(args) => {
                let ask = Ask::api(Method::GET, ["projects"]);
                let projects = ApiClient::of(&args.server).await?.all("projects", ask).await?;
                answers::list(&args.output, "projects", &projects, COLUMNS, printer)
            }
            ProjectCommand::Create(args) => create(args, printer).await,
            ProjectCommand::Show(args) => {
                let project = ask(args, Method::GET).await?;
                answers::one(&args.output, &project, FIELDS, printer)
            }
            ProjectCommand::Update(args) => update(args, printer).await,
            ProjectCommand::Delete(args) => {
                ask(args, Method::DELETE).await?;
                let note = format_args!("deleted project `{}`", args.name);
                answers::done(&args.output, &answers::deleted(&args.name), note, printer)
            }
        }
    })
}

async fn ask(args: &ProjectArgs, method: Method) -> anyhow::Result<Value> {
    let ask = Ask::api(method, ["projects", &args.name]);
    ApiClient::of(&args.server).await?.ask(ask).await
}

async fn create(args: &ProjectCreateArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::POST, ["projects"])
        .field("name", Some(args.name.as_str()))
        .field("public", Some(args.public))
        .field("quota_bytes", args.quota_bytes.map(ByteSize::bytes))
        .field("quota_tags", args.quota_tags)
        .field("redirect", args.redirect.map(RedirectArg::as_str));
    let project = ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("created project `{}`", args.name);
    answers::done(&args.output, &project, note, printer)
}

async fn update(args: &ProjectUpdateArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let change = &args.change;
    let ask = Ask::api(Method::PATCH, ["projects", &args.name])
        .field("public", change.public)
        .field("quota_bytes", change.quota_bytes.map(|limit| value(limit, ByteSize::bytes)))
        .field("quota_tags", change.quota_tags.map(|limit| value(limit, |tags| tags)))
        .field("redirect", change.redirect.map(RedirectArg::as_str));
    let project = ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("changed project `{}`", args.name);
    answers::done(&args.output, &project, note, printer)
}

/// To the server, no limit is a null.
fn value<T>(limit: Limit<T>, number: impl FnOnce(T) -> u64) -> Value {
    match limit {
        Limit::None => Value::Null,
        Limit::At(limit) => number(limit).into(),
    }
}
