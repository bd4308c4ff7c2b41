//! `plura reg hold`, `holds` and `release-hold`.

use reqwest::Method;

use super::{answers, block};
use crate::api_client::{ApiClient, Ask};
use crate::cli::{HoldArgs, ReleaseHoldArgs, RulesArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("HOLD", |hold| cell(&hold["id"])),
    ("DIGEST", |hold| cell(&hold["digest"])),
    ("REPOSITORY", |hold| {
        hold["repository"].as_str().map_or("everywhere".into(), |_| cell(&hold["repository"]))
    }),
    ("BY", |hold| cell(&hold["by"])),
    ("SINCE", |hold| cell(&hold["at"])),
    ("UNTIL", |hold| {
        let until = cell(&hold["until"]);
        if hold["ends_soon"] == true { format!("{until}, soon") } else { until }
    }),
    ("REASON", |hold| cell(&hold["reason"])),
];

pub(super) fn hold(args: &HoldArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let (server, repository) = block::place(&args.what, &args.server)?;
    let ask = Ask::api(Method::POST, ["holds"])
        .field("digest", Some(args.what.digest.to_string()))
        .field("repository", repository.map(|name| name.to_string()))
        .field("reason", Some(args.reason.clone()))
        .field("until", args.until.map(|until| until.to_string()));
    let held = runtime()?.block_on(async { ApiClient::of(&server).await?.ask(ask).await })?;
    let id = cell(&held["id"]);
    let note =
        format_args!("nothing deletes {}; `plura reg release-hold {id}` ends that", args.what);
    answers::done(&args.output, &held, note, printer)
}

pub(super) fn release(args: &ReleaseHoldArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::DELETE, ["holds", &args.hold]).query("reason", Some(&args.reason));
    let released =
        runtime()?.block_on(async { ApiClient::of(&args.server).await?.ask(ask).await })?;
    let note = format_args!("{} is held no more by {}", cell(&released["digest"]), args.hold);
    answers::done(&args.output, &released, note, printer)
}

pub(super) fn list(args: &RulesArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["holds"]);
    let holds = runtime()?
        .block_on(async { ApiClient::of(&args.server).await?.all("holds", ask).await })?;
    answers::list(&args.output, "holds", &holds, COLUMNS, printer)
}
