//! What is known of manifests: who signed them, and what is said about them.

use plura_access::schema;
use plura_evidence::{ManifestEvidence, PolicyDocument, Verdict};
use plura_oci::{Reference, RepositoryName};
use plura_policy::Permission;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    answer::ok,
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError};

pub(super) fn routes() -> Vec<Route> {
    const PULL: Need = Need::Repository(Permission::Pull);
    vec![
        Route::new(Verb::Get, "/api/v1/evidence", PULL, "evidence.show", show).described(
            Description::new("Tells what is known of a manifest, now")
                .asks::<Which>()
                .gives::<ManifestEvidence>(),
        ),
        Route::new(Verb::Post, "/api/v1/evidence/verify", PULL, "evidence.verify", verify)
            .described(
                Description::new("Tells what a trust policy would say about a manifest")
                    .asks::<Which>()
                    .takes::<PolicyDocument>()
                    .gives::<Verdict>(),
            ),
    ]
}

/// Which manifest.
#[derive(Deserialize, IntoParams)]
struct Which {
    /// Where it is.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// A tag, or a digest.
    #[param(max_length = 200)]
    reference: String,
}

async fn show(call: Call) -> Answer {
    let (repository, reference) = which(&call)?;
    ok(&call.state.knowledge.evidence.of(&repository, &reference).await?)
}

async fn verify(call: Call) -> Answer {
    let (repository, reference) = which(&call)?;
    let policy: PolicyDocument = call.json(super::trust_policies::EXPECTED)?;
    ok(&call.state.knowledge.evidence.judge_by(&repository, &reference, &policy).await?)
}

fn which(call: &Call) -> Result<(RepositoryName, Reference), ApiError> {
    let Which { repository, reference } = call.query()?;
    let reference = reference.parse();
    Ok((repository, reference.map_err(|error| bad_request(&format!("reference: {error}")))?))
}
