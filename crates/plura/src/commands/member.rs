//! `plura member`.

use reqwest::Method;
use serde_json::Value;

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{MemberAddArgs, MemberCommand, MemberListArgs, MemberRemoveArgs, RealmArgs};
use crate::exit::{ExitStatus, SaidNo};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell, grant};

const COLUMNS: &[Column] = &[
    ("ID", |member| cell(&member["id"])),
    ("SUBJECT", |member| cell(&member["subject"])),
    ("ROLE", |member| cell(&member["role"])),
    ("REPOSITORIES", |member| cell(&member["repositories"])),
    ("CREATED", |member| cell(&member["created_at"])),
    ("BY", |member| cell(&member["created_by"])),
];

pub(super) fn run(command: &MemberCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            MemberCommand::List(args) => list(args, printer).await,
            MemberCommand::Add(args) => add(args, printer).await,
            MemberCommand::Remove(args) => remove(args, printer).await,
        }
    })
}

/// The members of a project, or, of no project, those that are members everywhere.
fn ask(realm: &RealmArgs, method: Method, id: Option<&str>) -> Ask {
    let project = realm.project.as_deref().map(|project| ["projects", project]);
    let path = project.into_iter().flatten().chain(["members"]).chain(id);
    Ask::at(method, ["api", "v1"].into_iter().chain(path))
}

async fn members(client: &ApiClient, realm: &RealmArgs) -> anyhow::Result<Vec<Value>> {
    listed(&mut client.ask(ask(realm, Method::GET, None)).await?, "members")
}

async fn list(args: &MemberListArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let members = members(&ApiClient::of(&args.server).await?, &args.realm).await?;
    answers::list(&args.output, "members", &members, COLUMNS, printer)
}

async fn add(args: &MemberAddArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = ask(&args.realm, Method::POST, None)
        .field("subject", Some(args.subject.as_str()))
        .field("role", Some(args.role.name()))
        .field("repositories", args.repositories.as_deref());
    let member = ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format!("{} is now {}", args.subject, grant(&member));
    answers::done(&args.output, &member, note, printer)
}

async fn remove(args: &MemberRemoveArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = ApiClient::of(&args.server).await?;
    let mut members = members(&client, &args.realm).await?;
    members.retain(|member| is_meant(args, member));
    if members.is_empty() {
        return Err(SaidNo(format!("there is no such member: {}", args.member)).into());
    }
    for member in &members {
        client.ask(ask(&args.realm, Method::DELETE, Some(&id(member)))).await?;
        printer.note(format_args!("{} is no longer {}", cell(&member["subject"]), grant(member)));
    }
    if args.output.json {
        printer.json(&members)?;
    }
    Ok(ExitStatus::Done)
}

fn is_meant(args: &MemberRemoveArgs, member: &Value) -> bool {
    let named = member["subject"] == args.member.as_str() || id(member) == args.member;
    named && args.role.is_none_or(|role| member["role"] == role.name())
}

/// The id, which is a number or a text.
fn id(member: &Value) -> String {
    member["id"].as_str().map_or_else(|| member["id"].to_string(), str::to_owned)
}
