use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place, shortened},
    facts::{ConfigurationFacts, ManifestFacts},
    glob::Glob,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, listed, when_known};

/// It says about itself what must be said: by a label, or by an annotation of the image or its index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = LabelsGate)]
pub struct LabelsDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// Keys that must have a value.
    pub required: Vec<String>,
    /// Patterns of the values, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

#[derive(Debug)]
struct LabelsGate {
    required: Vec<String>,
    values: BTreeMap<String, Glob>,
}

impl GateDocument for LabelsDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        if self.required.is_empty() && self.values.is_empty() {
            place.problem("nothing is asked for", "name keys in `required` or in `values`");
        }
        let mut patterns = place.at("values");
        let mut values = BTreeMap::new();
        for (key, pattern) in &self.values {
            values.insert(key.clone(), patterns.at(key).parse(pattern)?);
        }
        Some(Box::new(LabelsGate { required: self.required.clone(), values }))
    }
}

impl Gate for LabelsGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let patterns = self.values.iter().map(|(key, glob)| format!("{key}={glob}"));
        let required = listed(self.required.iter().cloned().chain(patterns));
        let fix = "the image has no configuration that could be read";
        case.each(&required, |manifest| {
            when_known(&manifest.configuration, (&required, fix), |configuration| {
                self.verdict(configuration, [manifest, &case.facts.manifest], &required)
            })
        })
    }
}

impl LabelsGate {
    fn verdict(
        &self,
        configuration: &ConfigurationFacts,
        manifests: [&ManifestFacts; 2],
        required: &str,
    ) -> Judgement {
        let value = |key: &String| {
            let annotations = manifests.iter().map(|manifest| &manifest.annotations);
            let mut maps = std::iter::once(&configuration.labels).chain(annotations);
            maps.find_map(|map| map.get(key)).filter(|value| !value.trim().is_empty())
        };
        let missing = self.required.iter().chain(self.values.keys());
        let missing: Vec<&String> = missing.filter(|key| value(key).is_none()).collect();
        let other = self.values.iter().filter_map(|(key, glob)| {
            let value = value(key).filter(|value| !glob.covers(value))?;
            Some(format!("{key}={}", shortened(value)))
        });
        let other: Vec<String> = other.collect();
        if missing.is_empty() && other.is_empty() {
            return Judgement::allow("all are there", required);
        }
        let mut observed = Vec::new();
        if !missing.is_empty() {
            observed.push(format!("missing: {}", listed(missing)));
        }
        observed.extend(other);
        let fix = "build it with them: `docker build --label KEY=VALUE`";
        Judgement::deny(observed.join("; "), required, fix)
    }
}
