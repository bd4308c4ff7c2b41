//! Manifests read by tag and by digest: what every pull, every watcher and every deployment does.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{Bench, rotated};
use crate::image::Image;
use crate::peer::{Kind, Peer};
use crate::registry::{self, MANIFEST_TYPE};
use crate::report::{Report, Target};
use crate::require;

const CONNECTIONS: u32 = 32;
const REPOSITORY: &str = "bench/manifest";

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    require("wrk")?;
    let peers = bench.start_all(&[Kind::Plura, Kind::DockerRegistry, Kind::Nginx])?;
    let image = Image::unique(4096);
    for peer in &peers {
        store(peer, &image)?;
    }
    let cases = [("by tag", &image.tag), ("by digest", &image.manifest.digest)];
    for round in 0..bench.rounds {
        for (case, reference) in cases {
            for peer in rotated(&peers, round) {
                let load = wrk(peer, reference, bench.scale.wrk_seconds)?;
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
    let mut connection = peer.connect()?;
    for blob in [&image.config, &image.layer] {
        registry::push_bytes(&mut connection, REPOSITORY, &blob.digest, &blob.bytes)?;
    }
    registry::put_manifest(&mut connection, REPOSITORY, &image.tag, &image.manifest.bytes)
}

/// What wrk reports.
#[derive(Debug, PartialEq)]
struct Load {
    requests_per_second: f64,
    p50: f64,
    p99: f64,
}

fn wrk(peer: &Peer, reference: &str, seconds: u32) -> Result<Load> {
    let output = Command::new("wrk")
        .args(["-t2", "--latency", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s")])
        .args(["-H", &format!("Accept: {MANIFEST_TYPE}")])
        .arg(format!("http://127.0.0.1:{}/v2/{REPOSITORY}/manifests/{reference}", peer.port))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {text}");
    parse(&text).with_context(|| format!("wrk against {} said: {text}", peer.kind))
}

fn parse(text: &str) -> Result<Load> {
    for trouble in ["Non-2xx or 3xx responses", "Socket errors"] {
        ensure!(!text.contains(trouble), "not every request was answered with success");
    }
    let value = |label: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(label))
            .map(str::trim)
            .with_context(|| format!("no {label:?} in what wrk printed"))
    };
    Ok(Load {
        requests_per_second: value("Requests/sec:")?.parse()?,
        p50: wrk_milliseconds(value("50%")?)?,
        p99: wrk_milliseconds(value("99%")?)?,
    })
}

/// Reads a time as wrk writes it: `712.00us`, `1.25ms`, `2.00s`, `1.00m`.
fn wrk_milliseconds(text: &str) -> Result<f64> {
    let unit_at = text.find(char::is_alphabetic).context("a time without a unit")?;
    let (value, unit) = text.split_at(unit_at);
    let factor = match unit {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        _ => anyhow::bail!("an unknown unit of time: {unit}"),
    };
    Ok(value.parse::<f64>()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
Running 1s test @ http://127.0.0.1:1/
  2 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.19ms    2.03ms  33.50ms   92.39%
    Req/Sec    25.50k     3.31k   34.00k    70.00%
  Latency Distribution
     50%  512.00us
     75%    1.03ms
     90%    2.82ms
     99%   10.25ms
  50882 requests in 1.00s, 33.77MB read
Requests/sec:  50803.11
Transfer/sec:     33.72MB
";

    #[test]
    fn the_figures_of_wrk_are_read() {
        let load = Load { requests_per_second: 50_803.11, p50: 0.512, p99: 10.25 };
        assert_eq!(parse(GOOD).unwrap(), load);
    }

    #[test]
    fn a_run_with_errors_counts_for_nothing() {
        for trouble in [
            "  Non-2xx or 3xx responses: 3\n",
            "  Socket errors: connect 0, read 1, write 0, timeout 0\n",
        ] {
            assert!(parse(&format!("{GOOD}{trouble}")).is_err());
        }
    }
}
