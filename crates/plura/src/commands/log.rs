//! `plura log`.

mod memory;
mod source;
mod verify;

use reqwest::Method;
use serde_json::Value;

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{LogCommand, LogListArgs, LogProveArgs, LogStatusArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

/// Entries that are asked for at once.
const PAGE: u32 = 1000;

const FIELDS: &[Column] = &[
    ("log", |status| cell(&status["origin"])),
    ("entries", |status| cell(&status["size"])),
    ("signed", |status| cell(&status["integrated"])),
    ("keys", |status| cell(&status["keys"])),
];

const COLUMNS: &[Column] = &[
    ("INDEX", |entry| cell(&entry["index"])),
    ("TIME", |entry| cell(&entry["at"])),
    ("KIND", |entry| cell(&entry["kind"])),
    ("SUBJECT", |entry| cell(&entry["subject"])),
];

pub(super) fn run(command: &LogCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            LogCommand::Status(args) => status(args, printer).await,
            LogCommand::List(args) => list(args, printer).await,
            LogCommand::Prove(args) => prove(args, printer).await,
            LogCommand::Verify(args) => verify::run(args, printer).await,
        }
    })
}

async fn status(args: &LogStatusArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let status = ApiClient::of(&args.server).await?.ask(Ask::api(Method::GET, ["log"])).await?;
    answers::one(&args.output, &status, FIELDS, printer)
}

async fn list(args: &LogListArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = ApiClient::of(&args.server).await?;
    let (mut entries, mut left, mut before) = (Vec::new(), args.limit, None);
    loop {
        let ask = Ask::api(Method::GET, ["log", "entries"])
            .query("subject", args.subject.as_ref())
            .query("kind", args.kind.as_ref())
            .query("before", before)
            .query("limit", Some(left.min(PAGE)));
        let mut answer = client.ask(ask).await?;
        let mut page: Vec<Value> = listed(&mut answer, "entries")?;
        // A server may answer with more than it was asked for.
        page.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left = left.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
        entries.append(&mut page);
        match answer["next"].as_u64() {
            // A server that repeats itself must not keep us for ever.
            Some(next) if left > 0 && before.is_none_or(|before| next < before) => {
                before = Some(next);
            }
            Some(_) if left == 0 => {
                printer.note("there are more; ask for them with `--limit`");
                break;
            }
            _ => break,
        }
    }
    answers::list(&args.output, "such entries", &entries, COLUMNS, printer)
}

async fn prove(args: &LogProveArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["log", "proof"])
        .query("index", Some(args.index))
        .query("wait", Some(args.wait));
    printer.json(&ApiClient::of(&args.server).await?.ask(ask).await?)?;
    Ok(ExitStatus::Done)
}
