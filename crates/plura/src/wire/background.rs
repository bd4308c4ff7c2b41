//! What goes on beside requests. Most of it is a job, which people see, pause and begin again.

use std::{future::Future, sync::Arc, time::Duration};

use plura_access::{Access, Origin};
use plura_events::{Events, JobKind, Jobs};
use plura_governance::Governance;
use plura_http::{App, Health, Knowledge};
use plura_registry::{CollectRequest, Progress, Registry, Timestamp, tell};
use tokio::task::JoinHandle;
use tracing::{error, info};

use crate::settings::{self, Settings};

/// What works.
pub(super) struct Parts<'a> {
    pub(super) registry: &'a Registry,
    pub(super) knowledge: Knowledge,
    pub(super) access: &'a Access,
}

/// What jobs are called.
const COLLECTION: &str = "collection";
const EVIDENCE: &str = "evidence";
const CONTENTS: &str = "contents";
const VULNERABILITIES: &str = "vulnerabilities";
const WEBHOOKS: &str = "webhooks";
const LOG: &str = "log";
const PROMOTIONS: &str = "promotions";
const CHANNELS: &str = "channels";
const RETENTION: &str = "retention";
const SUMMARIES: &str = "summaries";
const DENIALS: &str = "denials";
const CREDENTIALS: &str = "credentials";

/// Begins all of it.
pub(super) fn start(
    parts: Parts<'_>,
    health: Arc<Health>,
    app: &App,
    settings: &Settings,
) -> Vec<JoinHandle<()>> {
    tell_of_jobs(&parts);
    let Parts { registry, knowledge, access } = parts;
    let mut background = jobs(&knowledge, settings);
    let (collecting, jobs) = (settings.collection.clone(), knowledge.jobs.clone());
    let (store, people, figures) = (registry.clone(), access.clone(), app.clone());
    background.push(job(&jobs, COLLECTION, move || {
        collect(store.clone(), people.clone(), figures.clone(), collecting.clone())
    }));
    let (store, probing) = (registry.clone(), settings.health.clone());
    background.push(tokio::spawn(async move {
        let failures = probing.failures.get().into();
        health.watch(&store, probing.interval.duration(), failures).await;
    }));
    background.push(tokio::spawn(write_pulls(registry.clone())));
    let people = access.clone();
    background.push(job(&jobs, CREDENTIALS, move || tend(people.clone())));
    let denials = access.clone();
    background.push(job(&jobs, DENIALS, move || write_denials(denials.clone())));
    let Knowledge { events, .. } = knowledge;
    background.push(tokio::spawn(async move { events.watch_followed().await }));
    background.push(tokio::spawn(async move { jobs.watch().await }));
    background
}

/// What works as the settings want it; another replica may do the rest.
fn jobs(knowledge: &Knowledge, settings: &Settings) -> Vec<JoinHandle<()>> {
    let knowledge = knowledge.clone();
    let Knowledge { evidence, contents, vulnerabilities, governance, transparency, events, jobs } =
        knowledge;
    let (deciding, attaching) = (governance.clone(), governance.clone());
    let retaining = governance.clone();
    let collection = settings.collection.clone();
    let mut all = vec![
        job(&jobs, PROMOTIONS, move || {
            let governance = governance.clone();
            async move { governance.watch_promotions().await }
        }),
        job(&jobs, RETENTION, move || {
            let (governance, collection) = (retaining.clone(), collection.clone());
            async move {
                if collection.enabled {
                    governance.watch_retention(collection.retention_interval.duration()).await;
                }
            }
        }),
        job(&jobs, CHANNELS, move || {
            let governance = deciding.clone();
            async move { governance.watch_heads().await }
        }),
        job(&jobs, SUMMARIES, move || {
            let governance = attaching.clone();
            async move { governance.watch_summaries().await }
        }),
    ];
    if settings.evidence.gather {
        all.push(job(&jobs, EVIDENCE, move || {
            let evidence = evidence.clone();
            async move { evidence.watch().await }
        }));
    }
    if settings.contents.read {
        all.push(job(&jobs, CONTENTS, move || {
            let contents = contents.clone();
            async move { contents.watch().await }
        }));
    }
    if settings.vulnerabilities.r#match {
        all.push(job(&jobs, VULNERABILITIES, move || {
            let vulnerabilities = vulnerabilities.clone();
            async move { vulnerabilities.watch().await }
        }));
    }
    if settings.transparency.integrate {
        all.push(job(&jobs, LOG, move || {
            let transparency = transparency.clone();
            async move { transparency.watch().await }
        }));
    }
    if settings.events.send {
        all.push(job(&jobs, WEBHOOKS, move || {
            let events = events.clone();
            async move { events.watch().await }
        }));
    }
    all
}

/// Says what the jobs do, how much of it at a time, and how much waits for each.
fn tell_of_jobs(parts: &Parts<'_>) {
    let Parts { registry, knowledge, access } = parts;
    let jobs = &knowledge.jobs;
    let counted = (*registry).clone();
    let kind = JobKind::new("removes what nothing reaches any more").counted(move || {
        let registry = counted.clone();
        async move { registry.collection_waiting().await.ok() }
    });
    jobs.add(COLLECTION, kind);
    let counted = knowledge.governance.clone();
    let kind = JobKind::new("takes promotions from step to step");
    let kind = kind.at_a_time(Governance::PROMOTIONS_AT_A_TIME).counted(move || {
        let governance = counted.clone();
        async move { governance.promotions_waiting().await.ok().map(|waiting| waiting.due) }
    });
    jobs.add(PROMOTIONS, kind);
    jobs.add(RETENTION, JobKind::new("deletes what the policy lets go"));
    let kind = JobKind::new("decides again about what is in channels");
    jobs.add(CHANNELS, kind.at_a_time(Governance::CHANNELS_AT_A_TIME));
    let counted = knowledge.transparency.clone();
    let kind = JobKind::new("makes what was decided part of the log").counted(move || {
        let transparency = counted.clone();
        async move { transparency.waiting().await.ok() }
    });
    jobs.add(LOG, kind);
    let counted = knowledge.governance.clone();
    let kind = JobKind::new("attaches what was decided to images, signed").counted(move || {
        let governance = counted.clone();
        async move { governance.summaries_waiting().await.ok() }
    });
    jobs.add(SUMMARIES, kind);
    let counted = knowledge.evidence.clone();
    let about = "finds out who signed what, and how it was built";
    let kind = JobKind::new(about).counted(move || {
        let evidence = counted.clone();
        async move { evidence.waiting().await.ok() }
    });
    jobs.add(EVIDENCE, kind);
    let counted = knowledge.contents.clone();
    let kind = JobKind::new("reads what is in images").counted(move || {
        let contents = counted.clone();
        async move { contents.waiting().await.ok() }
    });
    jobs.add(CONTENTS, kind);
    let counted = knowledge.vulnerabilities.clone();
    let kind = JobKind::new("matches packages with advisories").counted(move || {
        let vulnerabilities = counted.clone();
        async move { vulnerabilities.waiting().await.ok() }
    });
    jobs.add(VULNERABILITIES, kind);
    let counted = knowledge.events.clone();
    let kind =
        JobKind::new("sends events to webhooks").at_a_time(Events::AT_A_TIME).counted(move || {
            let events = counted.clone();
            async move { events.waiting().await.ok() }
        });
    jobs.add(WEBHOOKS, kind);
    let counted = (*access).clone();
    let kind = JobKind::new("writes down what was refused many times").always();
    jobs.add(DENIALS, kind.counted(move || std::future::ready(Some(counted.denials_waiting()))));
    jobs.add(CREDENTIALS, JobKind::new("renews keys and forgets what ended").always());
}

/// A job that goes on as long as nobody pauses it.
fn job<Work, Working>(jobs: &Jobs, name: &'static str, work: Work) -> JoinHandle<()>
where
    Work: Fn() -> Working + Send + Sync + 'static,
    Working: Future<Output = ()> + Send + 'static,
{
    let jobs = jobs.clone();
    tokio::spawn(async move { jobs.run(name, work).await })
}

/// Writes down what was pulled, every minute, for ever.
async fn write_pulls(registry: Registry) {
    const PAUSE: Duration = Duration::from_mins(1);
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = registry.write_pulls().await {
            error!(%error, "cannot write down what was pulled; trying again in a minute");
        }
    }
}

/// Looks after keys and ended credentials, every hour, for ever.
async fn tend(access: Access) {
    const PAUSE: Duration = Duration::from_hours(1);
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tell(Progress::Works);
        let tended = access.tend().await;
        tell(of(&tended));
        if let Err(error) = tended {
            error!(%error, "cannot look after keys and credentials; trying again in an hour");
        }
    }
}

/// Writes down what was refused and counted, each time a window has ended, for ever.
async fn write_denials(access: Access) {
    let mut ticks = tokio::time::interval(Access::DENIALS_PAUSE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let written = access.write_counted_denials().await;
        tell(of(&written));
        if let Err(error) = written {
            error!(%error, "cannot write down what was refused; trying again soon");
        }
    }
}

/// How something went.
fn of<T, E: std::fmt::Display>(done: &Result<T, E>) -> Progress {
    match done {
        Ok(_) => Progress::Rests,
        Err(error) => Progress::Failed(error.to_string()),
    }
}

/// Collects at every interval, for ever. What failed is tried again with the next.
async fn collect(registry: Registry, access: Access, app: App, settings: settings::Collection) {
    if !settings.enabled {
        return;
    }
    let mut ticks = tokio::time::interval(settings.interval.duration());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = Timestamp::now();
        let request = CollectRequest { repository: None, dry_run: false, now };
        tell(Progress::Works);
        let collected = registry.collect(request).await;
        tell(match &collected {
            Ok(_) | Err(plura_registry::Error::CollectingElsewhere) => Progress::Rests,
            Err(error) => Progress::Failed(error.to_string()),
        });
        app.metrics().collection(collected.as_ref().ok(), now);
        match collected {
            Ok(report) if report.items.is_empty() && report.uploads == 0 => {}
            Ok(report) => {
                info!(
                    manifests = report.manifests,
                    links = report.links,
                    blobs = report.blobs,
                    uploads = report.uploads,
                    bytes = report.bytes,
                    kept = report.kept,
                    waiting = report.waiting,
                    "collected"
                );
                let event = App::collected(&report);
                if let Err(error) = access.record(&Origin::system(), event).await {
                    error!(%error, "cannot record what was collected");
                }
            }
            // There is one collection at a time, of all servers on the same database.
            Err(plura_registry::Error::CollectingElsewhere) => {}
            Err(error) => error!(%error, "collection failed; trying again at the next interval"),
        }
    }
}
