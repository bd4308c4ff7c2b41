//! Reading a large image of this machine's own files, beside syft.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::super::Bench;
use crate::content::digest_of;
use crate::http::{Connection, Request};
use crate::image::Addressed;
use crate::layers::{self, StoredLayer};
use crate::peer::{Kind, Peer};
use crate::registry::{MANIFEST_TYPE, push_bytes, put_manifest};
use crate::report::{LAYER_ALONE, Report, SUBJECT, SYFT, Target};
use crate::{as_f64, milliseconds, physical, process, progress};

const REPOSITORY: &str = "bench/contents";
const MIB: f64 = 1_048_576.0;
/// Nothing is read before it is asked for, so that what reading costs is that and nothing else.
const SETTINGS: [(&str, &str); 1] = [("PLURA_CONTENTS__READ", "false")];

pub(super) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    progress("packing files of this machine into layers");
    let directory = bench.launcher.temporary()?;
    let blobs = directory.path().join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let layers = layers::of_this_machine(&blobs, bench.scale.image)?;
    let size: u64 = layers.iter().map(|layer| layer.size).sum();
    let image = manifest(&layers.iter().collect::<Vec<_>>());
    write_layout(directory.path(), &image)?;
    for round in 0..bench.rounds {
        read(bench, report, &blobs, &layers)?;
        beside(report, directory.path(), round)?;
    }
    report.target("reading it", "MiB/s of gzip per core", Target::AtLeastValue(250.0));
    report.target("memory above that at rest, reading it", "MiB", Target::Limit(64.0));
    report.target("the whole image", "s", Target::AtMost { peer: SYFT, factor: 0.2 });
    let case = "an image that shares all layers but one";
    report.target(case, "ms", Target::AtMost { peer: LAYER_ALONE, factor: 1.2 });
    report.note(format!(
        "The image has {} layers of gzip, {:.0} MiB together, of files of this machine: programs, \
         Python, Node, Java, what there is. Seconds are of the clock, from the question to the answer; \
         syft reads the same image from an OCI layout with what it looks for by default.",
        layers.len(),
        as_f64(size) / MIB
    ));
    Ok(())
}

/// Reads the image, another that shares its layers but the last, and that last one alone.
fn read(bench: &Bench, report: &mut Report, blobs: &Path, layers: &[StoredLayer]) -> Result<()> {
    let directory = bench.launcher.temporary()?;
    let peer = bench.launcher.start_on(Kind::Plura, directory.path(), &SETTINGS)?;
    let mut connection = peer.connect()?;
    let (last, shared) = layers.split_last().context("there are no layers")?;
    let variants = [last.variant(blobs, 1)?, last.variant(blobs, 2)?];
    let all: Vec<&StoredLayer> = layers.iter().collect();
    let mut second: Vec<&StoredLayer> = shared.iter().collect();
    second.push(&variants[0]);
    push(&mut connection, "whole", &all)?;
    push(&mut connection, "second", &second)?;
    push(&mut connection, "alone", &[&variants[1]])?;
    physical::settle(0)?;

    let size: u64 = layers.iter().map(|layer| layer.size).sum();
    let whole = asked(&peer, &mut connection, "whole")?;
    let rate = as_f64(size) / MIB / whole.cpu;
    report.record("reading it", "MiB/s of gzip per core", SUBJECT, rate);
    report.record("memory above that at rest, reading it", "MiB", SUBJECT, whole.memory);
    report.record("the whole image", "s", SUBJECT, whole.elapsed.as_secs_f64());
    let case = "an image that shares all layers but one";
    for (tag, column) in [("alone", LAYER_ALONE), ("second", SUBJECT)] {
        let time = milliseconds(asked(&peer, &mut connection, tag)?.elapsed);
        report.record(case, "ms", column, time);
    }
    variants.iter().try_for_each(|variant| fs::remove_file(&variant.path))?;
    Ok(())
}

/// What an answer cost the server.
struct Cost {
    elapsed: Duration,
    cpu: f64,
    /// MiB above what it had before.
    memory: f64,
}

fn asked(peer: &Peer, connection: &mut Connection, tag: &str) -> Result<Cost> {
    let pid = peer.pid();
    let target = format!("/api/v1/images/contents?repository={REPOSITORY}&reference={tag}");
    process::forget_peak(pid);
    let (memory, cpu) = (process::resident_mib(pid)?, process::cpu_seconds(pid)?);
    let started = Instant::now();
    let request = Request { method: "GET", target: &target, ..Request::default() };
    let answer: Value = serde_json::from_slice(&connection.expect(200, &request)?.body)?;
    let elapsed = started.elapsed();
    let problems = answer["problems"].as_array().map_or(0, Vec::len);
    ensure!(problems == 0, "{tag} could not be read: {}", answer["problems"]);
    let cpu = process::cpu_seconds(pid)? - cpu;
    Ok(Cost { elapsed, cpu, memory: process::peak_mib(pid)? - memory })
}

fn push(connection: &mut Connection, tag: &str, layers: &[&StoredLayer]) -> Result<()> {
    for layer in layers {
        push_bytes(connection, REPOSITORY, &layer.digest, &fs::read(&layer.path)?)?;
    }
    let (config, manifest) = manifest(layers);
    push_bytes(connection, REPOSITORY, &config.digest, &config.bytes)?;
    put_manifest(connection, REPOSITORY, tag, &manifest.bytes)
}

fn manifest(layers: &[&StoredLayer]) -> (Addressed, Addressed) {
    // Digests of what the layers hold are told nobody; that they are as many is what syft asks for.
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {
            "type": "layers",
            "diff_ids": layers.iter().map(|layer| &layer.digest).collect::<Vec<_>>(),
        },
    });
    let config = Addressed::new(config.to_string().into_bytes());
    let described = layers.iter().map(|layer| {
        json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": layer.digest, "size": layer.size,
        })
    });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config.digest, "size": config.bytes.len(),
        },
        "layers": described.collect::<Vec<_>>(),
    });
    (config, Addressed::new(manifest.to_string().into_bytes()))
}

fn write_layout(directory: &Path, (config, manifest): &(Addressed, Addressed)) -> Result<()> {
    for blob in [config, manifest] {
        let name = blob.digest.trim_start_matches("sha256:");
        fs::write(directory.join("blobs/sha256").join(name), &blob.bytes)?;
    }
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": MANIFEST_TYPE, "digest": digest_of(&manifest.bytes),
        "size": manifest.bytes.len(),
    }]});
    fs::write(directory.join("index.json"), index.to_string())?;
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(())
}

/// The same by syft, which takes minutes: once is enough to tell five times from once.
fn beside(report: &mut Report, layout: &Path, round: usize) -> Result<()> {
    let Some(syft) = syft() else {
        if round == 0 {
            report.note("syft is not installed; `scripts/sbom` installs it.");
        }
        return Ok(());
    };
    if round > 0 {
        return Ok(());
    }
    let started = Instant::now();
    let status = Command::new(syft)
        .arg("scan")
        .arg(format!("oci-dir:{}", layout.display()))
        .args(["--quiet", "--output", "cyclonedx-json=/dev/null"])
        .env("SYFT_CHECK_FOR_APP_UPDATE", "false")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("running syft")?;
    ensure!(status.success(), "syft ended with {status}");
    report.record("the whole image", "s", SYFT, started.elapsed().as_secs_f64());
    Ok(())
}

/// Where `scripts/sbom` installs it, or on the search path.
fn syft() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cache =
        std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let searched = std::env::split_paths(&path).map(|directory| directory.join("syft"));
    std::iter::once(cache.join("plura-sbom-tools/bin/syft"))
        .chain(searched)
        .find(|path| path.is_file())
}
