//! A fixed number of dead blobs collected among few and among many live ones: the cost must follow
//! the dead, not the living.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::Bench;
use crate::http::{Connection, Request};
use crate::image::{Addressed, config, manifest};
use crate::peer::{Kind, Peer};
use crate::report::{Report, Target};
use crate::{milliseconds, parallel, progress, registry};

const REPOSITORY: &str = "bench/collect";
const CLIENTS: usize = 16;
const LAYERS: usize = 100;
const BLOB: usize = 256;
const DEADLINE: Duration = Duration::from_mins(2);

/// Without a time of grace everything that is dead may go at once.
const SETTINGS: [(&str, &str); 1] = [("PLURA_COLLECTION__GRACE", "0s")];

/// What a collection must leave and what it must take.
struct Stored {
    live: Vec<String>,
    dead: Vec<String>,
}

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let name = Kind::Plura.name();
    let mut times = Vec::new();
    for live in bench.scale.live {
        let time = milliseconds(measure(bench, live)?);
        let case = format!("{} dead blobs among {live} live", bench.scale.dead);
        report.record(&case, "ms", name, time);
        times.push(time);
    }
    let [few, many] = bench.scale.live;
    let case = format!("time among {many} against among {few}");
    report.record(&case, "times", name, times[1] / times[0]);
    report.target(&case, "times", Target::Limit(1.5));
    report.note(
        "From the request until its answer, or, if it is answered before the work is done, until \
         the last dead blob is gone. Every store is collected once; all live blobs are still \
         there afterwards. docker-registry can only be collected while it is stopped.",
    );
    Ok(())
}

fn measure(bench: &Bench, live: usize) -> Result<Duration> {
    progress(&format!("storing {live} live and {} dead blobs", bench.scale.dead));
    let directory = bench.launcher.temporary()?;
    let stored = fill(bench, directory.path(), live)?;

    // Only now may the dead go: with this setting from the beginning, blobs pushed but not yet
    // part of a manifest would go too.
    let peer = bench.launcher.start_on(Kind::Plura, directory.path(), &SETTINGS)?;
    let time = collect(&peer, &stored.dead)?;
    parallel::for_each(&peer, CLIENTS, stored.live.len(), |number, connection| {
        ensure!(exists(connection, &stored.live[number])?, "a live blob is gone");
        Ok(())
    })?;
    peer.stop()?;
    Ok(time)
}

/// Stores live blobs in manifests, and dead ones in manifests that are then deleted.
fn fill(bench: &Bench, directory: &Path, live: usize) -> Result<Stored> {
    let peer = bench.launcher.start_on(Kind::Plura, directory, &[])?;
    let config = config(0);
    let mut connection = peer.connect()?;
    registry::push_bytes(&mut connection, REPOSITORY, &config.digest, &config.bytes)?;

    let live = blobs(live);
    push(&peer, &config, &live)?;
    let dead = blobs(bench.scale.dead);
    for manifest in push(&peer, &config, &dead)? {
        registry::delete_manifest(&mut connection, REPOSITORY, &manifest)?;
    }
    peer.stop()?;
    Ok(Stored { live: digests(live), dead: digests(dead) })
}

fn blobs(count: usize) -> Vec<Addressed> {
    (0..count).map(|_| Addressed::unique(BLOB)).collect()
}

fn digests(blobs: Vec<Addressed>) -> Vec<String> {
    blobs.into_iter().map(|blob| blob.digest).collect()
}

/// Pushes blobs and manifests over them; returns the digests of the manifests.
fn push(peer: &Peer, config: &Addressed, blobs: &[Addressed]) -> Result<Vec<String>> {
    parallel::for_each(peer, CLIENTS, blobs.len(), |number, connection| {
        let blob = &blobs[number];
        registry::push_bytes(connection, REPOSITORY, &blob.digest, &blob.bytes)
    })?;
    let mut connection = peer.connect()?;
    let mut manifests = Vec::new();
    for layers in blobs.chunks(LAYERS) {
        let layers: Vec<_> = layers.iter().collect();
        let manifest = manifest(config, &layers, "collect");
        registry::put_manifest(&mut connection, REPOSITORY, &manifest.digest, &manifest.bytes)?;
        manifests.push(manifest.digest);
    }
    Ok(manifests)
}

fn collect(peer: &Peer, dead: &[String]) -> Result<Duration> {
    let mut connection = peer.connect()?;
    let request = Request {
        method: "POST",
        target: "/v1/registry/gc",
        headers: &[("Content-Type", "application/json")],
        body: &[br#"{"dry_run": false}"#],
    };
    let started = Instant::now();
    let response = connection.send(&request)?;
    let answered = started.elapsed();
    let report = String::from_utf8_lossy(&response.body);
    let status = response.head.status;
    ensure!(matches!(status, 200 | 202), "the collection answered {status}: {report}");
    progress(&format!("the collection reports {}", report.trim()));

    // The blobs are asked for in order: all before the first that remains are known to be gone.
    let mut remaining = dead.iter().peekable();
    while let Some(digest) = remaining.peek() {
        if !exists(&mut connection, digest)? {
            remaining.next();
        } else if status == 200 {
            bail!("{digest} remains after a collection that is done");
        } else {
            ensure!(started.elapsed() < DEADLINE, "{digest} is never collected");
        }
    }
    Ok(if status == 200 { answered } else { started.elapsed() })
}

fn exists(connection: &mut Connection, digest: &str) -> Result<bool> {
    let target = format!("/v2/{REPOSITORY}/blobs/{digest}");
    let request = Request { method: "HEAD", target: &target, ..Request::default() };
    match connection.send(&request).context("asking for a blob")?.head.status {
        200 => Ok(true),
        404 => Ok(false),
        status => bail!("HEAD of a blob answered {status}"),
    }
}
