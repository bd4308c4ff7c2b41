//! `plura access`.

use reqwest::Method;
use serde_json::Value;

use super::answers;
use crate::api_client::{ApiClient, Ask};
use crate::cli::{AccessCommand, ExplainArgs, WhoamiArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell, described, grants, printable};

const IDENTITY: &[Column] = &[
    ("name", |me| cell(&me["name"])),
    ("kind", |me| cell(&me["kind"])),
    ("method", |me| cell(&me["method"])),
    ("administrator", |me| cell(&me["administrator"])),
    ("groups", |me| cell(&me["groups"])),
    ("may", grants),
];

const DECISION: &[Column] = &[
    ("effect", |decision| cell(&decision["effect"])),
    ("rule", |decision| cell(&decision["rule"])),
    ("reason", |decision| cell(&decision["reason"])),
];

pub(super) fn run(command: &AccessCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            AccessCommand::Explain(args) => explain(args, printer).await,
            AccessCommand::Whoami(args) => who_am_i(args, printer).await,
        }
    })
}

async fn explain(args: &ExplainArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["access", "explain"])
        .query("as", Some(&args.subject))
        .query("action", Some(&args.action))
        .query("repository", args.repo.as_ref());
    let decision = ApiClient::of(&args.server).await?.ask(ask).await?;
    if args.output.json {
        printer.json(&decision)?;
    } else {
        printer.data(described(&decision, DECISION))?;
    }
    if is_allowed(&decision) {
        return Ok(ExitStatus::Done);
    }
    if let Some(fix) = decision["fix"].as_str().filter(|fix| !fix.is_empty()) {
        printer.hint(printable(fix));
    }
    Ok(ExitStatus::No)
}

/// Anything that is not plainly a yes is a no.
fn is_allowed(decision: &Value) -> bool {
    matches!(decision["effect"].as_str(), Some("allow" | "allowed"))
}

async fn who_am_i(args: &WhoamiArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let me = ApiClient::of(&args.server).await?.ask(Ask::api(Method::GET, ["me"])).await?;
    answers::one(&args.output, &me, IDENTITY, printer)
}
