//! `plura reg promote`.

use std::time::Duration;

use anyhow::{Context, anyhow};
use plura_oci::Reference;
use reqwest::Method;
use serde_json::Value;

use super::decision;
use crate::api_client::{ApiClient, Ask};
use crate::cli::{BadName, PromoteArgs};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::cell;

/// How often is asked how far it is.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks for an image to be in a channel, and perhaps waits for it.
pub(in crate::commands) fn run(
    args: &PromoteArgs,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        let client = ApiClient::of(&args.server).await?;
        let mut answer = client.ask(ask(args, &client).await?).await?;
        if let Some(key) = answer["rollback_key"].as_str() {
            printer.note(format_args!(
                "this key undoes it, once, and is shown only now: plura reg rollback {} --to {} \
                 --key {}",
                cell(&answer["promotion"]["repository"]),
                args.to,
                key,
            ));
        }
        if args.wait {
            answer["promotion"] = follow(&client, answer["promotion"].take(), printer).await?;
        }
        tell(args, &answer, printer)
    })
}

async fn ask(args: &PromoteArgs, client: &ApiClient) -> anyhow::Result<Ask> {
    let repository = args.image.repository(args.server.server.url());
    let repository = repository.map_err(|error| match error {
        BadName::OtherServer(host) => {
            anyhow!("the image is on {host}, and another server is asked")
        }
        error => error.into(),
    });
    let repository = repository.hint("`--server` names the server that is asked")?;
    let digest = match &args.image.reference {
        Reference::Digest(digest) => digest.to_string(),
        // Tags move: what is decided about is what the tag points at now.
        Reference::Tag(tag) => {
            let ask = Ask::api(Method::GET, ["images"])
                .query("repository", Some(&repository))
                .query("reference", Some(tag));
            let image = client.ask(ask).await?;
            image["digest"].as_str().context("the answer has no digest")?.to_owned()
        }
    };
    let ask = Ask::at(Method::POST, ["v1", "registry", "promote"])
        .field("repo", Some(repository.as_str()))
        .field("to", Some(args.to.clone()))
        .field("from", args.from.clone())
        .field("digest", Some(digest))
        .field("reason", args.reason.clone())
        .field("dry_run", args.dry_run.then_some(true));
    Ok(ask.header("idempotency-key", args.idempotency_key.clone()))
}

/// Tells how far a promotion is as it goes on, until it ends.
async fn follow(
    client: &ApiClient,
    mut promotion: Value,
    printer: &Printer,
) -> anyhow::Result<Value> {
    let mut told = String::new();
    loop {
        let line = progress(&promotion);
        if line != told {
            printer.note(&line);
            told = line;
        }
        let state = promotion["state"].as_str().unwrap_or_default();
        if is_end(state) {
            return Ok(promotion);
        }
        tokio::time::sleep(PAUSE).await;
        let id = promotion["id"].as_str().context("the answer has no promotion")?;
        promotion = client.ask(Ask::api(Method::GET, ["promotions", id])).await?;
    }
}

fn is_end(state: &str) -> bool {
    !["requested", "waiting", "canary", "paused", "returning"].contains(&state)
}

fn progress(promotion: &Value) -> String {
    let canary = &promotion["canary"];
    let step = (canary.is_object() && promotion["state"] == "canary").then(|| {
        let (step, steps, weight) = (&canary["step"], &canary["steps"], &promotion["weight"]);
        let phase = cell(&canary["phase"]);
        format!("step {step} of {steps}, {weight}% of the traffic, {phase}")
    });
    let said = |value: &Value| value.is_string().then(|| cell(value));
    let parts = [step, said(&canary["waiting"]), said(&promotion["problem"])];
    let state = cell(&promotion["state"]);
    [Some(state)].into_iter().chain(parts).flatten().collect::<Vec<_>>().join(": ")
}

fn tell(args: &PromoteArgs, answer: &Value, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let promotion = &answer["promotion"];
    let effect = answer["decision"]["effect"].as_str().unwrap_or_default();
    let (state, is_no) = match promotion["state"].as_str() {
        Some(state) => (state, is_end(state) && state != "finished"),
        None => (effect, effect != "allow"),
    };
    if args.output.json {
        printer.json(answer)?;
    } else {
        let shown = if promotion["decision"].is_object() {
            &promotion["decision"]
        } else {
            &answer["decision"]
        };
        let digest = cell(&shown["digest"]);
        printer.data(format!("{state:<9} {digest} in {}\n{}", args.to, decision(shown)))?;
        if promotion["problem"].is_string() {
            printer.note(format_args!("{state}: {}", cell(&promotion["problem"])));
        }
        if !is_no && state != "finished" && !args.dry_run {
            let id = cell(&promotion["id"]);
            printer.hint(format_args!(
                "it goes on by itself: plura reg status; or plura reg cancel {id}"
            ));
        }
    }
    Ok(if is_no { ExitStatus::No } else { ExitStatus::Done })
}
