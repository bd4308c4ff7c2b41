use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::gate::{Effect, GateDecision, Outcome};

/// What is another answer than before: after another document, with another fact, at another time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionChange {
    /// The answer before.
    pub before: Effect,
    /// The answer now.
    pub after: Effect,
    /// The gates that answer something else, or were not asked before, or are not any more.
    pub outcomes: Vec<OutcomeChange>,
}

/// A gate that answers something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutcomeChange {
    /// The rule.
    pub rule: String,
    /// The platform, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What it answered; nothing where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Outcome>,
    /// What it answers; nothing where it is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Outcome>,
}

/// What tells outcomes of one decision apart. A gate may say several things about one platform, such as
/// one of each check; they keep their order.
type Key<'o> = (&'o str, Option<&'o str>, usize);

/// What is another answer in `after` than in `before`.
pub fn between(before: &GateDecision, after: &GateDecision) -> DecisionChange {
    let (old, new) = (keyed(&before.outcomes), keyed(&after.outcomes));
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    let changes = keys.filter_map(|key| {
        let (before, after) = (old.get(key).copied(), new.get(key).copied());
        let same = before.zip(after).is_some_and(|(before, after)| is_same(before, after));
        let (rule, platform, _) = key;
        (!same).then(|| OutcomeChange {
            rule: (*rule).to_owned(),
            platform: platform.map(str::to_owned),
            before: before.cloned(),
            after: after.cloned(),
        })
    });
    DecisionChange { before: before.effect, after: after.effect, outcomes: changes.collect() }
}

fn keyed(outcomes: &[Outcome]) -> BTreeMap<Key<'_>, &Outcome> {
    let mut keyed = BTreeMap::new();
    let mut counts: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for outcome in outcomes {
        let (rule, platform) = (outcome.rule.as_str(), outcome.platform.as_deref());
        let count = counts.entry((rule, platform)).or_default();
        keyed.insert((rule, platform, *count), outcome);
        *count += 1;
    }
    keyed
}

/// Whether they say the same; that they are worded in another way is no change.
fn is_same(before: &Outcome, after: &Outcome) -> bool {
    let answer = |outcome: &Outcome| (outcome.effect, outcome.mode);
    let wording = |outcome: &Outcome| (outcome.observed.clone(), outcome.required.clone());
    let allowed = before.effect == Effect::Allow;
    answer(before) == answer(after) && (allowed || wording(before) == wording(after))
}

impl DecisionChange {
    /// Whether the answer as a whole is another one.
    pub fn is_decisive(&self) -> bool {
        self.before != self.after
    }
}

impl fmt::Display for DecisionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_decisive() {
            write!(f, "{} becomes {}", self.before, self.after)?;
        } else {
            write!(f, "{} as before", self.after)?;
        }
        self.outcomes.iter().try_for_each(|change| write!(f, "\n{change}"))
    }
}

impl fmt::Display for OutcomeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule)?;
        if let Some(platform) = &self.platform {
            write!(f, " ({platform})")?;
        }
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before.effect != after.effect => {
                write!(f, ": {} becomes {}: {}", before.effect, after.effect, after.observed)
            }
            (Some(before), Some(after)) if before.mode != after.mode => {
                let (effect, observed) = (after.effect, &after.observed);
                write!(f, ": {effect}, {} becomes {}: {observed}", before.mode, after.mode)
            }
            (Some(_), Some(after)) => write!(f, ": {} as before: {}", after.effect, after.observed),
            (None, Some(after)) => write!(f, ": asked now: {}: {}", after.effect, after.observed),
            (Some(before), None) => write!(f, ": not asked any more; it was {}", before.effect),
            (None, None) => Ok(()),
        }
    }
}
