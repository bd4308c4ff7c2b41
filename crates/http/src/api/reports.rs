//! What is told of images for those who are elsewhere: release notes, everything in one file, and the key
//! that decisions are signed with.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use plura_access::schema;
use plura_governance::notes::ReleaseNotes;
use plura_oci::{Reference, RepositoryName, image::Platform};
use plura_policy::Permission;
use plura_registry::ImageQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::ok,
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError, v2::authorise::readable};

const TAR: &str = "application/x-tar";

pub(super) fn routes() -> Vec<Route> {
    const PULL: Need = Need::Repository(Permission::Pull);
    const KEY: &str = "/api/v1/keys/attestation";
    vec![
        Route::new(Verb::Get, KEY, Need::Nothing, "attestation_key.show", key).described(
            Description::new("Tells the key that decisions are signed with")
                .gives::<AttestationKey>(),
        ),
        Route::new(Verb::Get, "/api/v1/release-notes", PULL, "release_notes.show", notes)
            .described(
                Description::new("Tells what is different in an image from the one before it")
                    .asks::<Between>()
                    .gives::<Notes>()
                    .refuses(&[StatusCode::CONFLICT]),
            ),
        Route::new(Verb::Get, "/api/v1/evidence-bundle", PULL, "evidence.bundle", bundle)
            .described(
                Description::new("Gives everything that is known of an image as one file")
                    .asks::<Which>()
                    .gives_documents(&[TAR])
                    .refuses(&[StatusCode::CONFLICT]),
            ),
    ]
}

/// The key that decisions are signed with.
#[derive(Serialize, ToSchema)]
struct AttestationKey {
    /// The public key in PEM.
    public_key: String,
}

/// Which images.
#[derive(Deserialize, IntoParams)]
struct Between {
    /// Where they are.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// The image that is told about: a tag, or a digest.
    #[param(max_length = 200)]
    to: String,
    /// The one before; without, what the last stable channel of the service had before it.
    #[param(max_length = 200)]
    from: Option<String>,
    /// For which platform, of indexes: `linux/arm64`; `linux/amd64`, if they have it.
    #[param(value_type = Option<String>, max_length = 255)]
    platform: Option<Platform>,
}

/// Which image.
#[derive(Deserialize, IntoParams)]
struct Which {
    /// Where it is.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// A tag, or a digest.
    #[param(max_length = 200)]
    reference: String,
}

/// Release notes.
#[derive(Serialize, ToSchema)]
#[schema(as = RenderedReleaseNotes)]
struct Notes {
    /// What is different.
    notes: ReleaseNotes,
    /// The same for people, in Markdown.
    markdown: String,
}

async fn key(call: Call) -> Answer {
    ok(&AttestationKey { public_key: call.state.knowledge.governance.attestation_key() })
}

async fn notes(call: Call) -> Answer {
    let Between { repository, to, from, platform } = call.query()?;
    let query = |reference: Reference| ImageQuery {
        repository: repository.clone(),
        reference,
        platform: platform.clone(),
    };
    let to = query(parse("to", &to)?);
    let from = from.map(|from| parse("from", &from)).transpose()?.map(query);
    let readable = readable(&call.state.access, &call.caller.principal, false).await?;
    let governance = &call.state.knowledge.governance;
    let notes = Box::pin(governance.release_notes(to, from, &readable)).await?;
    ok(&Notes { markdown: notes.markdown(), notes })
}

async fn bundle(call: Call) -> Answer {
    let Which { repository, reference } = call.query()?;
    let reference = parse("reference", &reference)?;
    let governance = &call.state.knowledge.governance;
    let bytes = governance.evidence_bundle(&repository, &reference).await?;
    let mut response: Response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(TAR));
    let plain = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, plain);
    Ok(response)
}

fn parse(parameter: &str, reference: &str) -> Result<Reference, ApiError> {
    reference.parse().map_err(|error| bad_request(&format!("{parameter}: {error}")))
}
