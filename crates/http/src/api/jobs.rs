//! What goes on in the background.

use plura_events::JobsPage;
use plura_policy::Permission;

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
        Route::new(Verb::Post, "/api/v1/jobs/{job}/pause", OPERATE, "job.pause", pause)
            .described(Description::new("Lets a job stand still, everywhere").gives_nothing()),
        Route::new(Verb::Post, "/api/v1/jobs/{job}/resume", OPERATE, "job.resume", resume)
            .described(Description::new("Lets a job go on").gives_nothing()),
        Route::new(Verb::Post, "/api/v1/jobs/{job}/retry", OPERATE, "job.retry", retry)
            .described(Description::new("Lets a job begin again at once").gives_nothing()),
    ]
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
