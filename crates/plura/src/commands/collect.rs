//! `plura reg gc`: collection on demand.

use reqwest::Method;
use serde_json::{Value, json};

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::CollectArgs;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{self, Column, cell};

/// What a plan deletes.
const PLANNED: &[Column] = &[
    ("REPOSITORY", |item| cell(&item["repository"])),
    ("TAG", |item| cell(&item["tag"])),
    ("DIGEST", |item| cell(&item["digest"])),
    ("BYTES", |item| cell(&item["bytes"])),
    ("RULE", |item| cell(&item["rule"])),
    ("REASON", |item| cell(&item["reason"])),
];

/// What of a plan was not deleted.
const REFUSED: &[Column] = &[
    ("REPOSITORY", |item| cell(&item["repository"])),
    ("TAG", |item| cell(&item["tag"])),
    ("DIGEST", |item| cell(&item["digest"])),
    ("STAYS BECAUSE", |item| cell(&item["problem"])),
];

/// Plans that were carried out.
const RUNS: &[Column] = &[
    ("STARTED", |plan| cell(&plan["run"]["started_at"])),
    ("STATE", |plan| cell(&plan["state"])),
    ("BY", |plan| cell(&plan["run"]["by"])),
    ("TAGS", |plan| cell(&plan["run"]["tags"])),
    ("MANIFESTS", |plan| cell(&plan["run"]["manifests"])),
    ("BYTES", |plan| cell(&plan["run"]["gc_reclaim_bytes"])),
    ("REFUSED", |plan| cell(&plan["run"]["refused"])),
    ("PLAN", |plan| cell(&plan["id"])),
];

pub(super) fn run(args: &CollectArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if args.history {
        let ask = Ask::api(Method::GET, ["retention", "runs"]);
        let mut answer =
            runtime()?.block_on(async { ApiClient::of(&args.server).await?.ask(ask).await })?;
        return answers::list(&args.output, "runs", &listed(&mut answer, "runs")?, RUNS, printer);
    }
    let report = runtime()?.block_on(ask(args))?;
    if args.output.json {
        printer.json(&report)?;
    } else if args.plan.is_some() {
        printer.data(carried_out(&report))?;
    } else {
        printer.data(planned(&report["plan"]) + &text(&report))?;
    }
    Ok(ExitStatus::Done)
}

async fn ask(args: &CollectArgs) -> anyhow::Result<Value> {
    let ask = Ask::at(Method::POST, ["v1", "registry", "gc"]);
    let ask = match &args.plan {
        Some(plan) => {
            ask.field("plan", Some(plan.to_string())).field("cancel", args.cancel.then_some(true))
        }
        None => ask
            .field("repo", args.repo.as_ref().map(ToString::to_string))
            .field("dry_run", Some(args.dry_run)),
    };
    ApiClient::of(&args.server).await?.ask(ask).await
}

/// What rules let go, for people.
fn planned(plan: &Value) -> String {
    if plan.is_null() {
        return String::new();
    }
    let items = plan["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let total = plan["tags"].as_i64().unwrap_or(0) + plan["manifests"].as_i64().unwrap_or(0);
    let more = total - i64::try_from(items.len()).unwrap_or(i64::MAX);
    let more =
        if more > 0 { format!("and {more} more that are not listed\n") } else { String::new() };
    let rest = if plan["truncated"] == json!(true) {
        "there is more than fits into one plan: make another one behind it\n"
    } else {
        ""
    };
    let immutable = match plan["immutable_tags"].as_i64() {
        Some(1..) => format!(", {} of them immutable,", plan["immutable_tags"]),
        _ => String::new(),
    };
    format!(
        "{}{more}rules let go {} tags{immutable} and {} manifests, of {} bytes\n{rest}\
         plan {}\nto carry it out: plura reg gc --plan {}\n\n",
        table::listed(items, PLANNED),
        plan["tags"],
        plan["manifests"],
        plan["bytes"],
        cell(&plan["id"]),
        cell(&plan["id"]),
    )
}

/// What became of a plan, for people.
fn carried_out(plan: &Value) -> String {
    let items = plan["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let run = &plan["run"];
    if run.is_null() {
        return format!("plan {} is {}\n", cell(&plan["id"]), cell(&plan["state"]));
    }
    format!(
        "{}plan {} is {}: deleted {} tags and {} manifests, of {} bytes; {} did not hold any more\n",
        table::listed(items, REFUSED),
        cell(&plan["id"]),
        cell(&plan["state"]),
        run["tags"],
        run["manifests"],
        run["gc_reclaim_bytes"],
        run["refused"],
    )
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
