use std::fmt;

use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use super::RetentionRules;

/// What must not go, whatever the rules say.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// What channels point at, and what they did.
    pub history: Vec<History>,
    /// What else is needed.
    pub needed: Vec<Root>,
}

/// An image that a channel points at, or pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The channel, `environment:name`.
    pub channel: String,
    /// The image.
    pub digest: Digest,
    /// When the channel left it, in milliseconds since 1970; nothing while it is there.
    pub until: Option<i64>,
}

/// An image that is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Root {
    /// The image.
    pub digest: Digest,
    /// What for.
    pub kind: RootKind,
    /// Which one: the promotion, the cluster, the case.
    pub detail: String,
}

/// Why an image must not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootKind {
    /// It is, or was not long ago, what a channel points at.
    Channel,
    /// It is being promoted.
    Promotion,
    /// It runs somewhere.
    Running,
    /// Somebody holds it: an investigation, a dispute.
    Hold,
    /// It is what a channel would be rolled back to.
    Rollback,
}

impl fmt::Display for RootKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Channel => "in the history of a channel",
            Self::Promotion => "being promoted",
            Self::Running => "running",
            Self::Hold => "on hold",
            Self::Rollback => "the target of a rollback",
        })
    }
}

impl Roots {
    /// Everything that must not go at that time, by digest.
    pub(super) fn at(&self, rules: &RetentionRules, now: i64) -> Vec<Root> {
        let within = |history: &&History| {
            let Some(until) = history.until else { return true };
            let window = rules.channels.iter().find(|window| window.covers(&history.channel));
            window.is_none_or(|window| !window.span.is_over(until, now))
        };
        let history = self.history.iter().filter(within).map(|history| Root {
            digest: history.digest,
            kind: RootKind::Channel,
            detail: history.channel.clone(),
        });
        let mut roots: Vec<_> = history.chain(self.needed.iter().cloned()).collect();
        roots.sort_unstable();
        roots
    }
}
