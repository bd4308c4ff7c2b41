//! What is in an image, as text.

use std::fs;

use anyhow::Context;
use reqwest::Method;
use serde_json::Value;

use super::{ask, listed, question, short, tell_problems};
use crate::api_client::{ApiClient, Ask};
use crate::cli::{BaseArgs, FactsArgs, PackagesArgs, SbomArgs};
use crate::commands::answers;
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::table::{Column, bytes, cell, described, listed as table};

const PACKAGES: &[Column] = &[
    ("KIND", |package| cell(&package["kind"])),
    ("NAME", |package| cell(&package["name"])),
    ("VERSION", |package| cell(&package["version"])),
    ("LICENSES", |package| cell(&package["licenses"])),
    ("LAYER", |package| short(&package["layer"])),
    ("FILE", |package| cell(&package["path"])),
];

const FACTS: &[Column] = &[
    ("digest", |image| cell(&image["digest"])),
    ("platform", |image| cell(&image["platform"])),
    ("system", system),
    ("packages", packages_by_kind),
    ("size", |image| bytes(&image["size"])),
    ("unpacked", |image| bytes(&image["expanded_size"])),
    ("user", user),
    ("entrypoint", |image| words(&image["configuration"]["entrypoint"])),
    ("command", |image| words(&image["configuration"]["command"])),
    ("ports", |image| cell(&image["configuration"]["ports"])),
    ("health check", |image| cell(&image["configuration"]["has_health_check"])),
    ("created", |image| cell(&image["configuration"]["created"])),
    ("environment", environment_specific),
];

const SECRETS: &[Column] = &[
    ("SECRET", |secret| cell(&secret["rule"])),
    ("WHERE", |secret| cell(&secret["path"])),
    ("LINE", |secret| cell(&secret["line"])),
    ("LAYER", |secret| short(&secret["layer"])),
];

const UNREAD: &[Column] = &[
    ("NOT READ", |unread| cell(&unread["path"])),
    ("LAYER", |unread| short(&unread["layer"])),
    ("WHY", |unread| cell(&unread["reason"])),
];

const BASE: &[Column] = &[
    ("image", |report| cell(&report["digest"])),
    ("declares", declared),
    ("stands on", |report| cell(&report["found"]["digest"])),
    ("which is", |report| cell(&report["found"]["places"])),
    ("layers of it", |report| cell(&report["found"]["layers"])),
    ("built", built),
    ("newer", newer),
];

const ON_BASE: &[Column] =
    &[("IMAGE", |image| cell(&image["places"])), ("DIGEST", |image| cell(&image["digest"]))];

pub(super) async fn packages(args: &PackagesArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let question = question(&args.which, &args.server, &["images", "packages"])?
        .query("kind", args.kind.as_ref())
        .query("name", args.name.as_ref());
    let list = ApiClient::of(&args.server).await?.ask(question).await?;
    tell_problems(&list, printer);
    answers::list(&args.output, "such packages", listed(&list, "packages"), PACKAGES, printer)
}

pub(super) async fn sbom(args: &SbomArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if args.compare {
        return compare(args, printer).await;
    }
    let question = question(&args.which, &args.server, &["images", "sbom"])?
        .query("format", Some(args.format.name()));
    let content = ApiClient::of(&args.server).await?.bytes(question).await?;
    match &args.output {
        None => printer.content(&content)?,
        Some(path) => {
            fs::write(path, &content)
                .with_context(|| format!("cannot write {}", path.display()))
                .hint("name a file that can be written")?;
            printer.note(format_args!("wrote {}", path.display()));
        }
    }
    Ok(ExitStatus::Done)
}

async fn compare(args: &SbomArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let answer = ask(&args.which, &args.server, &["images", "sbom", "comparison"]).await?;
    let sboms = listed(&answer, "sboms");
    if args.json {
        printer.json(&sboms)?;
    } else {
        printer.data(sboms.iter().map(comparison).collect::<String>())?;
    }
    if sboms.is_empty() {
        printer.note("no SBOM came with the image");
    }
    Ok(if sboms.iter().all(agrees) { ExitStatus::Done } else { ExitStatus::No })
}

pub(super) async fn base(args: &BaseArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if args.images {
        return images_on(args, printer).await;
    }
    let report = ask(&args.which, &args.server, &["images", "base"]).await?;
    answers::one(&args.output, &report, BASE, printer)
}

async fn images_on(args: &BaseArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let image = ask(&args.which, &args.server, &["images"]).await?;
    let question = Ask::api(Method::GET, ["bases", "images"]);
    let question = question.query("digest", image["digest"].as_str());
    let images = ApiClient::of(&args.server).await?.all("images", question).await?;
    answers::list(&args.output, "images on it", &images, ON_BASE, printer)
}

pub(super) async fn facts(args: &FactsArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if args.again {
        let mut again = question(&args.which, &args.server, &["images", "read"])?;
        again = again.by(Method::POST);
        ApiClient::of(&args.server).await?.ask(again).await?;
    }
    let answer = ask(&args.which, &args.server, &["images", "contents"]).await?;
    let images = listed(&answer, "images");
    if args.output.json {
        printer.json(&images)?;
        return Ok(ExitStatus::Done);
    }
    let texts: Vec<String> = images.iter().map(text).collect();
    printer.data(texts.join("\n"))?;
    for image in images {
        tell_problems(image, printer);
    }
    if images.is_empty() {
        printer.note("the repository has none of its images");
    }
    Ok(ExitStatus::Done)
}

fn text(image: &Value) -> String {
    let mut text = described(image, FACTS);
    for (list, columns) in [("secrets", SECRETS), ("unread", UNREAD)] {
        let lines = table(listed(image, list), columns);
        if !lines.is_empty() {
            text.extend(["\n", &lines]);
        }
    }
    text
}

fn system(image: &Value) -> String {
    let os = &image["os"];
    match os["name"].as_str() {
        Some(name) if !name.is_empty() => cell(&os["name"]),
        _ if os.is_null() => cell(os),
        _ => format!("{} {}", cell(&os["id"]), cell(&os["version"])),
    }
}

/// `12: 9 deb, 3 npm`
fn packages_by_kind(image: &Value) -> String {
    let kinds = image["packages_by_kind"].as_object();
    let kinds = kinds.into_iter().flatten().map(|(kind, count)| format!("{} {kind}", cell(count)));
    let kinds: Vec<String> = kinds.collect();
    let count = cell(&image["packages"]);
    if kinds.is_empty() { count } else { format!("{count}: {}", kinds.join(", ")) }
}

fn user(image: &Value) -> String {
    let configuration = &image["configuration"];
    let root = configuration["runs_as_root"] == true;
    let user = cell(&configuration["user"]);
    if root && user != "root" { format!("{user} (root)") } else { user }
}

/// Variables that belong to one environment only.
fn environment_specific(image: &Value) -> String {
    let variables = listed(&image["configuration"], "environment").iter();
    let specific = variables.filter(|variable| variable["environment_specific"] == true);
    let names: Vec<String> = specific.map(|variable| cell(&variable["name"])).collect();
    if names.is_empty() { "-".to_owned() } else { format!("specific: {}", names.join(", ")) }
}

/// Words as they would be typed, or at least so that they can be told apart.
fn words(list: &Value) -> String {
    let words: Vec<String> = list.as_array().into_iter().flatten().map(cell).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(" ") }
}

fn declared(report: &Value) -> String {
    let declared = &report["declared"];
    let parts = [&declared["name"], &declared["digest"]];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_null()).map(cell).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join("@") }
}

fn built(report: &Value) -> String {
    let found = &report["found"];
    let created = super::time(&found["created"]);
    match found["age_days"].as_i64() {
        Some(days) => format!("{created}, {days} days ago"),
        None => created,
    }
}

fn newer(report: &Value) -> String {
    let newer = &report["newer"];
    if newer.is_null() {
        return cell(newer);
    }
    format!("{} is {} now", cell(&newer["name"]), cell(&newer["digest"]))
}

fn agrees(sbom: &Value) -> bool {
    let lists = ["only_in_image", "only_in_sbom", "versions"];
    sbom["problem"].is_null() && lists.iter().all(|list| listed(sbom, list).is_empty())
}

/// An SBOM, and below it what differs.
fn comparison(sbom: &Value) -> String {
    let mut text = format!("{}  {}\n", cell(&sbom["place"]), cell(&sbom["media_type"]));
    if !sbom["problem"].is_null() {
        text.extend(["  problem: ", &cell(&sbom["problem"]), "\n"]);
        return text;
    }
    text.extend(["  the same: ", &cell(&sbom["same"]), "\n"]);
    for (list, words) in
        [("only_in_image", "only in the image"), ("only_in_sbom", "only in the SBOM")]
    {
        for package in listed(sbom, list) {
            text.extend(["  ", words, ": ", &cell(package), "\n"]);
        }
    }
    for package in listed(sbom, "versions") {
        let (own, other) = (cell(&package["in_image"]), cell(&package["in_sbom"]));
        let name = cell(&package["name"]);
        text.extend(["  ", &name, ": ", &own, " in the image, ", &other, " in the SBOM\n"]);
    }
    text
}
