use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{BaseImages, Place};

use super::{Case, Gate, GateDocument, Judgement, Mode, when_known};

/// It does not run as root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = NonRootGate)]
pub struct NonRootDocument {
    /// Whether it decides.
    pub mode: Mode,
}

#[derive(Debug)]
struct NonRootGate;

impl GateDocument for NonRootDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, _: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        Some(Box::new(NonRootGate))
    }
}

impl Gate for NonRootGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let required = "another user than root";
        let fix = "say `USER 65532` in the Dockerfile, or any other number but 0";
        case.each(required, |manifest| {
            when_known(&manifest.configuration, (required, fix), |configuration| {
                let observed = match configuration.user.as_str() {
                    "" => "no user, which is root".to_owned(),
                    user => format!("user {user}"),
                };
                if configuration.is_root {
                    Judgement::deny(observed, required, fix)
                } else {
                    Judgement::allow(observed, required)
                }
            })
        })
    }
}
