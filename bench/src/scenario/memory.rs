//! Memory at rest and under load, and the time to start with much stored.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::Bench;
use super::blob_get::fetch;
use crate::content::Content;
use crate::peer::{Kind, Peer, REGISTRIES};
use crate::report::{Report, Target};
use crate::seed::Seeded;
use crate::{milliseconds, parallel, process, registry};

const REPOSITORY: &str = "bench/memory";
const UNIT: &str = "MiB";

/// What a server still does right after its first answer is not its memory at rest.
const REST: Duration = Duration::from_secs(1);

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let pulls = format!("peak, {} concurrent pulls", bench.scale.concurrent_pulls);
    let pushes = format!("peak, {} concurrent pushes", bench.scale.concurrent_pushes);
    for kind in REGISTRIES {
        idle(bench, report, kind)?;
        pull(bench, report, kind, &pulls)?;
        push(bench, report, kind, &pushes)?;
    }
    report.target("idle after start", UNIT, Target::Limit(30.0));
    report.target(&pulls, UNIT, Target::Limit(150.0));
    report.target(&pushes, UNIT, Target::Limit(150.0));
    start_up(bench, report)
}

fn idle(bench: &Bench, report: &mut Report, kind: Kind) -> Result<()> {
    for _ in 0..bench.rounds {
        let peer = bench.launcher.start(kind)?;
        thread::sleep(REST);
        let resident = process::resident_mib(peer.pid())?;
        report.record("idle after start", UNIT, kind.name(), resident);
    }
    Ok(())
}

fn pull(bench: &Bench, report: &mut Report, kind: Kind, case: &str) -> Result<()> {
    let peer = bench.launcher.start(kind)?;
    let content = Content::new(&bench.noise, bench.scale.blob)?;
    registry::push_content(&mut peer.connect()?, REPOSITORY, &content)?;
    let target = format!("/v2/{REPOSITORY}/blobs/{}", content.digest);
    begin_peak(report, &peer);
    fetch(&peer, &target, bench.scale.concurrent_pulls, 1, content.size())?;
    report.record(case, UNIT, kind.name(), process::peak_mib(peer.pid())?);
    Ok(())
}

fn push(bench: &Bench, report: &mut Report, kind: Kind, case: &str) -> Result<()> {
    let peer = bench.launcher.start(kind)?;
    let contents = (0..bench.scale.concurrent_pushes)
        .map(|_| Content::new(&bench.noise, bench.scale.blob))
        .collect::<Result<Vec<_>>>()?;
    begin_peak(report, &peer);
    parallel::timed(&peer, contents.len(), |client, connection| {
        registry::push_content(connection, REPOSITORY, &contents[client])
    })?;
    report.record(case, UNIT, kind.name(), process::peak_mib(peer.pid())?);
    Ok(())
}

fn begin_peak(report: &mut Report, peer: &Peer) {
    if !process::forget_peak(peer.pid()) {
        report.note(format!("The peak of {} includes its preparation.", peer.kind));
    }
}

fn start_up(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let large = bench.large_store()?;
    let case = record_starts(bench, report, &large)?;
    report.target(&case, "ms", Target::Limit(100.0));

    let few = Seeded::fill(&bench.launcher, Kind::DockerRegistry, bench.scale.peer_stored)?;
    record_starts(bench, report, &few)?;
    report.note(format!(
        "docker-registry takes too long to be given {} manifests, and reads none when it starts.",
        large.stored
    ));
    Ok(())
}

/// Returns the case under which the times are recorded.
fn record_starts(bench: &Bench, report: &mut Report, store: &Seeded) -> Result<String> {
    let case = format!("start to first answer, {} manifests stored", store.stored);
    for _ in 0..bench.rounds {
        let peer = store.start(&bench.launcher)?;
        report.record(&case, "ms", store.kind.name(), milliseconds(peer.ready_after));
        peer.stop()?;
    }
    Ok(case)
}
