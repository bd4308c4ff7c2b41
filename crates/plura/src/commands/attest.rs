//! `plura attest`.

use anyhow::{Context, anyhow, ensure};
use plura_oci::Digest;
use plura_trust::{PredicateKind, Statement, Verdict, Verifier, statement, verification_summary};
use reqwest::Method;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::target::Target;
use super::verify::{NO_POLICY, no_policy};
use crate::api_client::Ask;
use crate::attachments::Attaching;
use crate::cli::{AttestArgs, StatementArgs};
use crate::exit::{ExitStatus, Hint};
use crate::predicate::PredicateType;
use crate::printer::Printer;
use crate::repository_client::RepositoryClient;
use crate::runtime::runtime;
use crate::signing_key::SigningKey;
use crate::text_file;

/// The most bytes of a predicate; a bundle has it in Base64, and must stay readable everywhere.
const LONGEST: usize = 16 * 1024 * 1024;

pub(super) fn run(args: &AttestArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(attest(args, printer))
}

async fn attest(args: &AttestArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let typed = typed(&args.statement)?;
    let key = SigningKey::open(&args.key, printer).await?;
    let repository = RepositoryClient::of(&target.server, &target.repository).await?;
    let subject = repository.manifest(&target.reference).await?.stored;
    let (predicate_type, predicate) = match typed {
        Some(typed) => typed,
        None => summary(&args.statement, &target, &subject.digest, &repository, printer).await?,
    };
    let statement =
        statement(&target.place(), &subject.digest, predicate_type.as_str(), &predicate);
    check(&statement, &subject.digest)?;
    let attaching = Attaching { repository: &repository, key: &key, form: args.form.form };
    let place = attaching.statement(&subject, predicate_type.as_str(), statement).await?;
    let (image, fingerprint) = (target.named(&subject.digest), key.public_key().fingerprint());
    if args.output.json {
        let (predicate_type, form) = (predicate_type.as_str(), args.form.form.name());
        printer.json(&json!({
            "image": image, "digest": subject.digest, "predicate_type": predicate_type,
            "attestation": place, "key": fingerprint, "form": form,
        }))?;
    } else {
        printer.data(format!("{image}\n"))?;
    }
    printer.note(format_args!("attested with {}, whose public key is {fingerprint}", args.key.key));
    Ok(ExitStatus::Done)
}

/// What the file states; nothing if the server is to be asked.
fn typed(args: &StatementArgs) -> anyhow::Result<Option<(PredicateType, Box<RawValue>)>> {
    let (Some(file), Some(predicate_type)) = (&args.predicate, &args.predicate_type) else {
        return Ok(None);
    };
    let text = text_file::read(file, LONGEST)?;
    let predicate = predicate_type
        .predicate(text)
        .with_context(|| format!("`{}` is not JSON", file.display()))
        .hint("predicates are JSON; `--type custom` states any text")?;
    Ok(Some((predicate_type.clone(), predicate)))
}

/// A statement that nobody could read is not worth a signature.
fn check(statement: &[u8], digest: &Digest) -> anyhow::Result<()> {
    let read = Statement::read(statement).context("the statement would not be accepted")?;
    ensure!(read.is_about(digest), "the statement is not about {digest}");
    let not_its_type = || format!("the predicate is no `{}`", read.predicate_type);
    match read.kind() {
        PredicateKind::Provenance => read
            .provenance()
            .map(drop)
            .with_context(not_its_type)
            .hint("`--type slsaprovenance` is version 0.2 of SLSA, `slsaprovenance1` version 1"),
        PredicateKind::OpenVex => read.open_vex().map(drop).with_context(not_its_type),
        _ => Ok(()),
    }
}

/// What the server's trust policy says, as a summary.
async fn summary(
    args: &StatementArgs,
    target: &Target,
    digest: &Digest,
    repository: &RepositoryClient,
    printer: &Printer,
) -> anyhow::Result<(PredicateType, Box<RawValue>)> {
    let ask = Ask::api(Method::GET, ["evidence"])
        .query("repository", Some(&target.repository))
        .query("reference", Some(digest));
    let mut evidence = repository.api().ask(ask).await?;
    let verdict = verdict(&mut evidence, args.policy.as_deref(), target)?;
    let server = target.server.server.to_string();
    let verifier = Verifier {
        id: &server,
        resource: &format!("{}@{digest}", target.place()),
        policy: &format!("{server}/api/v1/trust-policies/{}", verdict.policy),
    };
    if !verdict.verified {
        printer.warning("the summary says that the image is not verified");
    }
    Ok((PredicateType::verification_summary(), verification_summary(&verdict, &verifier)))
}

/// The verdict of the policy that is meant.
fn verdict(evidence: &mut Value, policy: Option<&str>, target: &Target) -> anyhow::Result<Verdict> {
    let verdicts: Vec<Verdict> = serde_json::from_value(evidence["verdicts"].take())
        .context("the server's verdicts cannot be read")?;
    let names: Vec<String> = verdicts.iter().map(|verdict| verdict.policy.clone()).collect();
    let names = names.join(", ");
    let several = policy.is_none() && verdicts.len() > 1;
    if several {
        return Err(anyhow!("several trust policies are about {}: {names}", target.repository))
            .hint("say which one with `--policy NAME`");
    }
    let is_meant = |verdict: &Verdict| policy.is_none_or(|name| name == verdict.policy);
    match verdicts.into_iter().find(is_meant) {
        Some(verdict) => Ok(verdict),
        None if names.is_empty() => no_policy(&target.repository).hint(NO_POLICY),
        None => Err(anyhow!("no such trust policy is about {}", target.repository))
            .hint(format!("these are: {names}")),
    }
}
