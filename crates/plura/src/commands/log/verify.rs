//! `plura log verify`: nothing is believed but the keys.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use plura_tlog::{
    Checkpoint, Error, KeyName, Note, Proof, ProofError, Source, VerifierKey, consistency,
    verify_log,
};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::memory::{Memory, Seen};
use super::source::{Directory, Web};
use crate::api_client::{ApiClient, Ask, answer};
use crate::cli::{LogVerifyArgs, OutputArgs};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::table::{cell, printable};
use crate::text_file;

/// The most bytes of a proof.
const LONGEST_PROOF: usize = 1 << 20;
/// What to do where no key of the log is known.
const NO_KEY: &str = "name a key of the log with `--key`, as `plura log status` prints it";

/// What was verified.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// The name of the log.
    origin: String,
    /// How many entries it has.
    size: u64,
    /// Those of the keys that signed it.
    signers: Vec<String>,
    /// How many of them there were when it was seen last.
    continues: Option<u64>,
    /// Whether the server compared its database with the log.
    compared: bool,
    /// Whether everything is what was signed.
    verified: bool,
    /// What is not.
    findings: Vec<String>,
}

pub(super) async fn run(args: &LogVerifyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match (&args.offline, &args.directory) {
        (Some(file), _) => proof(file, args, printer),
        (None, Some(directory)) => copy(directory, args, printer).await,
        (None, None) => server(args, printer).await,
    }
}

/// The log of a server.
async fn server(args: &LogVerifyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = Arc::new(ApiClient::of(&args.server).await?);
    let address = args.server.server.url().as_str().trim_end_matches('/');
    let memory = Memory::new(args.cache.as_deref());
    let note = Web::checkpoint(&client).await?;
    let seen = memory.of_server(address, &named(&note)?)?;
    let keys = match (&args.keys[..], &seen) {
        ([], Some(seen)) => seen.keys.clone(),
        ([], None) => {
            printer.note("the keys that the server names are believed: no others were seen yet");
            let status = client.ask(Ask::api(Method::GET, ["log"])).await?;
            serde_json::from_value(status["keys"].clone()).context("the answer has no keys")?
        }
        (given, _) => given.to_vec(),
    };
    let source = Web::new(Arc::clone(&client));
    let mut report = tree(source, &note, &keys, seen).await?;
    if report.signers.is_empty() {
        return print(&args.output, report, printer);
    }
    compare_rows(&client, &mut report, printer).await?;
    if report.findings.is_empty() {
        let checkpoint = String::from_utf8_lossy(&note).into_owned();
        let origin = report.origin.parse().context("the log has no name")?;
        if !memory.remember(address, &Seen { origin, keys, checkpoint })? {
            printer.warning("nothing is remembered: there is no cache directory");
        }
    }
    print(&args.output, report, printer)
}

/// A copy of a log.
async fn copy(
    directory: &Path,
    args: &LogVerifyArgs,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let source = Directory::new(directory);
    let note = source.checkpoint()?;
    let (keys, seen) = known(&note, args)?;
    print(&args.output, tree(source, &note, &keys, seen).await?, printer)
}

/// One entry, by its proof.
fn proof(file: &Path, args: &LogVerifyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let text = text_file::read(file, LONGEST_PROOF)?;
    let proof = Proof::from_json(text.as_bytes())
        .with_context(|| format!("`{}` is no proof", file.display()))
        .hint("`plura log prove INDEX` writes one")?;
    let (keys, _) = known(proof.checkpoint.as_bytes(), args)?;
    let origin = named(proof.checkpoint.as_bytes())?;
    let answer = match verify_proof(&proof, &origin, &keys) {
        Ok(size) => json!({
            "verified": true, "origin": origin, "size": size,
            "index": proof.index, "entry": proof.entry,
        }),
        Err(error) => json!({
            "verified": false, "origin": origin, "index": proof.index,
            "findings": [error.to_string()],
        }),
    };
    if args.output.json {
        printer.json(&answer)?;
    } else if answer["verified"] == true {
        let (index, size) = (proof.index, cell(&answer["size"]));
        printer.data(format!("{}\n", printable(&proof.entry.to_string())))?;
        printer.note(format_args!("entry {index} of the log {origin}, of {size} that were signed"));
    } else {
        printer.data(format!("WRONG  {}\n", cell(&answer["findings"][0])))?;
    }
    Ok(if answer["verified"] == true { ExitStatus::Done } else { ExitStatus::No })
}

fn verify_proof(proof: &Proof, origin: &KeyName, keys: &[VerifierKey]) -> Result<u64, ProofError> {
    Ok(proof.verify(origin.as_str(), keys)?.checkpoint.size())
}

/// The keys to verify with where there is no server, and what is remembered of the log.
fn known(note: &[u8], args: &LogVerifyArgs) -> anyhow::Result<(Vec<VerifierKey>, Option<Seen>)> {
    let origin = named(note)?;
    let seen = Memory::new(args.cache.as_deref()).of_log(&origin)?;
    let keys = match (&args.keys[..], &seen) {
        ([], Some(seen)) => seen.keys.clone(),
        ([], None) => {
            return Err(anyhow!("no key of the log {origin} is known")).hint(NO_KEY);
        }
        (given, _) => given.to_vec(),
    };
    Ok((own(&keys, &origin), seen))
}

/// A key signs for the log of its own name.
fn own(keys: &[VerifierKey], origin: &KeyName) -> Vec<VerifierKey> {
    keys.iter().filter(|key| key.name() == origin).cloned().collect()
}

/// What the log calls itself, which is not verified yet.
fn named(note: &[u8]) -> anyhow::Result<KeyName> {
    let read = || anyhow::Ok(Checkpoint::from_text(Note::from_bytes(note)?.text())?);
    let checkpoint = read().context("the checkpoint cannot be read")?;
    checkpoint.origin().parse().context("the log has no name")
}

/// Verifies signatures, all entries, and that the log continues what was seen of it.
async fn tree(
    source: impl Source + Send + Sync + 'static,
    note: &[u8],
    keys: &[VerifierKey],
    seen: Option<Seen>,
) -> anyhow::Result<Report> {
    let origin = match &seen {
        Some(seen) => seen.origin.clone(),
        None => named(note)?,
    };
    let mut report = Report { origin: origin.to_string(), ..Report::default() };
    let checkpoint = match Checkpoint::open(note, origin.as_str(), &own(keys, &origin)) {
        Ok((checkpoint, signers)) => {
            report.signers = signers.into_iter().map(ToString::to_string).collect();
            checkpoint
        }
        Err(error) => {
            report.findings.push(format!("checkpoint: {error}"));
            return Ok(report);
        }
    };
    report.size = checkpoint.size();
    let before = seen.as_ref().map(Seen::checkpoint).transpose()?;
    report.continues = before.as_ref().map(Checkpoint::size);
    let work = move || findings(&source, &checkpoint, before.as_ref());
    report.findings = tokio::task::spawn_blocking(work).await??;
    Ok(report)
}

fn findings(
    source: &dyn Source,
    checkpoint: &Checkpoint,
    before: Option<&Checkpoint>,
) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    if let Err(error) = verify_log(source, checkpoint.size(), checkpoint.root()) {
        found.push(finding(error)?);
    }
    let Some(before) = before else { return Ok(found) };
    let (old, new) = (before.size(), checkpoint.size());
    match consistency(source, old, new) {
        Ok(proof) if proof.verify(before.root(), checkpoint.root()) => {}
        Ok(_) => found.push(format!(
            "the log does not continue the one of {old} entries that was seen before"
        )),
        Err(Error::Shrunk { old, new }) => {
            found.push(format!("the log went back: it had {old} entries, and has {new}"));
        }
        Err(error) => found.push(finding(error)?),
    }
    Ok(found)
}

/// What is wrong with the log; an error if it could not be asked.
fn finding(error: Error) -> anyhow::Result<String> {
    match error {
        Error::Unreadable { .. } => Err(anyhow!(error)),
        error => Ok(error.to_string()),
    }
}

/// Has the server compare its database with the log.
async fn compare_rows(
    client: &ApiClient,
    report: &mut Report,
    printer: &Printer,
) -> anyhow::Result<()> {
    const UNASKED: &str = "the server was not asked about its database: that takes an operator";
    let response = match client.send(Ask::api(Method::GET, ["log", "check"])).await {
        Ok(response) if response.status() == StatusCode::FORBIDDEN => {
            printer.note(UNASKED);
            return Ok(());
        }
        Ok(response) => response,
        // Of a log that is public, who did not log in can verify the rest.
        Err(error) => {
            printer.note(format_args!("{UNASKED}: {error:#}"));
            return Ok(());
        }
    };
    let check = answer(response).await?;
    report.compared = true;
    for found in check["findings"].as_array().into_iter().flatten() {
        let (subject, detail) = (cell(&found["subject"]), cell(&found["detail"]));
        report.findings.push(format!("database: {subject} {detail}"));
    }
    Ok(())
}

fn print(output: &OutputArgs, mut report: Report, printer: &Printer) -> anyhow::Result<ExitStatus> {
    report.verified = report.findings.is_empty();
    if output.json {
        printer.json(&report)?;
    } else {
        printer.data(text(&report))?;
    }
    if report.signers.is_empty() {
        printer.hint(
            "a replica may have a key of its own: ask an operator which is right, and name it with `--key`",
        );
    }
    Ok(if report.verified { ExitStatus::Done } else { ExitStatus::No })
}

fn text(report: &Report) -> String {
    let wrong = report.findings.iter().map(|found| format!("WRONG  {}\n", printable(found)));
    let origin = Value::from(report.origin.clone());
    let log = format!("{} has {} entries", cell(&origin), report.size);
    let verdict = match (report.verified, report.continues) {
        (false, _) => format!("{} found", report.findings.len()),
        (true, None) => "sound".to_owned(),
        (true, Some(before)) => format!("sound, and continues the {before} that were seen before"),
    };
    format!("{}{verdict}: {log}\n", wrong.collect::<String>())
}
