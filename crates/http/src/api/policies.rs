//! The document that governs: what is in force, what was, and putting another one in force.

use futures_util::TryStreamExt;
use http::StatusCode;
use jiff::{Timestamp, ToSpan};
use plura_governance::{AppliedPolicy, PolicyApplication, Simulation};
use plura_oci::{Digest, ErrorCode};
use plura_policy::{Governance, Permission, change::DocumentChange, document::Problem};
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

/// What documents are sent as.
const TOML: &[&str] = &["application/toml"];
/// The most bytes of a document.
const LARGEST: usize = plura_policy::document::MAX_SIZE;

pub(super) fn routes() -> Vec<Route> {
    const ADMINISTER: Need = Need::Installation(Permission::Administer);
    const ALL: &str = "/api/v1/policy";
    vec![
        Route::new(Verb::Get, ALL, Need::Login, "policy.show", show)
            .described(Description::new("Tells which document governs").gives::<AppliedPolicy>()),
        Route::new(Verb::Put, ALL, ADMINISTER, "policy.applied", apply).streamed().described(
            Description::new("Puts a document in force")
                .asks::<Application>()
                .takes_content(TOML)
                .gives::<PolicyApplication>()
                .refuses(&[StatusCode::CONFLICT]),
        ),
        Route::new(Verb::Get, "/api/v1/policy/versions", Need::Login, "policy.history", history)
            .described(
                Description::new("Lists the versions of the document, the newest first")
                    .asks::<Before>()
                    .gives::<Versions>(),
            ),
        Route::new(
            Verb::Get,
            "/api/v1/policy/versions/{version}",
            Need::Login,
            "policy.version",
            version,
        )
        .described(Description::new("Gives a version of the document").gives::<AppliedPolicy>()),
        Route::new(Verb::Post, "/api/v1/policy/check", Need::Login, "policy.check", check)
            .streamed()
            .described(
                Description::new("Tells what is wrong with a document, which is not applied")
                    .takes_content(TOML)
                    .gives::<CheckedDocument>(),
            ),
        Route::new(Verb::Post, "/api/v1/policy/diff", ADMINISTER, "policy.diff", diff)
            .streamed()
            .described(
                Description::new("Tells what a document would change, and in which direction")
                    .takes_content(TOML)
                    .gives::<DocumentChange>(),
            ),
        Route::new(Verb::Post, "/api/v1/policy/simulate", ADMINISTER, "policy.simulate", simulate)
            .streamed()
            .described(
                Description::new("Tells what a document would have decided otherwise")
                    .asks::<Since>()
                    .takes_content(TOML)
                    .gives::<Simulation>(),
            ),
    ]
}

/// Why a document is applied, and in the place of which.
#[derive(Deserialize, IntoParams)]
struct Application {
    /// Why, for those who read the history.
    #[param(value_type = String, max_length = 1000)]
    reason: Bounded<1000>,
    /// The SHA-256 of the document that must be in force; without, whichever is.
    #[param(value_type = Option<plura_access::schema::DigestText>)]
    expect: Option<Digest>,
}

/// Where a page begins.
#[derive(Deserialize, IntoParams)]
struct Before {
    /// Versions before this one.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_u64)]
    before: Option<u32>,
}

/// How far back.
#[derive(Deserialize, IntoParams)]
struct Since {
    /// Decisions of so many days.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 3650)]
    days: Option<u16>,
}

/// Whether a document could govern.
#[derive(Serialize, ToSchema)]
#[schema(as = CheckedPolicy)]
struct CheckedDocument {
    /// Whether it could.
    valid: bool,
    /// The SHA-256 of what it says, if it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    digest: Option<Digest>,
    /// What is wrong with it, each with its place and what would be right.
    problems: Vec<Problem>,
}

/// Versions of the document, without what they say.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyVersions)]
struct Versions {
    versions: Vec<AppliedPolicy>,
}

async fn show(call: Call) -> Answer {
    ok(&call.state.knowledge.governance.policy().await?)
}

async fn apply(call: Call) -> Answer {
    let Application { reason, expect } = call.query()?;
    let text = document(&call).await?;
    let governance = &call.state.knowledge.governance;
    let origin = &call.caller.origin;
    ok(&governance.apply(origin, text, &reason.into_text(), expect).await?)
}

async fn history(call: Call) -> Answer {
    let Before { before } = call.query()?;
    let versions = call.state.knowledge.governance.policy_history(before.map(i64::from)).await?;
    ok(&Versions { versions })
}

async fn version(call: Call) -> Answer {
    let version: u32 = call.parameter("version")?;
    ok(&call.state.knowledge.governance.policy_version(i64::from(version)).await?)
}

/// What `plura policy check` does where no server is.
async fn check(call: Call) -> Answer {
    let text = document(&call).await?;
    // Compiling takes a processor for as long as a document has patterns and predicates.
    let checked = tokio::task::spawn_blocking(move || Governance::from_toml(&text)).await;
    let checked = match checked {
        Ok(checked) => checked,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => {
            let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable);
            return Err(ApiError::new(status, code, "the server is stopping"));
        }
    };
    ok(&match checked {
        Ok(governance) => {
            CheckedDocument { valid: true, digest: Some(governance.source), problems: Vec::new() }
        }
        Err(error) => CheckedDocument { valid: false, digest: None, problems: error.problems },
    })
}

async fn diff(call: Call) -> Answer {
    let text = document(&call).await?;
    ok(&call.state.knowledge.governance.compare(text).await?)
}

async fn simulate(call: Call) -> Answer {
    const DAYS: u16 = 90;
    let Since { days } = call.query()?;
    let days = days.unwrap_or(DAYS);
    if !(1..=3650).contains(&days) {
        return Err(bad_request("days: expected 1 to 3650"));
    }
    let text = document(&call).await?;
    let hours = (i64::from(days) * 24).hours();
    let since = Timestamp::now().checked_sub(hours).unwrap_or(Timestamp::MIN);
    ok(&call.state.knowledge.governance.simulate(text, since).await?)
}

/// The body: a document in TOML.
async fn document(call: &Call) -> Result<String, ApiError> {
    let mut sent = call.sent(TOML)?;
    let mut bytes = Vec::new();
    loop {
        let part = sent.try_next().await;
        let part = part.map_err(|_| bad_request("the body ended before it was complete"))?;
        let Some(part) = part else { break };
        if bytes.len() + part.len() > LARGEST {
            let message = format!("the document has more than {LARGEST} bytes");
            let (status, code) = (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid);
            return Err(ApiError::new(status, code, message));
        }
        bytes.extend_from_slice(&part);
    }
    String::from_utf8(bytes).map_err(|_| bad_request("the document is not UTF-8"))
}
