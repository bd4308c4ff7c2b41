//! Which images have which vulnerabilities.

use axum::{Json, response::IntoResponse};
use http::{HeaderValue, StatusCode, header};
use plura_access::schema;
use plura_oci::{Reference, RepositoryName, image::Platform};
use plura_policy::Permission;
use plura_vulnerabilities::{
    ImageVulnerabilities, PackageQuery, ReceivedReport, Search, SearchAnswer,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    answer::ok,
    authorise::Need,
    bounded::Bounded,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError, v2::authorise::readable};

/// What Static Analysis Results Interchange Format is answered as.
const SARIF: &str = "application/sarif+json";
/// The largest page of a search.
const LARGEST: usize = 1000;

pub(super) fn routes() -> Vec<Route> {
    const IMAGE: &str = "/api/v1/images/vulnerabilities";
    const REPORTS: &str = "/api/v1/images/reports";
    vec![
        Route::new(
            Verb::Get,
            IMAGE,
            Need::Repository(Permission::Pull),
            "image.vulnerabilities",
            show,
        )
        .described(
            Description::new("Tells which vulnerabilities an image has, now")
                .asks::<Which>()
                .gives_or::<ImageVulnerabilities>(SARIF)
                .refuses(&[StatusCode::CONFLICT]),
        ),
        Route::new(Verb::Post, REPORTS, Need::Repository(Permission::Push), "report.add", report)
            .streamed()
            .described(
                Description::new(
                    "Keeps what Trivy says about an image (`--format json`), or a scanner of Harbor's API",
                )
                    .asks::<Reported>()
                    .takes_content(&["application/json"])
                    .gives::<ReceivedReport>(),
            ),
        Route::new(
            Verb::Get,
            "/api/v1/vulnerabilities",
            Need::Login,
            "vulnerabilities.search",
            search,
        )
        .described(
            Description::new(
                "Lists the images that have a vulnerability, a package, or something new",
            )
            .asks::<Wanted>()
            .gives::<SearchAnswer>(),
        ),
    ]
}

/// Which image, and how to tell.
#[derive(Deserialize, IntoParams)]
struct Which {
    /// Where it is.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// A tag, or a digest.
    #[param(max_length = 200)]
    reference: String,
    /// For which platform, of an index; without, of all.
    #[param(value_type = Option<String>, max_length = 255)]
    platform: Option<Platform>,
    /// `json`, or `sarif` for the Static Analysis Results Interchange Format.
    #[param(pattern = "^(json|sarif)$")]
    format: Option<String>,
}

/// Which image a report is about.
#[derive(Deserialize, IntoParams)]
struct Reported {
    /// Where it is.
    #[param(value_type = schema::RepositoryName)]
    repository: RepositoryName,
    /// A tag, or a digest.
    #[param(max_length = 200)]
    reference: String,
    /// Which data the scanner had, if its report does not say.
    #[param(value_type = Option<String>, max_length = 255)]
    database: Option<Bounded<255>>,
}

/// What to look for: one of `cve`, `package` and `since`.
#[derive(Deserialize, IntoParams)]
struct Wanted {
    /// A vulnerability, by any of its names.
    #[param(value_type = Option<String>, max_length = 128)]
    cve: Option<Bounded<128>>,
    /// A package, by its name.
    #[param(value_type = Option<String>, max_length = 512)]
    package: Option<Bounded<512>>,
    /// Where the package comes from: `npm`, `Debian`, `Debian:12`.
    #[param(value_type = Option<String>, max_length = 128)]
    ecosystem: Option<Bounded<128>>,
    /// Only versions of the package in front of this one.
    #[param(value_type = Option<String>, max_length = 512)]
    below: Option<Bounded<512>>,
    /// What was found since, because an advisory is new or an image is.
    #[param(value_type = Option<schema::Instant>)]
    since: Option<String>,
    /// Begin behind this: `next` of the page before.
    #[param(value_type = Option<String>, max_length = 255)]
    after: Option<Bounded<255>>,
    /// The most entries of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

async fn show(call: Call) -> Answer {
    let Which { repository, reference, platform, format } = call.query()?;
    let reference = parse(&reference)?;
    let vulnerabilities = &call.state.knowledge.vulnerabilities;
    let found = vulnerabilities.of(&repository, &reference, platform.as_ref()).await?;
    match format.as_deref() {
        None | Some("json") => ok(&found),
        Some("sarif") => {
            let log = found.sarif(env!("CARGO_PKG_VERSION"));
            let mut response = Json(log).into_response();
            let media_type = HeaderValue::from_static(SARIF);
            response.headers_mut().insert(header::CONTENT_TYPE, media_type);
            Ok(response)
        }
        Some(_) => Err(bad_request("format: expected `json` or `sarif`")),
    }
}

async fn report(call: Call) -> Answer {
    let Reported { repository, reference, database } = call.query()?;
    let database = database.map(Bounded::into_text);
    let reference = parse(&reference)?;
    let sent = call.sent(&["application/json"])?;
    let vulnerabilities = &call.state.knowledge.vulnerabilities;
    let origin = &call.caller.origin;
    let database = database.as_deref();
    ok(&vulnerabilities.add_report(origin, &repository, &reference, database, sent).await?)
}

async fn search(call: Call) -> Answer {
    let wanted: Wanted = call.query()?;
    let after = wanted.after.clone().map(Bounded::into_text);
    let limit = wanted.limit.unwrap_or(100);
    if !(1..=LARGEST).contains(&limit) {
        return Err(bad_request(&format!("limit: expected 1 to {LARGEST}")));
    }
    let search = wanted.search()?;
    let readable = readable(call.access(), &call.caller.principal, false).await?;
    let vulnerabilities = &call.state.knowledge.vulnerabilities;
    ok(&vulnerabilities.search(&search, after.as_deref(), limit, &readable).await?)
}

impl Wanted {
    fn search(self) -> Result<Search, ApiError> {
        let about_package = self.ecosystem.is_some() || self.below.is_some();
        match (self.cve, self.package, self.since) {
            (Some(name), None, None) if !about_package => {
                Ok(Search::Vulnerability(name.into_text()))
            }
            (None, Some(name), None) => Ok(Search::Package(PackageQuery {
                name: name.into_text(),
                ecosystem: self.ecosystem.map(Bounded::into_text),
                below: self.below.map(Bounded::into_text),
            })),
            (None, None, Some(since)) if !about_package => {
                let since = since.parse();
                let since =
                    since.map_err(|_| bad_request("since: expected an instant (RFC 3339)"))?;
                Ok(Search::Since(since))
            }
            _ => Err(bad_request(
                "expected one of `cve`, `package` and `since`; `ecosystem` and `below` go with \
                 `package`",
            )),
        }
    }
}

fn parse(reference: &str) -> Result<Reference, ApiError> {
    reference.parse().map_err(|error| bad_request(&format!("reference: {error}")))
}
