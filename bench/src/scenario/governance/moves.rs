//! What is asked one by one: why, promoting, and going back.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::images::OF_A_SERVICE;
use super::store::{CHANNEL, Service, Store, call, get};
use crate::http::Connection;
use crate::milliseconds;
use crate::report::{Report, SUBJECT, Target, percentile};
use crate::scenario::Bench;

const WHY: &str = "why";
const DRY_RUN: &str = "promote, decided alone (dry run)";
const PROMOTE: &str = "promote, decided and moved";
const ROLL_BACK: &str = "roll back";

pub(super) fn run(bench: &Bench, report: &mut Report, store: &Store) -> Result<()> {
    let mut connection = store.peer.connect()?;
    for round in 0..bench.rounds {
        // The first image is what channels go back to.
        let image = 1 + round % (OF_A_SERVICE - 1);
        let mut measure = |case: &str, work: &dyn Fn(&Service, &mut Connection) -> Result<()>| {
            times(report, case, store, &mut connection, work)
        };
        measure(WHY, &|service, connection| service.why(connection, image))?;
        measure(DRY_RUN, &|service, connection| {
            let answer = service.ask_to_promote(connection, image, true)?;
            ensure!(answer["decision"]["effect"] == "allow", "a dry run is denied: {answer:#}");
            Ok(())
        })?;
        measure(PROMOTE, &|service, connection| service.promote(connection, image))?;
        measure(ROLL_BACK, &Service::roll_back)?;
        for service in &store.services {
            service.release(&mut connection)?;
        }
    }
    for case in [WHY, DRY_RUN, PROMOTE, ROLL_BACK] {
        report.target(&format!("{case}, p99"), "ms", Target::Limit(20.0));
    }
    // Gathering facts is part of the answer, and cannot take longer than the whole of it.
    report.target(&format!("{WHY}, p99"), "ms", Target::Limit(5.0));
    report.note(
        "Asked on one connection, one service after the other, while what a move causes goes on behind \
         it: summaries are signed, what is in channels is decided about again, the log is integrated. The \
         facts of a digest are gathered anew for each answer; that is the part of `why` that is held to 5 ms.",
    );
    Ok(())
}

fn times(
    report: &mut Report,
    case: &str,
    store: &Store,
    connection: &mut Connection,
    work: &dyn Fn(&Service, &mut Connection) -> Result<()>,
) -> Result<()> {
    let mut times = Vec::with_capacity(store.services.len());
    for service in &store.services {
        let started = Instant::now();
        work(service, connection)?;
        times.push(milliseconds(started.elapsed()));
    }
    for (part, label) in [(50, "p50"), (99, "p99")] {
        let time = percentile(&times, part).context("nothing was asked")?;
        report.record(&format!("{case}, {label}"), "ms", SUBJECT, time);
    }
    Ok(())
}

impl Service {
    fn why(&self, connection: &mut Connection, image: usize) -> Result<()> {
        let (repository, digest) = (&self.repository, &self.images[image]);
        let target = format!(
            "/api/v1/decisions?repository={repository}&reference={digest}&channel={CHANNEL}"
        );
        let answer = get(connection, &target)?;
        ensure!(answer["decision"]["effect"] == "allow", "an image may not be there: {answer:#}");
        Ok(())
    }

    /// Back to the first image.
    fn roll_back(&self, connection: &mut Connection) -> Result<()> {
        let wanted = json!({ "repo": self.repository, "to": CHANNEL, "reason": "measured" });
        let answer = call(connection, ("POST", "/v1/registry/rollback"), &wanted)?;
        ensure!(answer["digest"] == self.images[0], "it went back to another image: {answer:#}");
        Ok(())
    }

    fn release(&self, connection: &mut Connection) -> Result<()> {
        let wanted = json!({ "repo": self.repository, "channel": CHANNEL });
        call(connection, ("POST", "/api/v1/channels/release"), &wanted).map(drop)
    }
}
