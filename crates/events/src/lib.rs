//! What happens, told to others: sent to webhooks, and followed.
//!
//! The audit is the outbox. Every change writes its row there in its own transaction, in the order of
//! commits, and rows stay; so an event is a row of a family that is told of, and a change pays nothing
//! for being told. A worker turns rows into deliveries in one transaction with how far it looked, and
//! sends them: at least once, and to each webhook in their order.

mod address;
mod answer;
mod catalogue;
mod error;
mod event;
mod follow;
mod form;
mod jobs;
mod pattern;
mod schedule;
mod secret;
mod send;
mod signature;
mod target;
mod webhooks;
mod worker;

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use plura_registry::Registry;
use tokio::sync::{Notify, watch};

pub use answer::{Deliveries, Delivery, DeliveryState, Replayed, TestAnswer, Webhook, Webhooks};
pub use error::Error;
pub use event::{Event, EventActor};
pub use follow::{EventPage, EventQuery, Follower};
pub use form::Form;
pub use jobs::{Job, JobKind, JobProgress, JobState, Jobs, JobsPage};
pub use pattern::EventPattern;
pub use plura_meta::{Timestamp, audit::Origin};
pub use webhooks::{DeliveryQuery, NewWebhook};

/// How events are told.
#[derive(Clone)]
pub struct Settings {
    /// The host, and port, by which clients know this registry.
    pub host: String,
    /// The address by which events say where they are from.
    pub source: String,
    /// Addresses that webhooks may have although they are not everybody's.
    pub is_allowed: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// The directory of the secrets that webhooks may name, if there is one.
    pub secrets: Option<PathBuf>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("host", &self.host).finish_non_exhaustive()
    }
}

/// The events of an installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    settings: Settings,
    sender: send::Sender,
    /// Told when there may be something to send.
    asked: Notify,
    /// The newest entry of the audit that was seen, while somebody follows.
    newest: watch::Sender<i64>,
    /// Whether followers are to go.
    closing: watch::Sender<bool>,
}

impl Events {
    /// The events of what the registry holds.
    pub fn new(registry: Registry, settings: Settings) -> Result<Self, Error> {
        let shared = Shared {
            sender: send::Sender::new(Arc::clone(&settings.is_allowed))?,
            registry,
            settings,
            asked: Notify::new(),
            newest: watch::Sender::new(0),
            closing: watch::Sender::new(false),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Lets all who follow go: they come back to whoever is there then.
    pub fn close(&self) {
        self.shared.closing.send_replace(true);
    }

    /// Lets deliveries be looked for at once.
    fn ask(&self) {
        self.shared.asked.notify_one();
    }

    fn db(&self) -> &plura_meta::Db {
        self.shared.registry.database()
    }
}

/// An instant as people and documents write it.
fn instant(timestamp: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(timestamp.0).unwrap_or(jiff::Timestamp::MAX)
}
