//! `plura reg gc`: collection on demand.

use reqwest::Method;
use serde_json::{Value, json};

use crate::api_client::{ApiClient, Ask};
use crate::cli::CollectArgs;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;

pub(super) fn run(args: &CollectArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let report = runtime()?.block_on(ask(args))?;
    if args.output.json {
        printer.json(&report)?;
    } else {
        printer.data(text(&report))?;
    }
    Ok(ExitStatus::Done)
}

async fn ask(args: &CollectArgs) -> anyhow::Result<Value> {
    let ask = Ask::at(Method::POST, ["v1", "registry", "gc"])
        .field("repo", args.repo.as_ref().map(ToString::to_string))
        .field("dry_run", Some(args.dry_run));
    ApiClient::of(&args.server).await?.ask(ask).await
}

/// The report for people: one line a decision, then the sums.
fn text(report: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let items = report["items"].as_array().into_iter().flatten().map(|item| {
        format!(
            "{:<6}  {:<8}  {}  {:>12}  {}  {}\n",
            word(&item["decision"]),
            word(&item["kind"]),
            word(&item["digest"]),
            item["bytes"],
            word(&item["repository"]),
            word(&item["reason"]),
        )
    });
    let would = if report["dry_run"] == json!(true) { "would delete" } else { "deleted" };
    let more =
        if report["truncated"] == json!(true) { ", of which some are not listed" } else { "" };
    format!(
        "{}{would} {} manifests, {} links and {} blobs of {} bytes{more}; ended {} uploads; kept {}; \
         {} not due yet\n",
        items.collect::<String>(),
        report["manifests"],
        report["links"],
        report["blobs"],
        report["bytes"],
        report["uploads"],
        report["kept"],
        report["waiting"],
    )
}
