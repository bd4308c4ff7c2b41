//! `plura image`.

mod contents;
mod diff;
mod inspect;
mod scan;
mod tree;

use anyhow::anyhow;
use plura_oci::{Reference, RepositoryName};
use reqwest::Method;
use serde_json::Value;

use super::{answers, vulnerabilities};
use crate::api_client::{ApiClient, Ask};
use crate::cli::{
    BadName, HistoryArgs, ImageArgs, ImageCommand, ImageName, ManifestArgs, ServerArgs, WhichArgs,
};
use crate::exit::{ExitStatus, Hint, SaidNo};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, bytes, cell, printable};

pub(super) fn run(command: &ImageCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            ImageCommand::Inspect(args) => {
                let image = ask(&args.which, &args.server, &["images"]).await?;
                if args.output.json {
                    printer.json(&image)?;
                } else {
                    printer.data(inspect::text(&image))?;
                }
                Ok(ExitStatus::Done)
            }
            ImageCommand::History(args) => history(args, printer).await,
            ImageCommand::Layers(args) => layers(args, printer).await,
            ImageCommand::Manifest(args) => manifest(args, printer).await,
            ImageCommand::Tree(args) => {
                let tree = ask(&args.which, &args.server, &["images", "tree"]).await?;
                if args.output.json {
                    printer.json(&tree)?;
                } else {
                    printer.data(tree::text(&tree))?;
                }
                if tree["more"] == true {
                    printer.warning("there is more than is shown");
                }
                Ok(ExitStatus::Done)
            }
            ImageCommand::Diff(args) => diff::run(args, printer).await,
            ImageCommand::Packages(args) => contents::packages(args, printer).await,
            ImageCommand::Sbom(args) => contents::sbom(args, printer).await,
            ImageCommand::Base(args) => contents::base(args, printer).await,
            ImageCommand::Facts(args) => contents::facts(args, printer).await,
            ImageCommand::Vulns(args) => vulnerabilities::of_image(args, printer).await,
            ImageCommand::Report(args) => vulnerabilities::report(args, printer).await,
            ImageCommand::Scan(args) => scan::run(args, printer).await,
        }
    })
}

const LAYERS: &[Column] = &[
    ("DIGEST", |layer| cell(&layer["digest"])),
    ("SIZE", |layer| bytes(&layer["size"])),
    ("TOTAL", |layer| bytes(&layer["cumulative_size"])),
    ("DIFF ID", |layer| short(&layer["diff_id"])),
    ("MEDIA TYPE", |layer| cell(&layer["media_type"])),
];

const HISTORY: &[Column] = &[
    ("CREATED", |step| time(&step["created"])),
    ("LAYER", |step| layer_of(step, short)),
    ("SIZE", size_of),
    ("CREATED BY", |step| shortened(&step["created_by"])),
];

const WHOLE_HISTORY: &[Column] = &[
    ("CREATED", |step| cell(&step["created"])),
    ("LAYER", |step| layer_of(step, cell)),
    ("SIZE", size_of),
    ("CREATED BY", |step| cell(&step["created_by"])),
    ("COMMENT", |step| cell(&step["comment"])),
];

async fn history(args: &HistoryArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let image = single(&args.which, &args.server).await?;
    check_is_image(&args.which.image, &image)?;
    tell_problems(&image, printer);
    let columns = if args.no_trunc { WHOLE_HISTORY } else { HISTORY };
    answers::list(&args.output, "steps in its history", listed(&image, "history"), columns, printer)
}

async fn layers(args: &ImageArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let image = single(&args.which, &args.server).await?;
    tell_problems(&image, printer);
    answers::list(&args.output, "layers", listed(&image, "layers"), LAYERS, printer)
}

async fn manifest(args: &ManifestArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let part = if args.config { "config" } else { "manifest" };
    let question = question(&args.which, &args.server, &["images", part])?;
    let content = ApiClient::of(&args.server).await?.bytes(question).await?;
    if !args.pretty {
        printer.content(&content)?;
        return Ok(ExitStatus::Done);
    }
    let json: Value = serde_json::from_slice(&content)
        .map_err(|error| anyhow!("it is no JSON: {error}"))
        .hint("leave out `--pretty`")?;
    printer.json(&json)?;
    Ok(ExitStatus::Done)
}

async fn ask(which: &WhichArgs, server: &ServerArgs, path: &[&str]) -> anyhow::Result<Value> {
    ApiClient::of(server).await?.ask(question(which, server, path)?).await
}

pub(super) fn question(
    which: &WhichArgs,
    server: &ServerArgs,
    path: &[&str],
) -> anyhow::Result<Ask> {
    let repository = repository(&which.image, server)?;
    let path = ["api", "v1"].into_iter().chain(path.iter().copied());
    Ok(Ask::at(Method::GET, path)
        .query("repository", Some(repository))
        .query("reference", Some(&which.image.reference))
        .query("platform", which.platform.as_ref()))
}

pub(super) fn repository(image: &ImageName, server: &ServerArgs) -> anyhow::Result<RepositoryName> {
    let named = image.repository(server.server.url());
    let hint = match &named {
        Err(BadName::OtherServer(_)) => "name the server with `--server URL` or `PLURA_SERVER`",
        _ => "names are those of repositories on the server, such as `apps/web:1.0.0`",
    };
    named.hint(hint)
}

/// An image that is for one platform: of several, somebody has to choose.
async fn single(which: &WhichArgs, server: &ServerArgs) -> anyhow::Result<Value> {
    let image = ask(which, server, &["images"]).await?;
    if image["kind"] != "index" {
        return Ok(image);
    }
    let children = listed(&image, "children").iter().filter(|child| child["attests"].is_null());
    let children: Vec<&Value> = children.collect();
    if let [only] = children[..]
        && let Some(Ok(digest)) = only["digest"].as_str().map(str::parse)
    {
        let image = which.image.with(Reference::Digest(digest));
        return ask(&WhichArgs { image, platform: None }, server, &["images"]).await;
    }
    let platforms: Vec<String> = children.iter().map(|child| cell(&child["platform"])).collect();
    let listed = platforms.join(", ");
    let first = platforms.first().map_or("linux/amd64", String::as_str);
    Err(anyhow!("{} is for several platforms: {listed}", image_name(&image)))
        .hint(format!("ask for one of them: `--platform {first}`"))
}

/// What is no image has neither configuration nor history.
fn check_is_image(name: &ImageName, image: &Value) -> anyhow::Result<()> {
    if image["kind"] == "image" {
        return Ok(());
    }
    let what = match (&image["description"], &image["artifact_type"]) {
        (Value::String(name), artifact_type) => format!("a {name} ({})", cell(artifact_type)),
        (_, artifact_type) => format!("an artifact of the type {}", cell(artifact_type)),
    };
    let text = format!("{} is no image but {}", image_name(image), printable(&what));
    Err(SaidNo(text)).hint(format!("`plura image inspect {name}` shows what it is"))
}

fn tell_problems(image: &Value, printer: &Printer) {
    for problem in listed(image, "problems") {
        printer.warning(cell(problem));
    }
}

/// The list of that name; nothing if there is none.
fn listed<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[][..], Vec::as_slice)
}

/// `apps/web:1.0.0`, `apps/web@sha256:...`
fn image_name(image: &Value) -> String {
    let reference = cell(&image["reference"]);
    let separator = if reference.contains(':') { '@' } else { ':' };
    format!("{}{separator}{reference}", cell(&image["repository"]))
}

/// A digest as far as people compare it.
fn short(digest: &Value) -> String {
    const SHOWN: usize = "sha256:".len() + 12;
    cell(digest).chars().take(SHOWN).collect()
}

/// A time to the second, as far as it is one.
fn time(value: &Value) -> String {
    const SECONDS: usize = "2026-01-02T03:04:05".len();
    let text = cell(value);
    let zulu = text.ends_with('Z') && text.is_ascii() && text.len() > SECONDS;
    if zulu { format!("{}Z", &text[..SECONDS]) } else { text }
}

fn layer_of(step: &Value, digest: fn(&Value) -> String) -> String {
    if step["empty_layer"] == true { "empty".to_owned() } else { digest(&step["layer"]) }
}

fn size_of(step: &Value) -> String {
    if step["empty_layer"] == true { "-".to_owned() } else { bytes(&step["size"]) }
}

/// A command on one line, without what builders put in front of each.
fn shortened(command: &Value) -> String {
    const SHOWN: usize = 70;
    let words: Vec<&str> = command.as_str().unwrap_or_default().split_whitespace().collect();
    let words = words.join(" ");
    let text = match words.strip_prefix("/bin/sh -c #(nop) ") {
        Some(instruction) => instruction.to_owned(),
        None => match words.strip_prefix("/bin/sh -c ") {
            Some(command) => format!("RUN {command}"),
            None => words,
        },
    };
    let text = cell(&text.into());
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn commands_are_shortened_to_what_people_wrote() {
        for (command, text) in [
            (json!("/bin/sh -c #(nop)  CMD [\"sh\"]"), "CMD [\"sh\"]"),
            (json!("/bin/sh -c apt-get \t update\n"), "RUN apt-get update"),
            (json!("COPY . /srv # buildkit"), "COPY . /srv # buildkit"),
            (json!(null), "-"),
            (json!("a\u{1b}[2J"), "a\u{fffd}[2J"),
        ] {
            assert_eq!(shortened(&command), text);
        }
        assert_eq!(shortened(&json!("ä".repeat(80))).chars().count(), 73);
    }

    #[test]
    fn times_are_shown_to_the_second() {
        assert_eq!(time(&json!("2026-01-02T03:04:05.678901234Z")), "2026-01-02T03:04:05Z");
        assert_eq!(time(&json!("2026-01-02T03:04:05Z")), "2026-01-02T03:04:05Z");
        for other in ["2026-01-02T03:04:05+01:00", "yesterday", "ääääääääääZ"] {
            assert_eq!(time(&json!(other)), other);
        }
    }
}
