//! `plura reg`: channels, promotion, rollback.

mod promote;
mod rollback;

use anyhow::{Context, anyhow};
use reqwest::Method;
use serde_json::{Value, json};

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{CancelArgs, ChannelHistoryArgs, FiguresArgs, ReleaseArgs, StatusArgs};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell, listed as table, printable};

pub(super) use promote::run as promote;
pub(super) use rollback::run as roll_back;

const CHANNELS: &[Column] = &[
    ("CHANNEL", |channel| cell(&channel["channel"])),
    ("SERVICE", |channel| cell(&channel["service"])),
    ("PULL", |channel| cell(&channel["pull"])),
    ("DIGEST", |channel| cell(&channel["digest"])),
    ("SINCE", |channel| cell(&channel["since"])),
    ("MAY BE THERE", |channel| cell(&channel["standing"]["decision"]["effect"])),
    ("HELD", |channel| cell(&channel["held"]["reason"])),
];

const PROMOTIONS: &[Column] = &[
    ("PROMOTION", |promotion| cell(&promotion["id"])),
    ("CHANNEL", |promotion| cell(&promotion["channel"])),
    ("SERVICE", |promotion| cell(&promotion["service"])),
    ("DIGEST", |promotion| cell(&promotion["digest"])),
    ("STATE", |promotion| cell(&promotion["state"])),
    ("TRAFFIC", |promotion| format!("{}%", promotion["weight"])),
    ("WHY", |promotion| cell(&promotion["problem"])),
];

const MOVES: &[Column] = &[
    ("MOVE", |made| cell(&made["move"])),
    ("AT", |made| cell(&made["at"])),
    ("KIND", |made| cell(&made["kind"])),
    ("DIGEST", |made| cell(&made["digest"])),
    ("BY", |made| cell(&made["by"])),
    ("LOG", |made| cell(&made["log_position"])),
    ("REASON", |made| cell(&made["reason"])),
];

const OBJECTIVES: &[Column] = &[
    ("OBJECTIVE", |objective| cell(&objective["figure"])),
    ("IS", |objective| amount(&objective["value"], &objective["unit"])),
    ("OUGHT TO BE", |objective| {
        let target = amount(&objective["target"], &objective["unit"]);
        let bound = if objective["bound"] == "at_least" { "at least" } else { "at most" };
        format!("{bound} {target}")
    }),
    ("MET", |objective| match objective["met"].as_bool() {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => "nothing to tell from".to_owned(),
    }),
];

/// `plura reg status`.
pub(super) fn status(args: &StatusArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let (channels, promotions) = runtime()?.block_on(async {
        let client = ApiClient::of(&args.server).await?;
        let (environment, tag) = match args.channel.as_deref().map(parts) {
            Some((environment, tag)) => (Some(environment), Some(tag)),
            None => (None, None),
        };
        let ask = Ask::api(Method::GET, ["channels"]);
        let ask = ask.query("environment", environment).query("tag", tag);
        let mut channels = client.ask(ask.query("service", args.service.as_ref())).await?;
        let ask = Ask::api(Method::GET, ["promotions"]).query("running", Some(true));
        let ask = ask.query("channel", args.channel.as_ref());
        let ask = ask.query("service", args.service.as_ref());
        let promotions = client.all("promotions", ask).await?;
        anyhow::Ok((listed(&mut channels, "channels")?, promotions))
    })?;
    if args.output.json {
        printer.json(&json!({ "channels": channels, "promotions": promotions }))?;
        return Ok(ExitStatus::Done);
    }
    if channels.is_empty() {
        printer.note("nothing was promoted into a channel that you may pull from");
    }
    printer.data(table(&channels, CHANNELS))?;
    if !promotions.is_empty() {
        printer.data(format!("\n{}", table(&promotions, PROMOTIONS)))?;
    }
    Ok(ExitStatus::Done)
}

/// `plura reg history`.
pub(super) fn history(args: &ChannelHistoryArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let moves = runtime()?.block_on(async {
        let ask = Ask::api(Method::GET, ["channels", "history"])
            .query("channel", Some(&args.channel))
            .query("service", Some(&args.service))
            .query("at", args.at);
        let client = ApiClient::of(&args.server).await?;
        let mut moves = Vec::new();
        let mut after: Option<i64> = None;
        loop {
            let mut page = client.ask(ask.clone().query("after", after)).await?;
            moves.extend(listed(&mut page, "moves")?);
            match page["next"].as_i64() {
                // A server that repeats itself must not keep us for ever.
                Some(next) if after.is_none_or(|after| next < after) => after = Some(next),
                _ => return anyhow::Ok(moves),
            }
        }
    })?;
    answers::list(&args.output, "moves", &moves, MOVES, printer)
}

/// `plura reg cancel`.
pub(super) fn cancel(args: &CancelArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let answer = runtime()?.block_on(async {
        let ask = Ask::api(Method::POST, ["promotions", &args.promotion, "cancel"])
            .field("reason", args.reason.clone());
        ApiClient::of(&args.server).await?.ask(ask).await
    })?;
    let note = format_args!("the promotion is {}", cell(&answer["state"]));
    answers::done(&args.output, &answer, note, printer)
}

/// `plura reg release`.
pub(super) fn release(args: &ReleaseArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let answer = runtime()?.block_on(async {
        let client = ApiClient::of(&args.server).await?;
        let (environment, tag) = parts(&args.channel);
        let ask = Ask::api(Method::GET, ["channels"])
            .query("environment", Some(environment))
            .query("tag", Some(tag))
            .query("service", Some(&args.service));
        let mut found = client.ask(ask).await?;
        let found = listed(&mut found, "channels")?;
        let found = found.first().ok_or_else(|| {
            anyhow!("nothing was promoted into {} of {}", args.channel, args.service)
        });
        let found = found.hint("`plura reg status` lists the channels that you may pull from")?;
        let repository = found["repository"].as_str().context("the answer has no repository")?;
        let ask = Ask::api(Method::POST, ["channels", "release"])
            .field("repo", Some(repository))
            .field("channel", Some(args.channel.clone()));
        client.ask(ask).await
    })?;
    let note = format_args!("{} of {} takes promotions again", args.channel, args.service);
    answers::done(&args.output, &answer, note, printer)
}

/// `plura reg metrics`.
pub(super) fn metrics(args: &FiguresArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let figures = runtime()?.block_on(async {
        let ask =
            Ask::at(Method::GET, ["v1", "registry", "metrics"]).query("repo", args.repo.as_ref());
        ApiClient::of(&args.server).await?.ask(ask).await
    })?;
    if args.output.json {
        printer.json(&figures)?;
        return Ok(ExitStatus::Done);
    }
    let mut lines = Vec::new();
    for (name, value) in figures.as_object().into_iter().flatten() {
        if name == "objectives" {
            continue;
        }
        match value.as_object() {
            Some(parts) => {
                for (part, value) in parts {
                    lines.push(format!("{name}.{}  {}\n", printable(part), cell(value)));
                }
            }
            None => lines.push(format!("{}  {}\n", printable(name), cell(value))),
        }
    }
    if let Some(objectives) = figures["objectives"].as_array() {
        lines.push(format!("\n{}", table(objectives, OBJECTIVES)));
    }
    printer.data(lines.concat())?;
    Ok(ExitStatus::Done)
}

/// A figure as people read it: `1800 s`, `97.5%`, `2`.
fn amount(value: &Value, unit: &Value) -> String {
    match (value.as_f64(), unit.as_str()) {
        (Some(value), Some("seconds")) => format!("{value} s"),
        (Some(value), Some("ratio")) => format!("{:.1}%", value * 100.0),
        _ => cell(value),
    }
}

/// Environment and tag of a channel: the environment alone is its stable channel.
fn parts(channel: &str) -> (&str, &str) {
    channel.split_once(':').unwrap_or((channel, "stable"))
}

/// What was decided, as `plura reg why` shows it: what stands in the way first.
fn decision(decision: &Value) -> String {
    let weight = |outcome: &Value| match outcome["effect"].as_str() {
        _ if outcome["mode"] == "warn" => 2,
        Some("deny") => 0,
        Some("wait") => 1,
        _ => 3,
    };
    let mut outcomes: Vec<&Value> = decision["outcomes"].as_array().into_iter().flatten().collect();
    outcomes.sort_by_key(|outcome| weight(outcome));
    let lines = outcomes.into_iter().map(|outcome| {
        let warns = outcome["mode"] == "warn" && outcome["effect"] != "allow";
        let word = if warns { "warn".to_owned() } else { cell(&outcome["effect"]) };
        let platform = outcome["platform"].as_str().map(|name| format!(" ({})", printable(name)));
        let until = outcome["until"].as_str().map(|time| format!("; until {}", printable(time)));
        let fix = outcome["fix"].as_str().map(|fix| format!("\n      fix: {}", printable(fix)));
        format!(
            "{word:<5} {}{}: {}; required: {}{}{}\n",
            cell(&outcome["rule"]),
            platform.unwrap_or_default(),
            cell(&outcome["observed"]),
            cell(&outcome["required"]),
            until.unwrap_or_default(),
            fix.unwrap_or_default(),
        )
    });
    lines.collect()
}
