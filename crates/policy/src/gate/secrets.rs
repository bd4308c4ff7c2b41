use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place},
    glob::Glob,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, listed, when_known};

/// There are no secrets in its layers and its configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = SecretsGate)]
pub struct SecretsDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// Patterns of rules whose findings do not count.
    pub ignore: Vec<String>,
}

#[derive(Debug)]
struct SecretsGate {
    ignore: Vec<Glob>,
}

impl GateDocument for SecretsDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        Some(Box::new(SecretsGate { ignore: place.at("ignore").parse_all(&self.ignore) }))
    }
}

impl Gate for SecretsGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let required = "no secrets in layers, environment and labels";
        let fix = "have the layers looked at";
        case.each(required, |manifest| {
            when_known(&manifest.secrets, (required, fix), |found| self.verdict(found, required))
        })
    }
}

impl SecretsGate {
    fn verdict(&self, found: &BTreeMap<String, u32>, required: &str) -> Judgement {
        let counts = |rule: &str| !self.ignore.iter().any(|glob| glob.covers(rule));
        let counted = found.iter().filter(|(rule, count)| **count > 0 && counts(rule));
        let observed = listed(counted.map(|(rule, count)| format!("{count} by {rule}")));
        if observed.is_empty() {
            return Judgement::allow("none that counts", required);
        }
        let fix = "rotate them: whoever can pull the image has them; then build it without them";
        Judgement::deny(observed, required, fix)
    }
}
