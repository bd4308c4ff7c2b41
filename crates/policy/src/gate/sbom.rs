use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place},
    facts::SbomFacts,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, listed};

/// It is known what it consists of. A platform may have that from its index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = SbomGate)]
pub struct SbomDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// Formats of which one is enough, `cyclonedx` or `spdx`; any, if none is named.
    pub formats: Vec<String>,
    /// Whether somebody who is trusted must have signed it; yes, if nothing is said.
    pub signed: Option<bool>,
}

#[derive(Debug)]
struct SbomGate {
    formats: Vec<String>,
    signed: bool,
}

const FORMATS: [&str; 2] = ["cyclonedx", "spdx"];

impl GateDocument for SbomDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        let mut formats = place.at("formats");
        for (index, format) in self.formats.iter().enumerate() {
            if !FORMATS.contains(&format.as_str()) {
                let observed = format!("`{}`", crate::document::shortened(format));
                formats.item(index).problem(observed, "expected `cyclonedx` or `spdx`");
            }
        }
        let signed = self.signed.unwrap_or(true);
        Some(Box::new(SbomGate { formats: self.formats.clone(), signed }))
    }
}

impl Gate for SbomGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let formats = match self.formats.as_slice() {
            [] => String::new(),
            formats => format!(" in {}", formats.join(" or ")),
        };
        let signed = if self.signed { " that is signed" } else { "" };
        let required = format!("a bill of materials{formats}{signed}");
        let fix = "attach one as a signed attestation (`cosign attest --type cyclonedx`)";
        case.each_or_index(
            (&required, fix),
            |manifest| &manifest.sboms,
            |known| self.verdict(known, &required, fix),
        )
    }
}

impl SbomGate {
    fn verdict(&self, known: &[SbomFacts], required: &str, fix: &str) -> Judgement {
        let good = |one: &&SbomFacts| {
            let format = self.formats.is_empty() || self.formats.contains(&one.format);
            format && (one.verified || !self.signed)
        };
        match known.iter().find(good) {
            Some(good) => Judgement::allow(words(good), required),
            None if known.is_empty() => Judgement::deny("none", required, fix),
            None => Judgement::deny(listed(known.iter().map(words)), required, fix),
        }
    }
}

fn words(one: &SbomFacts) -> String {
    let signed = if one.verified { "signed" } else { "signed by nobody who is trusted" };
    format!("{}, {signed}", one.format)
}
