use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place},
    facts::ProvenanceFacts,
    glob::Glob,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, listed};

/// It is known how it was built. A platform may have that from its index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ProvenanceGate)]
pub struct ProvenanceDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// Patterns of who may have built it; anybody, if there are none.
    pub builders: Vec<String>,
    /// Patterns of the repositories that it may be built from; any, if there are none.
    pub sources: Vec<String>,
    /// Whether somebody who is trusted must have signed that; yes, if nothing is said.
    pub signed: Option<bool>,
}

#[derive(Debug)]
struct ProvenanceGate {
    builders: Vec<Glob>,
    sources: Vec<Glob>,
    signed: bool,
}

impl GateDocument for ProvenanceDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        let builders = place.at("builders").parse_all(&self.builders);
        let sources = place.at("sources").parse_all(&self.sources);
        Some(Box::new(ProvenanceGate { builders, sources, signed: self.signed.unwrap_or(true) }))
    }
}

impl Gate for ProvenanceGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let required = self.required();
        let fix = "let the build attach a provenance statement (SLSA), and have it signed";
        case.each_or_index(
            (&required, fix),
            |manifest| &manifest.provenance,
            |known| self.verdict(known, &required, fix),
        )
    }
}

impl ProvenanceGate {
    fn required(&self) -> String {
        let signed = if self.signed { "provenance that is signed" } else { "provenance" };
        let mut required = signed.to_owned();
        for (word, globs) in [(" by ", &self.builders), (" from ", &self.sources)] {
            if !globs.is_empty() {
                required += word;
                required += &listed(globs.iter().map(Glob::as_str));
            }
        }
        required
    }

    /// One statement that holds is enough: whoever may push can add others.
    fn verdict(&self, known: &[ProvenanceFacts], required: &str, fix: &str) -> Judgement {
        if let Some(good) = known.iter().find(|one| self.objection(one).is_none()) {
            let source = good.source.as_deref().unwrap_or("an unknown source");
            return Judgement::allow(format!("built by {} from {source}", good.builder), required);
        }
        let objections = known.iter().filter_map(|one| self.objection(one));
        let observed = listed(objections.map(|(words, _)| words));
        let fix = known.iter().find_map(|one| self.objection(one)).map_or(fix, |(_, fix)| fix);
        let observed = if observed.is_empty() { "no provenance".to_owned() } else { observed };
        Judgement::deny(observed, required, fix)
    }

    fn objection(&self, one: &ProvenanceFacts) -> Option<(String, &'static str)> {
        let covers = |globs: &[Glob], text: &str| {
            globs.is_empty() || globs.iter().any(|glob| glob.covers(text))
        };
        let source = one.source.as_deref().unwrap_or_default();
        if self.signed && !one.verified {
            let words = format!("that of {} is signed by nobody who is trusted", one.builder);
            return Some((
                words,
                "have the build sign it with a key or an identity that is trusted",
            ));
        }
        if let Some(contradiction) = one.contradictions.first() {
            let words = format!("that of {} is contradicted: {contradiction}", one.builder);
            return Some((words, "push what the build built, and what it says about it"));
        }
        if !covers(&self.builders, &one.builder) {
            let words = format!("built by {}", one.builder);
            return Some((words, "build it where it is allowed, or allow the builder"));
        }
        if !covers(&self.sources, source) {
            let source = if source.is_empty() { "an unknown source" } else { source };
            let words = format!("built from {source}");
            return Some((words, "build it from where it is allowed, or allow the source"));
        }
        None
    }
}
