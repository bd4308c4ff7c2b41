//! `plura trust`.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{answers, trust_key, trust_policy, trust_root};
use crate::api_client::{ApiClient, Ask, listed};
use crate::cli::{TrustAddArgs, TrustArgs, TrustCommand, TrustTerms};
use crate::exit::{ExitStatus, Hint};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::{Column, cell, grants};

const COLUMNS: &[Column] = &[
    ("NAME", |trust| cell(&trust["name"])),
    ("KIND", |trust| cell(&trust["kind"])),
    ("CONDITIONS", conditions),
    ("MAY", grants),
];

const FIELDS: &[Column] = &[
    ("name", |trust| cell(&trust["name"])),
    ("kind", |trust| cell(&trust["kind"])),
    ("issuer", |trust| cell(&trust["issuer"])),
    ("audience", |trust| cell(&trust["audience"])),
    ("conditions", conditions),
    ("pull_request_target", |trust| cell(&trust["allow_pull_request_target"])),
    ("keys", |trust| cell(&trust["jwks_file"])),
    ("token lifetime", |trust| format!("{}s", cell(&trust["token_seconds"]))),
    ("may", grants),
    ("created", |trust| cell(&trust["created_at"])),
];

pub(super) fn run(command: &TrustCommand, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(async {
        match command {
            TrustCommand::List(args) => {
                let client = ApiClient::of(&args.server).await?;
                let mut answer = client.ask(Ask::api(Method::GET, ["trust"])).await?;
                let trust = listed(&mut answer, "trust")?;
                answers::list(&args.output, "trusted issuers", &trust, COLUMNS, printer)
            }
            TrustCommand::Add(args) => add(args, printer).await,
            TrustCommand::Show(args) => {
                answers::one(&args.output, &ask(args, Method::GET).await?, FIELDS, printer)
            }
            TrustCommand::Remove(args) => {
                ask(args, Method::DELETE).await?;
                let note = format_args!("`{}` is trusted no more", args.name);
                answers::done(&args.output, &answers::deleted(&args.name), note, printer)
            }
            TrustCommand::Policy(command) => trust_policy::run(command, printer).await,
            TrustCommand::Root(command) => trust_root::run(command, printer).await,
            TrustCommand::Key(args) => trust_key::run(args, printer),
        }
    })
}

/// One condition after the other: `ref=refs/heads/main|refs/tags/v*`.
fn conditions(trust: &Value) -> String {
    let condition = |(claim, values): (&String, &Value)| match values.as_array() {
        Some(values) => {
            let values: Vec<String> = values.iter().map(cell).collect();
            format!("{}={}", cell(&json!(claim)), values.join("|"))
        }
        None => format!("{}={}", cell(&json!(claim)), cell(values)),
    };
    let conditions = trust["conditions"].as_object().into_iter().flatten().map(condition);
    conditions.collect::<Vec<_>>().join(", ")
}

async fn ask(args: &TrustArgs, method: Method) -> anyhow::Result<Value> {
    let ask = Ask::api(method, ["trust", &args.name]);
    ApiClient::of(&args.server).await?.ask(ask).await
}

async fn add(args: &TrustAddArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut trust = match &args.kind.file {
        Some(file) => from_file(file)?,
        None => from_terms(args),
    };
    trust.insert("name".to_owned(), args.name.as_str().into());
    let ask = if args.replace {
        Ask::api(Method::PUT, ["trust", &args.name])
    } else {
        Ask::api(Method::POST, ["trust"])
    };
    let trust = ApiClient::of(&args.server).await?.ask(ask.body(trust)).await?;
    let note = format_args!("`{}` is trusted", args.name);
    answers::done(&args.output, &trust, note, printer)
}

/// What `plura trust show --json` prints, or somebody wrote like it.
fn from_file(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let failed = || format!("cannot read `{}`", path.display());
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    let parsed = serde_json::from_str(&text.with_context(failed)?).with_context(failed);
    let hint = "`plura trust show NAME --json` prints such a file";
    match parsed.hint(hint)? {
        Value::Object(mut trust) => {
            trust.remove("created_at");
            Ok(trust)
        }
        _ => bail!("`{}` holds no JSON object", path.display()),
    }
}

fn from_terms(args: &TrustAddArgs) -> Map<String, Value> {
    let (kind, terms) = (&args.kind, &args.terms);
    let (kind, issuer) = if kind.github {
        ("github", Some("https://token.actions.githubusercontent.com"))
    } else if kind.gitlab {
        ("gitlab", Some("https://gitlab.com"))
    } else if kind.kubernetes {
        ("kubernetes", None)
    } else {
        ("generic", None)
    };
    let audience = terms.audience.clone().unwrap_or_else(|| args.server.server.to_string());
    let mut trust = Map::new();
    let mut set = |name: &str, value: Value| trust.insert(name.to_owned(), value);
    set("kind", kind.into());
    set("issuer", terms.issuer.as_deref().or(issuer).into());
    set("audience", audience.into());
    set("conditions", conditions_of(terms).into());
    set("grants", grants_of(terms));
    set("allow_pull_request_target", terms.allow_pull_request_target.into());
    if let Some(file) = &terms.jwks_file {
        set("jwks_file", file.as_str().into());
    }
    if let Some(lifetime) = terms.token_lifetime {
        set("token_seconds", lifetime.duration().as_secs().into());
    }
    trust
}

/// The claims of the tokens, as their issuers call them.
fn conditions_of(terms: &TrustTerms) -> Map<String, Value> {
    let known = [
        ("repository_id", &terms.repository_id),
        ("repository_owner_id", &terms.owner_id),
        ("project_id", &terms.project_id),
        ("namespace_id", &terms.namespace_id),
        ("ref_type", &terms.ref_type),
        ("ref", &terms.git_ref),
        ("environment", &terms.environment),
        ("kubernetes.io/serviceaccount/uid", &terms.service_account_uid),
        ("kubernetes.io/namespace", &terms.namespace),
        ("sub", &terms.subject),
    ];
    let known =
        known.into_iter().flat_map(|(claim, values)| values.iter().map(move |v| (claim, v)));
    let others = terms.condition.iter().map(|(claim, value)| (claim.as_str(), value));
    let mut conditions: Map<String, Value> = Map::new();
    for (claim, value) in known.chain(others) {
        let values = conditions.entry(claim).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(value.as_str().into());
        }
    }
    conditions
}

fn grants_of(terms: &TrustTerms) -> Value {
    let mut place = Map::new();
    place.insert("project".to_owned(), terms.project.as_deref().into());
    place.insert("repositories".to_owned(), terms.repositories.as_deref().into());
    answers::grants(&terms.role, &place)
}
