//! The same manifest through a channel, and by a tag of the repository that it was pushed to.

use anyhow::Result;

use super::store::Store;
use crate::report::{BY_TAG, Report, SUBJECT, Target};
use crate::scenario::{Bench, rotated};
use crate::wrk;

const CASE: &str = "manifest GET through a channel, 32 connections";

pub(super) fn run(bench: &Bench, report: &mut Report, store: &Store) -> Result<()> {
    wrk::require()?;
    let service = &store.services[store.services.len() / 2];
    let through = format!("/v2/channels/prod/{}/manifests/stable", service.name);
    let by_tag = format!("/v2/{}/manifests/1.0.0", service.repository);
    for round in 0..bench.rounds {
        for (column, target) in rotated(&[(SUBJECT, &through), (BY_TAG, &by_tag)], round) {
            let load = wrk::run(&store.peer, target, None, bench.scale.wrk_seconds)?;
            report.record(CASE, "requests/s", column, load.requests_per_second);
            report.record(&format!("{CASE}, p99"), "ms", column, load.p99);
        }
    }
    report.target(CASE, "requests/s", Target::AtLeast { peer: BY_TAG, factor: 0.95 });
    Ok(())
}
