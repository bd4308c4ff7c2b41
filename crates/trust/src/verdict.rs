use std::collections::BTreeSet;

use jiff::Timestamp;
use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{Fact, Question, Reason, Refusal, Signature, statement::PredicateKind, verify::verify};

/// The most signatures of one digest that are looked at, oldest first. What comes later cannot push
/// out what was there.
pub const MAX_SIGNATURES: usize = 256;

/// A signature as it was found.
#[derive(Clone, Debug)]
pub struct Presented {
    /// Where it was found; facts and refusals name it.
    pub place: String,
    /// Since when it is here.
    pub arrived: Timestamp,
    /// What was read, or why it could not be.
    pub signature: Result<Signature, Refusal>,
}

/// What is true of a digest under a policy, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Verdict {
    /// What it is about.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Whether the policy is met.
    pub verified: bool,
    /// The policy.
    pub policy: String,
    /// How many signers it takes.
    pub required: usize,
    /// The signers whose signatures count.
    pub signers: BTreeSet<String>,
    /// What was verified.
    pub facts: Vec<Found<Fact>>,
    /// What was not, and why.
    pub refusals: Vec<Found<Refusal>>,
    /// Why the policy is not met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Refusal>,
    /// What it was decided from.
    pub inputs: Inputs,
    /// The index that the verdict is about, where the digest is a child of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub inherited_from: Option<Digest>,
}

/// Something with the place it was found in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Found<T> {
    /// The place.
    pub place: String,
    /// What was found there.
    #[serde(flatten)]
    pub what: T,
}

/// What a verdict was decided from; another of these needs another verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = VerdictInputs)]
pub struct Inputs {
    /// The policy's SHA-256.
    #[schema(value_type = String)]
    pub policy: Digest,
    /// The trust root's SHA-256, if it was read from something.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub root: Option<Digest>,
    /// What time it was.
    #[schema(value_type = String)]
    pub now: Timestamp,
}

/// Decides about a digest, by everything that was found about it in the order it arrived in.
pub fn judge(presented: &[Presented], question: &Question<'_>) -> Verdict {
    let mut facts = Vec::new();
    let mut refusals = Vec::new();
    for one in presented.iter().take(MAX_SIGNATURES) {
        let signature = one.signature.as_ref().map_err(Clone::clone);
        let place = one.place.clone();
        match signature.and_then(|signature| verify(signature, one.arrived, question)) {
            Ok(what) => facts.push(Found { place, what }),
            Err(what) => refusals.push(Found { place, what }),
        }
    }
    if let Some(first) = presented.get(MAX_SIGNATURES) {
        let what = too_many(presented.len());
        refusals.push(Found { place: first.place.clone(), what });
    }
    let counted = facts.iter().map(|found| &found.what);
    let counted = counted.filter(|fact| fact.kind == PredicateKind::Signature);
    let signers: BTreeSet<_> = counted.map(|fact| fact.signer.name().to_owned()).collect();
    let reason = reason(&signers, &facts, &refusals, question);
    Verdict {
        digest: *question.digest,
        verified: reason.is_none(),
        policy: question.policy.name.clone(),
        required: question.policy.required,
        signers,
        facts,
        refusals,
        reason,
        inputs: Inputs {
            policy: question.policy.source,
            root: question.root.source,
            now: question.now,
        },
        inherited_from: None,
    }
}

impl Verdict {
    /// The verdict about a child of the index that this one is about: the same, and it says so.
    #[must_use]
    pub fn inherited_by(&self, child: Digest) -> Self {
        let index = self.inherited_from.unwrap_or(self.digest);
        Self { digest: child, inherited_from: Some(index), ..self.clone() }
    }
}

fn too_many(count: usize) -> Refusal {
    let observed = format!("{count} signatures on one digest");
    let required = format!("the first {MAX_SIGNATURES} are looked at");
    Refusal::new(Reason::TooManySignatures, observed).requiring(required)
}

/// Why the policy is not met; nothing if it is. Where nobody signed as wanted, the first refusal says
/// more than that somebody is missing.
fn reason(
    signers: &BTreeSet<String>,
    facts: &[Found<Fact>],
    refusals: &[Found<Refusal>],
    question: &Question<'_>,
) -> Option<Refusal> {
    let policy = question.policy;
    if signers.len() < policy.required {
        let unsigned = || Refusal::new(Reason::Unsigned, "it has no signature");
        if signers.is_empty() && facts.is_empty() {
            let flooded = refusals.iter().find(|one| one.what.reason == Reason::TooManySignatures);
            let telling = flooded.or(refusals.first());
            return Some(telling.map_or_else(unsigned, |found| found.what.clone()));
        }
        let names: Vec<_> = signers.iter().map(String::as_str).collect();
        let observed = match names.as_slice() {
            [] => "signed by nobody who is trusted".to_owned(),
            names => format!("signed by {}", names.join(", ")),
        };
        let required = format!("{} different signers", policy.required);
        return Some(Refusal::new(Reason::TooFewSigners, observed).requiring(required));
    }
    let attested = |wanted: &&String| {
        let mut types = facts.iter().map(|found| found.what.predicate_type.as_ref());
        !types.any(|one| one == Some(*wanted))
    };
    policy.attestations.iter().find(attested).map(|missing| {
        let observed = "a statement is missing that somebody trusted has signed";
        Refusal::new(Reason::MissingAttestation, observed).requiring(missing.clone())
    })
}
