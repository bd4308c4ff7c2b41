//! Scanners that images may be shown to.

use plura_access::schema;
use plura_policy::Permission;
use plura_vulnerabilities::AddedScanner;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    answer::{created, gone, ok},
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};

pub(super) fn routes() -> Vec<Route> {
    const ADMINISTER: Need = Need::Installation(Permission::Administer);
    const ALL: &str = "/api/v1/scanners";
    vec![
        Route::new(Verb::Get, ALL, Need::Login, "scanner.list", list).described(
            Description::new("Lists the scanners that images may be shown to").gives::<Scanners>(),
        ),
        Route::new(Verb::Post, ALL, ADMINISTER, "scanner.add", add).described(
            Description::new("Adds a scanner that speaks the open API of pluggable scanners")
                .takes::<NewScanner>()
                .makes::<AddedScanner>(),
        ),
        Route::new(
            Verb::Delete,
            "/api/v1/scanners/{scanner}",
            ADMINISTER,
            "scanner.remove",
            remove,
        )
        .described(Description::new("Forgets a scanner; what it said stays").gives_nothing()),
    ]
}

/// Scanners, by name.
#[derive(Serialize, ToSchema)]
struct Scanners {
    scanners: Vec<AddedScanner>,
}

/// A scanner to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewScanner {
    /// What to call it.
    #[schema(value_type = schema::SourceName)]
    name: String,
    /// What `/api/v1/metadata` follows: an address of http or https, without user and query.
    url: String,
}

const EXPECTED: &str = r#"{"name": "trivy", "url": "http://scanner.example.com:8080"}"#;

async fn list(call: Call) -> Answer {
    ok(&Scanners { scanners: call.state.knowledge.vulnerabilities.scanners().await? })
}

async fn add(call: Call) -> Answer {
    let NewScanner { name, url } = call.json(EXPECTED)?;
    let vulnerabilities = &call.state.knowledge.vulnerabilities;
    let added = vulnerabilities.add_scanner(&call.caller.origin, &name, &url).await?;
    created(&call, &format!("/api/v1/scanners/{name}"), &added)
}

async fn remove(call: Call) -> Answer {
    let name: String = call.parameter("scanner")?;
    call.state.knowledge.vulnerabilities.remove_scanner(&call.caller.origin, &name).await?;
    gone()
}
