//! Many small images pushed: what a build farm does all day.

use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::{Bench, rotated};
use crate::image::Image;
use crate::peer::{Kind, Peer, REGISTRIES};
use crate::report::{Report, Target, percentile};
use crate::{as_f64, milliseconds, parallel, physical, registry};

const REPOSITORY: &str = "bench/small";
const LAYER: usize = 4096;
const CASES: [(&str, usize); 2] = [("1 client", 1), ("8 clients", 8)];

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let peers = bench.start_all(&REGISTRIES)?;
    for round in 0..bench.rounds {
        for (case, clients) in CASES {
            for peer in rotated(&peers, round) {
                push_all(bench, report, peer, case, clients)?;
            }
        }
    }
    let peer = Kind::DockerRegistry.name();
    for (case, _) in CASES {
        report.target(case, "pushes/s", Target::AtLeast { peer, factor: 2.0 });
        for part in ["p50", "p99"] {
            report.target(&format!("{case}, {part}"), "ms", Target::AtMost { peer, factor: 1.0 });
        }
    }
    report.note(
        "One push is five requests: POST and PUT for a configuration and for a layer of 4 KiB, \
         and a manifest put under a new tag.",
    );
    Ok(())
}

fn push_all(
    bench: &Bench,
    report: &mut Report,
    peer: &Peer,
    case: &str,
    clients: usize,
) -> Result<()> {
    let images: Vec<_> = (0..bench.scale.small_pushes).map(|_| Image::unique(LAYER)).collect();
    let times = Mutex::new(Vec::with_capacity(images.len()));
    physical::settle(0)?;
    let elapsed = parallel::for_each(peer, clients, images.len(), |number, connection| {
        let started = Instant::now();
        registry::push_image(connection, REPOSITORY, &images[number])?;
        let time = milliseconds(started.elapsed());
        times.lock().ok().context("a client panicked")?.push(time);
        Ok(())
    })?;

    let times = times.into_inner()?;
    let name = peer.kind.name();
    let rate = as_f64(images.len() as u64) / elapsed.as_secs_f64();
    report.record(case, "pushes/s", name, rate);
    for (part, label) in [(50, "p50"), (99, "p99")] {
        let time = percentile(&times, part).context("nothing was pushed")?;
        report.record(&format!("{case}, {label}"), "ms", name, time);
    }
    Ok(())
}
