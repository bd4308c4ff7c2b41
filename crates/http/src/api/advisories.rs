//! Where advisories come from, and what vendors say about their products.

use http::StatusCode;
use plura_access::schema;
use plura_oci::{Digest, RepositoryName};
use plura_policy::Permission;
use plura_vulnerabilities::{AdvisoriesStatus, ImportRequest, Imported, ReceivedVex};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    answer::{gone, ok},
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::auth::bad_request;

/// What advisories are sent as.
const MEDIA_TYPES: &[&str] = &["application/zip", "application/json", "application/x-ndjson"];

pub(super) fn routes() -> Vec<Route> {
    const ADMINISTER: Need = Need::Installation(Permission::Administer);
    const ALL: &str = "/api/v1/advisories";
    const VEX: &str = "/api/v1/vex";
    vec![
        Route::new(Verb::Get, ALL, Need::Login, "advisories.show", show).described(
            Description::new("Tells where advisories are from, and how old they are")
                .gives::<AdvisoriesStatus>(),
        ),
        Route::new(Verb::Post, ALL, ADMINISTER, "advisories.import", import).streamed().described(
            Description::new(
                "Takes over advisories in OSV format, in the place of those of the source",
            )
            .asks::<Sent>()
            .takes_content(MEDIA_TYPES)
            .gives::<Imported>()
            .refuses(&[StatusCode::CONFLICT]),
        ),
        Route::new(
            Verb::Delete,
            "/api/v1/advisories/{source}",
            ADMINISTER,
            "advisories.remove",
            remove,
        )
        .described(
            Description::new("Takes the advisories of a source out of force").gives_nothing(),
        ),
        Route::new(Verb::Get, VEX, ADMINISTER, "vex.list", vex).described(
            Description::new("Lists what vendors say about their products").gives::<VexDocuments>(),
        ),
        Route::new(Verb::Post, VEX, ADMINISTER, "vex.add", add_vex).streamed().described(
            Description::new("Takes over an OpenVEX document, which is believed from then on")
                .takes_content(&["application/json"])
                .gives::<ReceivedVex>(),
        ),
        Route::new(Verb::Delete, "/api/v1/vex/{digest}", ADMINISTER, "vex.remove", remove_vex)
            .described(Description::new("Forgets an OpenVEX document").gives_nothing()),
    ]
}

/// Whose advisories these are.
#[derive(Deserialize, IntoParams)]
struct Sent {
    /// The source, whose advisories so far they replace.
    #[param(value_type = schema::SourceName)]
    source: String,
    /// Where they were read, for people.
    #[param(max_length = 1000)]
    location: Option<String>,
    /// Instead of a body: the repository of an artifact whose layers they are.
    #[param(value_type = Option<schema::RepositoryName>)]
    repository: Option<RepositoryName>,
    /// The tag or digest of the artifact.
    #[param(max_length = 200)]
    reference: Option<String>,
}

/// Documents of vendors.
#[derive(Serialize, ToSchema)]
struct VexDocuments {
    documents: Vec<ReceivedVex>,
}

async fn show(call: Call) -> Answer {
    ok(&call.state.knowledge.vulnerabilities.status().await?)
}

async fn import(call: Call) -> Answer {
    const LONGEST: usize = 1000;
    let Sent { source, location, repository, reference } = call.query()?;
    let (vulnerabilities, origin) = (&call.state.knowledge.vulnerabilities, &call.caller.origin);
    if let Some(repository) = repository {
        let reference = reference.as_deref().unwrap_or("latest").parse();
        let reference = reference.map_err(|error| bad_request(&format!("reference: {error}")))?;
        let imported = vulnerabilities.import_artifact(origin, &source, &repository, &reference);
        return ok(&imported.await?);
    }
    let location = location.unwrap_or_else(|| "sent".to_owned());
    if location.chars().any(char::is_control) || location.len() > LONGEST {
        return Err(bad_request("location: expected a line of at most 1000 bytes"));
    }
    let sent = call.sent(MEDIA_TYPES)?;
    let request = ImportRequest { source, location };
    ok(&vulnerabilities.import(origin, request, sent).await?)
}

async fn remove(call: Call) -> Answer {
    let source: String = call.parameter("source")?;
    call.state.knowledge.vulnerabilities.remove_source(&call.caller.origin, &source).await?;
    gone()
}

async fn vex(call: Call) -> Answer {
    ok(&VexDocuments { documents: call.state.knowledge.vulnerabilities.vex().await? })
}

async fn add_vex(call: Call) -> Answer {
    let sent = call.sent(&["application/json"])?;
    ok(&call.state.knowledge.vulnerabilities.add_vex(&call.caller.origin, sent).await?)
}

async fn remove_vex(call: Call) -> Answer {
    let digest: Digest = call.parameter("digest")?;
    call.state.knowledge.vulnerabilities.remove_vex(&call.caller.origin, &digest).await?;
    gone()
}
