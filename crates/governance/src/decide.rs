//! Deciding whether an image may be in a channel, from what is in force and what is known now.

use std::sync::Arc;

use jiff::Timestamp;
use plura_oci::{Reference, RepositoryName};
use plura_policy::{
    ChannelName,
    facts::ImageFacts,
    gate::{Effect, GateDecision, Mode, Outcome},
};

use crate::{Cause, Error, Governance, InForce, PackedDecision, in_force::Freeze, instant};

/// What was decided, from what.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The answer, with every reason.
    pub decision: GateDecision,
    /// What was known.
    pub facts: ImageFacts,
    /// The version of the document.
    pub version: i64,
    /// The document, and what else was in force.
    pub in_force: Arc<InForce>,
}

impl Governance {
    /// Whether an image may be moved into a channel, with every reason.
    pub async fn decide(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        channel: &ChannelName,
    ) -> Result<Decided, Error> {
        let in_force = self.in_force().await?;
        let facts = self.facts(repository, reference).await?;
        let mut decision = in_force.decide(&facts, channel, now())?;
        add(&mut decision, self.held(&in_force, repository, channel).await?);
        Ok(Decided { decision, facts, version: in_force.version, in_force })
    }

    /// The same, if there were an exception for a vulnerability.
    pub async fn decide_if_excepted(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        channel: &ChannelName,
        vulnerability: &str,
    ) -> Result<Decided, Error> {
        let in_force = self.in_force().await?;
        let facts = self.facts(repository, reference).await?;
        let facts = facts.with_exception(vulnerability, Timestamp::MAX);
        let mut decision = in_force.decide(&facts, channel, now())?;
        add(&mut decision, self.held(&in_force, repository, channel).await?);
        Ok(Decided { decision, facts, version: in_force.version, in_force })
    }
}

impl Decided {
    /// What was decided and what from, to be kept.
    pub(crate) fn packed(&self, cause: Cause) -> Option<PackedDecision> {
        PackedDecision::of(&self.decision, &self.facts, cause)
    }
}

impl InForce {
    /// Whether an image may be moved into a channel: what the document says, and freezes beside it.
    pub fn decide(
        &self,
        facts: &ImageFacts,
        channel: &ChannelName,
        now: Timestamp,
    ) -> Result<GateDecision, Error> {
        let mut decision = self.governance.decide(facts, channel, now)?;
        let name = channel.to_string();
        let frozen = self.freezes.iter().filter(|freeze| freeze.channels.covers(&name));
        add(&mut decision, frozen.filter_map(|freeze| freeze.outcome(now)));
        Ok(decision)
    }

    /// Whether an image that is in a channel still satisfies what is asked of images there.
    pub fn verify(
        &self,
        facts: &ImageFacts,
        channel: &ChannelName,
        now: Timestamp,
    ) -> Result<GateDecision, Error> {
        Ok(self.governance.verify(facts, channel, now)?)
    }
}

/// The time, as rows have it.
fn now() -> Timestamp {
    instant(plura_meta::Timestamp::now())
}

/// Adds what others say about a move, so that it is decided with the rest.
pub(crate) fn add(decision: &mut GateDecision, outcomes: impl IntoIterator<Item = Outcome>) {
    decision.outcomes.extend(outcomes);
    decision.effect = GateDecision::effect_of(&decision.outcomes);
    decision.until = decision.outcomes.iter().filter_map(|outcome| outcome.until).min();
}

impl Freeze {
    /// What it says; nothing when it is over.
    fn outcome(&self, now: Timestamp) -> Option<Outcome> {
        if now >= self.ends_at {
            return None;
        }
        let begun = now >= self.begins_at;
        let Self { id, reason, author, begins_at, ends_at, .. } = self;
        Some(Outcome {
            gate: "freeze".to_owned(),
            rule: format!("freeze {id}"),
            effect: if begun { Effect::Wait } else { Effect::Allow },
            mode: Mode::Enforce,
            platform: None,
            observed: if begun {
                format!("frozen until {ends_at} by {author}: {reason}")
            } else {
                format!("frozen from {begins_at} by {author}: {reason}")
            },
            required: "outside of the freeze".to_owned(),
            fix: begun.then(|| format!("promote it then, or end it: `plura reg unfreeze {id}`")),
            until: Some(if begun { *ends_at } else { *begins_at }),
        })
    }
}
