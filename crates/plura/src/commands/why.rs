//! `plura reg why`.

use anyhow::Context;
use plura_policy::change::DecisionChange;
use plura_policy::gate::GateDecision;
use reqwest::Method;
use serde::Deserialize;

use super::decision;
use super::target::Target;
use crate::api_client::{ApiClient, Ask};
use crate::cli::WhyArgs;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::printable;

pub(super) fn run(args: &WhyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(ask(args, printer))
}

async fn ask(args: &WhyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let ask = Ask::api(Method::GET, ["decisions"])
        .query("repository", Some(&target.repository))
        .query("reference", Some(&target.reference))
        .query("channel", Some(&args.to))
        .query("if_exception", args.if_exception.as_ref())
        // Whoever reads the whole may want to make a case of it.
        .query("facts", args.output.json.then_some(true));
    let answer = ApiClient::of(&target.server).await?.ask(ask).await?;
    let decided = GateDecision::deserialize(&answer["decision"]);
    let decided = decided.context("the answer has no decision that can be read")?;
    if args.output.json {
        printer.json(&answer)?;
        return Ok(decision::status(decided.effect));
    }
    decision::print(&decided, printer)?;
    if let Some(vulnerability) = &args.if_exception {
        let change = DecisionChange::deserialize(&answer["if_exception"]);
        let change = change.context("the answer does not say what would be different")?;
        let change = change.to_string();
        let lines: String = change.lines().map(|line| printable(line) + "\n").collect();
        printer.data(format!("\nwith an exception for {}: {lines}", printable(vulnerability)))?;
    }
    Ok(decision::status(decided.effect))
}
