//! Webhooks and deliveries as they are shown.

use plura_meta::{webhook::StoredWebhook, webhook_delivery::StoredDelivery};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Error, Form, instant};

/// Where events are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Webhook {
    /// What it is called, in its project or beside all.
    pub name: String,
    /// The project whose events it gets; without, those of everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The address, or the name of the secret that is one.
    pub address: String,
    /// How events are written.
    pub form: Form,
    /// Which events.
    pub events: Vec<String>,
    /// The name of the secret that signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<String>,
    /// The name of the secret that is sent as `Authorization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_secret: Option<String>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: jiff::Timestamp,
    /// By whom.
    pub created_by: String,
}

/// Webhooks, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Webhooks {
    /// The webhooks.
    pub webhooks: Vec<Webhook>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is still to be sent, or to be sent again.
    Waiting,
    /// It was accepted.
    Delivered,
    /// It was given up.
    Dead,
}

/// An event that is sent, was sent, or was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Delivery {
    /// The id of the event.
    pub id: i64,
    /// What happened.
    pub r#type: String,
    /// On what.
    pub subject: String,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was sent.
    pub attempts: u64,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i64>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: jiff::Timestamp,
    /// When it is sent next, if it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<jiff::Timestamp>,
    /// When it was accepted or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<jiff::Timestamp>,
}

/// A page of deliveries, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Deliveries {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// `before` of the next page, if there may be one.
    pub next: Option<i64>,
}

/// What a receiver answered to a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TestAnswer {
    /// Whether it was accepted.
    pub accepted: bool,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

/// What is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Replayed {
    /// How many deliveries.
    pub deliveries: u64,
}

impl Webhook {
    pub(crate) fn of(stored: StoredWebhook) -> Result<Self, Error> {
        let corrupt = |what: &str| {
            let message = format!("webhook.{what} of {} cannot be read", stored.id);
            Error::Metadata(plura_meta::Error::Corrupt(message))
        };
        Ok(Self {
            form: stored.form.parse().map_err(|_| corrupt("form"))?,
            events: serde_json::from_str(&stored.events).map_err(|_| corrupt("events"))?,
            name: stored.name,
            project: stored.project,
            address: stored.address,
            signing_secret: stored.signing_secret,
            authorization_secret: stored.authorization_secret,
            enabled: stored.enabled,
            created_at: instant(stored.created_at),
            created_by: stored.created_by,
        })
    }
}

impl Delivery {
    pub(crate) fn of(stored: StoredDelivery) -> Self {
        let state = match stored.state.as_str() {
            "delivered" => DeliveryState::Delivered,
            "dead" => DeliveryState::Dead,
            _ => DeliveryState::Waiting,
        };
        let waits = state == DeliveryState::Waiting;
        Self {
            id: stored.audit_id,
            r#type: stored.action,
            subject: stored.target,
            state,
            attempts: stored.attempts.unsigned_abs(),
            status: stored.status,
            error: stored.error,
            created_at: instant(stored.created_at),
            next_at: waits.then(|| instant(stored.next_at)),
            ended_at: stored.ended_at.map(instant),
        }
    }
}
