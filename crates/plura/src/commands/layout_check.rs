//! `plura reg check`: what the policy would say of an image that is not pushed yet.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use jiff::Timestamp;
use plura_oci::{Reference, RepositoryName, Tag};
use plura_policy::Governance;
use plura_policy::facts::{ImageFacts, Known, ManifestFacts};
use plura_policy::gate::{Effect, GateDecision, Mode, Outcome};
use plura_policy::tags::{Push, Refusal};
use serde_json::json;

use super::policy::governance;
use crate::cli::LayoutCheckArgs;
use crate::exit::{ExitStatus, SaidNo};
use crate::layout::Layout;
use crate::printer::Printer;
use crate::table::printable;

pub(super) fn run(args: &LayoutCheckArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let governance = governance(&args.policy)?;
    let layout = Layout::open(&args.layout)?;
    let repository: RepositoryName = args.image.path().parse().context("`--as` is no image")?;
    let now = Timestamp::now();
    let facts = layout.facts(args.reference.as_ref(), repository, now)?;
    let decision = decide(&governance, args, &facts, now)?;
    let refusals = match &args.image.reference {
        Reference::Tag(tag) => governance.tags.check(&push(&facts, tag, &labels(&facts))),
        Reference::Digest(_) => Vec::new(),
    };
    if args.output.json {
        printer.json(&json!({ "decision": decision, "tags": refusals }))?;
    } else {
        print(&decision, &refusals, printer)?;
    }
    let is_refused = refusals.iter().any(|refusal| refusal.mode == Mode::Enforce);
    Ok(if is_refused { ExitStatus::No } else { super::decision::status(decision.effect) })
}

/// What is asked of the image itself. Whether the registry knows more of its base is not known here, so
/// what depends on that alone is waited for.
fn decide(
    governance: &Governance,
    args: &LayoutCheckArgs,
    facts: &ImageFacts,
    now: Timestamp,
) -> anyhow::Result<GateDecision> {
    let verify = |facts: &ImageFacts| {
        governance.verify(facts, &args.to, now).map_err(|error| SaidNo(error.to_string()))
    };
    let (mut decision, best) = (verify(facts)?, verify(&with_good_base(facts, now))?);
    for (outcome, best) in decision.outcomes.iter_mut().zip(best.outcomes) {
        if outcome.effect == Effect::Deny && best.effect == Effect::Allow {
            *outcome = Outcome {
                effect: Effect::Wait,
                observed: format!("as far as it is declared: {}", outcome.observed),
                fix: Some("push it; the registry knows its own images".to_owned()),
                ..outcome.clone()
            };
        }
    }
    // Who blocked it is not known here either.
    decision.outcomes.retain(|outcome| outcome.gate != "blocked");
    decision.effect = GateDecision::effect_of(&decision.outcomes);
    Ok(decision)
}

/// The same, if the registry finds the declared base to be as good as it can be.
fn with_good_base(facts: &ImageFacts, now: Timestamp) -> ImageFacts {
    let mut facts = facts.clone();
    let platforms = facts.platforms.iter_mut().flatten();
    for manifest in std::iter::once(&mut facts.manifest).chain(platforms) {
        if let Known::Known(base) = &mut manifest.base {
            (base.matched, base.verified, base.created) = (true, true, Some(now));
        }
    }
    facts
}

fn push<'a>(facts: &'a ImageFacts, tag: &'a Tag, labels: &'a BTreeMap<String, String>) -> Push<'a> {
    Push {
        repository: &facts.repository,
        tag,
        digest: &facts.manifest.digest,
        existing: None,
        labels: Some(labels),
        annotations: &facts.manifest.annotations,
    }
}

/// The labels of the image; of an index, those that all its platforms have.
fn labels(facts: &ImageFacts) -> BTreeMap<String, String> {
    let of = |manifest: &ManifestFacts| -> BTreeSet<(String, String)> {
        let known = manifest.configuration.known();
        known.into_iter().flat_map(|said| said.labels.clone()).collect()
    };
    let all = facts.runnable().iter().map(of);
    all.reduce(|both, next| &both & &next).unwrap_or_default().into_iter().collect()
}

fn print(decision: &GateDecision, refusals: &[Refusal], printer: &Printer) -> anyhow::Result<()> {
    super::decision::print(decision, printer)?;
    for refusal in refusals {
        let Refusal { rule, mode, observed, required, fix } = refusal;
        let word = if *mode == Mode::Warn { "warn" } else { "deny" };
        let line = format!("{word:<5} tags.{rule}: {observed}; required: {required}");
        printer.data(format!("{}\n      fix: {}\n", printable(&line), printable(fix)))?;
    }
    printer.note(
        "where it comes from, blocks, approvals, checks, windows and freezes are asked when it is promoted",
    );
    Ok(())
}
