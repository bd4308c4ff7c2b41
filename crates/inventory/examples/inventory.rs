//! Reads layers, lowest first, and writes what is in their image:
//!
//! ```text
//! inventory [--facts | --cyclonedx | --spdx] LAYER...
//! ```
//!
//! What it took goes to standard error, so that this measures as well.
#![expect(clippy::print_stderr, reason = "it has no printer")]

use std::{
    error::Error,
    fs::File,
    io::{self, Write as _},
    time::Instant,
};

use plura_inventory::{
    ImageFacts, ImageLayer, LayerFacts, Limits, SbomSubject, combine, cyclonedx, read_layer, spdx,
};
use plura_oci::Digest;

fn main() -> Result<(), Box<dyn Error>> {
    let (options, paths): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let layers = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let layers: Vec<_> = layers
        .iter()
        .zip(&paths)
        .map(|(facts, path)| ImageLayer { digest: Digest::sha256(path.as_bytes()), facts })
        .collect();
    let image = combine(&layers);
    write(&image, options.first().map(String::as_str))?;
    eprintln!("{} packages; {}", image.packages.len(), memory()?);
    Ok(())
}

fn read(path: &str) -> Result<LayerFacts, Box<dyn Error>> {
    const MIB: f64 = 1_048_576.0;
    let file = File::open(path)?;
    let size = u32::try_from(file.metadata()?.len() >> 10)?;
    let start = Instant::now();
    let facts = read_layer(file, &Limits::default())?;
    let seconds = start.elapsed().as_secs_f64();
    let expanded = u32::try_from(facts.expanded_bytes >> 10)?;
    let rate = |kibibytes: u32| f64::from(kibibytes) * 1024.0 / MIB / seconds;
    eprintln!(
        "{path}: {} entries in {seconds:.2} s, {:.0} MiB/s in, {:.0} MiB/s out",
        facts.entries,
        rate(size),
        rate(expanded)
    );
    for note in &facts.notes {
        eprintln!("{path}: {}: {}", note.path, note.reason);
    }
    Ok(facts)
}

fn write(image: &ImageFacts, form: Option<&str>) -> Result<(), Box<dyn Error>> {
    let subject = SbomSubject {
        name: "example",
        digest: Digest::sha256(b"example"),
        created: "2026-01-01T00:00:00Z",
        tool_version: env!("CARGO_PKG_VERSION"),
    };
    let mut out = io::stdout().lock();
    match form {
        Some("--facts") => serde_json::to_writer(&mut out, image)?,
        Some("--cyclonedx") => serde_json::to_writer(&mut out, &cyclonedx(image, &subject))?,
        Some("--spdx") => serde_json::to_writer(&mut out, &spdx(image, &subject))?,
        _ => {
            for package in &image.packages {
                writeln!(out, "{} {} {}", package.layer, package.purl, package.path)?;
            }
        }
    }
    Ok(out.flush()?)
}

/// The most memory that this process held.
fn memory() -> io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    Ok(line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
}
