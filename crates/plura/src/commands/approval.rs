//! `plura reg approve`, `approvals` and `revoke`.

use reqwest::Method;

use super::answers;
use super::target::Target;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{ApproveArgs, ImageAboutArgs, RevokeArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("APPROVAL", |approval| cell(&approval["id"])),
    ("CHANNEL", |approval| cell(&approval["channel"])),
    ("BY", |approval| cell(&approval["by"])),
    ("ROLES", |approval| cell(&approval["roles"])),
    ("AT", |approval| cell(&approval["at"])),
    ("EXPIRES", |approval| cell(&approval["expires"])),
    ("REVOKED", |approval| cell(&approval["revoked_at"])),
    ("AUTHOR", |approval| cell(&approval["is_authors"])),
    ("REASON", |approval| cell(&approval["reason"])),
];

pub(super) fn approve(args: &ApproveArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let ask = about(&target, Method::POST, "approvals")
        .field("channel", Some(args.to.to_string()))
        .field("reason", args.reason.clone())
        .field("expires_at", args.expires.map(|expires| expires.to_string()));
    let given =
        runtime()?.block_on(async { ApiClient::of(&target.server).await?.ask(ask).await })?;
    if given["is_authors"] == true {
        printer.warning("you pushed it yourself, so that your approval is not enough");
    }
    let (digest, channel) = (cell(&given["digest"]), cell(&given["channel"]));
    let note = format_args!("approved {}@{digest} for {channel}", target.repository);
    answers::done(&args.output, &given, note, printer)
}

pub(super) fn list(args: &ImageAboutArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let ask = about(&target, Method::GET, "approvals");
    let mut answer =
        runtime()?.block_on(async { ApiClient::of(&target.server).await?.ask(ask).await })?;
    answers::list(&args.output, "approvals", &listed(&mut answer, "approvals")?, COLUMNS, printer)
}

pub(super) fn revoke(args: &RevokeArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let ask = Ask::api(Method::DELETE, ["approvals"])
        .query("repository", Some(&target.repository))
        .query("approval", Some(&args.approval));
    runtime()?.block_on(async { ApiClient::of(&target.server).await?.ask(ask).await })?;
    let note = format_args!("took the approval {} back", args.approval);
    answers::done(&args.output, &answers::deleted(&args.approval), note, printer)
}

/// A question about an image.
pub(super) fn about(target: &Target, method: Method, what: &str) -> Ask {
    Ask::api(method, [what])
        .query("repository", Some(&target.repository))
        .query("reference", Some(&target.reference))
}
