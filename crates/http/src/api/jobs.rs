//! What goes on in the background.

use http::StatusCode;
use plura_events::JobsPage;
use plura_policy::Permission;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    answer::{gone, ok},
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};

pub(super) fn routes() -> Vec<Route> {
    const OPERATE: Need = Need::Installation(Permission::Operate);
    vec![
        Route::new(Verb::Get, "/api/v1/jobs", OPERATE, "job.list", list).described(
            Description::new("Lists what goes on in the background, and how it goes here")
                .gives::<JobsPage>(),
        ),
        Route::new(Verb::Post, "/api/v1/jobs/{job}/pause", OPERATE, "job.pause", pause).described(
            Description::new("Lets a job stand still, everywhere")
                .gives_nothing()
                .refuses(&[StatusCode::CONFLICT]),
        ),
        Route::new(Verb::Post, "/api/v1/jobs/{job}/resume", OPERATE, "job.resume", resume)
            .described(Description::new("Lets a job go on").gives_nothing()),
        Route::new(Verb::Post, "/api/v1/jobs/{job}/retry", OPERATE, "job.retry", retry)
            .described(Description::new("Lets a job begin again at once").gives_nothing()),
        Route::new(Verb::Put, "/api/v1/jobs/{job}/tuning", OPERATE, "job.tune", tune).described(
            Description::new("Says how much a job does, everywhere; nothing is as it would itself")
                .takes::<Tuning>()
                .gives_nothing()
                .refuses(&[StatusCode::CONFLICT]),
        ),
    ]
}

/// How much a job does.
#[derive(Deserialize, ToSchema)]
#[schema(as = JobTuning)]
#[serde(deny_unknown_fields)]
struct Tuning {
    /// How many things at a time, of those jobs that do several.
    #[schema(minimum = 1, maximum = 64)]
    at_a_time: Option<u32>,
    /// How many things in a minute, at most.
    #[schema(minimum = 1, maximum = 1_000_000)]
    per_minute: Option<u32>,
}

const EXPECTED: &str = r#"{"at_a_time": 2, "per_minute": 60}"#;

async fn tune(call: Call) -> Answer {
    let name: String = call.parameter("job")?;
    let Tuning { at_a_time, per_minute } = call.json(EXPECTED)?;
    let wanted = (at_a_time, per_minute);
    call.state.knowledge.jobs.tune(&call.caller.origin, &name, wanted).await?;
    gone()
}

async fn list(call: Call) -> Answer {
    ok(&call.state.knowledge.jobs.list().await?)
}

async fn pause(call: Call) -> Answer {
    let name: String = call.parameter("job")?;
    call.state.knowledge.jobs.pause(&call.caller.origin, &name).await?;
    gone()
}

async fn resume(call: Call) -> Answer {
    let name: String = call.parameter("job")?;
    call.state.knowledge.jobs.resume(&call.caller.origin, &name).await?;
    gone()
}

async fn retry(call: Call) -> Answer {
    let name: String = call.parameter("job")?;
    call.state.knowledge.jobs.retry(&call.caller.origin, &name).await?;
    gone()
}
