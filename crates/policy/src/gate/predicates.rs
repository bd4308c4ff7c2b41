use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place},
    expression::{Answer, Expression},
};

use super::{Case, Gate, GateDocument, Judgement, Mode};

/// Something else that must be true of each platform, as an expression of CEL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PredicateGate)]
pub struct PredicateDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// What must be true.
    pub expression: String,
    /// That in words.
    pub required: Option<String>,
    /// What to do where it is not.
    pub fix: Option<String>,
}

#[derive(Debug)]
struct PredicateGate {
    expression: Expression,
    text: String,
    required: String,
    fix: String,
}

impl GateDocument for PredicateDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        let expression = place.at("expression").parse(&self.expression)?;
        let text = self.expression.clone();
        let required = self.required.clone().unwrap_or_else(|| format!("`{text}` is true"));
        let fix = self.fix.clone().unwrap_or_else(|| "make that true, or change it".to_owned());
        Some(Box::new(PredicateGate { expression, text, required, fix }))
    }
}

impl Gate for PredicateGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let Self { text, required, fix, .. } = self;
        case.each(required, |manifest| {
            let judgement = match self.expression.evaluate(case, manifest) {
                Answer::Is(true) => Judgement::allow(format!("`{text}` is true"), required),
                Answer::Is(false) => Judgement::deny(format!("`{text}` is false"), required, fix),
                Answer::Waiting(what) => {
                    let observed = format!("not known yet: {what}");
                    Judgement::wait(observed, required, "wait for it; it comes by itself")
                }
                Answer::Failed(why) => {
                    let observed = format!("`{text}` cannot be said: {why}");
                    Judgement::deny(observed, required, "correct the expression")
                }
            };
            judgement.until(self.expression.until(case, manifest))
        })
    }
}
