//! What images are: their configuration, layers, history, platforms, what belongs to them, and in what
//! two of them differ.
//!
//! Names of repositories have slashes, so they are parameters. Whoever may pull may look.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use plura_access::schema;
use plura_oci::{Reference, RepositoryName, image::Platform};
use plura_policy::Permission;
use plura_registry::{Image, ImageDiff, ImageFile, ImageQuery, ImageTree};
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

const PULL: Need = Need::Repository(Permission::Pull);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Verb::Get, "/api/v1/images", PULL, "image.inspect", inspect).described(
            Description::new("Tells what a tag or digest stands for")
                .asks::<Which>()
                .gives::<Image>(),
        ),
        Route::new(Verb::Get, "/api/v1/images/tree", PULL, "image.tree", tree).described(
            Description::new("Lists the children of an image and what is about it")
                .asks::<Which>()
                .gives::<ImageTree>(),
        ),
        Route::new(Verb::Get, "/api/v1/images/manifest", PULL, "image.manifest", manifest)
            .described(
                Description::new("Gives a manifest as it was pushed").asks::<Which>().gives_bytes(),
            ),
        Route::new(Verb::Get, "/api/v1/images/config", PULL, "image.config", config).described(
            Description::new("Gives the configuration of an image or artifact as it was pushed")
                .asks::<Which>()
                .gives_bytes()
                .refuses(&[StatusCode::CONFLICT]),
        ),
        Route::new(Verb::Get, "/api/v1/images/diff", PULL, "image.diff", diff).described(
            Description::new("Tells in what two images differ")
                .asks::<Both>()
                .gives::<ImageDiff>()
                .refuses(&[StatusCode::CONFLICT]),
        ),
    ]
}

/// Which image.
#[derive(Deserialize, IntoParams)]
pub(super) struct Which {
    /// Where it is.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// A tag, or a digest.
    #[param(max_length = 200)]
    reference: String,
    /// For which platform, of an index: `linux/amd64`, `linux/arm/v7`.
    #[param(value_type = Option<String>, max_length = 255)]
    platform: Option<Platform>,
}

/// Which two images.
#[derive(Deserialize, IntoParams)]
struct Both {
    /// Where the one is, which is taken to be the older.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// Its tag or digest.
    #[param(max_length = 200)]
    reference: String,
    /// Where the other is; without, in the same repository.
    #[param(value_type = Option<schema::RepositoryName>)]
    to_repository: Option<RepositoryName>,
    /// Its tag or digest.
    #[param(max_length = 200)]
    to_reference: String,
    /// For which platform.
    #[param(value_type = Option<String>, max_length = 255)]
    platform: Option<Platform>,
}

async fn inspect(call: Call) -> Answer {
    ok(&call.state.registry.image(&which(&call)?).await?)
}

async fn tree(call: Call) -> Answer {
    ok(&call.state.registry.image_tree(&which(&call)?).await?)
}

async fn manifest(call: Call) -> Answer {
    Ok(raw(call.state.registry.image_manifest(&which(&call)?).await?))
}

async fn config(call: Call) -> Answer {
    Ok(raw(call.state.registry.image_configuration(&which(&call)?).await?))
}

async fn diff(call: Call) -> Answer {
    let Both { repository, reference, to_repository, to_reference, platform } = call.query()?;
    let to = ImageQuery {
        repository: to_repository.unwrap_or_else(|| repository.clone()),
        reference: parse("to_reference", &to_reference)?,
        platform: platform.clone(),
    };
    let from = ImageQuery { repository, reference: parse("reference", &reference)?, platform };
    ok(&call.state.registry.image_diff(&from, &to).await?)
}

pub(super) fn which(call: &Call) -> Result<ImageQuery, ApiError> {
    let Which { repository, reference, platform } = call.query()?;
    Ok(ImageQuery { repository, reference: parse("reference", &reference)?, platform })
}

fn parse(parameter: &str, reference: &str) -> Result<Reference, ApiError> {
    reference.parse().map_err(|error| bad_request(&format!("{parameter}: {error}")))
}

/// The bytes, for whoever compares their digest. What is in them anybody wrote, so that no browser may
/// take them for a page of this site.
fn raw(file: ImageFile) -> Response {
    const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
    let mut response = file.bytes.into_response();
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, plain);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A digest is letters, digits and a colon.
    if let Ok(digest) = HeaderValue::from_str(&file.digest.to_string()) {
        headers.insert(CONTENT_DIGEST, digest);
    }
    response
}
