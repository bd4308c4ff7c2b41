//! Use cases about webhooks.

use plura_meta::{
    ProjectId, Timestamp, Tx,
    audit::{self, Event as AuditEvent, Origin},
    event, project,
    webhook::{self, StoredWebhook},
    webhook_delivery::{self, State},
};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::{
    Deliveries, Delivery, DeliveryState, Error, EventPattern, Events, Form, Replayed, TestAnswer,
    Webhook, Webhooks, form::Body, schedule::Ending, secret::SecretName, send::Message, target,
};

/// The most webhooks of a project, and of everything.
const MOST: usize = 50;
/// The most patterns of a webhook.
const MOST_PATTERNS: usize = 32;
/// The longest name.
const LONGEST_NAME: usize = 64;
/// Deliveries of a page, if nobody says, and at most.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;

/// A webhook to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWebhook {
    /// What it is called.
    pub name: String,
    /// The address, or the name of the secret that is one.
    pub address: String,
    /// How events are written.
    pub form: Form,
    /// Which events; all that the form has, if there is none.
    pub events: Vec<EventPattern>,
    /// The name of the secret that signs.
    pub signing_secret: Option<String>,
    /// The name of the secret that is sent as `Authorization`.
    pub authorization_secret: Option<String>,
}

/// Which deliveries are wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DeliveryQuery {
    /// Those in this state.
    #[param(value_type = Option<String>, pattern = "^(waiting|delivered|dead)$")]
    pub state: Option<DeliveryState>,
    /// Older than that of the event of this id.
    pub before: Option<i64>,
    /// At most this many: 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

impl Events {
    /// The webhooks of a project, or of everything.
    pub async fn webhooks(&self, project: Option<&str>) -> Result<Webhooks, Error> {
        let mut connection = self.db().read().await?;
        let realm = realm(&mut connection, project).await?;
        let stored = webhook::of_project(&mut connection, realm).await?;
        let webhooks = stored.into_iter().map(Webhook::of).collect::<Result<_, _>>()?;
        Ok(Webhooks { webhooks })
    }

    /// Makes a webhook. What happens from now on is sent to it.
    pub async fn add_webhook(
        &self,
        origin: &Origin,
        project: Option<&str>,
        new: NewWebhook,
    ) -> Result<Webhook, Error> {
        check(&new, project)?;
        let (origin, project) = (origin.clone(), project.map(str::to_owned));
        let work = async move |tx: &mut Tx| {
            let project = project.as_deref();
            let realm = realm(tx, project).await?;
            let there = webhook::of_project(tx, realm).await?;
            if there.len() >= MOST {
                return Err(Error::TooMany(MOST));
            }
            if there.iter().any(|known| known.name == new.name) {
                return Err(Error::WebhookExists(new.name));
            }
            add(tx, &origin, realm, project, &new).await?;
            let there = webhook::of_project(tx, realm).await?;
            let made = there.into_iter().find(|known| known.name == new.name);
            Webhook::of(made.ok_or(Error::WebhookUnknown(new.name))?)
        };
        let made = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.ask();
        Ok(made)
    }

    /// Sends to a webhook from now on, or nothing more.
    pub async fn enable_webhook(
        &self,
        origin: &Origin,
        project: Option<&str>,
        name: &str,
        enabled: bool,
    ) -> Result<Webhook, Error> {
        let (found, _) = self.change(origin, project, name, Change::Enable(enabled)).await?;
        Webhook::of(StoredWebhook { enabled, ..found })
    }

    /// Removes a webhook, and what was to be sent to it.
    pub async fn remove_webhook(
        &self,
        origin: &Origin,
        project: Option<&str>,
        name: &str,
    ) -> Result<(), Error> {
        self.change(origin, project, name, Change::Remove).await?;
        Ok(())
    }

    /// Sends what was given up again: all of it, or one event.
    pub async fn replay(
        &self,
        origin: &Origin,
        project: Option<&str>,
        name: &str,
        event: Option<i64>,
    ) -> Result<Replayed, Error> {
        let (_, deliveries) = self.change(origin, project, name, Change::Replay(event)).await?;
        Ok(Replayed { deliveries })
    }

    /// What is sent to a webhook, was sent, and was given up.
    pub async fn deliveries(
        &self,
        project: Option<&str>,
        name: &str,
        query: &DeliveryQuery,
    ) -> Result<Deliveries, Error> {
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return Err(Error::invalid("limit", format!("expected 1 to {LARGEST_PAGE}")));
        }
        let state = query.state.map(|state| match state {
            DeliveryState::Waiting => State::Waiting,
            DeliveryState::Delivered => State::Delivered,
            DeliveryState::Dead => State::Dead,
        });
        let mut connection = self.db().read().await?;
        let id = find(&mut connection, project, name).await?.id;
        let before = query.before.unwrap_or(i64::MAX);
        let found = webhook_delivery::list(&mut connection, id, state, before, limit).await?;
        let full = found.len() == limit as usize;
        let next = found.last().filter(|_| full).map(|last| last.audit_id);
        Ok(Deliveries { deliveries: found.into_iter().map(Delivery::of).collect(), next })
    }

    /// Sends a webhook something now that is no event, and says what it answers.
    pub async fn test_webhook(
        &self,
        origin: &Origin,
        project: Option<&str>,
        name: &str,
    ) -> Result<TestAnswer, Error> {
        let (found, _) = self.change(origin, project, name, Change::Test).await?;
        let form: Form = found.form.parse()?;
        let message = Message {
            kind: "ping".to_owned(),
            id: format!("{}-ping", found.id),
            request: origin.request_id.clone(),
            body: ping(form, &origin.actor, &self.shared.settings.source),
        };
        let sent = self.send(&found, message).await;
        Ok(TestAnswer {
            accepted: sent.ending == Ending::Accepted,
            status: sent.status,
            error: sent.error,
            milliseconds: u64::try_from(sent.took.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Finds a webhook, changes it, and records that, in one transaction. How much was changed.
    async fn change(
        &self,
        origin: &Origin,
        project: Option<&str>,
        name: &str,
        change: Change,
    ) -> Result<(StoredWebhook, u64), Error> {
        let (origin, project) = (origin.clone(), project.map(str::to_owned));
        let name = name.to_owned();
        let work = async move |tx: &mut Tx| {
            let found = find(tx, project.as_deref(), &name).await?;
            let count = change.apply(tx, found.id).await?;
            let (action, detail) = change.recorded();
            let record = recorded(action, &name, project.as_deref(), &detail);
            audit::record(tx, &origin, &record, Timestamp::now()).await?;
            Ok::<_, Error>((found, count))
        };
        let found = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.ask();
        Ok(found)
    }
}

/// What is done with a webhook.
#[derive(Clone, Copy, Debug)]
enum Change {
    Enable(bool),
    Remove,
    /// Of all that was given up, or of one event.
    Replay(Option<i64>),
    Test,
}

impl Change {
    /// How much was changed.
    async fn apply(self, tx: &mut Tx, id: i64) -> Result<u64, Error> {
        match self {
            Self::Enable(enabled) => {
                if enabled {
                    skip_unless_others(tx).await?;
                }
                webhook::set_enabled(tx, id, enabled).await?;
            }
            Self::Remove => webhook::remove(tx, id).await?,
            Self::Replay(event) => {
                return Ok(webhook_delivery::replay(tx, id, event, Timestamp::now()).await?);
            }
            Self::Test => {}
        }
        Ok(1)
    }

    /// As the audit has it.
    fn recorded(self) -> (&'static str, serde_json::Value) {
        match self {
            Self::Enable(enabled) => ("webhook.update", json!({ "enabled": enabled })),
            Self::Remove => ("webhook.delete", json!({})),
            Self::Replay(event) => ("webhook.replay", json!({ "event": event })),
            Self::Test => ("webhook.test", json!({})),
        }
    }
}

async fn add(
    tx: &mut Tx,
    origin: &Origin,
    realm: Option<ProjectId>,
    project: Option<&str>,
    new: &NewWebhook,
) -> Result<(), Error> {
    skip_unless_others(tx).await?;
    let patterns: Vec<&str> = new.events.iter().map(EventPattern::as_str).collect();
    let patterns = json!(if patterns.is_empty() { vec!["*"] } else { patterns });
    let row = webhook::NewWebhook {
        project: realm,
        name: &new.name,
        address: &new.address,
        form: new.form.as_str(),
        events: &patterns.to_string(),
        signing_secret: new.signing_secret.as_deref(),
        authorization_secret: new.authorization_secret.as_deref(),
        created_by: &origin.actor,
    };
    let now = Timestamp::now();
    webhook::add(tx, &row, now).await?;
    // An address may have something in its path that is as good as a secret.
    let host = target::parse(&new.address).ok();
    let host = host.and_then(|url| url.host_str().map(str::to_owned));
    let detail = json!({ "form": new.form, "events": patterns, "host": host });
    let record = recorded("webhook.create", &new.name, project, &detail);
    Ok(audit::record(tx, origin, &record, now).await?)
}

/// What nobody waited for is not looked at: the first webhook begins with what happens next.
async fn skip_unless_others(tx: &mut Tx) -> Result<(), Error> {
    if !webhook::all(tx).await?.iter().any(|known| known.enabled) {
        let newest = audit::newest(tx).await?;
        event::advance(tx, newest).await?;
    }
    Ok(())
}

fn recorded(
    action: &'static str,
    name: &str,
    project: Option<&str>,
    detail: &serde_json::Value,
) -> AuditEvent {
    let event = AuditEvent::done(action, format!("webhook:{name}"));
    let event = event.of_project(project.unwrap_or_default());
    AuditEvent { detail: detail.to_string(), ..event }
}

async fn find(
    connection: &mut plura_meta::Connection,
    project: Option<&str>,
    name: &str,
) -> Result<StoredWebhook, Error> {
    let realm = realm(connection, project).await?;
    let all = webhook::of_project(connection, realm).await?;
    let found = all.into_iter().find(|known| known.name == name);
    found.ok_or_else(|| Error::WebhookUnknown(name.chars().take(LONGEST_NAME).collect()))
}

async fn realm(
    connection: &mut plura_meta::Connection,
    name: Option<&str>,
) -> Result<Option<ProjectId>, Error> {
    let Some(name) = name else { return Ok(None) };
    let found = project::find(connection, name).await?;
    let found = found.ok_or_else(|| Error::ProjectUnknown(name.to_owned()))?;
    Ok(Some(found.id))
}

fn check(new: &NewWebhook, project: Option<&str>) -> Result<(), Error> {
    check_name(&new.name)?;
    if SecretName::is_name(&new.address) {
        SecretName::parse("address", &new.address, project)?;
    } else {
        target::parse(&new.address)?;
    }
    for (field, name) in [
        ("signing_secret", &new.signing_secret),
        ("authorization_secret", &new.authorization_secret),
    ] {
        name.as_deref().map(|name| SecretName::parse(field, name, project)).transpose()?;
    }
    if new.events.len() > MOST_PATTERNS {
        return Err(Error::invalid("events", format!("expected at most {MOST_PATTERNS} patterns")));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Error> {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let words = name.split(['.', '_', '-']);
    let plain = words.clone().all(|part| !part.is_empty() && part.bytes().all(word));
    if plain && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    let text =
        "expected 1 to 64 lower-case letters and digits, with single `.`, `_` or `-` between";
    Err(Error::invalid("name", text))
}

/// What is sent as a test. It is no event: nobody must act on it.
fn ping(form: Form, actor: &str, source: &str) -> Body {
    let now = jiff::Timestamp::now();
    let (content_type, value) = match form {
        Form::Harbor => {
            let value = json!({
                "type": "PING", "occur_at": now.as_second(), "operator": actor, "event_data": {},
            });
            ("application/json", value)
        }
        Form::CloudEvents => {
            let value = json!({
                "specversion": "1.0", "id": "ping", "source": source, "type": "io.plura.ping",
                "time": now, "datacontenttype": "application/json", "data": {},
            });
            ("application/cloudevents+json; charset=utf-8", value)
        }
        Form::Slack => ("application/json", json!({ "text": "plura can reach you" })),
    };
    Body { content_type, bytes: value.to_string().into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for (name, expected) in [
            ("ci", true),
            ("kargo-prod.eu", true),
            ("", false),
            ("CI", false),
            ("a--b", false),
            ("-a", false),
            ("a/b", false),
            (&"a".repeat(65), false),
        ] {
            assert_eq!(check_name(name).is_ok(), expected, "{name}");
        }
    }
}
