//! `plura advisories`.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use reqwest::Method;
use reqwest::redirect::Policy;
use serde_json::Value;

use super::answers;
use super::target::Target;
use crate::api_client::{ApiClient, Ask, unreachable};
use crate::cli::{AdvisoriesArgs, AdvisoriesCommand, AdvisoriesImportArgs, AdvisoriesRemoveArgs};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

/// How long a mirror may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a mirror may be silent.
const SILENCE: Duration = Duration::from_mins(1);
/// The most bytes of an archive, as the server has it, too.
const LONGEST: u64 = 4 << 30;
/// Directories in directories that are looked into.
const DEEPEST: usize = 8;
/// How often a mirror may send us on.
const MOST_REDIRECTS: usize = 3;

const SOURCES: &[Column] = &[
    ("SOURCE", |source| cell(&source["name"])),
    ("ADVISORIES", |source| cell(&source["advisories"])),
    ("NEWEST", |source| cell(&source["newest"])),
    ("IMPORTED", |source| cell(&source["imported_at"])),
    ("SKIPPED", |source| skipped(source).to_string()),
    ("FROM", |source| cell(&source["location"])),
];

pub(super) fn run(command: &AdvisoriesCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            AdvisoriesCommand::Import(args) => import(args, printer).await,
            AdvisoriesCommand::Update(args) => update(args, printer).await,
            AdvisoriesCommand::Status(args) => status(args, printer).await,
            AdvisoriesCommand::Remove(args) => remove(args, printer).await,
        }
    })
}

async fn import(args: &AdvisoriesImportArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let answer = match (&args.artifact, &args.from) {
        (Some(artifact), _) => {
            let target = Target::of(artifact, &args.server)?;
            let ask = Ask::api(Method::POST, ["advisories"])
                .query("source", args.source.as_ref())
                .query("repository", Some(&target.repository))
                .query("reference", Some(&target.reference));
            ApiClient::of(&args.server).await?.ask(ask).await?
        }
        (None, Some(from)) => {
            let source = args.source.clone().unwrap_or_else(|| source_of(from));
            let client = ApiClient::of(&args.server).await?;
            send(&client, &source, from, printer).await?
        }
        (None, None) => return Err(anyhow!("nothing is named that could be read")),
    };
    tell(&answer, printer);
    if args.output.json {
        printer.json(&answer)?;
    }
    Ok(ExitStatus::Done)
}

async fn update(args: &AdvisoriesArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = ApiClient::of(&args.server).await?;
    let status = client.ask(Ask::api(Method::GET, ["advisories"])).await?;
    let mut updated = Vec::new();
    for source in status["sources"].as_array().into_iter().flatten() {
        let (Some(name), Some(location)) = (source["name"].as_str(), source["location"].as_str())
        else {
            continue;
        };
        if is_address(location) {
            let answer = send(&client, name, location, printer).await?;
            tell(&answer, printer);
            updated.push(answer);
        } else {
            printer.note(format_args!("{} did not come from an address", cell(&name.into())));
        }
    }
    if args.output.json {
        printer.json(&updated)?;
    }
    Ok(ExitStatus::Done)
}

async fn status(args: &AdvisoriesArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["advisories"]);
    let status = ApiClient::of(&args.server).await?.ask(ask).await?;
    if args.output.json {
        printer.json(&status)?;
        return Ok(ExitStatus::Done);
    }
    let sources = status["sources"].as_array().map_or(&[][..], Vec::as_slice);
    answers::list(&args.output, "advisories", sources, SOURCES, printer)?;
    if let Some(age) = status["age_seconds"].as_u64() {
        const DAY: u64 = 24 * 60 * 60;
        printer.note(format_args!("the newest advisory is {} days old", age / DAY));
    }
    let waiting = status["waiting"].as_u64().unwrap_or_default();
    if waiting > 0 {
        printer.note(format_args!("{waiting} packages are still to be matched"));
    }
    Ok(ExitStatus::Done)
}

async fn remove(args: &AdvisoriesRemoveArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::DELETE, ["advisories", &args.source]);
    ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("forgot the advisories of {}", args.source);
    answers::done(&args.output, &answers::deleted(&args.source), note, printer)
}

fn tell(answer: &Value, printer: &Printer) {
    let source = &answer["source"];
    let (name, count) = (cell(&source["name"]), cell(&source["advisories"]));
    let same = if answer["unchanged"] == true { ", the same as before" } else { "" };
    printer.note(format_args!("{name} has {count} advisories{same}"));
    let skipped = skipped(source);
    if skipped > 0 {
        printer.warning(format_args!("{skipped} records were left out"));
        for example in source["skipped"]["examples"].as_array().into_iter().flatten() {
            printer.note(format_args!("  {}", cell(example)));
        }
    }
}

fn skipped(source: &Value) -> u64 {
    let reasons = source["skipped"]["reasons"].as_object();
    reasons.into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// Sends what is there to the server.
async fn send(
    client: &ApiClient,
    source: &str,
    from: &str,
    printer: &Printer,
) -> anyhow::Result<Value> {
    let mut file = if is_address(from) { fetched(from).await? } else { local(from, printer)? };
    let media_type = media_type(&mut file)?;
    let location = if is_address(from) { from.to_owned() } else { file_name(from) };
    let ask = Ask::api(Method::POST, ["advisories"])
        .query("source", Some(source))
        .query("location", Some(location));
    client.upload(ask, media_type, file).await
}

fn is_address(from: &str) -> bool {
    from.starts_with("https://") || from.starts_with("http://")
}

/// What a mirror has, in a file that goes with the process.
async fn fetched(from: &str) -> anyhow::Result<File> {
    let http = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .redirect(Policy::limited(MOST_REDIRECTS))
        .user_agent(concat!("plura/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("cannot prepare connections")?;
    let failed = || format!("cannot read {from}");
    let response = http.get(from).send().await.map_err(unreachable).with_context(failed)?;
    let status = response.status();
    ensure!(status.is_success(), "cannot read {from}: it answers {status}");
    let mut response = response;
    let mut file = tempfile::tempfile().context("cannot keep what arrives")?;
    let mut length = 0;
    while let Some(chunk) = response.chunk().await.with_context(failed)? {
        length += chunk.len() as u64;
        ensure!(length <= LONGEST, "{from} is too long");
        file.write_all(&chunk).context("cannot keep what arrives")?;
    }
    Ok(file)
}

/// A file as it is; of a directory, all records in it, one on each line.
fn local(from: &str, printer: &Printer) -> anyhow::Result<File> {
    let path = Path::new(from);
    let failed = || format!("cannot read `{from}`");
    let hint = "name a zip archive, a file or a directory of OSV records, or an address";
    let found = fs::metadata(path).with_context(failed).hint(hint)?;
    if !found.is_dir() {
        return File::open(path).with_context(failed).hint(hint);
    }
    let file = tempfile::tempfile().context("cannot put the records together")?;
    let mut lines = BufWriter::new(file);
    let count = gather(path, &mut lines, DEEPEST).with_context(failed)?;
    printer.note(format_args!("{count} files"));
    lines.into_inner().map_err(|error| anyhow!("cannot put the records together: {error}"))
}

/// Writes the records of a directory; how many there are. No text of JSON has a line in it that is broken
/// as it is written.
fn gather(path: &Path, lines: &mut impl Write, depth: usize) -> anyhow::Result<u64> {
    let mut count = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() && depth > 0 {
            count += gather(&path, lines, depth - 1)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "json") {
            let mut record =
                fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            for byte in &mut record {
                if matches!(byte, b'\n' | b'\r') {
                    *byte = b' ';
                }
            }
            record.push(b'\n');
            lines.write_all(&record)?;
            count += 1;
        }
    }
    Ok(count)
}

fn media_type(file: &mut File) -> anyhow::Result<&'static str> {
    let mut magic = Vec::new();
    let read = || "cannot read the file again";
    file.rewind().with_context(read)?;
    Read::by_ref(file).take(2).read_to_end(&mut magic).with_context(read)?;
    file.rewind().with_context(read)?;
    Ok(if magic == b"PK" { "application/zip" } else { "application/x-ndjson" })
}

/// What to call a source by where it is: `Debian` of `.../Debian/all.zip`, else the name of the file.
fn source_of(from: &str) -> String {
    let mut parts = from.trim_end_matches('/').rsplit('/');
    let file = parts.next().unwrap_or_default();
    let stem = file.strip_suffix(".zip").or_else(|| file.strip_suffix(".json")).unwrap_or(file);
    let name = if stem == "all" { parts.next().unwrap_or(stem) } else { stem };
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    name.chars().map(plain).take(64).collect()
}

fn file_name(from: &str) -> String {
    let name = Path::new(from).file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| from.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_called_like_what_they_are_about() {
        for (from, name) in [
            ("https://osv.example.com/Debian/all.zip", "Debian"),
            ("https://osv.example.com/crates.io/all.zip", "crates.io"),
            ("/srv/npm.zip", "npm"),
            ("records/", "records"),
            ("./Rocky Linux/all.zip", "Rocky-Linux"),
        ] {
            assert_eq!(source_of(from), name);
        }
    }
}
