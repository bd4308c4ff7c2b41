//! `plura reg notes` and `plura reg evidence`.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
};

use anyhow::{Context, anyhow};
use plura_governance::{ProvedLog, Trusted, VerifiedBundle, verify_bundle};
use plura_trust::PublicKey;
use reqwest::Method;
use serde_json::Value;

use super::image::repository;
use crate::api_client::{ApiClient, Ask};
use crate::cli::{EvidenceArgs, EvidenceCommand, NotesArgs, VerifyEvidenceArgs};
use crate::exit::{ExitStatus, Hint, SaidNo};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::printable;
use crate::text_file;

/// The most bytes of a file that is checked.
const LONGEST: u64 = 256 * 1024 * 1024;
/// The most bytes of a public key.
const LONGEST_KEY: usize = 64 * 1024;

/// `plura reg notes`.
pub(super) fn notes(args: &NotesArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["release-notes"])
        .query("repository", Some(repository(&args.image, &args.server)?))
        .query("to", Some(&args.image.reference))
        .query("from", args.against.as_ref())
        .query("platform", args.platform.as_ref());
    let answer: Value =
        runtime()?.block_on(async { ApiClient::of(&args.server).await?.ask(ask).await })?;
    if args.output.json {
        printer.json(&answer["notes"])?;
    } else {
        let markdown = answer["markdown"].as_str().context("the server's answer has no notes")?;
        printer.content(markdown.as_bytes())?;
    }
    Ok(ExitStatus::Done)
}

/// `plura reg evidence`.
pub(super) fn evidence(args: &EvidenceArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if let Some(EvidenceCommand::Verify(args)) = &args.command {
        return verify(args, printer);
    }
    let (Some(image), Some(output)) = (&args.image, &args.output) else {
        return Err(anyhow!("an image and a file are needed"))
            .hint("`plura reg evidence IMAGE -o FILE`");
    };
    let ask = Ask::api(Method::GET, ["evidence-bundle"])
        .query("repository", Some(repository(image, &args.server)?))
        .query("reference", Some(&image.reference));
    let content =
        runtime()?.block_on(async { ApiClient::of(&args.server).await?.bytes(ask).await })?;
    fs::write(output, &content)
        .with_context(|| format!("cannot write {}", output.display()))
        .hint("name a file that can be written")?;
    printer.note(format_args!("wrote {}", output.display()));
    Ok(ExitStatus::Done)
}

fn verify(args: &VerifyEvidenceArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let content = read(&args.file)
        .with_context(|| format!("cannot read {}", args.file.display()))
        .hint("name a file that `plura reg evidence` wrote")?;
    let key = args.key.as_deref().map(public_key).transpose()?;
    let trusted = Trusted { key, log: args.log_keys.clone() };
    // That it is not to be believed is an answer.
    let verified = verify_bundle(&content, &trusted)
        .map_err(|problem| SaidNo(printable(&problem.to_string())))?;
    if args.output.json {
        printer.json(&verified)?;
    } else {
        printer.data(text(&verified))?;
    }
    if trusted.key.is_none() {
        printer.note("whose key it is was not checked; name the one that you trust with `--key`");
    }
    Ok(ExitStatus::Done)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut content)?;
    Ok(content)
}

fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    let text = text_file::read(path, LONGEST_KEY)?;
    PublicKey::from_pem(&text)
        .with_context(|| format!("`{}` holds no public key", path.display()))
        .hint("the server tells its key at `/api/v1/keys/attestation`")
}

fn text(verified: &VerifiedBundle) -> String {
    let VerifiedBundle { repository, digest, files, left_out, key, decisions, log } = verified;
    let head = [
        format!("{repository}@{digest}"),
        format!("{files} files, each what it says; signed with the key {key}"),
    ];
    let decided = decisions.iter().map(|one| {
        let line = format!("{} {} {}", one.at, one.channel, one.result);
        format!("decided: {}", printable(&line))
    });
    let left_out = left_out.iter().map(|one| format!("not in it: {}", printable(one)));
    let logged = log.iter().flat_map(logged);
    let lines: Vec<String> =
        head.into_iter().chain(decided).chain(logged).chain(left_out).collect();
    lines.join("\n") + "\n"
}

/// What the log is proved to have, and what it is not yet.
fn logged(log: &ProvedLog) -> Vec<String> {
    let origin = log.origin.as_deref().unwrap_or_default();
    let proved = log.entries.iter().map(|one| {
        let line = format!("{} {} {}", one.at, one.kind, one.subject);
        format!("logged: {}, entry {} of {origin}", printable(&line), one.index)
    });
    let pending = log.pending.iter().map(|index| format!("not proved yet: entry {index}"));
    let more = log.more.then(|| "older entries of the log are not in it".to_owned());
    proved.chain(pending).chain(more).collect()
}
