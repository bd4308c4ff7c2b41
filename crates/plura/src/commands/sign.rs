//! `plura sign`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use plura_oci::Reference;
use plura_trust::{SimpleSigning, predicate_types, signature_statement};
use serde::Deserialize;
use serde_json::{Value, json};

use super::target::Target;
use crate::attachments::Attaching;
use crate::cli::{Form, SignArgs};
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::repository_client::{RepositoryClient, Stored, StoredManifest};
use crate::runtime::runtime;
use crate::signing_key::SigningKey;

/// The most that is signed at once; no build makes so many images of one.
const MOST: usize = 1000;

pub(super) fn run(args: &SignArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    runtime()?.block_on(sign(args, printer))
}

async fn sign(args: &SignArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let target = Target::of(&args.image, &args.server)?;
    let key = SigningKey::open(&args.key, printer).await?;
    let repository = RepositoryClient::of(&target.server, &target.repository).await?;
    let manifest = repository.manifest(&target.reference).await?;
    let subjects = if args.recursive {
        with_children(&repository, manifest).await?
    } else {
        vec![manifest.stored]
    };
    let attaching = Attaching { repository: &repository, key: &key, form: args.form.form };
    let annotations: BTreeMap<String, String> = args.annotations.iter().cloned().collect();
    let mut signed = Vec::new();
    for subject in &subjects {
        let place = sign_one(&attaching, subject, &target, &annotations).await?;
        let image = target.named(&subject.digest);
        if !args.output.json {
            printer.data(format!("{image}\n"))?;
        }
        signed.push(json!({ "image": image, "digest": subject.digest, "signature": place }));
    }
    let fingerprint = key.public_key().fingerprint();
    if args.output.json {
        let form = args.form.form.name();
        printer.json(&json!({ "signed": signed, "key": fingerprint, "form": form }))?;
    }
    printer.note(format_args!("signed with {}, whose public key is {fingerprint}", args.key.key));
    Ok(ExitStatus::Done)
}

async fn sign_one(
    attaching: &Attaching<'_>,
    subject: &Stored,
    target: &Target,
    annotations: &BTreeMap<String, String>,
) -> anyhow::Result<String> {
    if attaching.form == Form::Bundle {
        let statement = signature_statement(&subject.digest, annotations);
        return attaching.statement(subject, predicate_types::SIGNATURE, statement).await;
    }
    let value = |(key, value): (&String, &String)| (key.clone(), Value::from(value.as_str()));
    let payload = SimpleSigning {
        digest: subject.digest,
        reference: target.place(),
        annotations: annotations.iter().map(value).collect(),
    };
    attaching.payload(&payload).await
}

/// A manifest, and everything in it that is a manifest, each once.
async fn with_children(
    repository: &RepositoryClient,
    manifest: StoredManifest,
) -> anyhow::Result<Vec<Stored>> {
    let mut seen = BTreeSet::from([manifest.stored.digest]);
    let mut all = vec![manifest.stored.clone()];
    let mut open = vec![manifest];
    while let Some(manifest) = open.pop() {
        for child in children(&manifest)? {
            if !seen.insert(child.digest) {
                continue;
            }
            ensure!(all.len() < MOST, "there are more than {MOST} images in it");
            if child.is_index() {
                open.push(repository.manifest(&Reference::Digest(child.digest)).await?);
            }
            all.push(child);
        }
    }
    Ok(all)
}

fn children(manifest: &StoredManifest) -> anyhow::Result<Vec<Stored>> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Vec<Stored>,
    }
    if !manifest.stored.is_index() {
        return Ok(Vec::new());
    }
    let index: Index = serde_json::from_slice(&manifest.bytes)
        .with_context(|| format!("the index {} cannot be read", manifest.stored.digest))?;
    Ok(index.manifests)
}
