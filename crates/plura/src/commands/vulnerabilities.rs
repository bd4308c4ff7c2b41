//! `plura image vulns`, `plura image report` and `plura vulns`.

use std::fs::File;

use anyhow::Context;
use reqwest::Method;
use serde_json::Value;

use super::answers;
use super::image::question;
use super::target::Target;
use crate::api_client::{ApiClient, Ask};
use crate::cli::{ImageVulnerabilitiesArgs, ReportArgs, SearchArgs, SeverityArg};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("VULNERABILITY", |found| cell(&found["id"])),
    ("SEVERITY", |found| severity(found)),
    ("PACKAGE", |found| cell(&found["package"]["name"])),
    ("VERSION", |found| cell(&found["package"]["version"])),
    ("FIXED IN", |found| cell(&found["fixed"][0])),
    ("SINCE", |found| day(&found["first_seen_at"])),
    ("STATUS", status),
];

const FOUND: &[Column] = &[
    ("IMAGE", |found| short(&found["digest"])),
    ("WHERE", places),
    ("PACKAGE", |found| cell(&found["package"]["name"])),
    ("VERSION", |found| cell(&found["package"]["version"])),
    ("VULNERABILITY", |found| cell(&found["vulnerability"])),
    ("SEVERITY", |found| cell(&found["severity"])),
    ("FIXED IN", |found| cell(&found["fixed"][0])),
    ("SINCE", |found| day(&found["first_seen_at"])),
];

/// What an image has.
pub(super) async fn of_image(
    args: &ImageVulnerabilitiesArgs,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let ask = question(&args.which, &args.server, &["images", "vulnerabilities"])?;
    let client = ApiClient::of(&args.server).await?;
    let answer = client.ask(ask.clone()).await?;
    let counting = entries(&answer).filter(|found| found["suppressed"].is_null());
    let exit = exit(args.fail_on, counting);
    if args.sarif {
        printer.json(&client.ask(ask.query("format", Some("sarif"))).await?)?;
        return Ok(exit);
    }
    if args.output.json {
        printer.json(&answer)?;
        return Ok(exit);
    }
    let shown: Vec<Value> =
        entries(&answer).filter(|found| is_shown(found, args)).cloned().collect();
    answers::list(&args.output, "vulnerabilities to show", &shown, COLUMNS, printer)?;
    summarise(&answer, printer);
    Ok(exit)
}

/// Keeps a report of another scanner.
pub(super) async fn report(args: &ReportArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let path = args.file.display();
    let file = File::open(&args.file)
        .with_context(|| format!("cannot read `{path}`"))
        .hint("`trivy image --format json --output FILE IMAGE` writes one")?;
    let ask = Ask::api(Method::POST, ["images", "reports"])
        .query("repository", Some(&target.repository))
        .query("reference", Some(&target.reference));
    let client = ApiClient::of_repository(&target.server, &target.repository).await?;
    let answer = client.upload(ask, "application/json", file).await?;
    let (scanner, count) = (cell(&answer["scanner"]), cell(&answer["findings"]));
    let digest = cell(&answer["digest"]);
    let note = format_args!("kept what {scanner} says about {digest}: {count} findings");
    answers::done(&args.output, &answer, note, printer)
}

/// Which images have something.
pub(super) fn search(args: &SearchArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        let wanted = &args.wanted;
        let ask = Ask::api(Method::GET, ["vulnerabilities"])
            .query("cve", wanted.cve.as_ref())
            .query("package", wanted.package.as_ref())
            .query("since", wanted.since)
            .query("ecosystem", args.ecosystem.as_ref())
            .query("below", args.below.as_ref())
            .query("limit", Some(1000));
        let mut found = ApiClient::of(&args.server).await?.all("found", ask).await?;
        if let Some(least) = args.severity {
            found.retain(|found| level(found) >= least);
        }
        let exit = exit(args.fail_on, found.iter());
        answers::list(&args.output, "such images", &found, FOUND, printer)?;
        Ok(exit)
    })
}

fn entries(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["vulnerabilities"].as_array().into_iter().flatten()
}

fn is_shown(found: &Value, args: &ImageVulnerabilitiesArgs) -> bool {
    let fixable = found["fixed"].as_array().is_some_and(|fixed| !fixed.is_empty());
    (args.all || found["suppressed"].is_null())
        && (fixable || !args.fixable)
        && args.severity.is_none_or(|least| level(found) >= least)
}

fn exit<'v>(
    fail_on: Option<SeverityArg>,
    found: impl IntoIterator<Item = &'v Value>,
) -> ExitStatus {
    let mut found = found.into_iter();
    match fail_on {
        Some(least) if found.any(|found| level(found) >= least) => ExitStatus::No,
        _ => ExitStatus::Done,
    }
}

/// How many there are, and what may be missing: that nothing is found must not be taken for good news
/// where nothing could be.
fn summarise(answer: &Value, printer: &Printer) {
    let counts = &answer["counts"];
    let kinds = ["critical", "high", "medium", "low", "negligible", "unknown", "suppressed"];
    let counted: Vec<String> = kinds
        .into_iter()
        .filter(|kind| counts[*kind].as_u64().is_some_and(|count| count > 0))
        .map(|kind| format!("{} {kind}", counts[kind]))
        .collect();
    if !counted.is_empty() {
        printer.note(counted.join(", "));
    }
    if answer["newest_advisory"].is_null() {
        printer.warning("the server has no advisories, so that nothing can be found");
        printer.hint("`plura advisories import` takes some over");
        return;
    }
    printer.note(format_args!("the newest advisory is of {}", day(&answer["newest_advisory"])));
    for image in answer["images"].as_array().into_iter().flatten() {
        let digest = short(&image["digest"]);
        if image["read_at"].is_null() {
            printer.warning(format_args!("what is in {digest} is not known yet"));
        } else if image["problem"].is_string() {
            printer.warning(format_args!("{digest}: {}", cell(&image["problem"])));
        }
    }
    for missing in answer["not_covered"].as_array().into_iter().flatten() {
        let (ecosystem, packages) = (cell(&missing["ecosystem"]), cell(&missing["packages"]));
        printer.warning(format_args!("no advisories about {packages} packages of {ecosystem}"));
    }
    for (kind, what) in [("expired", "is over"), ("expiring", "soon is over")] {
        for name in answer["exceptions"][kind].as_array().into_iter().flatten() {
            printer.warning(format_args!("the exception {} {what}", cell(name)));
        }
    }
}

fn level(found: &Value) -> SeverityArg {
    SeverityArg::named(found["severity"].as_str().unwrap_or_default())
}

fn severity(found: &Value) -> String {
    match found["score"].as_f64() {
        Some(score) => format!("{} {score:.1}", cell(&found["severity"])),
        None => cell(&found["severity"]),
    }
}

fn status(found: &Value) -> String {
    match (&found["suppressed"], &found["note"], found["certain"].as_bool()) {
        (Value::Object(by), ..) => format!("{} {}", cell(&by["by"]), cell(&by["name"])),
        (_, Value::Object(note), _) => cell(&note["status"]).replace('_', " "),
        (_, _, Some(false)) => "not certain".to_owned(),
        _ => "open".to_owned(),
    }
}

fn places(found: &Value) -> String {
    let places = found["places"].as_array().into_iter().flatten();
    let named = places.map(|place| {
        let tags = place["tags"].as_array().map_or(0, Vec::len);
        let repository = cell(&place["repository"]);
        if tags == 0 { repository } else { format!("{repository}:{}", cell(&place["tags"])) }
    });
    named.collect::<Vec<_>>().join(" ")
}

/// A digest as far as people compare it.
fn short(digest: &Value) -> String {
    const SHOWN: usize = "sha256:".len() + 12;
    cell(digest).chars().take(SHOWN).collect()
}

fn day(time: &Value) -> String {
    cell(time).chars().take("2026-01-02".len()).collect()
}
