//! What is in images: packages, operating system, secrets, SBOMs, and what they stand on.
//!
//! What was not read yet is read before the answer. Whoever may pull may look.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use plura_contents::{
    BaseReport, ImageContents, ImagesOnBase, PackageList, Readable, SbomComparison, SbomFormat,
};
use plura_oci::Digest;
use plura_policy::Permission;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::ok,
    authorise::Need,
    bounded::Bounded,
    call::{Answer, Call},
    describe::Description,
    images::{Which, which},
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError, v2::authorise::readable};

const PULL: Need = Need::Repository(Permission::Pull);
/// Reading again takes the server's time: what a project's own people may ask for.
const MAINTAIN: Need = Need::Repository(Permission::Delete);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/api/v1/images/contents", "image.contents", contents).described(
            Description::new("Tells what is in an image, for each platform")
                .asks::<Which>()
                .gives::<Contents>()
                .refuses(&[StatusCode::CONFLICT]),
        ),
        get("/api/v1/images/packages", "image.packages", packages).described(
            Description::new("Lists the packages of an image")
                .asks::<Which>()
                .asks::<Filter>()
                .gives::<PackageList>()
                .refuses(&[StatusCode::CONFLICT]),
        ),
        get("/api/v1/images/sbom", "image.sbom", sbom).described(
            Description::new("Gives the SBOM of an image")
                .asks::<Which>()
                .asks::<Form>()
                .gives_documents(&[
                    SbomFormat::CycloneDx.media_type(),
                    SbomFormat::Spdx.media_type(),
                ])
                .refuses(&[StatusCode::CONFLICT]),
        ),
        get("/api/v1/images/sbom/comparison", "image.compare_sbom", compare).described(
            Description::new(
                "Tells how the SBOMs that came with an image differ from what is in it",
            )
            .asks::<Which>()
            .gives::<Comparisons>()
            .refuses(&[StatusCode::CONFLICT]),
        ),
        get("/api/v1/images/base", "image.base", base).described(
            Description::new("Tells what an image stands on")
                .asks::<Which>()
                .gives::<BaseReport>()
                .refuses(&[StatusCode::CONFLICT]),
        ),
        Route::new(Verb::Post, "/api/v1/images/read", MAINTAIN, "image.read", read).described(
            Description::new("Lets an image be read again, from its layers")
                .asks::<Which>()
                .gives::<ReadAgain>()
                .refuses(&[StatusCode::CONFLICT]),
        ),
        Route::new(Verb::Get, "/api/v1/bases/images", Need::Login, "base.images", on_base)
            .described(
                Description::new("Lists the images that stand on another")
                    .asks::<Base>()
                    .gives::<ImagesOnBase>(),
            ),
    ]
}

fn get<F, Fut>(path: &'static str, action: &'static str, handler: F) -> Route
where
    F: Fn(Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    Route::new(Verb::Get, path, PULL, action, handler)
}

/// Which of its packages.
#[derive(Deserialize, IntoParams)]
struct Filter {
    /// Only those of this packaging: `apk`, `deb`, `rpm`, `python`, `npm`, `go`, `cargo`, `java`, `gem`,
    /// `composer`, `nuget`.
    #[param(value_type = Option<String>, max_length = 20)]
    kind: Option<Bounded<20>>,
    /// Only those with this text in their names.
    #[param(value_type = Option<String>, max_length = 255)]
    name: Option<Bounded<255>>,
}

/// In which form.
#[derive(Deserialize, IntoParams)]
struct Form {
    /// `cyclonedx` or `spdx`; without, `cyclonedx`.
    #[param(max_length = 20)]
    format: Option<String>,
}

/// Which base.
#[derive(Deserialize, IntoParams)]
struct Base {
    /// The digest of its manifest; it need not be here.
    #[param(value_type = String)]
    digest: String,
    /// Behind which digest the page begins.
    #[param(value_type = Option<String>)]
    after: Option<String>,
}

/// What is in the images that are meant.
#[derive(Serialize, ToSchema)]
struct Contents {
    /// One for each platform.
    images: Vec<ImageContents>,
}

/// How SBOMs differ from what is in an image.
#[derive(Serialize, ToSchema)]
struct Comparisons {
    /// One for each SBOM.
    sboms: Vec<SbomComparison>,
}

/// What will be read again.
#[derive(Serialize, ToSchema)]
struct ReadAgain {
    /// How many images.
    images: u64,
}

async fn contents(call: Call) -> Answer {
    let images = call.state.knowledge.contents.all_of(&which(&call)?).await?;
    ok(&Contents { images })
}

async fn packages(call: Call) -> Answer {
    let Filter { kind, name } = call.query()?;
    let (kind, name) = (kind.map(Bounded::into_text), name.map(Bounded::into_text));
    let contents = &call.state.knowledge.contents;
    ok(&contents.packages(&which(&call)?, kind.as_deref(), name.as_deref()).await?)
}

async fn sbom(call: Call) -> Answer {
    let Form { format } = call.query()?;
    let format = format.as_deref().unwrap_or(SbomFormat::CycloneDx.as_str()).parse::<SbomFormat>();
    let format = format.map_err(|error| bad_request(&format!("format: {error}")))?;
    let sbom = call.state.knowledge.contents.sbom(&which(&call)?, format).await?;
    let mut response: Response = sbom.bytes.into_response();
    let media_type = HeaderValue::from_static(format.media_type());
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    Ok(response)
}

async fn compare(call: Call) -> Answer {
    let sboms = call.state.knowledge.contents.compare_sboms(&which(&call)?).await?;
    ok(&Comparisons { sboms })
}

async fn base(call: Call) -> Answer {
    let readable = sees(&call).await?;
    ok(&call.state.knowledge.contents.base(&which(&call)?, &readable).await?)
}

async fn on_base(call: Call) -> Answer {
    let Base { digest, after } = call.query()?;
    let base = parse("digest", &digest)?;
    let after = after.map(|after| parse("after", &after)).transpose()?;
    let readable = sees(&call).await?;
    ok(&call.state.knowledge.contents.images_on_base(&base, after.as_ref(), &readable).await?)
}

async fn read(call: Call) -> Answer {
    let images = call.state.knowledge.contents.read_again(&which(&call)?).await?;
    ok(&ReadAgain { images: images as u64 })
}

/// The repositories that whoever asks may read: what stands where else is not told.
async fn sees(call: &Call) -> Result<Readable, ApiError> {
    Ok(readable(&call.state.access, &call.caller.principal, false).await?)
}

fn parse(parameter: &str, digest: &str) -> Result<Digest, ApiError> {
    digest.parse().map_err(|error| bad_request(&format!("{parameter}: {error}")))
}
