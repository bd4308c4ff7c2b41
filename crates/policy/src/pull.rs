//! What must be true of what is pulled. Nothing here stands in the way of signing or of looking at an
//! image: what is refused could then never become what it should be.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use plura_oci::{RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Pattern,
    document::{Governance, Place, few, shortened},
    facts::ImageFacts,
    gate::{Case, Effect, GateDecision, Rule},
};

/// What must be true of what is pulled, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyPull)]
pub struct PullDocument {
    /// What it is called.
    pub name: String,
    /// Patterns of the repositories that it is about.
    pub repositories: Vec<String>,
    /// Patterns of repositories that it is not about after all.
    #[serde(default)]
    pub except: Vec<String>,
    /// What must be true, by the names in `gates`.
    pub gates: Vec<String>,
    /// Whether what is not known yet may be pulled; it may not, if nothing is said.
    #[serde(default)]
    pub while_waiting: WhileWaiting,
}

/// Whether something may be done while a gate waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhileWaiting {
    /// It may.
    Allow,
    /// It may not.
    #[default]
    Deny,
}

/// Who reads, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// Somebody pulls it, perhaps by a tag.
    Pull {
        /// The tag.
        tag: Option<&'a Tag>,
    },
    /// Somebody looks whether it is there (`HEAD`) who may push to the repository: what signs does so.
    Lookup,
    /// It is about another manifest: a signature, an attestation, a bill of materials.
    Attached,
    /// The list of what is about a manifest is read.
    Referrers,
    /// Plura itself, or a scanner that it sends.
    Inspection,
}

/// A rule that was checked.
#[derive(Clone, Debug)]
pub(crate) struct PullRule {
    repositories: Vec<Pattern>,
    except: Vec<Pattern>,
    rules: Vec<Arc<Rule>>,
    while_waiting: WhileWaiting,
}

impl Purpose<'_> {
    /// Whether it is never refused.
    pub fn is_exempt(&self) -> bool {
        match self {
            Self::Pull { tag } => tag.is_some_and(crate::tags::is_attached),
            Self::Lookup | Self::Attached | Self::Referrers | Self::Inspection => true,
        }
    }
}

impl PullRule {
    fn covers(&self, repository: &RepositoryName) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|one| one.covers(repository));
        any(&self.repositories) && !any(&self.except)
    }
}

impl PullDocument {
    pub(crate) fn compile(
        &self,
        gates: &BTreeMap<String, Vec<Arc<Rule>>>,
        place: &mut Place<'_>,
    ) -> Option<PullRule> {
        let repositories: Vec<Pattern> = place.at("repositories").parse_all(&self.repositories);
        let except = place.at("except").parse_all(&self.except);
        if self.repositories.is_empty() {
            place.at("repositories").problem("about no repository", "`**` stands for all");
        }
        let mut at = place.at("gates");
        few(&self.gates, &mut at)?;
        let mut rules = Vec::new();
        for (index, name) in self.gates.iter().enumerate() {
            let mut at = at.item(index);
            let Some(set) = gates.get(name) else {
                let observed = format!("`{}` is not in `gates`", shortened(name));
                at.problem(observed, "define it there, or correct the name");
                continue;
            };
            if let Some(rule) = set.iter().find(|rule| rule.check.is_about_moves()) {
                let observed = format!("`{}` is about moves into channels", rule.path);
                at.problem(observed, "put what is asked of pulls into a set of its own");
            }
            rules.extend(set.iter().cloned());
        }
        if self.gates.is_empty() {
            at.problem("nothing is asked for", "name what must be true, or leave the rule out");
        }
        Some(PullRule { repositories, except, rules, while_waiting: self.while_waiting })
    }
}

impl Governance {
    /// Whether anything is asked of pulls from that repository, so that facts are needed.
    pub fn governs_pulls(&self, repository: &RepositoryName) -> bool {
        self.pulls.iter().any(|rule| rule.covers(repository))
    }

    /// Whether an image may be pulled, with every reason; yes, where nothing is asked.
    pub fn decide_pull(
        &self,
        facts: &ImageFacts,
        purpose: Purpose<'_>,
        now: Timestamp,
    ) -> GateDecision {
        let case = Case { facts, channel: None, now };
        let mut outcomes = Vec::new();
        // An exempt purpose asks nothing.
        let asked = |rule: &&PullRule| !purpose.is_exempt() && rule.covers(&facts.repository);
        for pull in self.pulls.iter().filter(asked) {
            for mut outcome in pull.rules.iter().flat_map(|rule| rule.outcomes(&case)) {
                if outcome.effect == Effect::Wait && pull.while_waiting == WhileWaiting::Allow {
                    outcome.effect = Effect::Allow;
                }
                outcomes.push(outcome);
            }
        }
        self.decision(&case, outcomes)
    }
}
