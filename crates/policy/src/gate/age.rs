use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place},
    facts::{ConfigurationFacts, ManifestFacts},
    time_span::TimeSpan,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, when_known};

/// It is neither too old nor too new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = AgeGate)]
pub struct AgeDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// How long ago it may have been built.
    pub max: Option<String>,
    /// How long ago it must have been pushed.
    pub min: Option<String>,
}

#[derive(Debug)]
struct AgeGate {
    max: Option<TimeSpan>,
    min: Option<TimeSpan>,
}

/// Builds that are reproducible say that they happened in 1970, or in 1980 as archives of zip begin
/// there. 2000-01-01T00:00:00Z.
const PLAUSIBLE: Timestamp = Timestamp::constant(946_684_800, 0);

impl GateDocument for AgeDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        if self.max.is_none() && self.min.is_none() {
            place.problem("any age will do", "say `max`, `min` or both");
        }
        let max = place.span("max", self.max.as_ref());
        let min = place.span("min", self.min.as_ref());
        Some(Box::new(AgeGate { max, min }))
    }
}

impl Gate for AgeGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let mut judged = Vec::new();
        if let Some(min) = self.min {
            judged.push(judge_min(min, case));
        }
        if let Some(max) = self.max {
            let required = format!("built at most {max} ago");
            let fix = "build it again";
            judged.extend(case.each(&required, |manifest: &ManifestFacts| {
                when_known(&manifest.configuration, (&required, fix), |configuration| {
                    judge_max(max, configuration, case, &required)
                })
            }));
        }
        judged
    }
}

fn judge_min(min: TimeSpan, case: &Case<'_>) -> Judgement {
    let required = format!("pushed at least {min} ago");
    let observed = format!("pushed on {}", case.facts.pushed_at);
    let end = min.after(case.facts.pushed_at);
    if end > case.now {
        return Judgement::wait(observed, required, "wait until then").until(Some(end));
    }
    Judgement::allow(observed, required)
}

fn judge_max(
    max: TimeSpan,
    configuration: &ConfigurationFacts,
    case: &Case<'_>,
    required: &str,
) -> Judgement {
    // A time that cannot be, or that has not come yet, would make it younger than it is.
    let pushed_at = case.facts.pushed_at;
    let plausible = |created: &Timestamp| *created >= PLAUSIBLE && *created <= pushed_at;
    let created = configuration.created.filter(plausible);
    let (word, since) = created.map_or(("pushed", pushed_at), |created| ("built", created));
    let observed = format!("{word} on {since}");
    let end = max.after(since);
    if end <= case.now {
        return Judgement::deny(observed, required, "build it again");
    }
    Judgement::allow(observed, required).until(Some(end))
}
