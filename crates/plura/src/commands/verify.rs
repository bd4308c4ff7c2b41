//! `plura verify`.

mod explanation;

use anyhow::anyhow;
use plura_oci::RepositoryName;
use plura_trust::{PolicyDocument, TrustPolicy};
use reqwest::Method;
use serde_json::{Value, json};

use super::policy_document::{self, refused};
use super::target::Target;
use crate::api_client::{ApiClient, Ask};
use crate::cli::VerifyArgs;
use crate::exit::{ExitStatus, Hint, SaidNo};
use crate::printer::Printer;
use crate::runtime::runtime;
use crate::table::cell;

/// What to do where no trust policy is about a repository.
pub(super) const NO_POLICY: &str = "`plura trust policy set NAME --repositories 'apps/**' --key \
    release.pub` sets one; `plura verify --key release.pub` asks what one would say";

pub(super) fn run(args: &VerifyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(verify(args, printer))
}

async fn verify(args: &VerifyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let policy = policy(args).await?;
    let client = ApiClient::of(&target.server).await?;
    let mut evidence = client.ask(question(Method::GET, &["evidence"], &target)).await?;
    if let Some(policy) = policy {
        ask_what_it_says(&policy, &client, &target, &mut evidence).await?;
    }
    if args.output.json {
        printer.json(&evidence)?;
    } else {
        printer.data(explanation::summary(&evidence))?;
        if args.explain {
            printer.data(explanation::details(&evidence))?;
        }
    }
    match evidence["verified"].as_bool() {
        Some(true) => Ok(ExitStatus::Done),
        Some(false) => {
            if !args.output.json {
                tell_what_to_do(&evidence, args, printer);
            }
            Ok(ExitStatus::No)
        }
        None => no_policy(&target.repository).hint(NO_POLICY),
    }
}

/// The policy that was given with the command; nothing if those of the server decide.
async fn policy(args: &VerifyArgs) -> anyhow::Result<Option<PolicyDocument>> {
    let document = match &args.policy {
        Some(file) => policy_document::from_file(file)?,
        None if args.trusted.is_empty() => return Ok(None),
        None => {
            let everything = ["**".to_owned()];
            policy_document::from_options("command line", &everything, &args.trusted).await?
        }
    };
    TrustPolicy::new(&document).map_err(refused)?;
    Ok(Some(document))
}

/// Puts what the policy would say in the place of what those in force say.
async fn ask_what_it_says(
    policy: &PolicyDocument,
    client: &ApiClient,
    target: &Target,
    evidence: &mut Value,
) -> anyhow::Result<()> {
    let Value::Object(fields) = serde_json::to_value(policy)? else {
        return Err(anyhow!("a trust policy is an object"));
    };
    // The tag may have moved since.
    let digest = cell(&evidence["digest"]);
    let ask = Ask::at(Method::POST, ["api", "v1", "evidence", "verify"])
        .query("repository", Some(&target.repository))
        .query("reference", Some(digest))
        .body(fields);
    let verdict = client.ask(ask).await?;
    evidence["verified"] = verdict["verified"].clone();
    for statement in evidence["statements"].as_array_mut().into_iter().flatten() {
        let at = |fact: &&Value| fact["place"] == statement["place"];
        let facts = verdict["facts"].as_array().into_iter().flatten().filter(at);
        let signers: Vec<Value> = facts.map(|fact| fact["signer"]["name"].clone()).collect();
        statement["signers"] = signers.into();
    }
    evidence["verdicts"] = json!([verdict]);
    Ok(())
}

fn question(method: Method, path: &[&str], target: &Target) -> Ask {
    Ask::at(method, ["api", "v1"].into_iter().chain(path.iter().copied()))
        .query("repository", Some(&target.repository))
        .query("reference", Some(&target.reference))
}

fn tell_what_to_do(evidence: &Value, args: &VerifyArgs, printer: &Printer) {
    let verdicts = evidence["verdicts"].as_array().into_iter().flatten();
    let mut told = Vec::new();
    for fix in verdicts.filter_map(|verdict| verdict["reason"]["fix"].as_str()) {
        if !told.contains(&fix) {
            printer.hint(cell(&fix.into()));
            told.push(fix);
        }
    }
    if !args.explain {
        printer.hint("`--explain` shows every signature, and why it counts or not");
    }
}

/// The answer where nobody has said whom to trust.
pub(super) fn no_policy<T>(repository: &RepositoryName) -> Result<T, SaidNo> {
    Err(SaidNo(format!("no trust policy is about {repository}")))
}
