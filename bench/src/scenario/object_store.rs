//! Bytes in an object store: the same Garage under plura and docker-registry, both of which let them
//! pass through.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::{Bench, rotated};
use crate::content::{Content, mib};
use crate::garage::Garage;
use crate::peer::{Kind, Peer, REGISTRIES};
use crate::report::{Report, Target};
use crate::{as_f64, megabytes_per_second, parallel, physical, process, registry};

const REPOSITORY: &str = "bench/bucket";

/// What plura takes for one part, until an object has more than a thousand.
const PART: u64 = mib(8);

/// Uploads at once, and the size of each, when memory is measured.
const UPLOADS: usize = 64;

/// What plura may hold of parts in memory: the default of `storage.s3.upload_memory`.
const UPLOAD_MEMORY_MIB: f64 = 256.0;

/// What plura asks the object store by itself comes too seldom to be counted as a client's.
const BY_ITSELF: [(&str, &str); 2] =
    [("PLURA_HEALTH__INTERVAL", "1h"), ("PLURA_COLLECTION__INTERVAL", "1h")];

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let garage = Garage::start(&bench.launcher)?;
    let mut peers = Vec::new();
    for kind in REGISTRIES {
        garage.bucket(kind.name())?;
        peers.push(bench.launcher.start_on_bucket(kind, (&garage, kind.name()), &BY_ITSELF)?);
    }
    for peer in &peers {
        let content = Content::new(&bench.noise, mib(16))?;
        registry::push_content(&mut peer.connect()?, REPOSITORY, &content)?;
    }
    for round in 0..bench.rounds {
        for peer in rotated(&peers, round) {
            let content = Content::new(&bench.noise, bench.scale.blob)?;
            push(bench, report, &garage, peer, &content)?;
            pull(report, &garage, peer, &content)?;
        }
    }
    let peer = Kind::DockerRegistry.name();
    report.target("push, one PUT", "MB/s", Target::AtLeast { peer, factor: 1.3 });
    report.target("pull, passing through", "MB/s", Target::AtLeast { peer, factor: 1.2 });
    let parts = bench.scale.blob.div_ceil(PART);
    report.target("requests per push", "requests", Target::Limit(as_f64(parts + 2)));
    report.target("requests per pull", "requests", Target::Limit(1.0));
    drop(peers);
    memory(bench, report, &garage)
}

fn push(
    bench: &Bench,
    report: &mut Report,
    garage: &Garage,
    peer: &Peer,
    content: &Content,
) -> Result<()> {
    let mut connection = peer.connect()?;
    physical::settle(bench.scale.settle)?;
    let before = garage.requests()?;
    let (cpu, store_cpu) = (process::cpu_seconds(peer.pid())?, process::cpu_seconds(garage.pid())?);
    let started = Instant::now();
    registry::push_content(&mut connection, REPOSITORY, content)?;
    let elapsed = started.elapsed();
    let (name, size) = (peer.kind.name(), content.size());
    report.record("push, one PUT", "MB/s", name, megabytes_per_second(size, elapsed));
    let gib = as_f64(size) / as_f64(mib(1024));
    let cpu = process::cpu_seconds(peer.pid())? - cpu;
    report.record("push, one PUT, server CPU", "s/GiB", name, cpu / gib);
    let store_cpu = process::cpu_seconds(garage.pid())? - store_cpu;
    report.record("push, one PUT, Garage's CPU", "s/GiB", name, store_cpu / gib);
    count(report, "requests per push", peer, &before, &garage.requests()?);
    Ok(())
}

fn pull(report: &mut Report, garage: &Garage, peer: &Peer, content: &Content) -> Result<()> {
    let target = format!("/v2/{REPOSITORY}/blobs/{}", content.digest);
    let mut connection = peer.connect()?;
    let fetch = |connection: &mut crate::http::Connection| {
        let length = connection.download(&target, |_| ())?;
        ensure!(length == content.size(), "{length} bytes instead of {}", content.size());
        Ok(())
    };
    // Untimed: the first read of the object store's files measures the disk.
    fetch(&mut connection)?;
    let before = garage.requests()?;
    let started = Instant::now();
    fetch(&mut connection)?;
    let rate = megabytes_per_second(content.size(), started.elapsed());
    report.record("pull, passing through", "MB/s", peer.kind.name(), rate);
    count(report, "requests per pull", peer, &before, &garage.requests()?);
    Ok(())
}

/// Records how many requests there were between two readings, and which.
fn count(
    report: &mut Report,
    case: &str,
    peer: &Peer,
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
) {
    let made = after.iter().map(|(name, count)| (name, count - before.get(name).unwrap_or(&0)));
    let made: Vec<_> = made.filter(|(_, count)| *count > 0).collect();
    let total = made.iter().map(|(_, count)| count).sum::<u64>();
    report.record(case, "requests", peer.kind.name(), as_f64(total));
    let list: Vec<_> = made.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let note = format!("{}, {case}: {}.", peer.kind, list.join(", "));
    if !report.notes.contains(&note) {
        report.note(note);
    }
}

/// Memory is bounded by a setting, whatever the number of uploads.
fn memory(bench: &Bench, report: &mut Report, garage: &Garage) -> Result<()> {
    let case = format!("peak, {UPLOADS} concurrent pushes");
    for kind in REGISTRIES {
        let bucket = format!("{}-memory", kind.name());
        garage.bucket(&bucket)?;
        let peer = bench.launcher.start_on_bucket(kind, (garage, &bucket), &[])?;
        let contents = (0..UPLOADS)
            .map(|_| Content::new(&bench.noise, bench.scale.blob / 8))
            .collect::<Result<Vec<_>>>()?;
        process::forget_peak(peer.pid());
        parallel::timed(&peer, contents.len(), |client, connection| {
            registry::push_content(connection, REPOSITORY, &contents[client])
        })?;
        report.record(&case, "MiB", kind.name(), process::peak_mib(peer.pid())?);
    }
    // Beside the parts: the process at rest and what connections and the HTTP client hold.
    report.target(&case, "MiB", Target::Limit(UPLOAD_MEMORY_MIB + 128.0));
    Ok(())
}
