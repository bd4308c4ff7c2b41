//! Promotions: how images come into channels, and how channels go back.

use plura_access::{Event, Outcome, schema};
use plura_governance::{
    KeyProblem, PromoteRequest, Promoted, Promotion, PromotionFilter, PromotionPage, Refusal,
    RollbackRequest, RolledBack,
};
use plura_oci::{Digest, RepositoryName};
use plura_policy::{Asked, ChannelName, Permission, gate::GateDecision};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::ok,
    authorise::{self, Need},
    bounded::Bounded,
    call::{Answer, Call},
    describe::Description,
    key::Key,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError, v2::authorise::readable};

/// What a request is called by who sends it.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest such name.
const LONGEST_NAME: usize = 255;
/// The largest page of promotions.
const LARGEST: u32 = 1000;

pub(super) fn routes() -> Vec<Route> {
    const PROMOTE: &str = "/v1/registry/promote";
    const ROLLBACK: &str = "/v1/registry/rollback";
    const ONE: &str = "/api/v1/promotions/{promotion}";
    const CANCEL: &str = "/api/v1/promotions/{promotion}/cancel";
    const NEED: Need = Need::NamedRepository(Permission::Promote);
    vec![
        Route::new(Verb::Post, PROMOTE, NEED, "channel.promote", promote).described(
            Description::new(
                "Asks for an image to be in a channel; with the header `Idempotency-Key` once only",
            )
            .takes::<NewPromotion>()
            .gives::<PromotionAnswer>()
            .refuses(&REFUSALS),
        ),
        Route::new(Verb::Post, ROLLBACK, Need::Rollback, "channel.rollback", roll_back).described(
            Description::new("Takes a channel back to what was there before, and holds it")
                .takes::<NewRollback>()
                .gives::<RolledBack>()
                .refuses(&REFUSALS),
        ),
        Route::new(Verb::Get, "/api/v1/promotions", Need::Login, "promotion.list", list).described(
            Description::new("Lists promotions of images that one may pull, the newest first")
                .asks::<Wanted>()
                .gives::<PromotionPage>(),
        ),
        Route::new(Verb::Get, ONE, Need::Login, "promotion.show", show)
            .described(Description::new("Tells how far a promotion is").gives::<Promotion>()),
        Route::new(Verb::Post, CANCEL, NEED, "promotion.cancel", cancel).described(
            Description::new("Cancels a promotion; the traffic that it has goes back")
                .may_take::<Reason>()
                .gives::<Promotion>()
                .refuses(&REFUSALS),
        ),
    ]
}

const REFUSALS: [http::StatusCode; 2] = [http::StatusCode::NOT_FOUND, http::StatusCode::CONFLICT];

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPromotion {
    /// The repository of the image.
    #[schema(value_type = schema::RepositoryName)]
    repo: String,
    /// The channel that it comes from; what the document in force says, if nothing is said.
    #[schema(value_type = Option<String>)]
    from: Option<String>,
    /// The channel that it is to be in: `prod:candidate`.
    to: String,
    /// The manifest.
    #[schema(value_type = schema::DigestText)]
    digest: String,
    /// Decide, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// Why.
    #[schema(value_type = Option<schema::Text>)]
    reason: Option<Bounded<256>>,
}

/// How far it came.
#[derive(Serialize, ToSchema)]
struct PromotionAnswer {
    /// Whether nothing was changed.
    dry_run: bool,
    /// The promotion; none of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    promotion: Option<Promotion>,
    /// What was decided when it was asked for.
    decision: GateDecision,
    /// The position of the entry in the log, where it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_position: Option<i64>,
    /// What gives the right to undo the move, once. It is told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Secret>)]
    rollback_key: Option<String>,
    /// Whether this is what became of an earlier request with the same `Idempotency-Key`.
    replayed: bool,
}

/// What is to be undone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRollback {
    /// The repository of the images.
    #[schema(value_type = schema::RepositoryName)]
    repo: String,
    /// The channel, and the manifest to go back to: `prod:stable@sha256:...`. Without a digest, what was
    /// there before.
    to: String,
    /// What gives the right to, if it is not a role: `rollback_key` of the promotion's answer.
    #[schema(value_type = Option<schema::Secret>)]
    key: Option<String>,
    /// Why.
    #[schema(value_type = Option<schema::Text>)]
    reason: Option<Bounded<256>>,
    /// Why it is to be done even though it may not: for administrators.
    #[schema(value_type = Option<schema::Label>)]
    break_glass: Option<Bounded<256>>,
    /// Say what would be done, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Why.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = PromotionCancellation)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// Why.
    #[schema(value_type = Option<schema::Text>)]
    reason: Option<Bounded<256>>,
}

/// Which promotions; what is not given does not narrow.
#[derive(Deserialize, IntoParams)]
struct Wanted {
    /// Into this channel: `prod:stable`.
    #[param(value_type = Option<String>, max_length = 127)]
    channel: Option<ChannelName>,
    /// Of this service.
    #[param(value_type = Option<String>, max_length = 255)]
    service: Option<Bounded<255>>,
    /// Only those that have not ended.
    #[serde(default)]
    running: bool,
    /// Begin behind this: `next` of the page before.
    #[param(value_type = Option<String>, max_length = 255)]
    after: Option<Bounded<255>>,
    /// The most entries of the page.
    #[serde(default = "usual")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

const fn usual() -> u32 {
    100
}

const EXPECTED: &str = r#"{"repo": "apps/search", "to": "prod:candidate", "digest": "sha256:..."}"#;
const EXPECTED_ROLLBACK: &str = r#"{"repo": "apps/search", "to": "prod:stable"}"#;

async fn promote(call: Call) -> Answer {
    let new: NewPromotion = call.json(EXPECTED)?;
    let dry_run = new.dry_run;
    let repository: RepositoryName = parsed("repo", &new.repo)?;
    authorise::repository(&call, Permission::Promote, &repository).await?;
    let request = new.read(repository, idempotency_key(&call)?)?;
    let governance = &call.state.knowledge.governance;
    let promoted = governance.promote(&call.caller.origin, &request).await?;
    let Promoted { promotion, decision, rollback_key, log_position, replayed } = promoted;
    let rollback_key = rollback_key.map(|key| key.expose().to_owned());
    ok(&PromotionAnswer { dry_run, promotion, decision, log_position, rollback_key, replayed })
}

async fn roll_back(call: Call) -> Answer {
    let new: NewRollback = call.json(EXPECTED_ROLLBACK)?;
    let repository: RepositoryName = parsed("repo", &new.repo)?;
    if new.key.is_none() {
        authorise::repository(&call, Permission::Promote, &repository).await?;
    }
    let request = new.read(repository, idempotency_key(&call)?)?;
    if request.break_glass.is_some() {
        authorise::installation(&call, Permission::Administer).await?;
    }
    let governance = &call.state.knowledge.governance;
    let done = governance.roll_back(&call.caller.origin, &request).await;
    if let Err(plura_governance::Error::Refused(Refusal::Key(problem))) = &done {
        note_wrong_key(&call, &request, *problem).await?;
    }
    ok(&done?)
}

/// A key that gives no right is a refusal like any other.
async fn note_wrong_key(
    call: &Call,
    request: &RollbackRequest,
    problem: KeyProblem,
) -> Result<(), ApiError> {
    let RollbackRequest { repository, channel, .. } = request;
    let event = Event::done("channel.rollback", format!("channel:{channel} of {repository}"));
    let project = repository.as_str().split('/').next().unwrap_or_default();
    let event = Event {
        outcome: Outcome::Denied,
        rule: "rollback key".to_owned(),
        detail: json!({ "reason": problem.to_string() }).to_string(),
        ..event.of_project(project)
    };
    Ok(call.access().record(&call.caller.origin, event).await?)
}

async fn list(call: Call) -> Answer {
    let Wanted { channel, service, running, after, limit } = call.query()?;
    if !(1..=LARGEST).contains(&limit) {
        return Err(bad_request(&format!("limit: expected 1 to {LARGEST}")));
    }
    let filter = PromotionFilter {
        environment: channel.as_ref().map(|channel| channel.environment().to_owned()),
        tag: channel.as_ref().map(|channel| channel.tag().to_owned()),
        service: service.map(plain).transpose()?,
        running,
        after: after.map(plain).transpose()?,
        limit,
    };
    let readable = readable(call.access(), &call.caller.principal, false).await?;
    ok(&call.state.knowledge.governance.promotions(&filter, &readable).await?)
}

async fn show(call: Call) -> Answer {
    ok(&found(&call).await?)
}

async fn cancel(call: Call) -> Answer {
    let Reason { reason } = call.json_or_default(r#"{"reason": "a mistake"}"#)?;
    let reason = reason.map(plain).transpose()?.unwrap_or_default();
    let promotion = found(&call).await?;
    authorise::repository(&call, Permission::Promote, &promotion.repository).await?;
    let governance = &call.state.knowledge.governance;
    ok(&governance.cancel(&call.caller.origin, &promotion.id, &reason).await?)
}

/// The promotion in the path, for those who may pull its image; others are told that there is none.
async fn found(call: &Call) -> Result<Promotion, ApiError> {
    let key: Key = call.parameter("promotion")?;
    let promotion = call.state.knowledge.governance.promotion(key.as_str()).await?;
    let name = &promotion.repository;
    let public = call.access().is_public(name).await?;
    let asked = Asked::Repository { name, public };
    let decision = call.access().decide(&call.caller.principal, Permission::Pull, asked);
    if decision.is_allowed() {
        return Ok(promotion);
    }
    Err(Refusal::NoPromotion(promotion.id).into())
}

/// What the request is called, if it says so.
fn idempotency_key(call: &Call) -> Result<Option<String>, ApiError> {
    let Some(value) = call.head.headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().ok().map(str::trim).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.len() <= LONGEST_NAME => Ok(Some(text.to_owned())),
        _ => Err(bad_request("Idempotency-Key: expected 1 to 255 printable characters")),
    }
}

/// A text without control characters.
pub(super) fn plain<const MOST: usize>(text: Bounded<MOST>) -> Result<String, ApiError> {
    let text = text.into_text();
    if text.chars().any(char::is_control) {
        return Err(bad_request("expected a text without control characters"));
    }
    Ok(text)
}

pub(super) fn parsed<T>(field: &str, text: &str) -> Result<T, ApiError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error| bad_request(&format!("{field}: {error}")))
}

impl NewPromotion {
    fn read(
        self,
        repository: RepositoryName,
        idempotency: Option<String>,
    ) -> Result<PromoteRequest, ApiError> {
        let from = self.from.as_deref().map(|from| parsed("from", from)).transpose()?;
        Ok(PromoteRequest {
            repository,
            digest: parsed::<Digest>("digest", &self.digest)?,
            from,
            to: parsed("to", &self.to)?,
            reason: self.reason.map(plain).transpose()?.unwrap_or_default(),
            dry_run: self.dry_run,
            idempotency,
        })
    }
}

impl NewRollback {
    fn read(
        self,
        repository: RepositoryName,
        idempotency: Option<String>,
    ) -> Result<RollbackRequest, ApiError> {
        let (channel, digest) = match self.to.split_once('@') {
            Some((channel, digest)) => (channel, Some(parsed("to", digest)?)),
            None => (&*self.to, None),
        };
        let wrong_key = |_| bad_request("key: expected a rollback key, `plura_rb_...`");
        let key = self.key.as_deref().map(|key| key.parse().map_err(wrong_key)).transpose()?;
        let break_glass = self.break_glass.map(plain).transpose()?;
        if break_glass.as_ref().is_some_and(String::is_empty) {
            return Err(bad_request("break_glass: expected a reason"));
        }
        Ok(RollbackRequest {
            repository,
            channel: parsed("to", channel)?,
            digest,
            key,
            reason: self.reason.map(plain).transpose()?.unwrap_or_default(),
            break_glass,
            dry_run: self.dry_run,
            idempotency,
        })
    }
}
