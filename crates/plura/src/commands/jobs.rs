//! `plura jobs`.

use reqwest::Method;
use serde_json::json;

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{JobArgs, JobsCommand, JobsListArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("NAME", |job| cell(&job["name"])),
    ("STATE", |job| cell(&job["state"])),
    ("WAITING", |job| cell(&job["waiting"])),
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
        }
    })
}

async fn list(args: &JobsListArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["jobs"]);
    let mut answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    answers::list(&args.output, "jobs", &listed(&mut answer, "jobs")?, COLUMNS, printer)
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
