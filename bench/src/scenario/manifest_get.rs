//! Manifests read by tag and by digest: what every pull, every watcher and every deployment does.

use std::fs;

use anyhow::Result;

use super::{Bench, rotated};
use crate::image::Image;
use crate::peer::{Kind, Peer};
use crate::registry;
use crate::report::{Report, Target};
use crate::wrk;

const REPOSITORY: &str = "bench/manifest";

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    wrk::require()?;
    let peers = bench.start_all(&[Kind::Plura, Kind::DockerRegistry, Kind::Nginx])?;
    let image = Image::unique(4096);
    for peer in &peers {
        store(peer, &image)?;
    }
    let cases = [("by tag", &image.tag), ("by digest", &image.manifest.digest)];
    for round in 0..bench.rounds {
        for (case, reference) in cases {
            for peer in rotated(&peers, round) {
                let target = format!("/v2/{REPOSITORY}/manifests/{reference}");
                let load = wrk::run(peer, &target, None, bench.scale.wrk_seconds)?;
                let name = peer.kind.name();
                report.record(case, "requests/s", name, load.requests_per_second);
                report.record(&format!("{case}, p50"), "ms", name, load.p50);
                report.record(&format!("{case}, p99"), "ms", name, load.p99);
            }
        }
    }
    for (case, _) in cases {
        let peer = Kind::DockerRegistry.name();
        report.target(case, "requests/s", Target::AtLeast { peer, factor: 20.0 });
    }
    report.note(
        "nginx serves the manifest as a static file. The fastest registry known to us, olareg, \
         answered 36,000 requests/s by tag on a machine of this kind.",
    );
    Ok(())
}

/// Makes the manifest readable under its tag and its digest.
fn store(peer: &Peer, image: &Image) -> Result<()> {
    if peer.kind == Kind::Nginx {
        let directory = peer.data.join("v2").join(REPOSITORY).join("manifests");
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(&image.tag), &image.manifest.bytes)?;
        fs::write(directory.join(&image.manifest.digest), &image.manifest.bytes)?;
        return Ok(());
    }
    registry::push_image(&mut peer.connect()?, REPOSITORY, image)
}
