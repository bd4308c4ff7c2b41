//! `plura trust root`.

use anyhow::{Context, bail};
use plura_trust::TrustRoot;
use reqwest::Method;
use serde_json::Value;

use super::answers;
use crate::api_client::{ApiClient, Ask};
use crate::cli::{RootArgs, RootSetArgs, TrustRootCommand};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::table::{Column, cell};
use crate::text_file;

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
        TrustRootCommand::Reset(args) => {
            let root = ask(args, Ask::api(Method::DELETE, ["trust-root"])).await?;
            let note = "the trust root that plura brings along is in force";
            answers::done(&args.output, &root, note, printer)
        }
    }
}

async fn set(args: &RootSetArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let text = text_file::read(&args.file, LONGEST)?;
    let failed = || format!("`{}` is no trust root", args.file.display());
    let hint = "it is a `trusted_root.json`, as `cosign trusted-root create` writes it";
    TrustRoot::from_json(text.as_bytes()).with_context(failed).hint(hint)?;
    let Value::Object(fields) = serde_json::from_str(&text).with_context(failed)? else {
        bail!("{}", failed());
    };
    let ask_to_set = Ask::api(Method::PUT, ["trust-root"]).body(fields);
    let root = ask(&args.root, ask_to_set).await?;
    answers::done(&args.root.output, &root, "the trust root is in force", printer)
}

async fn ask(args: &RootArgs, question: Ask) -> anyhow::Result<Value> {
    ApiClient::of(&args.server).await?.ask(question).await
}
