//! In what two images differ.

use reqwest::Method;
use serde_json::Value;

use super::inspect::{section, words};
use super::{image_name, layer_of, listed, repository, short, shortened, time};
use crate::api_client::{ApiClient, Ask};
use crate::cli::DiffArgs;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::table::{aligned, bytes, cell};

pub(super) async fn run(args: &DiffArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["images", "diff"])
        .query("repository", Some(repository(&args.from, &args.server)?))
        .query("reference", Some(&args.from.reference))
        .query("to_repository", Some(repository(&args.to, &args.server)?))
        .query("to_reference", Some(&args.to.reference))
        .query("platform", args.platform.as_ref());
    let diff = ApiClient::of(&args.server).await?.ask(ask).await?;
    if args.output.json {
        printer.json(&diff)?;
    } else {
        printer.data(text(&diff))?;
    }
    super::tell_problems(&diff, printer);
    Ok(ExitStatus::Done)
}

fn text(diff: &Value) -> String {
    let mut text = aligned(&[side("-", &diff["from"]), side("+", &diff["to"])]);
    if diff["same"] == true {
        text.push_str("\nThey are one and the same.\n");
        return text;
    }
    text += &section("size", &size(diff));
    text += &section("platform", &platform(diff));
    let fields = listed(diff, "fields").iter().flat_map(|change| {
        let name = cell(&change["field"]).replace('_', " ");
        [row("-", &name, words(&change["from"])), row("+", &name, words(&change["to"]))]
    });
    text += &section("configuration", &aligned(&fields.collect::<Vec<_>>()));
    for name in ["environment", "labels", "annotations"] {
        let rows = listed(diff, name).iter().flat_map(changed).collect::<Vec<_>>();
        text += &section(name, &aligned(&rows));
    }
    text += &list("layers", &diff["layers"], |layer| {
        vec![cell(&layer["digest"]), bytes(&layer["size"])]
    });
    text += &list("history", &diff["history"], |step| {
        vec![layer_of(step, short), shortened(&step["created_by"])]
    });
    text
}

fn side(sign: &str, side: &Value) -> Vec<String> {
    let platform = cell(&side["platform"]);
    vec![
        sign.to_owned(),
        image_name(side),
        platform,
        cell(&side["digest"]),
        bytes(&side["content_size"]),
        time(&side["created"]),
    ]
}

fn size(diff: &Value) -> String {
    let Some(difference) = diff["size_difference"].as_i64().filter(|more| *more != 0) else {
        return String::new();
    };
    let sign = if difference < 0 { '-' } else { '+' };
    format!("{sign}{}\n", bytes(&difference.unsigned_abs().into()))
}

fn platform(diff: &Value) -> String {
    let (from, to) = (&diff["from"]["platform"], &diff["to"]["platform"]);
    if from == to { String::new() } else { format!("- {}\n+ {}\n", cell(from), cell(to)) }
}

/// Two lines of what changed, one of what came or went.
fn changed(change: &Value) -> Vec<Vec<String>> {
    let name = cell(&change["name"]);
    let sides = [("-", &change["from"]), ("+", &change["to"])].into_iter();
    let there = sides.filter(|(_, value)| !value.is_null());
    there.map(|(sign, value)| row(sign, &name, cell(value))).collect()
}

fn row(sign: &str, name: &str, value: String) -> Vec<String> {
    vec![sign.to_owned(), name.to_owned(), value]
}

/// How much both have, and what only one has.
fn list(title: &str, change: &Value, cells: impl Fn(&Value) -> Vec<String>) -> String {
    let (removed, added) = (listed(change, "removed"), listed(change, "added"));
    if removed.is_empty() && added.is_empty() {
        return String::new();
    }
    let signed = |sign: &'static str, entries: &[Value]| {
        let row = |entry| [vec![sign.to_owned()], cells(entry)].concat();
        entries.iter().map(row).collect::<Vec<_>>()
    };
    let rows = [signed("-", removed), signed("+", added)].concat();
    let common = cell(&change["common"]);
    section(&format!("{title} ({common} in common)"), &aligned(&rows))
}
