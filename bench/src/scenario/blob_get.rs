//! Large blobs read from the page cache: the speed of a pull once somebody has pulled before.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

use anyhow::{Result, ensure};
use sha2::{Digest as _, Sha256};

use super::{Bench, rotated};
use crate::content::{Content, digest_text, mib};
use crate::peer::{Kind, Peer};
use crate::report::{Report, Target};
use crate::{as_f64, megabytes_per_second, parallel, process, registry};

const REPOSITORY: &str = "bench/blob";

/// A single connection fetches more than once, so that clock ticks of 10 ms still say something
/// about CPU time.
const CASES: [(&str, usize, u64); 2] = [("1 connection", 1, 4), ("8 connections", 8, 1)];

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let peers = bench.start_all(&[Kind::Plura, Kind::DockerRegistry, Kind::Nginx])?;
    let content = Content::new(&bench.noise, bench.scale.blob)?;
    let target = format!("/v2/{REPOSITORY}/blobs/{}", content.digest);
    for peer in &peers {
        store(peer, &content, &target)?;
        check(peer, &content, &target)?;
    }
    for round in 0..bench.rounds {
        for (case, connections, gets) in CASES {
            for peer in rotated(&peers, round) {
                let bytes = content.size() * gets * connections as u64;
                let (elapsed, cpu) = fetch(peer, &target, connections, gets, content.size())?;
                let name = peer.kind.name();
                report.record(case, "MB/s", name, megabytes_per_second(bytes, elapsed));
                let per_gib = cpu / (as_f64(bytes) / as_f64(mib(1024)));
                report.record(&format!("{case}, server CPU"), "s/GiB", name, per_gib);
            }
        }
    }
    for (case, ..) in CASES {
        for peer in [Kind::DockerRegistry.name(), Kind::Nginx.name()] {
            report.target(case, "MB/s", Target::AtLeast { peer, factor: 1.0 });
        }
    }
    report.note(
        "Loopback flatters servers that copy: with sendfile, as nginx does it here, the copy is paid \
         by the reader. CPU seconds are counted by the kernel in ticks of 10 ms.",
    );
    Ok(())
}

fn store(peer: &Peer, content: &Content, target: &str) -> Result<()> {
    if peer.kind != Kind::Nginx {
        return registry::push_content(&mut peer.connect()?, REPOSITORY, content);
    }
    let path = peer.data.join(target.trim_start_matches('/'));
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut file = BufWriter::new(File::create(path)?);
    for slice in content.slices(0..content.size())? {
        file.write_all(slice)?;
    }
    Ok(file.flush()?)
}

/// The untimed first GET: it fills the page cache and shows that the bytes are the right ones.
fn check(peer: &Peer, content: &Content, target: &str) -> Result<()> {
    let mut hash = Sha256::new();
    let length = peer.connect()?.download(target, |bytes| hash.update(bytes))?;
    ensure!(length == content.size(), "{} sent {length} bytes", peer.kind);
    ensure!(digest_text(&hash.finalize()) == content.digest, "{} sent other bytes", peer.kind);
    Ok(())
}

/// Fetches on several connections; returns the time it took and the server's CPU seconds.
pub(super) fn fetch(
    peer: &Peer,
    target: &str,
    connections: usize,
    gets: u64,
    size: u64,
) -> Result<(Duration, f64)> {
    let before = process::cpu_seconds(peer.pid())?;
    let (elapsed, _) = parallel::timed(peer, connections, |_, connection| {
        for _ in 0..gets {
            let length = connection.download(target, |_| ())?;
            ensure!(length == size, "{length} bytes instead of {size}");
        }
        Ok(())
    })?;
    Ok((elapsed, process::cpu_seconds(peer.pid())? - before))
}
