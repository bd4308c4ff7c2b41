use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place},
    facts::AdvisoryFacts,
    time_span::TimeSpan,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, when_known};

/// What is known of vulnerabilities is recent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = AdvisoriesGate)]
pub struct AdvisoriesDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// How old the newest advisory may be that is known.
    pub newest_within: Option<String>,
    /// How long ago the image may have been compared with them.
    pub compared_within: Option<String>,
}

#[derive(Debug)]
struct AdvisoriesGate {
    newest_within: Option<TimeSpan>,
    compared_within: Option<TimeSpan>,
}

impl GateDocument for AdvisoriesDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        if self.newest_within.is_none() && self.compared_within.is_none() {
            place.problem("any age will do", "say `newest_within`, `compared_within` or both");
        }
        let newest_within = place.span("newest_within", self.newest_within.as_ref());
        let compared_within = place.span("compared_within", self.compared_within.as_ref());
        Some(Box::new(AdvisoriesGate { newest_within, compared_within }))
    }
}

impl Gate for AdvisoriesGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let limits = [("published", self.newest_within), ("compared", self.compared_within)];
        let words = |(word, span): &(&str, Option<TimeSpan>)| {
            span.map(|span| format!("{word} at most {span} ago"))
        };
        let required: Vec<String> = limits.iter().filter_map(words).collect();
        let required = format!("advisories {}", required.join(" and "));
        let fix = "import advisories";
        vec![when_known(&case.facts.advisories, (&required, fix), |known| {
            self.verdict(known, case, &required)
        })]
    }
}

impl AdvisoriesGate {
    fn verdict(&self, known: &AdvisoryFacts, case: &Case<'_>, required: &str) -> Judgement {
        let AdvisoryFacts { newest, compared_at } = known;
        let observed = format!("the newest is of {newest}, compared on {compared_at}");
        let newest = self.newest_within.map(|span| span.after(*newest));
        let compared = self.compared_within.map(|span| span.after(*compared_at));
        if newest.is_some_and(|end| end <= case.now) {
            return Judgement::deny(observed, required, "import newer advisories");
        }
        if compared.is_some_and(|end| end <= case.now) {
            // Nobody has to do anything for that.
            return Judgement::wait(observed, required, "wait until it was compared again");
        }
        Judgement::allow(observed, required).until(newest.into_iter().chain(compared).min())
    }
}
