//! `plura audit`.

use reqwest::Method;
use serde_json::Value;

use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{AuditArgs, AuditOutputArgs, Outcome};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{self, Column, cell};

/// Entries that are asked for at once.
const PAGE: u32 = 100;

const COLUMNS: &[Column] = &[
    ("TIME", |entry| cell(&entry["at"])),
    ("ACTOR", |entry| cell(&entry["actor"]["name"])),
    ("METHOD", |entry| cell(&entry["method"])),
    ("ADDRESS", |entry| cell(&entry["address"])),
    ("ACTION", |entry| cell(&entry["action"])),
    ("TARGET", |entry| cell(&entry["target"])),
    ("OUTCOME", |entry| cell(&entry["outcome"])),
    ("RULE", |entry| cell(&entry["rule"])),
];

pub(super) fn run(args: &AuditArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(read(args, printer))
}

async fn read(args: &AuditArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = ApiClient::of(&args.server).await?;
    let mut entries = Vec::new();
    let (mut left, mut before) = (args.limit, None);
    loop {
        let mut answer = client.ask(ask(args, left.min(PAGE), before.as_ref())).await?;
        let mut page = listed(&mut answer, "entries")?;
        // A server may answer with more than it was asked for.
        page.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left = left.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
        if args.output.jsonl {
            let lines = page.iter().flat_map(|entry| [entry.to_string(), "\n".to_owned()]);
            printer.data(lines.collect::<String>())?;
        } else {
            entries.append(&mut page);
        }
        let next = id(&answer["next"]);
        match next {
            None => break,
            Some(_) if left == 0 => {
                printer.note(format_args!("there are more; ask for them with `--limit`"));
                break;
            }
            // A server that repeats itself must not keep us for ever.
            next if next == before => break,
            next => before = next,
        }
    }
    print(&args.output, &entries, printer)
}

fn print(
    output: &AuditOutputArgs,
    entries: &[Value],
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    if output.json {
        printer.json(&entries)?;
    } else if !output.jsonl {
        printer.data(table::listed(entries, COLUMNS))?;
        if entries.is_empty() {
            printer.note("there are no such entries");
        }
    }
    Ok(ExitStatus::Done)
}

fn ask(args: &AuditArgs, limit: u32, before: Option<&String>) -> Ask {
    Ask::api(Method::GET, ["audit"])
        .query("actor", args.actor.as_ref())
        .query("action", args.action.as_ref())
        .query("target", args.target.as_ref())
        .query("outcome", args.outcome.map(Outcome::name))
        .query("project", args.project.as_ref())
        .query("since", args.since)
        .query("until", args.until)
        .query("before", before)
        .query("limit", Some(limit))
}

/// The id of an entry, which is a number or a text.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
