use serde::Serialize;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It may be done.
    Allow,
    /// It may not.
    Deny,
}

/// An answer with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// What was decided.
    pub effect: Effect,
    /// The rule that decided, as the operator knows it: a grant, a setting, a scope.
    pub rule: String,
    /// Why, in words.
    pub reason: String,
    /// What would have to change for another answer; for refusals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Decision {
    /// Yes.
    pub fn allow(rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { effect: Effect::Allow, rule: rule.into(), reason: reason.into(), fix: None }
    }

    /// No, and how that could be changed.
    pub fn deny(
        rule: impl Into<String>,
        reason: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let fix = Some(fix.into());
        Self { effect: Effect::Deny, rule: rule.into(), reason: reason.into(), fix }
    }

    /// Whether it may be done.
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }
}
