//! Holds: what must not be deleted, whatever rules say.

use jiff::Timestamp;
use plura_access::schema;
use plura_governance::{HoldsPage, ListedHold, NewHold};
use plura_oci::{Digest, RepositoryName};
use plura_policy::Permission;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::ok,
    authorise::Need,
    bounded::Bounded,
    call::{Answer, Call},
    describe::Description,
    page::Page,
    route::{Route, Verb},
};
use crate::auth::bad_request;

pub(super) fn routes() -> Vec<Route> {
    const OPERATE: Need = Need::Installation(Permission::Operate);
    const HOLDS: &str = "/api/v1/holds";
    vec![
        Route::new(Verb::Get, HOLDS, OPERATE, "hold.list", list).described(
            Description::new("Lists the digests that are held, the oldest first")
                .asks::<Page>()
                .gives::<HoldsPage>(),
        ),
        Route::new(Verb::Post, HOLDS, OPERATE, "hold.placed", place).described(
            Description::new(
                "Holds a digest, in one repository or everywhere: nothing deletes it, nor what belongs to it",
            )
            .takes::<Holding>()
            .gives::<ListedHold>(),
        ),
        Route::new(Verb::Delete, "/api/v1/holds/{hold}", OPERATE, "hold.released", release)
            .described(
                Description::new("Releases what is held before its time")
                    .asks::<Releasing>()
                    .gives::<ListedHold>(),
            ),
    ]
}

/// What is to be held.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Holding {
    /// The manifest; it need not be here.
    #[schema(value_type = schema::DigestText)]
    digest: String,
    /// The repository; without, everywhere.
    #[schema(value_type = Option<schema::RepositoryName>)]
    repository: Option<String>,
    /// Why: a case, a dispute.
    reason: String,
    /// Until when; without, until somebody releases it.
    #[schema(value_type = Option<schema::Instant>)]
    until: Option<String>,
}

/// Why it is released.
#[derive(Deserialize, IntoParams)]
struct Releasing {
    /// Why.
    #[param(value_type = String, max_length = 1000)]
    reason: Bounded<1000>,
}

const EXPECTED: &str = r#"{"digest": "sha256:...", "reason": "RCA-12"}"#;

async fn list(call: Call) -> Answer {
    let page = call.query::<Page>()?.checked()?;
    let governance = &call.state.knowledge.governance;
    ok(&governance.holds(page.after(), page.wanted() - 1).await?)
}

async fn place(call: Call) -> Answer {
    let Holding { digest, repository, reason, until } = call.json(EXPECTED)?;
    let digest: Digest =
        digest.parse().map_err(|error| bad_request(&format!("digest: {error}")))?;
    let repository = repository.as_deref().map(str::parse::<RepositoryName>).transpose();
    let repository = repository.map_err(|error| bad_request(&format!("repository: {error}")))?;
    let until = until.as_deref().map(str::parse::<Timestamp>).transpose();
    let until = until.map_err(|_| bad_request("until: expected an instant (RFC 3339)"))?;
    let new = NewHold { digest, repository, reason, until };
    ok(&call.state.knowledge.governance.hold(&call.caller.origin, new).await?)
}

async fn release(call: Call) -> Answer {
    // Every hold's name is a UUID.
    let id: uuid::Uuid = call.parameter("hold")?;
    let Releasing { reason } = call.query()?;
    let governance = &call.state.knowledge.governance;
    let reason = reason.into_text();
    ok(&governance.release_hold(&call.caller.origin, &id.to_string(), &reason).await?)
}
