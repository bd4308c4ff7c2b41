//! Bytes in an object store: the same Garage under plura and docker-registry, both of which let them
//! pass through.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::{Bench, rotated};
use crate::content::{Content, mib};
use crate::garage::Garage;
use crate::http::{Connection, Request};
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

/// What plura asks the object store by itself comes too seldom to be counted as a client's. Bytes pass
/// through to this machine; whoever says to be another is sent to Garage, which shows what that can do.
const SETTINGS: [(&str, &str); 5] = [
    ("PLURA_HEALTH__INTERVAL", "1h"),
    ("PLURA_COLLECTION__INTERVAL", "1h"),
    ("PLURA_STORAGE__REDIRECT__ENABLED", "true"),
    ("PLURA_STORAGE__REDIRECT__STREAM_TO", r#"["127.0.0.1/32"]"#),
    ("PLURA_SERVER__TRUSTED_PROXIES", r#"["127.0.0.1/32"]"#),
];

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let garage = Garage::start(&bench.launcher)?;
    let mut peers = Vec::new();
    for kind in REGISTRIES {
        garage.bucket(kind.name())?;
        peers.push(bench.launcher.start_on_bucket(kind, (&garage, kind.name()), &SETTINGS)?);
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
    let fetch = |connection: &mut Connection| {
        let length = connection.download(&target, |_| ())?;
        ensure!(length == content.size(), "{length} bytes instead of {}", content.size());
        Ok(())
    };
    // Untimed: the first read of the object store's files measures the disk.
    fetch(&mut connection)?;
    let before = garage.requests()?;
    let (cpu, store_cpu) = (process::cpu_seconds(peer.pid())?, process::cpu_seconds(garage.pid())?);
    let started = Instant::now();
    fetch(&mut connection)?;
    let rate = megabytes_per_second(content.size(), started.elapsed());
    let (name, gib) = (peer.kind.name(), as_f64(content.size()) / as_f64(mib(1024)));
    report.record("pull, passing through", "MB/s", name, rate);
    let cpu = process::cpu_seconds(peer.pid())? - cpu;
    report.record("pull, passing through, server CPU", "s/GiB", name, cpu / gib);
    let store_cpu = process::cpu_seconds(garage.pid())? - store_cpu;
    report.record("pull, passing through, Garage's CPU", "s/GiB", name, store_cpu / gib);
    count(report, "requests per pull", peer, &before, &garage.requests()?);
    if peer.kind == Kind::Plura { pull_from_garage(report, peer, content) } else { Ok(()) }
}

/// The same bytes from Garage itself, at the address that clients are sent to: no registry that lets
/// them pass through can be faster.
fn pull_from_garage(report: &mut Report, peer: &Peer, content: &Content) -> Result<()> {
    let target = format!("/v2/{REPOSITORY}/blobs/{}", content.digest);
    let headers = &[("X-Forwarded-For", "192.0.2.1")];
    let request = Request { method: "GET", target: &target, headers, ..Request::default() };
    let answer = peer.connect()?.expect(307, &request)?;
    let location = answer.head.header("location").context("a redirect says where to")?;
    let (authority, target) = location
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .context("the address of Garage")?;
    let (_, port) = authority.rsplit_once(':').context("a port")?;
    let mut connection = Connection::open(port.parse()?)?;
    let started = Instant::now();
    let length = connection.download(&format!("/{target}"), |_| ())?;
    ensure!(length == content.size(), "{length} bytes instead of {}", content.size());
    let rate = megabytes_per_second(content.size(), started.elapsed());
    report.record("pull, from Garage itself", "MB/s", peer.kind.name(), rate);
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
