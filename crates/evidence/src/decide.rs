//! From what was gathered to what is known.

use std::{collections::BTreeSet, time::Duration};

use plura_meta::{Timestamp, build::Build};
use plura_oci::{Digest, RepositoryName};
use plura_trust::{
    Content, Fact, Identity, PredicateKind, Presented, Provenance, Pushed, Question, Reason,
    Refusal, Statement, Verdict, Who, cross_check, judge,
};

use crate::{
    FoundSignature, FoundStatement, ManifestEvidence,
    gather::{Bare, Gathered, Said, instant},
    trusted::Trusted,
};

/// When a signature from the future is looked at again.
const FUTURE: Duration = Duration::from_mins(1);
/// The most bytes of what a build was told and made from; the rest is in the statement itself.
const MAX_PROVENANCE: usize = 64 * 1024;
/// The most bytes of a document about vulnerabilities; a larger one does not count.
const MAX_VEX: usize = 256 * 1024;

/// Decides what is known of a manifest, and until when that holds if it ends by itself.
pub(crate) fn decide(
    repository: &RepositoryName,
    digest: Digest,
    gathered: &Gathered,
    indexes: &[ManifestEvidence],
    trusted: &Trusted,
) -> (ManifestEvidence, Option<Timestamp>) {
    let now = Timestamp::now();
    let verdicts: Vec<Verdict> = trusted
        .covering(repository)
        .map(|policy| {
            let question = Question {
                digest: &digest,
                children: &gathered.children,
                policy,
                root: &trusted.root,
                now: instant(now),
            };
            let own = judge(&gathered.presented, &question);
            if own.verified { own } else { inherited(&own, indexes).unwrap_or(own) }
        })
        .collect();
    let verified = (!verdicts.is_empty()).then(|| verdicts.iter().all(|verdict| verdict.verified));
    let until = until(&gathered.presented, &verdicts, now);
    let evidence = ManifestEvidence {
        repository: repository.clone(),
        digest,
        verified,
        signatures: gathered.presented.iter().map(found_signature).collect(),
        statements: statements(digest, gathered, &verdicts),
        verdicts,
        gathered_at: instant(now),
    };
    (evidence, until)
}

/// What a child has from an index that is trusted under the same policy.
fn inherited(own: &Verdict, indexes: &[ManifestEvidence]) -> Option<Verdict> {
    let verdicts = indexes.iter().flat_map(|index| &index.verdicts);
    let mut same = verdicts.filter(|verdict| verdict.policy == own.policy && verdict.verified);
    same.next().map(|verdict| verdict.inherited_by(own.digest))
}

fn found_signature(presented: &Presented) -> FoundSignature {
    let signature = presented.signature.as_ref();
    FoundSignature {
        place: presented.place.clone(),
        form: signature.ok().map(|signature| signature.form),
        arrived: presented.arrived,
        refusal: signature.err().cloned(),
    }
}

/// The first moment at which time alone changes a verdict.
fn until(presented: &[Presented], verdicts: &[Verdict], now: Timestamp) -> Option<Timestamp> {
    let signatures = presented.iter().filter_map(|presented| presented.signature.as_ref().ok());
    let expiries = signatures.filter_map(|signature| match &*signature.content {
        Content::Notation { expiry, .. } => *expiry,
        _ => None,
    });
    let expiries = expiries.map(|expiry| Timestamp(expiry.as_millisecond()));
    let mut refusals = verdicts.iter().flat_map(|verdict| &verdict.refusals);
    let future = refusals.any(|found| found.what.reason == Reason::FutureTime);
    expiries.filter(|expiry| *expiry > now).chain(future.then(|| now.after(FUTURE))).min()
}

/// What is said about the manifest: each statement once, whoever signed it.
fn statements(digest: Digest, gathered: &Gathered, verdicts: &[Verdict]) -> Vec<FoundStatement> {
    let mut found: Vec<FoundStatement> = Vec::new();
    for presented in &gathered.presented {
        let Ok(signature) = &presented.signature else { continue };
        let Some(statement) = signature.content.statement() else { continue };
        // An envelope with several signatures is one statement.
        let known = found.last().is_some_and(|last| last.place == presented.place);
        if !known && statement.is_about(&digest) {
            let facts = facts_at(&presented.place, verdicts);
            found.push(found_statement(&presented.place, statement, &facts, gathered));
        }
    }
    let bare = gathered.bare.iter().map(|Bare { place, what }| match what {
        Said::Statement(statement) => {
            FoundStatement { signed: false, ..found_statement(place, statement, &[], gathered) }
        }
        Said::Of(predicate_type) => FoundStatement {
            place: place.clone(),
            kind: PredicateKind::of(predicate_type),
            predicate_type: (*predicate_type).to_owned(),
            signed: false,
            signers: BTreeSet::new(),
            provenance: None,
            open_vex: None,
            contradictions: Vec::new(),
        },
    });
    found.extend(bare);
    found
}

fn facts_at<'v>(place: &str, verdicts: &'v [Verdict]) -> Vec<&'v Fact> {
    let facts = verdicts.iter().flat_map(|verdict| &verdict.facts);
    facts.filter(|found| found.place == place).map(|found| &found.what).collect()
}

fn found_statement(
    place: &str,
    statement: &Statement,
    facts: &[&Fact],
    gathered: &Gathered,
) -> FoundStatement {
    let (provenance, mut contradictions) = match statement.provenance() {
        Ok(provenance) => (provenance, Vec::new()),
        Err(refusal) => (None, vec![refusal]),
    };
    if let Some(provenance) = &provenance {
        let identity = facts.iter().find_map(|fact| match &fact.signer {
            Who::Identity { identity, .. } => Some(identity),
            _ => None,
        });
        contradictions.extend(contradictions_of(provenance, identity, gathered));
    }
    FoundStatement {
        place: place.to_owned(),
        kind: statement.kind(),
        predicate_type: statement.predicate_type.clone(),
        signed: true,
        signers: facts.iter().map(|fact| fact.signer.name().to_owned()).collect(),
        provenance: provenance.map(shortened),
        open_vex: open_vex(statement).filter(|_| !facts.is_empty()),
        contradictions,
    }
}

/// Which vulnerabilities matter, if the statement says that.
fn open_vex(statement: &Statement) -> Option<serde_json::Value> {
    let predicate = statement.predicate.get();
    let is_read = statement.kind() == PredicateKind::OpenVex && predicate.len() <= MAX_VEX;
    is_read.then(|| serde_json::from_str(predicate).ok()).flatten()
}

/// Where provenance contradicts what is known. Of several builds that pushed the same, it is that of one.
fn contradictions_of(
    provenance: &Provenance,
    identity: Option<&Identity>,
    gathered: &Gathered,
) -> Vec<Refusal> {
    let revision = gathered.revision.as_deref();
    let by = |build: Option<&Build>| {
        let pushed = Pushed {
            revision,
            commit: build.map(|build| build.revision.as_str()),
            repository: build.map(|build| build.source.as_str()),
            run: build.map(|build| build.run.as_str()).filter(|run| !run.is_empty()),
        };
        cross_check(provenance, identity, &pushed)
    };
    let all = gathered.builds.iter().map(|build| by(Some(build)));
    all.min_by_key(Vec::len).unwrap_or_else(|| by(None))
}

/// Provenance without what would make a row of it that is long to read.
fn shortened(mut provenance: Provenance) -> Provenance {
    if length(&provenance.parameters) > MAX_PROVENANCE {
        provenance.parameters = serde_json::Value::Null;
    }
    let mut left = MAX_PROVENANCE;
    let fits = provenance.dependencies.iter().take_while(|dependency| {
        let length = length(dependency);
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    });
    let fits = fits.count();
    provenance.dependencies.truncate(fits);
    provenance
}

fn length(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |bytes| bytes.len())
}
