//! `plura exception`.

use std::path::Path;

use anyhow::anyhow;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::answers;
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{
    AdvisoriesArgs, ExceptionAddArgs, ExceptionCommand, ExceptionImportArgs, ExceptionRemoveArgs,
    ScopeArgs,
};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell};
use crate::text_file;

/// The most bytes of an ignore file or VEX document.
const LONGEST: usize = 16 << 20;

const COLUMNS: &[Column] = &[
    ("NAME", |exception| cell(&exception["id"])),
    ("VULNERABILITY", |exception| cell(&exception["vulnerability"])),
    ("PACKAGE", |exception| cell(&exception["package"]["name"])),
    ("SCOPE", scope),
    ("OWNER", |exception| cell(&exception["owner"])),
    ("APPROVER", |exception| cell(&exception["approver"])),
    ("EXPIRES", |exception| cell(&exception["expires_at"])),
    ("STATE", |exception| cell(&exception["state"])),
    ("USED", |exception| cell(&exception["used"])),
];

pub(super) fn run(command: &ExceptionCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            ExceptionCommand::Add(args) => add(args, printer).await,
            ExceptionCommand::List(args) => list(args, printer).await,
            ExceptionCommand::Remove(args) => remove(args, printer).await,
            ExceptionCommand::Import(args) => import(args, printer).await,
        }
    })
}

async fn add(args: &ExceptionAddArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let package = args.package.as_ref().map(|name| {
        json!({ "name": name, "ecosystem": args.ecosystem, "version": args.package_version })
    });
    let ask = Ask::api(Method::POST, ["exceptions"])
        .field("id", args.id.clone())
        .field("vulnerability", args.vulnerability.clone())
        .field("package", package)
        .field("scope", Some(scope_of(&args.scope)?))
        .field("reason", Some(args.reason.clone()))
        .field("owner", Some(args.owner.clone()))
        .field("expires_at", Some(args.expires.to_string()));
    let granted = ApiClient::of(&args.server).await?.ask(ask).await?;
    let (name, until) = (cell(&granted["id"]), cell(&granted["expires_at"]));
    let note = format_args!("the exception {name} holds until {until}");
    answers::done(&args.output, &granted, note, printer)
}

async fn list(args: &AdvisoriesArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::GET, ["exceptions"]);
    let mut answer = ApiClient::of(&args.server).await?.ask(ask).await?;
    let exceptions = listed(&mut answer, "exceptions")?;
    answers::list(&args.output, "exceptions", &exceptions, COLUMNS, printer)
}

async fn remove(args: &ExceptionRemoveArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let ask = Ask::api(Method::DELETE, ["exceptions", &args.id]);
    ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("ended the exception {}", args.id);
    answers::done(&args.output, &answers::deleted(&args.id), note, printer)
}

async fn import(args: &ExceptionImportArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let text = text_file::read(Path::new(&args.file), LONGEST)?;
    let client = ApiClient::of(&args.server).await?;
    if is_vex(&text) {
        let ask = Ask::api(Method::POST, ["vex"]).content("application/json", text.into_bytes());
        let answer = client.ask(ask).await?;
        let (id, author) = (cell(&answer["id"]), cell(&answer["author"]));
        let note = format_args!("what {author} says in {id} counts from now on");
        return answers::done(&args.output, &answer, note, printer);
    }
    let owner = args.owner.clone().ok_or_else(|| anyhow!("nobody would be responsible"));
    let owner = owner.hint("name who is with `--owner NAME`")?;
    let ask = Ask::api(Method::POST, ["exceptions", "import"])
        .field("content", Some(text))
        .field("scope", Some(scope_of(&args.scope)?))
        .field("owner", Some(owner));
    let answer = client.ask(ask).await?;
    let count = answer["granted"].as_array().map_or(0, Vec::len);
    for refused in answer["refused"].as_array().into_iter().flatten() {
        printer.warning(cell(refused));
    }
    answers::done(&args.output, &answer, format_args!("{count} exceptions"), printer)
}

fn is_vex(text: &str) -> bool {
    let document: Result<Map<String, Value>, _> = serde_json::from_str(text);
    document.is_ok_and(|document| document.contains_key("@context"))
}

fn scope_of(args: &ScopeArgs) -> anyhow::Result<Value> {
    match (&args.digest, &args.repositories, &args.project) {
        (Some(digest), ..) => Ok(json!({ "digest": digest })),
        (_, Some(pattern), _) => Ok(json!({ "repositories": pattern })),
        (_, _, Some(project)) => Ok(json!({ "project": project })),
        _ => Err(anyhow!("it is not said in which images"))
            .hint("`--repositories 'apps/**'`, `--project apps` or `--digest sha256:...`"),
    }
}

fn scope(exception: &Value) -> String {
    let scope = exception["scope"].as_object();
    let parts = scope.into_iter().flatten().map(|(kind, value)| match kind.as_str() {
        "repositories" | "digest" => cell(value),
        kind => format!("{kind} {}", cell(value)),
    });
    parts.collect::<Vec<_>>().join(" ")
}
