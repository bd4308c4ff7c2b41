//! Packages of many images matched with all advisories, and asking which images have one of them.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::super::Bench;
use crate::http::{Connection, Request};
use crate::image::{config, manifest};
use crate::layers;
use crate::peer::{Kind, Peer};
use crate::registry::{push_bytes, put_manifest};
use crate::report::{Report, SUBJECT, Target, percentile};
use crate::{milliseconds, parallel, progress};

const CLIENTS: usize = 8;
const PACKAGES_OF_AN_IMAGE: usize = 300;
/// Advisories about one package, each fixed in another version of it.
const ADVISORIES_OF_A_NAME: usize = 10;
/// The versions of a package that are in use: none of the advisories is about the newest, and two are about
/// the oldest.
const VERSIONS: usize = 3;
const QUESTIONS: usize = 1000;
const PATIENCE: Duration = Duration::from_mins(10);
const MOMENT: Duration = Duration::from_millis(20);

pub(super) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let (images, advisories) = (bench.scale.images, bench.scale.advisories);
    let names = advisories / ADVISORIES_OF_A_NAME;
    let directory = bench.launcher.temporary()?;
    let peer = bench.launcher.start_on(Kind::Plura, directory.path(), &[])?;
    progress(&format!("storing {images} images of {PACKAGES_OF_AN_IMAGE} packages"));
    fill(&peer, images, names)?;
    let mut connection = peer.connect()?;
    import(&mut connection, names, 0)?;
    matched(&mut connection)?;

    let case = format!(
        "matching {images} images of {PACKAGES_OF_AN_IMAGE} packages with {advisories} other advisories"
    );
    for round in 1..=bench.rounds {
        import(&mut connection, names, round)?;
        let started = Instant::now();
        matched(&mut connection)?;
        report.record(&case, "s", SUBJECT, started.elapsed().as_secs_f64());
    }
    report.target(&case, "s", Target::Limit(10.0));
    questions(bench, report, &mut connection, names)?;
    report.note(
        "The advisories come through the API, each time others of the same size; the clock begins with \
         the answer and ends when no package waits, so that reading the advisories back is part of it. \
         A question is which images have a CVE, answered with the first hundred.",
    );
    Ok(())
}

fn questions(
    bench: &Bench,
    report: &mut Report,
    connection: &mut Connection,
    names: usize,
) -> Result<()> {
    let case = "which images have a CVE";
    for _ in 0..bench.rounds {
        let mut times = Vec::with_capacity(QUESTIONS);
        let mut found = 0;
        for question in 0..QUESTIONS {
            let name = mixed(question) % names;
            let cve = cve(name, ADVISORIES_OF_A_NAME - 1);
            let target = format!("/api/v1/vulnerabilities?cve={cve}");
            let request = Request { method: "GET", target: &target, ..Request::default() };
            let started = Instant::now();
            let answer = connection.expect(200, &request)?;
            times.push(milliseconds(started.elapsed()));
            let answer: Value = serde_json::from_slice(&answer.body)?;
            found += answer["found"].as_array().map_or(0, Vec::len);
        }
        ensure!(found > 0, "no image has any of the vulnerabilities that were asked for");
        for (part, label) in [(50, "p50"), (99, "p99")] {
            let time = percentile(&times, part).context("nothing was asked")?;
            report.record(&format!("{case}, {label}"), "ms", SUBJECT, time);
        }
    }
    report.target(&format!("{case}, p99"), "ms", Target::Limit(50.0));
    Ok(())
}

/// Pushes the images, and waits for each until it is read.
fn fill(peer: &Peer, images: usize, names: usize) -> Result<()> {
    let config = config(0);
    parallel::for_each(peer, CLIENTS, images, |number, connection| {
        let repository = format!("bench/matching-{}", number % 100);
        let tag = format!("t{number}");
        let layer = layers::of_texts(&[
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
            ("var/lib/dpkg/status", &status(number, names)),
        ]);
        for blob in [&config, &layer] {
            push_bytes(connection, &repository, &blob.digest, &blob.bytes)?;
        }
        put_manifest(connection, &repository, &tag, &manifest(&config, &[&layer], &tag).bytes)?;
        let target =
            format!("/api/v1/images/packages?repository={repository}&reference={tag}&name=-");
        let request = Request { method: "GET", target: &target, ..Request::default() };
        connection.expect(200, &request).map(drop)
    })?;
    Ok(())
}

/// What dpkg says is installed in an image: one package of each stretch of names, so that none is there
/// twice.
fn status(image: usize, names: usize) -> String {
    let mut status = String::new();
    let stretch = (names / PACKAGES_OF_AN_IMAGE).max(1);
    for package in 0..PACKAGES_OF_AN_IMAGE {
        let chosen = mixed(image * PACKAGES_OF_AN_IMAGE + package);
        let name = (package * stretch + chosen % stretch) % names;
        let version = ADVISORIES_OF_A_NAME - chosen / stretch % VERSIONS;
        // Writing to a string cannot fail.
        let _ = write!(
            status,
            "Package: package{name}\nStatus: install ok installed\nArchitecture: amd64\n\
             Version: 1.0.{version}-1\n\n"
        );
    }
    status
}

/// Imports advisories that differ from those of every other round.
fn import(connection: &mut Connection, names: usize, round: usize) -> Result<()> {
    let mut lines = String::new();
    for name in 0..names {
        for number in 0..ADVISORIES_OF_A_NAME {
            let cve = cve(name, number);
            let record = json!({
                "id": format!("DEBIAN-{cve}"), "upstream": [cve],
                "modified": format!("2026-01-01T00:00:{round:02}Z"),
                "details": format!("package{name} does what it should not, as of {round}"),
                "affected": [{
                    "package": { "ecosystem": "Debian:12", "name": format!("package{name}") },
                    "ranges": [{ "type": "ECOSYSTEM", "events": [
                        { "introduced": "0" }, { "fixed": format!("1.0.{}-1", number + 1) },
                    ]}],
                }],
            });
            let _ = writeln!(lines, "{record}");
        }
    }
    let request = Request {
        method: "POST",
        target: "/api/v1/advisories?source=bench",
        headers: &[("Content-Type", "application/x-ndjson")],
        body: &[lines.as_bytes()],
    };
    connection.expect(200, &request).map(drop)
}

/// Waits until every package is matched with the advisories in force.
fn matched(connection: &mut Connection) -> Result<()> {
    let started = Instant::now();
    let request = Request { method: "GET", target: "/api/v1/advisories", ..Request::default() };
    loop {
        let status: Value = serde_json::from_slice(&connection.expect(200, &request)?.body)?;
        if status["waiting"] == 0 {
            return Ok(());
        }
        ensure!(started.elapsed() < PATIENCE, "packages still wait to be matched: {status}");
        std::thread::sleep(MOMENT);
    }
}

fn cve(name: usize, number: usize) -> String {
    format!("CVE-2026-{}", 10_000 + name * ADVISORIES_OF_A_NAME + number)
}

/// A number that says nothing of the one it is made of (the finaliser of `SplitMix64`).
fn mixed(number: usize) -> usize {
    let mut mixed = (number as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap_or_default()
}
