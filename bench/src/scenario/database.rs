//! Metadata in PostgreSQL: manifests read from one replica and from two.

use std::thread;

use anyhow::{Context as _, Result};

use super::{Bench, rotated};
use crate::image::Image;
use crate::peer::{Kind, Peer};
use crate::postgres::Postgres;
use crate::registry;
use crate::report::{ONE_REPLICA, Report, SUBJECT, Target};
use crate::wrk;

const REPOSITORY: &str = "bench/database";
const ALONE: &str = "by tag";
const TOGETHER: &str = "by tag, two replicas";

/// Who is asked in a turn.
#[derive(Clone, Copy)]
enum Turn {
    One,
    Two,
    DockerRegistry,
}

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    wrk::require()?;
    let postgres = Postgres::start(&bench.launcher)?;
    let first = bench.launcher.start_on_database(&postgres.url())?;
    let second = bench.launcher.start_on_database(&postgres.url())?;
    let other = bench.launcher.start(Kind::DockerRegistry)?;
    let image = Image::unique(4096);
    for peer in [&first, &other] {
        registry::push_image(&mut peer.connect()?, REPOSITORY, &image)?;
    }
    let target = format!("/v2/{REPOSITORY}/manifests/{}", image.tag);
    for round in 0..bench.rounds {
        for turn in rotated(&[Turn::One, Turn::Two, Turn::DockerRegistry], round) {
            let load = |peer: &Peer| wrk::run(peer, &target, None, bench.scale.wrk_seconds);
            match turn {
                Turn::One => {
                    let load = load(&first)?;
                    record(report, ALONE, SUBJECT, &load);
                    report.record(TOGETHER, UNIT, ONE_REPLICA, load.requests_per_second);
                }
                Turn::Two => {
                    let rate = both(&first, &second, &load)?;
                    report.record(TOGETHER, UNIT, SUBJECT, rate);
                }
                Turn::DockerRegistry => {
                    record(report, ALONE, Kind::DockerRegistry.name(), &load(&other)?);
                }
            }
        }
    }
    let peer = Kind::DockerRegistry.name();
    report.target(ALONE, UNIT, Target::AtLeast { peer, factor: 2.0 });
    report.target(TOGETHER, UNIT, Target::AtLeast { peer: ONE_REPLICA, factor: 1.7 });
    report.note(
        "Replicas, PostgreSQL and the load tool share the cores of one machine: on two cores a \
         second replica finds none that is idle, and the ratio says little about machines of \
         their own.",
    );
    Ok(())
}

const UNIT: &str = "requests/s";

fn record(report: &mut Report, case: &str, column: &'static str, load: &wrk::Load) {
    report.record(case, UNIT, column, load.requests_per_second);
    report.record(&format!("{case}, p50"), "ms", column, load.p50);
    report.record(&format!("{case}, p99"), "ms", column, load.p99);
}

/// Loads both at once; returns how many requests they answered a second together.
fn both(
    first: &Peer,
    second: &Peer,
    load: &(impl Fn(&Peer) -> Result<wrk::Load> + Sync),
) -> Result<f64> {
    thread::scope(|scope| {
        let other = scope.spawn(|| load(second));
        let one = load(first)?;
        let other = other.join().ok().context("a load tool panicked")??;
        Ok(one.requests_per_second + other.requests_per_second)
    })
}
