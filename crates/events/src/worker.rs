//! Turns entries of the audit into deliveries, and sends them, without being asked to wait.
//!
//! One process does it at a time. To each webhook goes one message at a time, the oldest first; one that
//! fails holds back those behind it until it is accepted or given up, and no other webhook.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use plura_meta::{
    Timestamp, Tx, audit, event, lease, project,
    webhook::{self, StoredWebhook},
    webhook_delivery::{self, Attempt, NextDelivery, State},
};
use plura_registry::{Progress, at_a_time, did, tell};
use tracing::{debug, error};

use crate::{
    Error, Event, EventPattern, Events, Form,
    form::Surroundings,
    schedule,
    send::{Message, Sent},
};

/// How often is looked for entries, and how often where there is no webhook.
const PAUSE: Duration = Duration::from_millis(250);
const LONG_PAUSE: Duration = Duration::from_secs(5);
/// Entries that are looked at together.
const ENTRIES: u32 = 500;
/// Entries without a delivery after which it is written down how far the audit was looked at.
const FAR: i64 = 5000;
/// Messages to one webhook in a turn.
const IN_A_TURN: usize = 100;
/// What is kept of what ended, for each webhook; and how many may wait.
const KEPT_DELIVERED: u32 = 1000;
const KEPT_DEAD: u32 = 10_000;
const MOST_WAITING: u32 = 100_000;
/// What is forgotten with one commit, and how often.
const FORGOTTEN: u32 = 5000;
const TIDY: Duration = Duration::from_mins(1);

/// The lease of who sends.
const LEASE: &str = "events";
const LEASE_LIFE: Duration = Duration::from_mins(1);
const LEASE_RENEWAL: Duration = Duration::from_secs(15);

/// What the worker remembers between looks.
struct Work {
    holder: String,
    /// Until when no other process sends, and when that is to be asked again.
    leads: bool,
    asked_at: Option<Instant>,
    tidied_at: Option<Instant>,
    /// How far the audit was looked at here.
    position: i64,
}

/// How a turn of a webhook ended.
enum Turn {
    /// There is more, at once.
    More,
    /// There is nothing to do before another look.
    Rests,
}

impl Events {
    /// How many webhooks are sent to at the same time, if nobody says something else.
    pub const AT_A_TIME: usize = 16;

    /// Sends what happens to webhooks, for ever.
    pub async fn watch(&self) {
        let mut work = Work::new();
        let mut sending = FuturesUnordered::new();
        let (mut busy, mut resting) = (HashSet::new(), HashSet::new());
        loop {
            let mut pause = PAUSE;
            match self.look(&mut work).await {
                Ok(Some(webhooks)) => {
                    tell(if webhooks.is_empty() { Progress::Rests } else { Progress::Works });
                    for webhook in webhooks {
                        let id = webhook.id;
                        if busy.len() < at_a_time(Self::AT_A_TIME)
                            && !resting.contains(&id)
                            && busy.insert(id)
                        {
                            sending.push(async move { (id, self.take_turn(webhook).await) });
                        }
                    }
                }
                Ok(None) => {
                    tell(Progress::Rests);
                    pause = LONG_PAUSE;
                }
                Err(error) => {
                    tell(Progress::Failed(error.to_string()));
                    error!(%error, "events cannot be sent; trying again");
                    pause = LONG_PAUSE;
                }
            }
            tokio::select! {
                Some((id, turn)) = sending.next() => {
                    busy.remove(&id);
                    if matches!(turn, Turn::Rests) {
                        resting.insert(id);
                    }
                }
                () = self.shared.asked.notified() => resting.clear(),
                () = tokio::time::sleep(pause) => resting.clear(),
            }
        }
    }

    /// How many deliveries wait.
    pub async fn waiting(&self) -> Result<u64, Error> {
        Ok(self.delivery_counts().await?.0)
    }

    /// How many deliveries wait, and how many were given up and can be sent again.
    pub async fn delivery_counts(&self) -> Result<(u64, u64), Error> {
        let mut connection = self.db().read().await?;
        let counts = webhook_delivery::count(&mut connection).await?;
        Ok((counts.waiting.unsigned_abs(), counts.dead.unsigned_abs()))
    }

    /// Makes deliveries of what is new; the webhooks for which something waits. Nothing, where there is no
    /// webhook, or another process sends.
    async fn look(&self, work: &mut Work) -> Result<Option<Vec<StoredWebhook>>, Error> {
        let mut connection = self.db().read().await?;
        if !webhook::all(&mut connection).await?.iter().any(|known| known.enabled) {
            return Ok(None);
        }
        drop(connection);
        if !self.leads(work).await? {
            return Ok(None);
        }
        while self.make_deliveries(work).await? {}
        let mut connection = self.db().read().await?;
        let waiting = webhook_delivery::webhooks_waiting(&mut connection).await?;
        let mut webhooks = webhook::all(&mut connection).await?;
        drop(connection);
        if work.tidied_at.is_none_or(|at| at.elapsed() >= TIDY) {
            self.tidy(&webhooks).await?;
            work.tidied_at = Some(Instant::now());
        }
        webhooks.retain(|webhook| waiting.contains(&webhook.id));
        Ok(Some(webhooks))
    }

    /// Whether this process sends. One that lost its lease without knowing sends what another sends, too:
    /// at least once, not exactly.
    async fn leads(&self, work: &mut Work) -> Result<bool, Error> {
        if !self.db().is_shared() {
            return Ok(true);
        }
        if work.asked_at.is_some_and(|at| at.elapsed() < LEASE_RENEWAL) {
            return Ok(work.leads);
        }
        let holder = work.holder.clone();
        let take = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            lease::take(tx, LEASE, &holder, now, now.after(LEASE_LIFE)).await
        };
        work.leads = self.db().write(move |tx| Box::pin(async move { take(tx).await })).await?;
        work.asked_at = Some(Instant::now());
        Ok(work.leads)
    }

    /// Makes deliveries of some entries of the audit; whether there may be more.
    async fn make_deliveries(&self, work: &mut Work) -> Result<bool, Error> {
        let mut connection = self.db().read().await?;
        let written = event::position(&mut connection).await?;
        work.position = work.position.max(written);
        let entries = audit::after(&mut connection, work.position, ENTRIES).await?;
        let Some(last) = entries.last().map(|last| last.id) else { return Ok(false) };
        let events: Vec<Event> = entries.iter().filter_map(Event::of).collect();
        // After the entries: a webhook that is made in between does not miss one behind its beginning.
        let webhooks = webhook::all(&mut connection).await?;
        drop(connection);
        let wanted: Vec<(i64, Vec<i64>)> = webhooks
            .iter()
            .filter(|webhook| webhook.enabled)
            .map(|webhook| (webhook.id, wanted(webhook, &events)))
            .filter(|(_, wanted)| !wanted.is_empty())
            .collect();
        if !wanted.is_empty() || last - written >= FAR {
            let write = async move |tx: &mut Tx| {
                for (webhook, entries) in wanted {
                    webhook_delivery::add(tx, webhook, &entries, Timestamp::now()).await?;
                }
                event::advance(tx, last).await
            };
            self.db().write(move |tx| Box::pin(async move { write(tx).await })).await?;
        }
        work.position = last;
        Ok(entries.len() == ENTRIES as usize)
    }

    /// Sends to a webhook what waits for it, the oldest first.
    async fn take_turn(&self, webhook: StoredWebhook) -> Turn {
        for _ in 0..IN_A_TURN {
            match self.send_next(&webhook).await {
                Ok(true) => did(1).await,
                Ok(false) => return Turn::Rests,
                Err(error) => {
                    error!(%error, webhook = webhook.name, "cannot send; trying again");
                    return Turn::Rests;
                }
            }
        }
        Turn::More
    }

    /// Sends what is next, if it is time; whether what is behind it may be sent now.
    async fn send_next(&self, webhook: &StoredWebhook) -> Result<bool, Error> {
        let mut connection = self.db().read().await?;
        let next = webhook_delivery::next(&mut connection, webhook.id).await?;
        let Some(next) = next.filter(|next| next.next_at <= Timestamp::now()) else {
            return Ok(false);
        };
        let project = project::find(&mut connection, &next.entry.project).await?;
        drop(connection);
        let is_public = project.is_some_and(|project| project.is_public);
        let sent = match self.message(webhook, &next, is_public)? {
            Some(message) => self.send(webhook, message).await,
            // A later version may not tell of what an earlier one did.
            None => Sent::nothing(),
        };
        self.record(webhook, &next, sent).await
    }

    fn message(
        &self,
        webhook: &StoredWebhook,
        next: &NextDelivery,
        is_public: bool,
    ) -> Result<Option<Message>, Error> {
        let form: Form = webhook.form.parse()?;
        let Some(event) = Event::of(&next.entry) else { return Ok(None) };
        let settings = &self.shared.settings;
        let surroundings =
            Surroundings { host: &settings.host, source: &settings.source, is_public };
        let Some(body) = form.write(&event, &surroundings) else { return Ok(None) };
        let id = format!("{}-{}", webhook.id, event.id);
        let request = next.entry.request_id.clone();
        Ok(Some(Message { kind: event.r#type, id, request, body }))
    }

    async fn record(
        &self,
        webhook: &StoredWebhook,
        next: &NextDelivery,
        sent: Sent,
    ) -> Result<bool, Error> {
        let now = Timestamp::now();
        let (state, next_at) = schedule::after(sent.ending, next.attempts, next.created_at, now);
        let (name, id, status) = (&webhook.name, next.entry.id, sent.status);
        debug!(webhook = name, event = id, ?status, state = state.as_str(), took = ?sent.took, "sent");
        let key = (webhook.id, id);
        let write = async move |tx: &mut Tx| {
            let (status, error) = (status.map(i64::from), sent.error.as_deref());
            let attempt = Attempt { state, status, error, next_at };
            webhook_delivery::record(tx, key, &attempt, now).await
        };
        self.db().write(move |tx| Box::pin(async move { write(tx).await })).await?;
        Ok(state != State::Waiting)
    }

    /// Forgets what ended long ago, and gives up what nobody will ever take.
    async fn tidy(&self, webhooks: &[StoredWebhook]) -> Result<(), Error> {
        for webhook in webhooks {
            let id = webhook.id;
            let write = async move |tx: &mut Tx| {
                let now = Timestamp::now();
                webhook_delivery::give_up(tx, id, (MOST_WAITING, FORGOTTEN), now).await?;
                for (state, kept) in [(State::Delivered, KEPT_DELIVERED), (State::Dead, KEPT_DEAD)]
                {
                    webhook_delivery::forget(tx, id, state, (kept, FORGOTTEN)).await?;
                }
                Ok::<_, plura_meta::Error>(())
            };
            self.db().write(move |tx| Box::pin(async move { write(tx).await })).await?;
        }
        Ok(())
    }
}

impl Work {
    fn new() -> Self {
        let holder = uuid::Uuid::now_v7().to_string();
        Self { holder, leads: false, asked_at: None, tidied_at: None, position: 0 }
    }
}

/// Those of the events that a webhook gets.
fn wanted(webhook: &StoredWebhook, events: &[Event]) -> Vec<i64> {
    let patterns: Vec<String> = serde_json::from_str(&webhook.events).unwrap_or_default();
    let patterns: Vec<EventPattern> =
        patterns.iter().filter_map(|pattern| pattern.parse().ok()).collect();
    let Ok(form) = webhook.form.parse::<Form>() else { return Vec::new() };
    let is_wanted = |event: &&Event| {
        let here = webhook.project.is_none() || webhook.project == event.project;
        let asked = patterns.iter().any(|pattern| pattern.matches(&event.r#type));
        event.id > webhook.starts_after && here && asked && form.has(event)
    };
    events.iter().filter(is_wanted).map(|event| event.id).collect()
}
