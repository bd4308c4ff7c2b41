//! What stands in the way of every image: blocks of digests, and freezes of channels.

use http::StatusCode;
use jiff::Timestamp;
use plura_access::schema;
use plura_governance::{BlockKind, ListedBlock, ListedFreeze, NewFreeze};
use plura_oci::{Digest, RepositoryName};
use plura_policy::Permission;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::{gone, ok},
    authorise::Need,
    bounded::Bounded,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError};

pub(super) fn routes() -> Vec<Route> {
    const ADMINISTER: Need = Need::Installation(Permission::Administer);
    const BLOCKS: &str = "/api/v1/blocks";
    const FREEZES: &str = "/api/v1/freezes";
    vec![
        Route::new(Verb::Get, BLOCKS, ADMINISTER, "block.list", blocks).described(
            Description::new("Lists the digests that must not be run").gives::<Blocks>(),
        ),
        Route::new(Verb::Post, BLOCKS, ADMINISTER, "block.created", block).described(
            Description::new("Blocks a digest, in one repository or everywhere")
                .takes::<Blocking>()
                .gives::<ListedBlock>()
                .refuses(&[StatusCode::CONFLICT]),
        ),
        Route::new(Verb::Delete, BLOCKS, ADMINISTER, "block.lifted", unblock).described(
            Description::new("Lifts the block of a digest").asks::<Blocked>().gives_nothing(),
        ),
        Route::new(Verb::Get, FREEZES, Need::Login, "freeze.list", freezes).described(
            Description::new("Lists the freezes beside those of the document").gives::<Freezes>(),
        ),
        Route::new(Verb::Post, FREEZES, ADMINISTER, "freeze.begun", freeze).described(
            Description::new("Lets nothing move into some channels for a time")
                .takes::<Freezing>()
                .gives::<ListedFreeze>(),
        ),
        Route::new(Verb::Delete, "/api/v1/freezes/{freeze}", ADMINISTER, "freeze.ended", unfreeze)
            .described(Description::new("Ends a freeze before its time").gives_nothing()),
    ]
}

/// Which block.
#[derive(Deserialize, IntoParams)]
struct Blocked {
    /// The manifest.
    #[param(value_type = schema::DigestText)]
    digest: Digest,
    /// The repository; without, the block that is everywhere.
    #[param(value_type = Option<schema::RepositoryName>)]
    repository: Option<RepositoryName>,
    /// Why.
    #[param(value_type = String, max_length = 1000)]
    reason: Bounded<1000>,
}

/// What must not be run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Blocking {
    /// The manifest; it need not be here.
    #[schema(value_type = schema::DigestText)]
    digest: String,
    /// The repository; without, everywhere.
    #[schema(value_type = Option<schema::RepositoryName>)]
    repository: Option<String>,
    /// Why.
    reason: String,
}

/// What is not to move.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Freezing {
    /// The pattern of the channels: `prod:*`.
    channels: String,
    /// Why.
    reason: String,
    /// When it begins; at once, if nothing is said.
    #[schema(value_type = Option<schema::Instant>)]
    from: Option<String>,
    /// When it ends.
    #[schema(value_type = schema::Instant)]
    until: String,
}

/// Blocks that hold, by digest.
#[derive(Serialize, ToSchema)]
#[schema(as = DigestBlocks)]
struct Blocks {
    blocks: Vec<ListedBlock>,
}

/// Freezes that are not over.
#[derive(Serialize, ToSchema)]
#[schema(as = ChannelFreezes)]
struct Freezes {
    freezes: Vec<ListedFreeze>,
}

const EXPECTED: &str = r#"{"digest": "sha256:...", "reason": "leaks a key"}"#;
const EXPECTED_FREEZE: &str =
    r#"{"channels": "prod:*", "reason": "sale", "until": "2026-12-31T00:00:00Z"}"#;

async fn blocks(call: Call) -> Answer {
    ok(&Blocks { blocks: call.state.knowledge.governance.blocks().await? })
}

async fn block(call: Call) -> Answer {
    let Blocking { digest, repository, reason } = call.json(EXPECTED)?;
    let digest: Digest =
        digest.parse().map_err(|error| bad_request(&format!("digest: {error}")))?;
    let repository = repository.as_deref().map(str::parse::<RepositoryName>).transpose();
    let repository = repository.map_err(|error| bad_request(&format!("repository: {error}")))?;
    let governance = &call.state.knowledge.governance;
    let why = (BlockKind::Manual, reason.as_str());
    ok(&governance.block(&call.caller.origin, digest, repository, why).await?)
}

async fn unblock(call: Call) -> Answer {
    let Blocked { digest, repository, reason } = call.query()?;
    let governance = &call.state.knowledge.governance;
    let reason = reason.into_text();
    governance.unblock(&call.caller.origin, digest, repository, &reason).await?;
    gone()
}

async fn freezes(call: Call) -> Answer {
    ok(&Freezes { freezes: call.state.knowledge.governance.freezes().await? })
}

async fn freeze(call: Call) -> Answer {
    let Freezing { channels, reason, from, until } = call.json(EXPECTED_FREEZE)?;
    let begins = from.as_deref().map(|from| instant("from", from)).transpose()?;
    let ends = instant("until", &until)?;
    let new = NewFreeze { channels, reason, begins, ends };
    ok(&call.state.knowledge.governance.freeze(&call.caller.origin, new).await?)
}

async fn unfreeze(call: Call) -> Answer {
    // Every freeze's name is a UUID.
    let id: uuid::Uuid = call.parameter("freeze")?;
    call.state.knowledge.governance.unfreeze(&call.caller.origin, &id.to_string()).await?;
    gone()
}

fn instant(field: &str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse().map_err(|_| bad_request(&format!("{field}: expected an instant (RFC 3339)")))
}
