//! What the machine itself can do: no server gets past it.

use anyhow::Result;

use super::Bench;
use crate::physical;
use crate::report::Report;

const NAME: &str = "machine";

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let (bytes, directory) = (bench.scale.blob, bench.launcher.temporary()?);
    for _ in 0..bench.rounds {
        report.record("SHA-256, one core", "GiB/s", NAME, physical::sha256_rate(bytes));
        report.record("loopback TCP, one stream", "MB/s", NAME, physical::loopback_rate(bytes)?);
        physical::settle(bench.scale.settle)?;
        let rate = physical::disk_rate(directory.path(), bytes)?;
        report.record("disk, sequential write and fsync", "MB/s", NAME, rate);
    }
    Ok(())
}
