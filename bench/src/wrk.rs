//! `wrk`, which asks for one thing on many connections as fast as it is answered.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::peer::Peer;
use crate::registry::MANIFEST_TYPE;

const CONNECTIONS: u32 = 32;

/// What wrk reports.
#[derive(Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) requests_per_second: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    /// Milliseconds.
    pub(crate) p99: f64,
}

/// Whether it is installed.
pub(crate) fn require() -> Result<()> {
    crate::require("wrk")
}

/// Gets a manifest for some seconds; `authorization` is the header of that name.
pub(crate) fn run(
    peer: &Peer,
    target: &str,
    authorization: Option<&str>,
    seconds: u32,
) -> Result<Load> {
    let mut command = Command::new("wrk");
    command
        .args(["-t2", "--latency", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s")])
        .args(["-H", &format!("Accept: {MANIFEST_TYPE}")]);
    if let Some(value) = authorization {
        command.args(["-H", &format!("Authorization: {value}")]);
    }
    let output = command.arg(format!("http://127.0.0.1:{}{target}", peer.port)).output()?;
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
