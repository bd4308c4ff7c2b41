//! Where events are sent: to the webhooks of projects, and of everything.

use plura_access::schema;
use plura_events::{
    Deliveries, DeliveryQuery, EventPattern, Form, NewWebhook, Replayed, TestAnswer, Webhook,
    Webhooks,
};
use plura_policy::{Permission, ProjectName};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    answer::{created, gone, ok},
    authorise::Need,
    bounded::Bounded,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError};

const ALL: Need = Need::Installation(Permission::Administer);
const PROJECT: Need = Need::Project(Permission::ManageProject);

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::new(Verb::Get, "/api/v1/webhooks", ALL, "webhook.list", list),
        Route::new(Verb::Post, "/api/v1/webhooks", ALL, "webhook.create", create),
        Route::new(Verb::Patch, "/api/v1/webhooks/{webhook}", ALL, "webhook.update", update),
        Route::new(Verb::Delete, "/api/v1/webhooks/{webhook}", ALL, "webhook.delete", remove),
        Route::new(Verb::Post, "/api/v1/webhooks/{webhook}/test", ALL, "webhook.test", test),
        Route::new(
            Verb::Get,
            "/api/v1/webhooks/{webhook}/deliveries",
            ALL,
            "webhook.deliveries",
            deliveries,
        ),
        Route::new(Verb::Post, "/api/v1/webhooks/{webhook}/replay", ALL, "webhook.replay", replay),
    ];
    routes.extend(of_projects());
    let described = routes.into_iter().zip(descriptions().into_iter().chain(descriptions()));
    described.map(|(route, description)| route.described(description)).collect()
}

fn of_projects() -> [Route; 7] {
    const OF: &str = "/api/v1/projects/{project}/webhooks";
    const ONE: &str = "/api/v1/projects/{project}/webhooks/{webhook}";
    const TEST: &str = "/api/v1/projects/{project}/webhooks/{webhook}/test";
    const DELIVERIES: &str = "/api/v1/projects/{project}/webhooks/{webhook}/deliveries";
    const REPLAY: &str = "/api/v1/projects/{project}/webhooks/{webhook}/replay";
    [
        Route::new(Verb::Get, OF, PROJECT, "project.webhook.list", list),
        Route::new(Verb::Post, OF, PROJECT, "project.webhook.create", create),
        Route::new(Verb::Patch, ONE, PROJECT, "project.webhook.update", update),
        Route::new(Verb::Delete, ONE, PROJECT, "project.webhook.delete", remove),
        Route::new(Verb::Post, TEST, PROJECT, "project.webhook.test", test),
        Route::new(Verb::Get, DELIVERIES, PROJECT, "project.webhook.deliveries", deliveries),
        Route::new(Verb::Post, REPLAY, PROJECT, "project.webhook.replay", replay),
    ]
}

/// In the order of the routes.
fn descriptions() -> [Description; 7] {
    [
        Description::new("Lists webhooks").gives::<Webhooks>(),
        Description::new("Makes a webhook: what happens from now on is sent to it")
            .takes::<WebhookToBe>()
            .makes::<Webhook>(),
        Description::new("Sends to a webhook from now on, or nothing more")
            .takes::<WebhookChange>()
            .gives::<Webhook>(),
        Description::new("Removes a webhook, and what was to be sent to it").gives_nothing(),
        Description::new("Sends a webhook something that is no event, and says what it answers")
            .gives::<TestAnswer>(),
        Description::new("Lists what is sent to a webhook, was sent, and was given up")
            .asks::<DeliveryQuery>()
            .gives::<Deliveries>(),
        Description::new("Sends what was given up again: all of it, or one event")
            .may_take::<ReplayTerms>()
            .gives::<Replayed>(),
    ]
}

/// A webhook to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookToBe {
    /// What it is called.
    #[schema(value_type = schema::TrustName)]
    name: Bounded<64>,
    /// The https address that events are sent to, or the name of a secret that is one: `file:NAME`, or
    /// `env:WEBHOOK_SECRET_NAME`.
    #[schema(value_type = String, max_length = 2048)]
    address: Bounded<2048>,
    /// How events are written.
    #[serde(default = "default_form")]
    form: Form,
    /// Which events: types such as `tag.set`, families such as `tag.*`, or `*`. All, if there is none.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 32)]
    events: Vec<Bounded<64>>,
    /// The name of the secret that signs what is sent (HMAC with SHA-256).
    #[schema(value_type = Option<String>, max_length = 256)]
    signing_secret: Option<Bounded<256>>,
    /// The name of the secret that is sent as `Authorization`, as it is.
    #[schema(value_type = Option<String>, max_length = 256)]
    authorization_secret: Option<Bounded<256>>,
}

/// What is to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookChange {
    /// Whether anything is sent. What happens while nothing is, is not sent later.
    enabled: bool,
}

/// What is sent again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayTerms {
    /// The id of the event; without, all that were given up.
    event: Option<i64>,
}

const EXPECTED: &str =
    r#"{"name": "ci", "address": "https://ci.example.com/hook", "form": "harbor"}"#;

fn default_form() -> Form {
    Form::CloudEvents
}

async fn list(call: Call) -> Answer {
    let project = project(&call)?;
    ok(&call.state.knowledge.events.webhooks(project.as_deref()).await?)
}

async fn create(call: Call) -> Answer {
    let new: WebhookToBe = call.json(EXPECTED)?;
    let (project, new) = (project(&call)?, new.read()?);
    let events = &call.state.knowledge.events;
    let made = events.add_webhook(&call.caller.origin, project.as_deref(), new).await?;
    let realm = project.map(|project| format!("/projects/{project}")).unwrap_or_default();
    created(&call, &format!("/api/v1{realm}/webhooks/{}", made.name), &made)
}

async fn update(call: Call) -> Answer {
    let WebhookChange { enabled } = call.json(r#"{"enabled": false}"#)?;
    let (project, name) = named(&call)?;
    let (events, origin) = (&call.state.knowledge.events, &call.caller.origin);
    ok(&events.enable_webhook(origin, project.as_deref(), &name, enabled).await?)
}

async fn remove(call: Call) -> Answer {
    let (project, name) = named(&call)?;
    let (events, origin) = (&call.state.knowledge.events, &call.caller.origin);
    events.remove_webhook(origin, project.as_deref(), &name).await?;
    gone()
}

async fn test(call: Call) -> Answer {
    let (project, name) = named(&call)?;
    let (events, origin) = (&call.state.knowledge.events, &call.caller.origin);
    ok(&events.test_webhook(origin, project.as_deref(), &name).await?)
}

async fn deliveries(call: Call) -> Answer {
    let query: DeliveryQuery = call.query()?;
    let (project, name) = named(&call)?;
    ok(&call.state.knowledge.events.deliveries(project.as_deref(), &name, &query).await?)
}

async fn replay(call: Call) -> Answer {
    let ReplayTerms { event } = call.json_or_default(r#"{"event": 17}"#)?;
    let (project, name) = named(&call)?;
    let (events, origin) = (&call.state.knowledge.events, &call.caller.origin);
    ok(&events.replay(origin, project.as_deref(), &name, event).await?)
}

/// The project in the path, where there is one.
fn project(call: &Call) -> Result<Option<String>, ApiError> {
    let project: Option<ProjectName> = call.named("project")?;
    Ok(project.map(|project| project.as_str().to_owned()))
}

fn named(call: &Call) -> Result<(Option<String>, String), ApiError> {
    Ok((project(call)?, call.parameter("webhook")?))
}

impl WebhookToBe {
    fn read(self) -> Result<NewWebhook, ApiError> {
        let pattern = |text: Bounded<64>| {
            let parsed: Result<EventPattern, _> = text.into_text().parse();
            parsed.map_err(|error| bad_request(&format!("events: {error}")))
        };
        Ok(NewWebhook {
            name: self.name.into_text(),
            address: self.address.into_text(),
            form: self.form,
            events: self.events.into_iter().map(pattern).collect::<Result<_, _>>()?,
            signing_secret: self.signing_secret.map(Bounded::into_text),
            authorization_secret: self.authorization_secret.map(Bounded::into_text),
        })
    }
}
