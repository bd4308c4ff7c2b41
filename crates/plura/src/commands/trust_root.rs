//! `plura trust root`.

use anyhow::{Context, bail};
use plura_oci::Digest;
use plura_trust::TrustRoot;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::answers;
use crate::api_client::{ApiClient, Ask};
use crate::cache;
use crate::cli::{RootArgs, RootSetArgs, RootUpdateArgs, TrustRootCommand};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::table::{Column, cell};
use crate::text_file;
use crate::update_framework::{self, Source, TARGET};

/// The most bytes of a trust root; Sigstore's has some thousand.
const LONGEST: usize = 4 * 1024 * 1024;

const FIELDS: &[Column] = &[
    ("is", |root| if root["is_set"] == true { "set".to_owned() } else { "plura's own".to_owned() }),
    ("digest", |root| cell(&root["digest"])),
    ("authorities", |root| cell(&root["authorities"])),
    ("certificate logs", |root| cell(&root["certificate_logs"])),
    ("logs", |root| cell(&root["logs"])),
    ("timestamp authorities", |root| cell(&root["timestamp_authorities"])),
];

pub(super) async fn run(
    command: &TrustRootCommand,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    match command {
        TrustRootCommand::Show(args) => {
            let root = ask(args, Ask::api(Method::GET, ["trust-root"])).await?;
            answers::one(&args.output, &root, FIELDS, printer)
        }
        TrustRootCommand::Set(args) => set(args, printer).await,
        TrustRootCommand::Update(args) => update(args, printer).await,
        TrustRootCommand::Reset(args) => {
            let root = ask(args, Ask::api(Method::DELETE, ["trust-root"])).await?;
            let note = "the trust root that plura brings along is in force";
            answers::done(&args.output, &root, note, printer)
        }
    }
}

async fn set(args: &RootSetArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let text = text_file::read(&args.file, LONGEST)?;
    let root = put(&args.root, &args.file.display().to_string(), text.as_bytes()).await?;
    answers::done(&args.root.output, &root, "the trust root is in force", printer)
}

async fn update(args: &RootUpdateArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let first_root =
        args.first_root.as_deref().map(|file| text_file::read(file, LONGEST)).transpose()?;
    let source = Source {
        mirror: &args.mirror,
        first_root: first_root.as_deref().map(str::as_bytes),
        cache: args.cache.clone().or_else(|| cache::directory("tuf")),
        authority: &args.root.server.authority,
    };
    let published = update_framework::trusted_root(source).await?;
    if args.dry_run {
        let before = ask(&args.root, Ask::api(Method::GET, ["trust-root"])).await?;
        let root = Value::Object(parse(TARGET, &published)?);
        let digest = Digest::sha256(root.to_string().as_bytes()).to_string();
        let is_in_force = before["digest"].as_str() == Some(digest.as_str());
        let note = if is_in_force {
            "what is published is in force"
        } else {
            "what is published is not in force; without `--dry-run` it will be"
        };
        let answer = json!({ "published": digest, "in_force": before["digest"] });
        return answers::done(&args.root.output, &answer, note, printer);
    }
    let root = put(&args.root, TARGET, &published).await?;
    answers::done(&args.root.output, &root, "what is published is in force", printer)
}

/// Puts a trust root in force.
async fn put(args: &RootArgs, place: &str, bytes: &[u8]) -> anyhow::Result<Value> {
    let fields = parse(place, bytes)?;
    ask(args, Ask::api(Method::PUT, ["trust-root"]).body(fields)).await
}

/// A trust root that holds by itself, as the server keeps it.
fn parse(place: &str, bytes: &[u8]) -> anyhow::Result<Map<String, Value>> {
    let failed = || format!("`{place}` is no trust root");
    let hint = "it is a `trusted_root.json`, as `cosign trusted-root create` writes it";
    TrustRoot::from_json(bytes).with_context(failed).hint(hint)?;
    match serde_json::from_slice(bytes).with_context(failed)? {
        Value::Object(fields) => Ok(fields),
        _ => bail!("{}", failed()),
    }
}

async fn ask(args: &RootArgs, question: Ask) -> anyhow::Result<Value> {
    ApiClient::of(&args.server).await?.ask(question).await
}
