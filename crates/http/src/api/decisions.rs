//! Whether an image may be in a channel, why, and what was decided before.

use plura_access::schema;
use plura_governance::{DecisionFilter, KeptDecision};
use plura_oci::{Reference, RepositoryName};
use plura_policy::{
    ChannelName, Permission,
    change::{self, DecisionChange},
    facts::ImageFacts,
    gate::GateDecision,
};
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
use crate::auth::bad_request;

pub(super) fn routes() -> Vec<Route> {
    const PULL: Need = Need::Repository(Permission::Pull);
    vec![
        Route::new(Verb::Get, "/api/v1/decisions", PULL, "decision.explain", explain).described(
            Description::new("Tells whether an image may be in a channel now, and why")
                .asks::<Why>()
                .gives::<Explanation>(),
        ),
        Route::new(Verb::Get, "/api/v1/decisions/history", PULL, "decision.history", history)
            .described(
                Description::new("Lists what was decided about images of a repository")
                    .asks::<Past>()
                    .gives::<Decisions>(),
            ),
    ]
}

/// Which image, and which channel.
#[derive(Deserialize, IntoParams)]
struct Why {
    /// Where it is.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// A tag, or a digest.
    #[param(max_length = 200)]
    reference: String,
    /// The channel: `prod:stable`.
    #[param(value_type = String, max_length = 127)]
    channel: Bounded<127>,
    /// What would be different if there were an exception for this vulnerability.
    #[param(value_type = Option<String>, max_length = 128)]
    if_exception: Option<Bounded<128>>,
    /// Whether what is known of the image is answered, too.
    facts: Option<bool>,
}

/// Which decisions.
#[derive(Deserialize, IntoParams)]
struct Past {
    /// Where the images are.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// Only those about this channel.
    #[param(value_type = Option<String>, max_length = 127)]
    channel: Option<Bounded<127>>,
    /// Only those before the one of this place.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_u64)]
    before: Option<u32>,
}

/// Whether an image may be in a channel, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = ExplainedDecision)]
struct Explanation {
    /// The version of the document; zero, before any was applied.
    version: i64,
    /// The answer, with every reason.
    decision: GateDecision,
    /// What would be different with the exception that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    if_exception: Option<DecisionChange>,
    /// What is known of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<ImageFacts>,
}

/// Decisions, the newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = KeptDecisions)]
struct Decisions {
    decisions: Vec<KeptDecision>,
}

async fn explain(call: Call) -> Answer {
    let Why { repository, reference, channel, if_exception, facts } = call.query()?;
    let reference: Reference =
        reference.parse().map_err(|error| bad_request(&format!("reference: {error}")))?;
    let channel: ChannelName =
        channel.into_text().parse().map_err(|error| bad_request(&format!("channel: {error}")))?;
    let governance = &call.state.knowledge.governance;
    let decided = governance.decide(&repository, &reference, &channel).await?;
    let if_exception = match if_exception {
        Some(vulnerability) => {
            let name = vulnerability.into_text();
            let excepted =
                governance.decide_if_excepted(&repository, &reference, &channel, &name).await?;
            Some(change::between(&decided.decision, &excepted.decision))
        }
        None => None,
    };
    ok(&Explanation {
        version: decided.version,
        if_exception,
        facts: facts.unwrap_or_default().then_some(decided.facts),
        decision: decided.decision,
    })
}

async fn history(call: Call) -> Answer {
    const PAGE: u32 = 100;
    let Past { repository, channel, before } = call.query()?;
    let filter = DecisionFilter {
        repository: Some(repository.to_string()),
        channel: channel.map(Bounded::into_text).filter(|channel| !channel.contains('\0')),
        before: before.map(i64::from),
        ..DecisionFilter::default()
    };
    let decisions = call.state.knowledge.governance.decisions(&filter, PAGE).await?;
    ok(&Decisions { decisions })
}
