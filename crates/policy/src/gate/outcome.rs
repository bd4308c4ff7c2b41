use std::fmt;

use jiff::Timestamp;
use plura_oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ChannelName;

/// What a gate answers, from the laxest to the strictest.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[schema(as = GateEffect)]
pub enum Effect {
    /// It may be done.
    Allow,
    /// Not yet: something is expected to come, or a time to pass.
    Wait,
    /// It may not, unless somebody changes something.
    Deny,
}

/// Whether a gate decides, or only says what it would decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = GateMode)]
pub enum Mode {
    /// It decides.
    #[default]
    Enforce,
    /// It only says.
    Warn,
}

/// What one gate answers, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GateOutcome)]
pub struct Outcome {
    /// The kind of gate: `vulnerabilities`.
    pub gate: String,
    /// The rule, by its place in the document: `gates.production.vulnerabilities`.
    pub rule: String,
    /// What it answers.
    pub effect: Effect,
    /// Whether that decides.
    pub mode: Mode,
    /// Which of an index's platforms it is about, if it is not about the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What was found.
    pub observed: String,
    /// What is asked for.
    pub required: String,
    /// What would change the answer; for those that are not yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// When time alone changes the answer, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
}

/// What all gates answer together: whether a digest may be where it is asked for, with every reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GateDecision {
    /// The repository.
    #[schema(value_type = String)]
    pub repository: RepositoryName,
    /// The manifest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The channel; nothing where it is asked whether it may be pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub channel: Option<ChannelName>,
    /// The answer: the strictest of the gates that decide.
    pub effect: Effect,
    /// What each gate answers, in the order of the document.
    pub outcomes: Vec<Outcome>,
    /// When time alone may change the answer, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// When it was decided.
    #[schema(value_type = String)]
    pub decided_at: Timestamp,
    /// The SHA-256 of the document.
    #[schema(value_type = String)]
    pub policy: Digest,
    /// The SHA-256 of the facts.
    #[schema(value_type = String)]
    pub facts: Digest,
}

impl Effect {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Wait => "wait",
            Self::Deny => "deny",
        }
    }
}

impl Outcome {
    /// What it adds to the decision: nothing, if it only says.
    pub fn weight(&self) -> Effect {
        match self.mode {
            Mode::Enforce => self.effect,
            Mode::Warn => Effect::Allow,
        }
    }

    /// Whether it stands in the way.
    pub fn is_blocking(&self) -> bool {
        self.weight() != Effect::Allow
    }

    /// Whether it would stand in the way, if it decided.
    pub fn is_warning(&self) -> bool {
        self.mode == Mode::Warn && self.effect != Effect::Allow
    }
}

impl GateDecision {
    /// The strictest of what decides; yes, where nothing does.
    pub fn effect_of(outcomes: &[Outcome]) -> Effect {
        outcomes.iter().map(Outcome::weight).max().unwrap_or(Effect::Allow)
    }

    /// Whether it may be done.
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }

    /// What stands in the way.
    pub fn blocking(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.is_blocking())
    }

    /// What would stand in the way, if it decided.
    pub fn warnings(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.is_warning())
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
        })
    }
}

/// One line, and one more for what to do.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_warning() { "warn" } else { self.effect.as_str() };
        write!(f, "{word:<5} {}", self.rule)?;
        if let Some(platform) = &self.platform {
            write!(f, " ({platform})")?;
        }
        write!(f, ": {}; required: {}", self.observed, self.required)?;
        if let Some(until) = &self.until {
            write!(f, "; until {until}")?;
        }
        match &self.fix {
            Some(fix) => write!(f, "\n      fix: {fix}"),
            None => Ok(()),
        }
    }
}

/// The answer in one line, and each gate in those that follow, what stands in the way first.
impl fmt::Display for GateDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = format!("{}@{}", self.repository, self.digest);
        match (&self.channel, self.effect) {
            (Some(channel), Effect::Allow) => write!(f, "{what} may be in {channel}")?,
            (Some(channel), Effect::Wait) => write!(f, "{what} may not be in {channel} yet")?,
            (Some(channel), Effect::Deny) => write!(f, "{what} may not be in {channel}")?,
            (None, Effect::Allow) => write!(f, "{what} may be pulled")?,
            (None, Effect::Wait) => write!(f, "{what} may not be pulled yet")?,
            (None, Effect::Deny) => write!(f, "{what} may not be pulled")?,
        }
        if let Some(until) = &self.until {
            write!(f, " (until {until})")?;
        }
        let mut outcomes: Vec<&Outcome> = self.outcomes.iter().collect();
        outcomes.sort_by_key(|outcome| std::cmp::Reverse((outcome.weight(), outcome.effect)));
        outcomes.into_iter().try_for_each(|outcome| write!(f, "\n{outcome}"))
    }
}
