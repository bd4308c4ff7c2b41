//! `plura trust policy`.

use std::path::Path;

use anyhow::anyhow;
use plura_trust::{PolicyDocument, PublicKey, TrustPolicy};
use reqwest::Method;
use serde_json::{Value, json};

use super::answers;
use super::policy_document::{self, refused};
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{PolicyArgs, PolicyCheckArgs, PolicySetArgs, TrustPolicyCommand};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::table::{Column, cell};

const COLUMNS: &[Column] = &[
    ("NAME", |policy| cell(&policy["name"])),
    ("REPOSITORIES", |policy| cell(&policy["repositories"])),
    ("REQUIRED", required),
    ("SIGNERS", signers),
    ("CHANGED", |policy| cell(&policy["changed_at"])),
];

const FIELDS: &[Column] = &[
    ("name", |policy| cell(&policy["name"])),
    ("repositories", |policy| cell(&policy["repositories"])),
    ("required", required),
    ("keys", keys),
    ("identities", identities),
    ("notation", |policy| names(&policy["notation"])),
    ("log", |policy| cell(&policy["log"])),
    ("attestations", |policy| cell(&policy["attestations"])),
    ("digest", |policy| cell(&policy["digest"])),
    ("changed", |policy| cell(&policy["changed_at"])),
];

pub(super) async fn run(
    command: &TrustPolicyCommand,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    match command {
        TrustPolicyCommand::List(args) => {
            let client = ApiClient::of(&args.server).await?;
            let mut answer = client.ask(Ask::api(Method::GET, ["trust-policies"])).await?;
            let policies = listed(&mut answer, "trust_policies")?;
            answers::list(&args.output, "trust policies", &policies, COLUMNS, printer)
        }
        TrustPolicyCommand::Show(args) => {
            answers::one(&args.output, &ask(args, Method::GET).await?, FIELDS, printer)
        }
        TrustPolicyCommand::Set(args) => set(args, printer).await,
        TrustPolicyCommand::Remove(args) => {
            ask(args, Method::DELETE).await?;
            let note = format_args!("the trust policy `{}` is out of force", args.name);
            answers::done(&args.output, &answers::deleted(&args.name), note, printer)
        }
        TrustPolicyCommand::Check(args) => check(args, printer),
    }
}

async fn ask(args: &PolicyArgs, method: Method) -> anyhow::Result<Value> {
    let ask = Ask::api(method, ["trust-policies", &args.name]);
    ApiClient::of(&args.server).await?.ask(ask).await
}

async fn set(args: &PolicySetArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let document = document(args).await?;
    TrustPolicy::new(&document).map_err(refused)?;
    let Value::Object(fields) = serde_json::to_value(&document)? else {
        return Err(anyhow!("a trust policy is an object"));
    };
    let ask = Ask::api(Method::PUT, ["trust-policies", &document.name]).body(fields);
    let policy = ApiClient::of(&args.server).await?.ask(ask).await?;
    let note = format_args!("the trust policy `{}` is in force", document.name);
    answers::done(&args.output, &policy, note, printer)
}

/// From a file, or from options.
async fn document(args: &PolicySetArgs) -> anyhow::Result<PolicyDocument> {
    if args.trusted.is_empty() {
        let hint = "or say whom to trust: `plura trust policy set NAME --repositories PATTERN --key \
                    FILE`";
        return policy_document::from_file(Path::new(&args.policy)).hint(hint);
    }
    if args.repositories.is_empty() {
        return Err(anyhow!("it is not said for which repositories"))
            .hint("say it with `--repositories`, as in `--repositories 'apps/**'`");
    }
    policy_document::from_options(&args.policy, &args.repositories, &args.trusted).await
}

fn check(args: &PolicyCheckArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let document = policy_document::from_file(&args.file)?;
    let (valid, refusal) = match TrustPolicy::new(&document) {
        Ok(policy) => (json!({ "valid": true, "digest": policy.source }), None),
        Err(refusal) => (json!({ "valid": false, "reason": refusal }), Some(refusal)),
    };
    if args.output.json {
        printer.json(&valid)?;
        return Ok(if refusal.is_none() { ExitStatus::Done } else { ExitStatus::No });
    }
    if let Some(refusal) = refusal {
        return Err(refused(refusal));
    }
    printer.note(format_args!("the trust policy `{}` is valid", document.name));
    Ok(ExitStatus::Done)
}

fn required(policy: &Value) -> String {
    policy["required"].as_u64().unwrap_or(1).to_string()
}

/// Everybody whose signature counts, each once.
fn signers(policy: &Value) -> String {
    let mut all: Vec<String> = Vec::new();
    for part in ["keys", "identities", "notation"] {
        for one in policy[part].as_array().into_iter().flatten() {
            let name = cell(&one["name"]);
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

fn names(items: &Value) -> String {
    let names: Vec<String> =
        items.as_array().into_iter().flatten().map(|item| cell(&item["name"])).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

/// `release (sha256:..., until 2027-01-01T00:00:00Z)`
fn keys(policy: &Value) -> String {
    let key = |key: &Value| {
        let fingerprint = key["pem"].as_str().and_then(|pem| PublicKey::from_pem(pem).ok());
        let fingerprint = fingerprint.map(|key| key.fingerprint().to_string());
        let with =
            |word: &str, value: &Value| value.as_str().map(|_| format!("{word} {}", cell(value)));
        let said = [
            fingerprint,
            with("in", &key["region"]),
            with("from", &key["start"]),
            with("until", &key["end"]),
        ];
        let said: Vec<String> = said.into_iter().flatten().collect();
        format!("{} ({})", cell(&key["name"]), said.join(", "))
    };
    joined(&policy["keys"], key)
}

/// `ci (https://issuer.example.com: ^repo:acme/.*$)`
fn identities(policy: &Value) -> String {
    let identity = |identity: &Value| {
        let either = |exact: &str, pattern: &str| match &identity[exact] {
            Value::Null => cell(&identity[pattern]),
            exact => cell(exact),
        };
        let issuer = either("issuer", "issuer_pattern");
        let subject = either("subject", "subject_pattern");
        format!("{} ({issuer}: {subject})", cell(&identity["name"]))
    };
    joined(&policy["identities"], identity)
}

fn joined(items: &Value, one: impl Fn(&Value) -> String) -> String {
    let items: Vec<String> = items.as_array().into_iter().flatten().map(one).collect();
    if items.is_empty() { "-".to_owned() } else { items.join(", ") }
}
