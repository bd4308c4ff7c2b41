//! Large blobs pushed in one PUT and in ten PATCH requests, against what the disk itself takes.

use std::time::Instant;

use anyhow::Result;

use super::{Bench, rotated};
use crate::content::{Content, mib};
use crate::peer::{Kind, Peer, REGISTRIES};
use crate::report::{Report, Target};
use crate::{as_f64, megabytes_per_second, physical, process, registry};

const REPOSITORY: &str = "bench/push";
const CHUNKS: u64 = 10;
const CASES: [Case; 2] = [Case::OnePut, Case::Chunks];

#[derive(Clone, Copy)]
enum Case {
    OnePut,
    Chunks,
}

impl Case {
    fn name(self) -> &'static str {
        match self {
            Self::OnePut => "one PUT",
            Self::Chunks => "ten PATCH",
        }
    }
}

/// Who takes a turn: the disk itself is measured between the servers, under the same conditions.
enum Turn<'a> {
    Server(&'a Peer),
    Disk,
}

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    for round in 0..bench.rounds {
        // New servers each round, so that what they stored is gone and the disk does not fill.
        let peers = bench.start_all(&REGISTRIES)?;
        for peer in &peers {
            warm_up(bench, peer)?;
        }
        let turns: Vec<_> = peers.iter().map(Turn::Server).chain([Turn::Disk]).collect();
        for case in CASES {
            for turn in rotated(&turns, round) {
                match turn {
                    Turn::Server(peer) => push(bench, report, peer, case)?,
                    Turn::Disk => write(bench, report, case)?,
                }
            }
        }
    }
    for case in CASES {
        let peer = Kind::DockerRegistry.name();
        report.target(case.name(), "MB/s", Target::AtLeast { peer, factor: 2.0 });
        report.target(case.name(), "MB/s", Target::AtLeast { peer: "disk", factor: 0.8 });
    }
    report.note(
        "Before every push everything dirty is written out and memory is touched and freed. \
         `disk` is one stream of 1 MiB writes and an fsync at the end, without hashing anything.",
    );
    Ok(())
}

/// The first request of a process pays for what later ones find ready.
fn warm_up(bench: &Bench, peer: &Peer) -> Result<()> {
    let content = Content::new(&bench.noise, mib(8))?;
    registry::push_content(&mut peer.connect()?, REPOSITORY, &content)
}

fn push(bench: &Bench, report: &mut Report, peer: &Peer, case: Case) -> Result<()> {
    let content = Content::new(&bench.noise, bench.scale.blob)?;
    let mut connection = peer.connect()?;
    physical::settle(bench.scale.settle)?;

    let before = process::cpu_seconds(peer.pid())?;
    let started = Instant::now();
    match case {
        Case::OnePut => registry::push_content(&mut connection, REPOSITORY, &content),
        Case::Chunks => registry::push_in_chunks(&mut connection, REPOSITORY, &content, CHUNKS),
    }?;
    let elapsed = started.elapsed();
    let cpu = process::cpu_seconds(peer.pid())? - before;

    let (case, name) = (case.name(), peer.kind.name());
    report.record(case, "MB/s", name, megabytes_per_second(content.size(), elapsed));
    let per_gib = cpu / (as_f64(content.size()) / as_f64(mib(1024)));
    report.record(&format!("{case}, server CPU"), "s/GiB", name, per_gib);
    Ok(())
}

fn write(bench: &Bench, report: &mut Report, case: Case) -> Result<()> {
    let directory = bench.launcher.temporary()?;
    physical::settle(bench.scale.settle)?;
    let rate = physical::disk_rate(directory.path(), bench.scale.blob)?;
    report.record(case.name(), "MB/s", "disk", rate);
    Ok(())
}
