use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place},
    facts::SignatureFacts,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, listed, when_known};

/// Somebody who is trusted signed it: the index, and each of its platforms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = SignatureGate)]
pub struct SignatureDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// The trust policies that must be met; all that cover the repository, if none is named.
    pub policies: Vec<String>,
}

#[derive(Debug)]
struct SignatureGate {
    policies: Vec<String>,
}

impl GateDocument for SignatureDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        if self.policies.iter().any(|name| name.trim().is_empty()) {
            place.at("policies").problem("a name is empty", "name trust policies, or leave it out");
        }
        Some(Box::new(SignatureGate { policies: self.policies.clone() }))
    }
}

impl Gate for SignatureGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let required = match self.policies.as_slice() {
            [] => "every trust policy for the repository is met".to_owned(),
            names => format!("trust policies that are met: {}", listed(names)),
        };
        let fix = "have it signed by those whom the trust policy names";
        case.all(&required, |manifest| {
            when_known(&manifest.signatures, (&required, fix), |known| {
                self.verdict(known, &required)
            })
        })
    }
}

impl SignatureGate {
    fn verdict(&self, known: &[SignatureFacts], required: &str) -> Judgement {
        let find = |name: &String| known.iter().find(|one| one.policy == *name);
        if let Some(missing) = self.policies.iter().find(|name| find(name).is_none()) {
            let observed = format!("no trust policy `{missing}` covers the repository");
            return Judgement::deny(
                observed,
                required,
                "make one, or name another in the document",
            );
        }
        let asked =
            |one: &&SignatureFacts| self.policies.is_empty() || self.policies.contains(&one.policy);
        let asked: Vec<&SignatureFacts> = known.iter().filter(asked).collect();
        if asked.is_empty() {
            let observed = "no trust policy covers the repository";
            return Judgement::deny(observed, required, "say whose signatures count for it");
        }
        match asked.iter().find(|one| !one.verified) {
            Some(unmet) => {
                let reason = unmet.reason.as_deref().unwrap_or("not met");
                let observed = format!("{}: {reason}", unmet.policy);
                let fix = format!("have it signed by those whom `{}` names", unmet.policy);
                Judgement::deny(observed, required, fix)
            }
            None => Judgement::allow(listed(asked.into_iter().map(words)), required),
        }
    }
}

fn words(met: &SignatureFacts) -> String {
    format!("{} by {}", met.policy, listed(&met.signers))
}
