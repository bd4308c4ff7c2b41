use std::{collections::BTreeMap, time::Instant};

use plura_meta::{
    Timestamp,
    audit::{Event, Origin, Outcome},
};
use serde_json::json;

use crate::{lockout::Prefix, time};

/// What was refused to one address, or to all for which there was no room.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) begun: Instant,
    since: Timestamp,
    /// Different denials that were written down, one by one.
    pub(super) rows: u32,
    /// Those beyond.
    pub(super) beyond: u64,
    /// The same by what was asked for.
    actions: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn begin(now: Instant) -> Self {
        let (rows, beyond, actions) = (0, 0, BTreeMap::new());
        Self { begun: now, since: Timestamp::now(), rows, beyond, actions }
    }

    pub(super) fn count(&mut self, action: &'static str) {
        self.beyond += 1;
        *self.actions.entry(action).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: Self) {
        self.beyond += other.beyond;
        for (action, count) in other.actions {
            *self.actions.entry(action).or_default() += count;
        }
    }

    /// All that was not written down one by one.
    pub(super) fn row(&self, place: Option<&Prefix>) -> (Origin, Event) {
        let origin = Origin {
            actor_kind: "anonymous".to_owned(),
            actor: "anonymous".to_owned(),
            address: place.map(ToString::to_string).unwrap_or_default(),
            ..Origin::system()
        };
        let reason = "more different requests were refused than are written down one by one";
        let detail = json!({
            "reason": reason,
            "count": self.beyond,
            "since": time::rfc3339(self.since),
            "actions": self.actions,
        });
        let event = Event {
            outcome: Outcome::Denied,
            rule: "many denials".to_owned(),
            detail: detail.to_string(),
            ..Event::done("request.deny", "")
        };
        (origin, event)
    }
}
