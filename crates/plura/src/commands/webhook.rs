//! `plura webhook`.

use reqwest::Method;
use serde_json::Value;

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{
    DeliveryStateArg, RealmArgs, WebhookAddArgs, WebhookArgs, WebhookCommand,
    WebhookDeliveriesArgs, WebhookListArgs, WebhookReplayArgs,
};
use crate::exit::{ExitStatus, SaidNo};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("NAME", |webhook| cell(&webhook["name"])),
    ("ADDRESS", |webhook| cell(&webhook["address"])),
    ("FORM", |webhook| cell(&webhook["form"])),
    ("EVENTS", events),
    ("ENABLED", |webhook| cell(&webhook["enabled"])),
    ("CREATED", |webhook| cell(&webhook["created_at"])),
    ("BY", |webhook| cell(&webhook["created_by"])),
];

const DELIVERIES: &[Column] = &[
    ("EVENT", |delivery| cell(&delivery["id"])),
    ("TYPE", |delivery| cell(&delivery["type"])),
    ("SUBJECT", |delivery| cell(&delivery["subject"])),
    ("STATE", |delivery| cell(&delivery["state"])),
    ("ATTEMPTS", |delivery| cell(&delivery["attempts"])),
    ("STATUS", |delivery| cell(&delivery["status"])),
    ("NEXT", |delivery| cell(&delivery["next_at"])),
    ("ERROR", |delivery| cell(&delivery["error"])),
];

pub(super) fn run(command: &WebhookCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            WebhookCommand::Add(args) => add(args, printer).await,
            WebhookCommand::List(args) => list(args, printer).await,
            WebhookCommand::Disable(args) => enable(args, false, printer).await,
            WebhookCommand::Enable(args) => enable(args, true, printer).await,
            WebhookCommand::Remove(args) => remove(args, printer).await,
            WebhookCommand::Test(args) => test(args, printer).await,
            WebhookCommand::Deliveries(args) => deliveries(args, printer).await,
            WebhookCommand::Replay(args) => replay(args, printer).await,
        }
    })
}

/// The webhooks of a project, or those of everything; of one of them, with `rest`.
fn ask(realm: &RealmArgs, method: Method, rest: &[&str]) -> Ask {
    let project = realm.project.as_deref().map(|project| ["projects", project]);
    let path = project.into_iter().flatten().chain(["webhooks"]).chain(rest.iter().copied());
    Ask::at(method, ["api", "v1"].into_iter().chain(path))
}

async fn add(args: &WebhookAddArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = ask(&args.realm, Method::POST, &[])
        .field("name", Some(args.name.as_str()))
        .field("address", Some(args.address.as_str()))
        .field("form", Some(args.form.name()))
        .field("events", (!args.events.is_empty()).then(|| args.events.clone()))
        .field("signing_secret", args.secret.as_deref())
        .field("authorization_secret", args.authorization.as_deref());
    let made = ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("what happens from now on is sent to {}", args.name);
    answers::done(&args.output, &made, note, printer)
}

async fn list(args: &WebhookListArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = ApiClient::of(&args.server).await?;
    let mut answer = client.ask(ask(&args.realm, Method::GET, &[])).await?;
    let webhooks = listed(&mut answer, "webhooks")?;
    answers::list(&args.output, "webhooks", &webhooks, COLUMNS, printer)
}

async fn enable(
    args: &WebhookArgs,
    enabled: bool,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let ask =
        ask(&args.realm, Method::PATCH, &[args.name.as_str()]).field("enabled", Some(enabled));
    let changed = ApiClient::of(&args.server).await?.ask(ask).await?;
    let what = if enabled { "what happens from now on" } else { "nothing more" };
    answers::done(&args.output, &changed, format_args!("{what} is sent to {}", args.name), printer)
}

async fn remove(args: &WebhookArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = ask(&args.realm, Method::DELETE, &[args.name.as_str()]);
    ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("removed the webhook {}", args.name);
    answers::done(&args.output, &answers::deleted(&args.name), note, printer)
}

async fn test(args: &WebhookArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = ask(&args.realm, Method::POST, &[args.name.as_str(), "test"]);
    let answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    if answer["accepted"] == true {
        let (status, took) = (cell(&answer["status"]), cell(&answer["milliseconds"]));
        let note = format_args!("{} answered {status} after {took} ms", args.name);
        return answers::done(&args.output, &answer, note, printer);
    }
    if args.output.json {
        printer.json(&answer)?;
    }
    Err(SaidNo(format!("{}: {}", args.name, cell(&answer["error"]))).into())
}

async fn deliveries(args: &WebhookDeliveriesArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = ask(&args.realm, Method::GET, &[args.name.as_str(), "deliveries"])
        .query("state", args.state.map(DeliveryStateArg::name))
        .query("limit", Some(args.limit));
    let mut answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    let found = listed(&mut answer, "deliveries")?;
    answers::list(&args.output, "such deliveries", &found, DELIVERIES, printer)
}

async fn replay(args: &WebhookReplayArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask =
        ask(&args.realm, Method::POST, &[args.name.as_str(), "replay"]).field("event", args.event);
    let answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    if answer["deliveries"] == 0 {
        return Err(SaidNo("there is nothing that was given up".to_owned()).into());
    }
    let note = format_args!("{} events are sent again", cell(&answer["deliveries"]));
    answers::done(&args.output, &answer, note, printer)
}

fn events(webhook: &Value) -> String {
    let patterns = webhook["events"].as_array();
    let patterns = patterns.into_iter().flatten().map(cell);
    patterns.collect::<Vec<_>>().join(",")
}
