//! `plura reg post-check` and `checks`.

use clap::ValueEnum;
use reqwest::Method;

use super::answers;
use super::approval::about;
use super::target::Target;
use crate::api_client::{ApiClient, listed};
use crate::cli::{ImageAboutArgs, PostCheckArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("CHECK", |check| cell(&check["name"])),
    ("STATE", |check| cell(&check["state"])),
    ("BY", |check| cell(&check["by"])),
    ("AT", |check| cell(&check["at"])),
    ("DETAIL", |check| cell(&check["detail"])),
];

pub(super) fn post(args: &PostCheckArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let state = args.state.to_possible_value().map(|state| state.get_name().to_owned());
    let ask = about(&target, Method::POST, "checks")
        .field("name", Some(args.check.clone()))
        .field("state", state)
        .field("detail", args.detail.clone());
    let posted =
        runtime()?.block_on(async { ApiClient::of(&target.server).await?.ask(ask).await })?;
    let (name, state) = (cell(&posted["name"]), cell(&posted["state"]));
    let digest = cell(&posted["digest"]);
    let note = format_args!("{name} of {}@{digest}: {state}", target.repository);
    answers::done(&args.output, &posted, note, printer)
}

pub(super) fn list(args: &ImageAboutArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let ask = about(&target, Method::GET, "checks");
    let mut answer =
        runtime()?.block_on(async { ApiClient::of(&target.server).await?.ask(ask).await })?;
    answers::list(&args.output, "checks", &listed(&mut answer, "checks")?, COLUMNS, printer)
}
