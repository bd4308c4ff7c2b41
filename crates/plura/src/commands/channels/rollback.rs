//! `plura reg rollback`.

use reqwest::Method;

use super::decision;
use crate::api_client::{ApiClient, Ask};
use crate::cli::RollbackArgs;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::cell;

/// Takes a channel back to what was there before.
pub(in crate::commands) fn run(
    args: &RollbackArgs,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let answer = runtime()?.block_on(async {
        let key = args.key.as_ref().map(|key| key.expose().to_owned());
        let ask = Ask::at(Method::POST, ["v1", "registry", "rollback"])
            .field("repo", Some(args.repo.as_str()))
            .field("to", Some(args.to.clone()))
            .field("key", key)
            .field("reason", args.reason.clone())
            .field("break_glass", args.break_glass.clone())
            .field("dry_run", args.dry_run.then_some(true));
        let ask = ask.header("idempotency-key", args.idempotency_key.clone());
        ApiClient::of(&args.server).await?.ask(ask).await
    })?;
    if args.output.json {
        printer.json(&answer)?;
        return Ok(ExitStatus::Done);
    }
    let points = if args.dry_run { "would point" } else { "points" };
    let (channel, service) = (cell(&answer["channel"]), cell(&answer["service"]));
    let (digest, previous) = (cell(&answer["digest"]), cell(&answer["previous"]));
    printer.data(format!(
        "{channel} of {service} {points} at {digest}, no longer at {previous}\n{}",
        decision(&answer["decision"])
    ))?;
    if answer["held"].is_object() {
        printer.hint(format_args!(
            "nothing is promoted into it until: plura reg release {channel} {service}"
        ));
    }
    Ok(ExitStatus::Done)
}
