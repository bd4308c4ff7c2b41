//! Channels: what is where, and how it came there.

use jiff::Timestamp;
use plura_access::schema;
use plura_governance::{ChannelFilter, ChannelHead, Figures, HistoryPage, Released};
use plura_oci::RepositoryName;
use plura_policy::{ChannelName, Permission};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::ok,
    authorise::{self, Need},
    bounded::Bounded,
    call::{Answer, Call},
    describe::Description,
    promotions::{parsed, plain},
    route::{Route, Verb},
};
use crate::{auth::bad_request, v2::authorise::readable};

/// The largest page of a history.
const LARGEST: u32 = 1000;

pub(super) fn routes() -> Vec<Route> {
    const NEED: Need = Need::NamedRepository(Permission::Promote);
    const METRICS: &str = "/v1/registry/metrics";
    vec![
        Route::new(Verb::Get, METRICS, Need::RepositoryFigures, "registry.metrics", metrics)
            .described(
                Description::new("Figures of one repository, or of the whole registry")
                    .asks::<FiguresOf>()
                    .gives::<Figures>(),
            ),
        Route::new(Verb::Get, "/api/v1/channels", Need::Login, "channel.list", list).described(
            Description::new("Lists the channels that one may pull from, with what is there")
                .asks::<Which>()
                .gives::<Channels>(),
        ),
        Route::new(Verb::Get, "/api/v1/channels/history", Need::Login, "channel.history", history)
            .described(
                Description::new(
                    "Lists the moves of a channel, the last first, or what was there once",
                )
                .asks::<Of>()
                .gives::<HistoryPage>()
                .refuses(&[http::StatusCode::NOT_FOUND]),
            ),
        Route::new(Verb::Post, "/api/v1/channels/release", NEED, "channel.release", release)
            .described(
                Description::new("Lets images be promoted again into a channel that went back")
                    .takes::<Release>()
                    .gives::<Released>()
                    .refuses(&[http::StatusCode::NOT_FOUND, http::StatusCode::CONFLICT]),
            ),
    ]
}

/// Figures of what.
#[derive(Deserialize, IntoParams)]
struct FiguresOf {
    /// Of this repository, for those who may pull from it; without, of all.
    #[param(value_type = Option<schema::RepositoryName>)]
    repo: Option<RepositoryName>,
}

/// Which channels; what is not given does not narrow.
#[derive(Deserialize, IntoParams)]
struct Which {
    /// Of this environment: `prod`.
    #[param(value_type = Option<String>, max_length = 63)]
    environment: Option<Bounded<63>>,
    /// With this tag: `stable`.
    #[param(value_type = Option<String>, max_length = 63)]
    tag: Option<Bounded<63>>,
    /// Of this service.
    #[param(value_type = Option<String>, max_length = 255)]
    service: Option<Bounded<255>>,
}

/// Channels, by service.
#[derive(Serialize, ToSchema)]
struct Channels {
    channels: Vec<ChannelHead>,
}

/// Of which channel, and when.
#[derive(Deserialize, IntoParams)]
struct Of {
    /// The channel: `prod:stable`.
    #[param(value_type = String, max_length = 127)]
    channel: ChannelName,
    /// The service.
    #[param(value_type = String, max_length = 255)]
    service: Bounded<255>,
    /// Only the move by which it came to point at what it did then.
    #[param(value_type = Option<schema::Instant>)]
    at: Option<Timestamp>,
    /// Begin behind this: `next` of the page before.
    #[param(minimum = 1)]
    after: Option<i64>,
    /// The most entries of the page.
    #[serde(default = "usual")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

const fn usual() -> u32 {
    100
}

/// Which channel is to be released.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChannelRelease)]
#[serde(deny_unknown_fields)]
struct Release {
    /// The repository of the images.
    #[schema(value_type = schema::RepositoryName)]
    repo: String,
    /// The channel: `prod:stable`.
    channel: String,
}

async fn metrics(call: Call) -> Answer {
    let FiguresOf { repo } = call.query()?;
    ok(&call.state.knowledge.governance.figures(repo.as_ref()).await?)
}

async fn list(call: Call) -> Answer {
    let Which { environment, tag, service } = call.query()?;
    let filter = ChannelFilter {
        environment: environment.map(plain).transpose()?,
        tag: tag.map(plain).transpose()?,
        service: service.map(plain).transpose()?,
    };
    let readable = readable(call.access(), &call.caller.principal, false).await?;
    let channels = call.state.knowledge.governance.channels(&filter, &readable).await?;
    ok(&Channels { channels })
}

async fn history(call: Call) -> Answer {
    let Of { channel, service, at, after, limit } = call.query()?;
    if !(1..=LARGEST).contains(&limit) {
        return Err(bad_request(&format!("limit: expected 1 to {LARGEST}")));
    }
    if after.is_some_and(|after| after < 1) {
        return Err(bad_request("after: expected `next` of the page before"));
    }
    let service = plain(service)?;
    let readable = readable(call.access(), &call.caller.principal, false).await?;
    let governance = &call.state.knowledge.governance;
    ok(&governance.history((&channel, &service), at, (after, limit), &readable).await?)
}

async fn release(call: Call) -> Answer {
    let Release { repo, channel } =
        call.json(r#"{"repo": "apps/search", "channel": "prod:stable"}"#)?;
    let repository = parsed("repo", &repo)?;
    authorise::repository(&call, Permission::Promote, &repository).await?;
    let channel: ChannelName = parsed("channel", &channel)?;
    let governance = &call.state.knowledge.governance;
    ok(&governance.release(&call.caller.origin, &repository, &channel).await?)
}
