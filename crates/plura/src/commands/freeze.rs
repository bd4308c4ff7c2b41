//! `plura reg freeze`, `unfreeze` and `freezes`.

use reqwest::Method;

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{FreezeArgs, RulesArgs, UnfreezeArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("FREEZE", |freeze| cell(&freeze["id"])),
    ("CHANNELS", |freeze| cell(&freeze["channels"])),
    ("BY", |freeze| cell(&freeze["by"])),
    ("BEGINS", |freeze| cell(&freeze["begins"])),
    ("ENDS", |freeze| cell(&freeze["ends"])),
    ("REASON", |freeze| cell(&freeze["reason"])),
];

pub(super) fn freeze(args: &FreezeArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::POST, ["freezes"])
        .field("channels", Some(args.channels.clone()))
        .field("reason", Some(args.reason.clone()))
        .field("from", args.from.map(|from| from.to_string()))
        .field("until", Some(args.until.to_string()));
    let frozen =
        runtime()?.block_on(async { ApiClient::of(&args.server).await?.ask(ask).await })?;
    let (channels, ends) = (cell(&frozen["channels"]), cell(&frozen["ends"]));
    let id = cell(&frozen["id"]);
    let note = format_args!(
        "nothing moves into {channels} until {ends}; `plura reg unfreeze {id}` ends it before"
    );
    answers::done(&args.output, &frozen, note, printer)
}

pub(super) fn unfreeze(args: &UnfreezeArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::DELETE, ["freezes", &args.freeze]);
    runtime()?.block_on(async { ApiClient::of(&args.server).await?.ask(ask).await })?;
    let note = format_args!("ended the freeze {}", args.freeze);
    answers::done(&args.output, &answers::deleted(&args.freeze), note, printer)
}

pub(super) fn list(args: &RulesArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["freezes"]);
    let mut answer =
        runtime()?.block_on(async { ApiClient::of(&args.server).await?.ask(ask).await })?;
    answers::list(&args.output, "freezes", &listed(&mut answer, "freezes")?, COLUMNS, printer)
}
