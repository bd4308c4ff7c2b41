//! Events for those who follow: pages of what happened, and what happens as it does.

use std::time::Duration;

use plura_meta::{
    Timestamp,
    audit::{self, Entry},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::Instant};
use utoipa::{IntoParams, ToSchema};

use crate::{Error, Event, EventPattern, Events};

/// How often is looked for news, while somebody follows.
const PAUSE: Duration = Duration::from_millis(250);
/// How long nothing is said at most.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long somebody is told without being asked again who they are.
const LONGEST: Duration = Duration::from_mins(5);
/// Entries that are read at a time.
const ENTRIES: u32 = 500;
/// Entries of a page, if nobody says, and at most.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;
/// Looks into the audit for one page.
const LOOKS: u32 = 20;

/// Which events are wanted; what is not given does not narrow.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Those of this project.
    #[param(value_type = Option<String>)]
    pub project: Option<String>,
    /// Those of this type, `tag.set`, or of this family, `tag.*`.
    pub r#type: Option<String>,
    /// Not before: an instant in RFC 3339.
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<String>,
    /// Behind the event of this id.
    #[param(minimum = 0)]
    pub after: Option<i64>,
    /// At most this many: 100 if not given. A stream has no end.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// A page of events, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// `after` of the next page, if there may be one.
    pub next: Option<i64>,
}

/// Which entries somebody is told of.
#[derive(Clone, Debug)]
struct Wanted {
    project: Option<String>,
    kinds: Option<EventPattern>,
}

/// Somebody who is told of what happens.
#[derive(Debug)]
pub struct Follower {
    events: Events,
    wanted: Wanted,
    position: i64,
    newest: watch::Receiver<i64>,
    closing: watch::Receiver<bool>,
    ends: Instant,
}

impl Events {
    /// What happened, the oldest first.
    pub async fn page(&self, query: &EventQuery) -> Result<EventPage, Error> {
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return Err(Error::invalid("limit", format!("expected 1 to {LARGEST_PAGE}")));
        }
        let wanted = Wanted::of(query)?;
        let mut position = self.beginning(query).await?.unwrap_or(0);
        let (mut events, limit) = (Vec::new(), limit as usize);
        for _ in 0..LOOKS {
            let entries = self.entries(&wanted, position).await?;
            let ended = entries.len() < ENTRIES as usize;
            for entry in &entries {
                position = entry.id;
                events.extend(wanted.event(entry));
                if events.len() == limit {
                    return Ok(EventPage { events, next: Some(position) });
                }
            }
            if ended {
                return Ok(EventPage { events, next: None });
            }
        }
        Ok(EventPage { events, next: Some(position) })
    }

    /// Follows what happens: behind the event `last` that somebody has, or as the query says, or from now
    /// on.
    pub async fn follow(&self, query: &EventQuery, last: Option<i64>) -> Result<Follower, Error> {
        let wanted = Wanted::of(query)?;
        let newest = self.shared.newest.subscribe();
        let position = match last {
            Some(last) => last,
            None => match self.beginning(query).await? {
                Some(position) => position,
                None => audit::newest(&mut self.db().read().await?).await?,
            },
        };
        let closing = self.shared.closing.subscribe();
        let ends = Instant::now() + LONGEST;
        Ok(Follower { events: self.clone(), wanted, position, newest, closing, ends })
    }

    /// Looks for news as long as somebody follows, for ever.
    pub async fn watch_followed(&self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            if self.shared.newest.receiver_count() == 0 {
                continue;
            }
            match self.newest().await {
                Ok(newest) => {
                    self.shared
                        .newest
                        .send_if_modified(|known| std::mem::replace(known, newest) != newest);
                }
                Err(error) => tracing::error!(%error, "cannot look for events; trying again"),
            }
        }
    }

    async fn newest(&self) -> Result<i64, Error> {
        Ok(audit::newest(&mut self.db().read().await?).await?)
    }

    /// Where a query begins, if it says so.
    async fn beginning(&self, query: &EventQuery) -> Result<Option<i64>, Error> {
        if let Some(after) = query.after {
            if after < 0 {
                return Err(Error::invalid("after", "expected the id of an event, 0 or more"));
            }
            return Ok(Some(after));
        }
        let Some(since) = &query.since else { return Ok(None) };
        let since: jiff::Timestamp = since
            .parse()
            .map_err(|_| Error::invalid("since", "expected an instant as 2026-01-31T12:00:00Z"))?;
        let since = Timestamp(since.as_millisecond());
        Ok(Some(audit::position_before(&mut self.db().read().await?, since).await?))
    }

    async fn entries(&self, wanted: &Wanted, position: i64) -> Result<Vec<Entry>, Error> {
        let mut connection = self.db().read().await?;
        Ok(match &wanted.project {
            Some(project) => {
                audit::after_in_project(&mut connection, project, position, ENTRIES).await?
            }
            None => audit::after(&mut connection, position, ENTRIES).await?,
        })
    }
}

impl Follower {
    /// The id of the last entry that was looked at.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// What happened since, as soon as something did; nothing, after a while in which nothing did. `None`
    /// is the end: who wants more asks again.
    pub async fn next(&mut self) -> Result<Option<Vec<Event>>, Error> {
        let heartbeat = Instant::now() + HEARTBEAT;
        loop {
            if *self.closing.borrow() || Instant::now() >= self.ends {
                return Ok(None);
            }
            // Seen before it is read, so that what comes in between is looked for again.
            self.newest.borrow_and_update();
            let entries = self.events.entries(&self.wanted, self.position).await?;
            if let Some(last) = entries.last() {
                self.position = last.id;
                let events: Vec<Event> =
                    entries.iter().filter_map(|entry| self.wanted.event(entry)).collect();
                if events.is_empty() {
                    continue;
                }
                return Ok(Some(events));
            }
            tokio::select! {
                changed = self.newest.changed() => if changed.is_err() { return Ok(None) },
                _ = self.closing.changed() => {}
                () = tokio::time::sleep_until(heartbeat.min(self.ends)) => {
                    if Instant::now() >= heartbeat {
                        return Ok(Some(Vec::new()));
                    }
                }
            }
        }
    }
}

impl Wanted {
    fn of(query: &EventQuery) -> Result<Self, Error> {
        let kinds = query.r#type.as_deref().map(str::parse).transpose();
        let kinds = kinds.map_err(|error: crate::pattern::ParseEventPatternError| {
            Error::invalid("type", error.to_string())
        })?;
        Ok(Self { project: query.project.clone(), kinds })
    }

    fn event(&self, entry: &Entry) -> Option<Event> {
        let event = Event::of(entry)?;
        let wanted = self.kinds.as_ref().is_none_or(|kinds| kinds.matches(&event.r#type));
        wanted.then_some(event)
    }
}
