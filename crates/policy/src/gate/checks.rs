use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{BaseImages, Place},
    facts::{CheckResult, CheckState},
    glob::Glob,
    time_span::TimeSpan,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, listed};

/// What is tested elsewhere went well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ChecksGate)]
pub struct ChecksDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// The checks, by name. The last result of each counts.
    pub required: Vec<String>,
    /// Patterns of those whose results count; everybody's who may post them, if there are none.
    pub by: Vec<String>,
    /// For how long a result counts.
    pub max_age: Option<String>,
}

#[derive(Debug)]
struct ChecksGate {
    required: Vec<String>,
    by: Vec<Glob>,
    max_age: Option<TimeSpan>,
}

impl GateDocument for ChecksDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        if self.required.is_empty() || self.required.iter().any(|name| name.trim().is_empty()) {
            place
                .at("required")
                .problem("a check without a name", "name each check, such as `smoke`");
        }
        let by = place.at("by").parse_all(&self.by);
        let max_age = place.span("max_age", self.max_age.as_ref());
        Some(Box::new(ChecksGate { required: self.required.clone(), by, max_age }))
    }
}

impl Gate for ChecksGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        self.required.iter().map(|name| self.verdict(name, case)).collect()
    }

    fn is_about_moves(&self) -> bool {
        true
    }
}

impl ChecksGate {
    fn verdict(&self, name: &str, case: &Case<'_>) -> Judgement {
        let by = match self.by.as_slice() {
            [] => String::new(),
            globs => format!(", posted by {}", listed(globs.iter().map(Glob::as_str))),
        };
        let required = match self.max_age {
            Some(age) => format!("`{name}` succeeded at most {age} ago{by}"),
            None => format!("`{name}` succeeded{by}"),
        };
        let fix = format!("run `{name}` and post its result");
        let Some(last) = self.last(name, case) else {
            return Judgement::wait(format!("`{name}` has no result yet"), required, fix);
        };
        let observed = format!("`{name}` is {} since {}", words(last.state), last.at);
        let end = self.max_age.map(|age| age.after(last.at));
        match last.state {
            CheckState::Success if end.is_some_and(|end| end <= case.now) => {
                Judgement::wait(format!("{observed}, which is too long ago"), required, fix)
            }
            CheckState::Success => Judgement::allow(observed, required).until(end),
            CheckState::Pending => Judgement::wait(observed, required, "wait for its result"),
            CheckState::Failure => {
                let fix = format!("find out why `{name}` failed; then run it again");
                Judgement::deny(observed, required, fix)
            }
        }
    }

    /// The last result; of several at one time, the worst.
    fn last<'a>(&self, name: &str, case: &Case<'a>) -> Option<&'a CheckResult> {
        let by = |one: &&CheckResult| {
            self.by.is_empty() || self.by.iter().any(|glob| glob.covers(&one.by))
        };
        let named = case.facts.checks.iter().filter(|one| one.name == name && one.at <= case.now);
        named.filter(by).max_by_key(|one| (one.at, severity(one.state)))
    }
}

fn severity(state: CheckState) -> u8 {
    match state {
        CheckState::Success => 0,
        CheckState::Pending => 1,
        CheckState::Failure => 2,
    }
}

fn words(state: CheckState) -> &'static str {
    match state {
        CheckState::Success => "successful",
        CheckState::Failure => "failing",
        CheckState::Pending => "running",
    }
}
