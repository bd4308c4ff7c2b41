//! The log of what was decided: as its specification has it (C2SP tlog-tiles), below `/log`, and for those
//! who ask about it.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use plura_oci::ErrorCode;
use plura_policy::Permission;
use plura_transparency::{CHECKPOINT_TYPE, EntryPage, EntryQuery, LogCheck, Resource, TILE_TYPE};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::ok,
    authorise::Need,
    bounded::Bounded,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError};

/// The largest page of entries.
const LARGEST: u32 = 1000;
/// The longest that an answer waits for an entry to become part of the tree.
const LONGEST_WAIT: u64 = 30;
/// The largest number that every reader of JSON takes for itself.
const LARGEST_INDEX: u64 = (1 << 53) - 1;

pub(super) fn routes() -> Vec<Route> {
    const READ: Need = Need::Installation(Permission::ReadAudit);
    const OPERATE: Need = Need::Installation(Permission::Operate);
    vec![
        Route::new(Verb::Get, "/log/checkpoint", Need::Log, "log.checkpoint", checkpoint),
        Route::new(Verb::Get, "/log/tile/{*path}", Need::Log, "log.tile", tile),
        Route::new(Verb::Get, "/api/v1/log", Need::Log, "log.status", status).described(
            Description::new("Tells how far the log is, and which keys sign it")
                .gives::<LogStatus>(),
        ),
        Route::new(Verb::Get, "/api/v1/log/entries", READ, "log.list", entries).described(
            Description::new("Lists entries of the log, the newest first")
                .asks::<Wanted>()
                .gives::<EntryPage>(),
        ),
        Route::new(Verb::Get, "/api/v1/log/proof", Need::Log, "log.prove", proof).described(
            Description::new("Proves that an entry is part of the log")
                .asks::<WhichEntry>()
                .gives::<LogProof>()
                .refuses(&[StatusCode::CONFLICT]),
        ),
        Route::new(Verb::Get, "/api/v1/log/check", OPERATE, "log.check", check).described(
            Description::new("Compares the database with the log that was signed")
                .gives::<LogCheck>(),
        ),
    ]
}

/// How far the log is.
#[derive(Serialize, ToSchema)]
struct LogStatus {
    /// Its name, once it has one.
    origin: Option<String>,
    /// How many entries there are.
    size: u64,
    /// How many of them are part of the tree that is signed.
    integrated: u64,
    /// What is signed.
    checkpoint: Option<String>,
    /// The keys that it was ever signed with, as lines that verifiers read.
    keys: Vec<String>,
}

/// The proof that an entry is part of the log. It needs no log to be verified, only the log's key.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what another crate writes")]
struct LogProof {
    /// The entry.
    #[schema(value_type = Object)]
    entry: serde_json::Value,
    /// Its number, from zero.
    index: u64,
    /// The hashes beside the way to the root, in base64.
    path: Vec<String>,
    /// The signed checkpoint.
    checkpoint: String,
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
struct Wanted {
    /// Those about this.
    #[param(value_type = Option<String>, max_length = 512)]
    subject: Option<Bounded<512>>,
    /// Of this kind; one that ends with `.` stands for all that begin so.
    #[param(value_type = Option<String>, max_length = 128)]
    kind: Option<Bounded<128>>,
    /// Those before this one: `next` of the page before.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    before: Option<u64>,
    /// The most entries of the page.
    #[serde(default = "usual")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

/// Which entry.
#[derive(Deserialize, IntoParams)]
struct WhichEntry {
    /// Its number, from zero.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    index: u64,
    /// Seconds to wait for it to become part of the tree.
    #[serde(default)]
    #[param(minimum = 0, maximum = 30, default = 0)]
    wait: u64,
}

const fn usual() -> u32 {
    100
}

async fn checkpoint(call: Call) -> Answer {
    let head = call.state.knowledge.transparency.head().await?;
    let head = head.ok_or_else(|| not_found("the log has no checkpoint yet"))?;
    // Each one is as good as the one before, for a moment.
    Ok(bytes(CHECKPOINT_TYPE, "no-cache", head.checkpoint.into_bytes()))
}

async fn tile(call: Call) -> Answer {
    let no_such = || not_found("the log has no such tile");
    let path: String = call.parameter("path")?;
    let resource: Resource = format!("tile/{path}").parse().map_err(|_| no_such())?;
    let found = call.state.knowledge.transparency.resource(resource).await?;
    let found = found.ok_or_else(no_such)?;
    // What a path leads to never changes, partial or not.
    let caching = if call.state.options.public_log {
        "public, max-age=31536000, immutable"
    } else {
        "private, max-age=31536000, immutable"
    };
    Ok(bytes(TILE_TYPE, caching, found))
}

async fn status(call: Call) -> Answer {
    let transparency = &call.state.knowledge.transparency;
    // In this order: what is part of the tree is among what there is.
    let head = transparency.head().await?;
    let size = transparency.size().await?;
    ok(&LogStatus {
        origin: head.as_ref().map(|head| head.origin.to_string()),
        size,
        integrated: head.as_ref().map_or(0, |head| head.size),
        checkpoint: head.map(|head| head.checkpoint),
        keys: transparency.keys().await?,
    })
}

async fn entries(call: Call) -> Answer {
    let Wanted { subject, kind, before, limit } = call.query()?;
    if !(1..=LARGEST).contains(&limit) {
        return Err(bad_request(&format!("limit: expected 1 to {LARGEST}")));
    }
    check_index("before", before.unwrap_or_default())?;
    let query = EntryQuery {
        subject: subject.map(Bounded::into_text),
        kind: kind.map(Bounded::into_text),
        before,
        limit,
    };
    ok(&call.state.knowledge.transparency.entries(&query).await?)
}

async fn proof(call: Call) -> Answer {
    let WhichEntry { index, wait } = call.query()?;
    check_index("index", index)?;
    if wait > LONGEST_WAIT {
        return Err(bad_request(&format!("wait: expected 0 to {LONGEST_WAIT} seconds")));
    }
    let wait = Duration::from_secs(wait);
    let proof = call.state.knowledge.transparency.wait_for(index, wait).await?;
    let proof = proof.ok_or_else(|| {
        let message = format!("entry {index} is not part of the tree yet; wait with `wait=10`");
        ApiError::new(StatusCode::CONFLICT, ErrorCode::Conflict, message)
    })?;
    ok(&proof)
}

async fn check(call: Call) -> Answer {
    ok(&call.state.knowledge.transparency.check().await?)
}

fn check_index(name: &str, index: u64) -> Result<(), ApiError> {
    if index <= LARGEST_INDEX {
        return Ok(());
    }
    Err(bad_request(&format!("{name}: expected 0 to {LARGEST_INDEX}")))
}

fn bytes(media_type: &'static str, caching: &'static str, bytes: Vec<u8>) -> Response {
    let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, caching)];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), bytes).into_response()
}

fn not_found(message: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, message)
}
