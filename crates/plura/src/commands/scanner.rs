//! `plura scanner`.

use reqwest::Method;

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{AdvisoriesArgs, ScannerAddArgs, ScannerCommand, ScannerRemoveArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("NAME", |scanner| cell(&scanner["name"])),
    ("URL", |scanner| cell(&scanner["url"])),
    ("ADDED", |scanner| cell(&scanner["added_at"])),
];

pub(super) fn run(command: &ScannerCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            ScannerCommand::Add(args) => add(args, printer).await,
            ScannerCommand::List(args) => list(args, printer).await,
            ScannerCommand::Remove(args) => remove(args, printer).await,
        }
    })
}

async fn add(args: &ScannerAddArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::POST, ["scanners"])
        .field("name", Some(args.name.clone()))
        .field("url", Some(args.url.as_str().trim_end_matches('/')));
    let added = ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("images may be shown to {}", cell(&added["name"]));
    answers::done(&args.output, &added, note, printer)
}

async fn list(args: &AdvisoriesArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["scanners"]);
    let mut answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    let scanners = listed(&mut answer, "scanners")?;
    answers::list(&args.output, "scanners", &scanners, COLUMNS, printer)
}

async fn remove(args: &ScannerRemoveArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::DELETE, ["scanners", &args.name]);
    ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("forgot the scanner {}", args.name);
    answers::done(&args.output, &answers::deleted(&args.name), note, printer)
}
