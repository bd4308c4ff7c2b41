//! `plura reg gc`: collection on demand.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::cli::CollectArgs;
use crate::exit::{ExitStatus, Hint};
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
    let url = args.server.server.url().join("v1/registry/gc").context("not an address")?;
    let body = json!({ "repo": &args.repo, "dry_run": args.dry_run });
    let response = reqwest::Client::new()
        .post(url)
        .json(&body)
        .send()
        .await
        .hint("is the server running? name it with `--server URL` or `PLURA_SERVER`")?;
    let status = response.status();
    let answer: Value = response.json().await.context("the answer is not JSON")?;
    if !status.is_success() {
        let message = answer["errors"][0]["message"].as_str().unwrap_or("no reason given");
        bail!("the server answered {status}: {message}");
    }
    Ok(answer)
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
