//! `plura policy simulate`: what another document would have decided.

use anyhow::Context;
use plura_policy::change::DecisionChange;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::applied::TOML;
use super::document::valid;
use crate::api_client::{ApiClient, Ask};
use crate::cli::PolicySimulateArgs;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::table::{cell, printable};

const DAY: u64 = 24 * 60 * 60;

pub(super) async fn run(
    args: &PolicySimulateArgs,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let new = valid(&args.file)?;
    let days = args.since.duration().as_secs().div_ceil(DAY);
    let ask = Ask::api(Method::POST, ["policy", "simulate"])
        .query("days", Some(days))
        .content(TOML, new.toml.into_bytes());
    let simulation = ApiClient::of(&args.server).await?.ask(ask).await?;
    if args.output.json {
        printer.json(&simulation)?;
        return Ok(ExitStatus::Done);
    }
    for change in simulation["changes"].as_array().into_iter().flatten() {
        printer.data(text(change)?)?;
    }
    let count = |key: &str| cell(&simulation[key]);
    printer.note(format_args!(
        "{} of {} decisions would be another",
        count("different"),
        count("decisions")
    ));
    if simulation["not_asked"].as_u64().is_some_and(|count| count > 0) {
        printer.note(format_args!(
            "not asked again: {}, about channels that it does not have or that are not for the repository",
            count("not_asked")
        ));
    }
    if simulation["more"] == true {
        printer.warning("there are more decisions than are made again at a time");
    }
    Ok(ExitStatus::Done)
}

/// A line for the decision, and one for each gate that answers something else.
fn text(change: &Value) -> anyhow::Result<String> {
    let what = DecisionChange::deserialize(&change["change"]);
    let what = what.context("the answer has a change that cannot be read")?;
    let word = |key: &str| cell(&change[key]);
    let head = [word("decided_at"), word("channel"), word("repository") + "@" + &word("digest")];
    let what = what.to_string();
    let mut lines = what.lines().map(printable);
    let answer = lines.next().unwrap_or_default();
    let gates: String = lines.map(|line| "  ".to_owned() + &line + "\n").collect();
    Ok(format!("{}  {answer}\n{gates}", head.join("  ")))
}
