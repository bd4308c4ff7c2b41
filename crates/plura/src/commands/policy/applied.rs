//! `plura policy apply`, `show` and `history`: the document in force, and those that were.

use anyhow::{Context, anyhow};
use plura_oci::Digest;
use plura_policy::GovernanceDocument;
use plura_policy::change::{Direction, compare};
use reqwest::Method;
use serde_json::Value;

use super::check;
use super::document::valid;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{PolicyApplyArgs, PolicyHistoryArgs, PolicyShowArgs};
use crate::commands::answers;
use crate::exit::{ExitStatus, Hint, SaidNo};
use crate::printer::Printer;
use crate::table::{Column, cell};

/// As what documents are sent.
pub(super) const TOML: &str = "application/toml";

const COLUMNS: &[Column] = &[
    ("VERSION", |version| cell(&version["version"])),
    ("APPLIED", |version| cell(&version["applied_at"])),
    ("AUTHOR", |version| cell(&version["author"])),
    ("DIGEST", |version| cell(&version["digest"])),
    ("REASON", |version| cell(&version["reason"])),
];

/// The document in force.
pub(super) struct InForce {
    pub(super) document: GovernanceDocument,
    digest: Digest,
}

/// Asks for the document in force.
pub(super) async fn in_force(client: &ApiClient) -> anyhow::Result<InForce> {
    let answer = client.ask(Ask::api(Method::GET, ["policy"])).await?;
    let text = answer["document"].as_str().context("the answer has no document")?;
    let document = GovernanceDocument::from_toml(text);
    let document = document
        .map_err(|error| anyhow!("the document in force: {error}"))
        .hint("it may be one of a newer server; use the `plura` that has the server's version")?;
    let digest = answer["digest"].as_str().and_then(|digest| digest.parse().ok());
    Ok(InForce { document, digest: digest.context("the answer has no digest")? })
}

pub(super) async fn apply(args: &PolicyApplyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let new = valid(&args.file)?;
    let client = ApiClient::of(&args.server).await?;
    let before = in_force(&client).await?;
    let change = compare(&before.document, &new.governance.document);
    let laxer = change.of(Direction::Laxer).count();
    // The first one is laxer than none in that there are channels at all.
    let is_first = before.document == GovernanceDocument::default();
    if laxer > 0 && !is_first && !args.yes {
        check::print(&change, args.output.json, printer)?;
        return Err(SaidNo(format!("what becomes laxer: {laxer}; nothing was done")))
            .hint("if that is meant, say it with `--yes`");
    }
    // What was compared is what is replaced, whoever else applies something meanwhile.
    let expect = args.expect.unwrap_or(before.digest);
    let ask = Ask::api(Method::PUT, ["policy"])
        .query("reason", Some(&args.reason))
        .query("expect", Some(expect))
        .content(TOML, new.toml.into_bytes());
    let applied = client.ask(ask).await?;
    if !args.output.json {
        check::print(&change, false, printer)?;
    }
    let note =
        format!("version {} is in force: {}", cell(&applied["version"]), cell(&applied["digest"]));
    answers::done(&args.output, &applied, note, printer)
}

pub(super) async fn show(args: &PolicyShowArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = match args.version {
        Some(version) => Ask::api(Method::GET, ["policy", "versions", &version.to_string()]),
        None => Ask::api(Method::GET, ["policy"]),
    };
    let answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    if args.output.json {
        printer.json(&answer)?;
        return Ok(ExitStatus::Done);
    }
    let text = answer["document"].as_str().context("the answer has no document")?;
    printer.content(text.as_bytes())?;
    if answer["version"] == 0 {
        printer.note("no document was applied yet; this one asks for nothing");
    }
    Ok(ExitStatus::Done)
}

pub(super) async fn history(
    args: &PolicyHistoryArgs,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let client = ApiClient::of(&args.server).await?;
    let (mut versions, mut before): (Vec<Value>, Option<i64>) = (Vec::new(), None);
    loop {
        let ask = Ask::api(Method::GET, ["policy", "versions"]).query("before", before);
        let page = listed(&mut client.ask(ask).await?, "versions")?;
        let last = page.last().and_then(|version| version["version"].as_i64());
        versions.extend(page);
        // A server that repeats itself must not keep us for ever.
        match last.filter(|last| *last > 1 && before.is_none_or(|before| *last < before)) {
            Some(last) => before = Some(last),
            None => break,
        }
    }
    answers::list(&args.output, "versions of the policy", &versions, COLUMNS, printer)
}
