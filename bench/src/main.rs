//! Measures plura side by side with Debian's docker-registry, nginx and the machine itself.

mod content;
mod garage;
mod host;
mod http;
mod image;
mod layers;
mod parallel;
mod peer;
mod physical;
mod postgres;
mod process;
mod registry;
mod render;
mod report;
mod scenario;
mod seed;
mod wrk;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};
use serde_json::json;

use crate::host::Host;
use crate::peer::{Kind, Launcher};
use crate::report::Report;
use crate::scenario::{Bench, Scale, Scenario};

/// Measure plura side by side with docker-registry, nginx and the machine itself.
#[derive(Parser)]
struct Arguments {
    /// Measure only this scenario; may be repeated [default: all]
    #[arg(long, value_name = "SCENARIO")]
    only: Vec<Scenario>,

    /// How often every measurement is repeated
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Small sizes: shows that the scenarios work, the figures mean little
    #[arg(long)]
    quick: bool,

    /// The plura program [default: beside this program]
    #[arg(long, value_name = "PATH")]
    plura: Option<PathBuf>,

    /// Where servers keep their data: a disk with 40 GB to spare, not memory
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    dir: PathBuf,

    /// Where results are written
    #[arg(long, value_name = "DIR", default_value = "bench/results")]
    results: PathBuf,

    /// Start this program in plura's place, to try the scenarios themselves
    #[arg(long, value_name = "PEER", hide = true)]
    plura_as: Option<StandIn>,
}

#[derive(Clone, Copy, ValueEnum)]
enum StandIn {
    DockerRegistry,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nothing is left to do when the error cannot be written either.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Measures and writes the results; false if a scenario could not be finished.
fn run(arguments: &Arguments) -> Result<bool> {
    let plura = match &arguments.plura {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("plura"),
    };
    let stand_in = arguments.plura_as.map(|StandIn::DockerRegistry| Kind::DockerRegistry);
    let directory = fs::canonicalize(&arguments.dir)
        .with_context(|| format!("{} is not there", arguments.dir.display()))?;
    ensure!(
        stand_in.is_some() || plura.is_file(),
        "{} is not there: `cargo build --release -p plura`, or give --plura PATH",
        plura.display()
    );
    let host = Host::look(&plura, &directory)?;
    let scale = if arguments.quick { Scale::quick() } else { Scale::full() };
    let launcher = Launcher { plura, stand_in, directory };
    let mut bench = Bench::new(launcher, scale, usize::from(arguments.rounds));

    let chosen = if arguments.only.is_empty() {
        Scenario::value_variants().to_vec()
    } else {
        arguments.only.clone()
    };
    let mut reports = Vec::new();
    for scenario in chosen {
        progress(&format!("measuring {}", scenario.name()));
        let report = scenario.run(&mut bench);
        print(&format!("\n{}", render::section(&report)))?;
        reports.push(report);
    }
    write_results(arguments, &host, &reports)?;
    Ok(reports.iter().all(|report| report.failure.is_none()))
}

fn write_results(arguments: &Arguments, host: &Host, reports: &[Report]) -> Result<()> {
    let mut name = format!("{}-{}core", host.day(), host.cores);
    for scenario in &arguments.only {
        name = format!("{name}-{}", scenario.name());
    }
    if arguments.quick {
        name.push_str("-quick");
    }
    if arguments.plura_as.is_some() {
        name.push_str("-stand-in");
    }
    let settings = format!(
        "Medians of {} rounds{}; ratios with the lowest and highest of one round. MB is 10^6 bytes.",
        arguments.rounds,
        if arguments.quick { " at small sizes" } else { "" }
    );
    fs::create_dir_all(&arguments.results)?;
    let raw = json!({
        "host": host, "rounds": arguments.rounds, "quick": arguments.quick,
        "stand_in": arguments.plura_as.is_some(), "scenarios": reports,
    });
    let path = arguments.results.join(format!("{name}.json"));
    fs::write(&path, serde_json::to_string_pretty(&raw)? + "\n")?;
    let readable = render::document(host, &settings, reports);
    fs::write(path.with_extension("md"), &readable)?;
    let summary = readable.lines().last().unwrap_or_default();
    print(&format!("\n{summary}\nWritten to {} and .md\n", path.display()))
}

/// Says on standard error what is going on; a run takes long.
fn progress(text: &str) {
    // Progress that cannot be shown is no reason to stop measuring.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("writing to standard output")
}

fn megabytes_per_second(bytes: u64, elapsed: Duration) -> f64 {
    as_f64(bytes) / 1e6 / elapsed.as_secs_f64()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes here are far below 2^52")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Whether a program can be found, for errors that say what to install.
fn require(program: &str) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([Path::new("/usr/sbin").to_owned()])
        .any(|directory| directory.join(program).is_file());
    ensure!(found, "{program} is not installed (apt-get install {program})");
    Ok(())
}
