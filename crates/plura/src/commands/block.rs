//! `plura reg block`, `unblock` and `blocks`.

use plura_oci::RepositoryName;
use reqwest::Method;

use super::answers;
use super::target::Target;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{BlockArgs, RulesArgs, ServerArgs, WhichDigest};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("DIGEST", |block| cell(&block["digest"])),
    ("REPOSITORY", |block| {
        block["repository"].as_str().map_or("everywhere".into(), |_| cell(&block["repository"]))
    }),
    ("KIND", |block| cell(&block["kind"])),
    ("BY", |block| cell(&block["by"])),
    ("AT", |block| cell(&block["at"])),
    ("REASON", |block| cell(&block["reason"])),
];

pub(super) fn block(args: &BlockArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let (server, repository) = place(&args.what, &args.server)?;
    let ask = Ask::api(Method::POST, ["blocks"])
        .field("digest", Some(args.what.digest.to_string()))
        .field("repository", repository.map(|name| name.to_string()))
        .field("reason", Some(args.reason.clone()));
    let blocked = runtime()?.block_on(async { ApiClient::of(&server).await?.ask(ask).await })?;
    answers::done(&args.output, &blocked, format_args!("blocked {}", args.what), printer)
}

pub(super) fn unblock(args: &BlockArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let (server, repository) = place(&args.what, &args.server)?;
    let ask = Ask::api(Method::DELETE, ["blocks"])
        .query("digest", Some(args.what.digest))
        .query("repository", repository)
        .query("reason", Some(&args.reason));
    runtime()?.block_on(async { ApiClient::of(&server).await?.ask(ask).await })?;
    let note = format_args!("lifted the block of {}", args.what);
    answers::done(&args.output, &answers::deleted(&args.what.to_string()), note, printer)
}

pub(super) fn list(args: &RulesArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["blocks"]);
    let mut answer =
        runtime()?.block_on(async { ApiClient::of(&args.server).await?.ask(ask).await })?;
    answers::list(&args.output, "blocks", &listed(&mut answer, "blocks")?, COLUMNS, printer)
}

/// The server, and the repository if one is named.
pub(super) fn place(
    what: &WhichDigest,
    server: &ServerArgs,
) -> anyhow::Result<(ServerArgs, Option<RepositoryName>)> {
    Ok(match &what.image {
        Some(image) => {
            let target = Target::of(image, server)?;
            (target.server, Some(target.repository))
        }
        None => (server.clone(), None),
    })
}
