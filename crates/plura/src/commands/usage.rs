//! `plura reg usage`.

use reqwest::Method;
use serde_json::json;

use super::answers;
use crate::api_client::{ApiClient, Ask};
use crate::cli::UsageArgs;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("REPOSITORY", |one| cell(&one["repository"])),
    ("TAGS", |one| cell(&one["tags"])),
    ("MANIFESTS", |one| cell(&one["manifests"])),
    ("EXCLUSIVE", |one| cell(&one["exclusive_bytes"])),
    ("SHARED", |one| cell(&one["shared_bytes"])),
];

pub(super) fn run(args: &UsageArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["usage"])
        .query("project", args.project.as_ref())
        .query("repository", args.repository.as_ref())
        .query("limit", Some(1000));
    let (used, total) = runtime()?.block_on(async {
        let client = ApiClient::of(&args.server).await?;
        let used = client.all("repositories", ask.clone()).await?;
        let total = client.ask(ask).await?["total_bytes"].take();
        anyhow::Ok((used, total))
    })?;
    if args.output.json {
        printer.json(&json!({ "repositories": used, "total_bytes": total }))?;
        return Ok(ExitStatus::Done);
    }
    answers::list(&args.output, "repositories", &used, COLUMNS, printer)?;
    printer.note(format_args!("{} bytes are stored in all, each blob counted once", cell(&total)));
    Ok(ExitStatus::Done)
}
