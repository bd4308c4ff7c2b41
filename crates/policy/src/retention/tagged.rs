//! What the rules say about one tag, or about one image without tags.

use super::{
    Cause, ManifestFacts,
    graph::{Graph, GraphTag},
    rules::{Expire, KeepIf},
    span::Span,
};

/// When something happened to a tag or an image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// It was pushed, or tagged, or lost its last tag: what came last.
    pub(super) pushed: i64,
    pub(super) pulled: Option<i64>,
}

impl Times {
    pub(super) fn active(self) -> i64 {
        self.pulled.map_or(self.pushed, |pulled| pulled.max(self.pushed))
    }
}

/// A tag is as new as what it points at, and as much in use.
pub(super) fn times_of_tag(graph: &Graph<'_>, tag: &GraphTag<'_>) -> Times {
    let manifest = tag.manifest.map(|place| graph.manifests[place as usize]);
    let pushed = manifest.map_or(tag.facts.tagged_at, |m| m.pushed_at.max(tag.facts.tagged_at));
    let pulled = manifest.and_then(|manifest| manifest.pulled_at).max(tag.facts.pulled_at);
    Times { pushed, pulled }
}

pub(super) fn times_of_manifest(manifest: &ManifestFacts) -> Times {
    let pushed = manifest.untagged_at.map_or(manifest.pushed_at, |at| at.max(manifest.pushed_at));
    Times { pushed, pulled: manifest.pulled_at }
}

/// Whether the condition keeps it; `newest` is the answer to the question for the newest.
pub(super) fn keeps(condition: &KeepIf, times: Times, newest: bool, now: i64) -> bool {
    let within = |span: &Span, since: i64| !span.is_over(since, now);
    match condition {
        KeepIf::Always => true,
        KeepIf::Newest(..) => newest,
        KeepIf::PushedWithin(span) => within(span, times.pushed),
        KeepIf::PulledWithin(span) => times.pulled.is_some_and(|pulled| within(span, pulled)),
        KeepIf::ActiveWithin(span) => within(span, times.active()),
    }
}

/// Why the rule lets it go, if it does.
pub(super) fn expires(rule: &Expire, times: Times, now: i64) -> Option<Cause> {
    let over = |span: Option<Span>, since: i64| span.is_none_or(|span| span.is_over(since, now));
    if !over(rule.older_than, times.pushed) || !over(rule.idle, times.active()) {
        return None;
    }
    Some(match (rule.idle, rule.older_than) {
        (Some(span), _) => Cause::Idle { since: times.active(), limit: span.to_string() },
        (None, Some(span)) => Cause::Old { since: times.pushed, limit: span.to_string() },
        (None, None) => Cause::NotKept,
    })
}
