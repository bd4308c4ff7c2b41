use super::{Case, Gate, Judgement};

/// Nobody decided that the image must not be run. Every channel has this gate.
#[derive(Debug)]
pub(crate) struct BlockedGate;

impl Gate for BlockedGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let required = "not blocked";
        vec![match &case.facts.blocked {
            None => Judgement::allow("not blocked", required),
            Some(block) => Judgement::deny(
                format!("blocked by {} on {}: {}", block.by, block.at, block.reason),
                required,
                "promote another digest, or have whoever blocked it unblock it",
            ),
        }]
    }
}
