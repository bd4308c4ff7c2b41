//! A fixed number of dead blobs collected among few and among many live ones: the cost must follow
//! the dead, not the living.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::{Bench, rotated};
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

/// Without a time of grace everything that is dead may go at once, but only when it is asked to:
/// otherwise blobs pushed but not yet part of a manifest would go, too.
const SETTINGS: [(&str, &str); 2] =
    [("PLURA_COLLECTION__GRACE", "0s"), ("PLURA_COLLECTION__ENABLED", "false")];

/// A directory with live blobs in it.
struct Store {
    directory: TempDir,
    config: Addressed,
    live: Vec<String>,
}

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let name = Kind::Plura.name();
    let [few, many] = bench.scale.live;
    let stores = [Store::fill(bench, few)?, Store::fill(bench, many)?];
    for round in 0..bench.rounds {
        for store in rotated(&stores, round) {
            let time = milliseconds(measure(bench, store)?);
            report.record(&store.case(bench.scale.dead), "ms", name, time);
        }
    }
    compare(report, &stores, bench.scale.dead);
    report.note(
        "From the request until its answer, or, if it is answered before the work is done, until \
         the last dead blob is gone. All live blobs are still there afterwards. docker-registry \
         can only be collected while nobody pushes to it, by a walk over all it stores.",
    );
    Ok(())
}

impl Store {
    fn fill(bench: &Bench, live: usize) -> Result<Self> {
        progress(&format!("storing {live} live blobs"));
        let directory = bench.launcher.temporary()?;
        let peer = bench.launcher.start_on(Kind::Plura, directory.path(), &SETTINGS)?;
        let config = config(0);
        let mut connection = peer.connect()?;
        registry::push_bytes(&mut connection, REPOSITORY, &config.digest, &config.bytes)?;
        let live = blobs(live);
        push(&peer, &config, &live)?;
        peer.stop()?;
        Ok(Self { directory, config, live: digests(live) })
    }

    fn case(&self, dead: usize) -> String {
        format!("{dead} dead blobs among {} live", self.live.len())
    }
}

fn measure(bench: &Bench, store: &Store) -> Result<Duration> {
    let dead = add_dead(bench, store)?;
    let peer = bench.launcher.start_on(Kind::Plura, store.directory.path(), &SETTINGS)?;
    let time = collect(&peer, &dead)?;
    parallel::for_each(&peer, CLIENTS, store.live.len(), |number, connection| {
        ensure!(exists(connection, &store.live[number])?, "a live blob is gone");
        Ok(())
    })?;
    peer.stop()?;
    Ok(time)
}

/// Stores blobs in manifests that are then deleted; returns their digests.
fn add_dead(bench: &Bench, store: &Store) -> Result<Vec<String>> {
    let peer = bench.launcher.start_on(Kind::Plura, store.directory.path(), &SETTINGS)?;
    let dead = blobs(bench.scale.dead);
    let mut connection = peer.connect()?;
    for manifest in push(&peer, &store.config, &dead)? {
        registry::delete_manifest(&mut connection, REPOSITORY, &manifest)?;
    }
    peer.stop()?;
    Ok(digests(dead))
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

/// How the time grows with the number of live blobs, which it should not.
fn compare(report: &mut Report, [few, many]: &[Store; 2], dead: usize) {
    let value = |store: &Store| {
        let case = store.case(dead);
        report.rows.iter().find(|row| row.case == case)?.value(Kind::Plura.name())
    };
    if let (Some(short), Some(long)) = (value(few), value(many)) {
        let case = format!("time among {} against among {}", many.live.len(), few.live.len());
        report.record(&case, "times", Kind::Plura.name(), long / short);
        report.target(&case, "times", Target::Limit(1.5));
    }
}
