//! `plura jobs`.

use reqwest::Method;
use serde_json::{Value, json};

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{JobArgs, JobsCommand, JobsListArgs, TuneArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("NAME", |job| cell(&job["name"])),
    ("STATE", |job| cell(&job["state"])),
    ("WAITING", |job| cell(&job["waiting"])),
    ("DONE", |job| match (job["progress"]["done"].as_u64(), job["progress"]["total"].as_u64()) {
        (Some(done), Some(total)) => format!("{done}/{total}"),
        (Some(done), None) => done.to_string(),
        (None, _) => cell(&Value::Null),
    }),
    ("ABOUT", |job| cell(&job["about"])),
    ("FAILED", |job| cell(&job["failed_at"])),
    ("ERROR", |job| cell(&job["error"])),
    ("CHANGED BY", |job| cell(&job["changed_by"])),
];

pub(super) fn run(command: &JobsCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            JobsCommand::List(args) => list(args, printer).await,
            JobsCommand::Pause(args) => wish(args, "pause", "stands still", printer).await,
            JobsCommand::Resume(args) => wish(args, "resume", "goes on", printer).await,
            JobsCommand::Retry(args) => wish(args, "retry", "begins again", printer).await,
            JobsCommand::Tune(args) => tune(args, printer).await,
        }
    })
}

async fn list(args: &JobsListArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["jobs"]);
    let mut answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    answers::list(&args.output, "jobs", &listed(&mut answer, "jobs")?, COLUMNS, printer)
}

async fn tune(args: &TuneArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let tuning = [("at_a_time", args.at_a_time), ("per_minute", args.per_minute)];
    let tuning = tuning.map(|(name, count)| (name.to_owned(), json!(count)));
    let ask = Ask::api(Method::PUT, ["jobs", &args.name, "tuning"]);
    ApiClient::of(&args.server).await?.ask(ask.body(tuning.into_iter().collect())).await?;
    let told = |told: Option<u32>, what: &str| told.map(|count| format!("{count} {what}"));
    let told = [told(args.at_a_time, "at a time"), told(args.per_minute, "in a minute")];
    let told: Vec<String> = told.into_iter().flatten().collect();
    let told =
        if told.is_empty() { "as much as it would itself".to_owned() } else { told.join(", ") };
    let note = format_args!("{} does {told}", args.name);
    let answer = json!({
        "name": args.name, "at_a_time": args.at_a_time, "per_minute": args.per_minute,
    });
    answers::done(&args.output, &answer, note, printer)
}

async fn wish(
    args: &JobArgs,
    what: &str,
    becomes: &str,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::POST, ["jobs", &args.name, what]);
    ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("{} {becomes}", args.name);
    answers::done(&args.output, &json!({ "name": args.name, "did": what }), note, printer)
}
