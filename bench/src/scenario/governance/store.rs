//! A registry that is governed: services, images, what is known of them, and a channel of each service.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::images::{self, ADVISORIES_OF_A_NAME, BaseImage, IN_ALL, NAMES, OF_A_SERVICE};
use crate::http::{Connection, Request};
use crate::peer::{Kind, Peer};
use crate::scenario::{Bench, evidence};
use crate::{parallel, progress};

pub(super) const CHANNEL: &str = "prod:stable";

const CLIENTS: usize = 8;
const PATIENCE: Duration = Duration::from_mins(5);
const MOMENT: Duration = Duration::from_millis(20);

/// Gates as they may be in earnest, but for signatures: ten thousand of them take minutes to make.
const DOCUMENT: &str = r#"
format = 1
[layout]
services = ["apps/{service}"]

[[tags]]
name = "releases"
repositories = ["apps/**"]
shapes = ["{semver}"]
immutable = ["*"]
labels = ["org.opencontainers.image.version", "org.opencontainers.image.revision"]

[base_images.debian]
names = ["base/debian*"]

[gates.contents.sbom]
signed = false
[gates.contents.labels]
required = ["org.opencontainers.image.revision", "org.opencontainers.image.source"]
[gates.contents.non_root]
[gates.contents.secrets]
[gates.contents.base_image]
allow = ["debian"]
matched = true

[gates.security.vulnerabilities]
critical = 0
high = 0
medium = "any"
[gates.security.advisories]
newest_within = "3650d"
compared_within = "1d"

[gates.tests.checks]
required = ["smoke"]

[[channels]]
name = "prod:stable"
repositories = ["apps/**"]
gates = ["contents", "security", "tests"]
"#;

/// A server with all of that.
pub(super) struct Store {
    pub(super) peer: Peer,
    pub(super) services: Vec<Service>,
    // Behind the server in it: fields are dropped in order.
    _directory: TempDir,
}

/// A service and its images.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) repository: String,
    /// Their digests.
    pub(super) images: Vec<String>,
}

impl Store {
    pub(super) fn fill(bench: &Bench) -> Result<Self> {
        let services = (bench.scale.images / OF_A_SERVICE).max(1);
        progress(&format!("storing {services} services of {OF_A_SERVICE} images"));
        let directory = bench.launcher.temporary()?;
        let peer = bench.launcher.start_on(Kind::Plura, directory.path(), &[])?;
        let mut connection = peer.connect()?;
        govern(&mut connection, DOCUMENT)?;
        let bases = BaseImage::push_all(&mut connection)?;
        let pushed = parallel::timed(&peer, CLIENTS, |client, connection| {
            let own = (client..services).step_by(CLIENTS);
            own.map(|number| Service::push(connection, number, &bases)).collect::<Result<Vec<_>>>()
        })?;
        let mut services: Vec<Service> = pushed.1.into_iter().flatten().collect();
        services.sort_by(|one, other| one.name.cmp(&other.name));
        let store = Self { peer, services, _directory: directory };
        store.know()?;
        store.promote_all(0)?;
        Ok(store)
    }

    /// Waits until all is known of the images that may be.
    fn know(&self) -> Result<()> {
        progress("waiting until images are read, matched and known");
        // Another connection than before: one that was idle for so long is closed.
        let mut connection = self.peer.connect()?;
        import(&mut connection, 0, false)?;
        matched(&mut connection)?;
        evidence::gathered(&self.peer)
    }

    /// Moves every channel to that image of its service.
    pub(super) fn promote_all(&self, image: usize) -> Result<()> {
        parallel::for_each(&self.peer, CLIENTS, self.services.len(), |number, connection| {
            self.services[number].promote(connection, image)
        })?;
        Ok(())
    }
}

impl Service {
    fn push(connection: &mut Connection, number: usize, bases: &[BaseImage]) -> Result<Self> {
        let name = format!("s{number:05}");
        let repository = format!("apps/{name}");
        let base = &bases[number % bases.len()];
        images::prepare(connection, &repository, base)?;
        let mut all = Vec::with_capacity(OF_A_SERVICE);
        for image in 0..OF_A_SERVICE {
            let digest = images::push(connection, &repository, (number, image), base)?;
            let target = format!("/api/v1/checks?repository={repository}&reference={digest}");
            let check = json!({ "name": "smoke", "state": "success" });
            call(connection, ("POST", &target), &check)?;
            images::read(connection, &repository, &digest)?;
            all.push(digest);
        }
        Ok(Self { name, repository, images: all })
    }

    /// Moves the channel to that image.
    pub(super) fn promote(&self, connection: &mut Connection, image: usize) -> Result<()> {
        let answer = self.ask_to_promote(connection, image, false)?;
        let state = &answer["promotion"]["state"];
        ensure!(state == "finished", "a promotion is {state}: {answer:#}");
        Ok(())
    }

    pub(super) fn ask_to_promote(
        &self,
        connection: &mut Connection,
        image: usize,
        dry_run: bool,
    ) -> Result<Value> {
        let digest = &self.images[image];
        let wanted =
            json!({ "repo": self.repository, "to": CHANNEL, "digest": digest, "dry_run": dry_run });
        call(connection, ("POST", "/v1/registry/promote"), &wanted)
    }
}

/// Sends JSON and reads the JSON that is answered.
pub(super) fn call(
    connection: &mut Connection,
    (method, target): (&str, &str),
    body: &Value,
) -> Result<Value> {
    let body = body.to_string();
    let headers = &[("Content-Type", "application/json")];
    let request = Request { method, target, headers, body: &[body.as_bytes()] };
    Ok(serde_json::from_slice(&connection.expect(200, &request)?.body)?)
}

pub(super) fn get(connection: &mut Connection, target: &str) -> Result<Value> {
    let request = Request { method: "GET", target, ..Request::default() };
    Ok(serde_json::from_slice(&connection.expect(200, &request)?.body)?)
}

/// The document with other gates for vulnerabilities.
pub(super) fn stricter() -> String {
    DOCUMENT.replace("medium = \"any\"", "medium = 0")
}

fn govern(connection: &mut Connection, document: &str) -> Result<()> {
    let request = Request {
        method: "PUT",
        target: "/api/v1/policy?reason=measured",
        headers: &[("Content-Type", "application/toml")],
        body: &[document.as_bytes()],
    };
    connection.expect(200, &request).map(drop)
}

/// Imports advisories that differ from those of every other round; the critical one is about all images.
pub(super) fn import(connection: &mut Connection, round: usize, critical: bool) -> Result<()> {
    let mut lines = String::new();
    for name in 0..NAMES {
        for number in 0..ADVISORIES_OF_A_NAME {
            let cve = format!("CVE-2026-{}", 10_000 + name * ADVISORIES_OF_A_NAME + number);
            let package = format!("package{name}");
            let fixed = format!("1.0.{}-1", number + 1);
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{}", advisory(&cve, &package, &fixed, MEDIUM, round));
        }
    }
    if critical {
        let _ = writeln!(lines, "{}", advisory("CVE-2026-9999", IN_ALL, "9", CRITICAL, round));
    }
    let request = Request {
        method: "POST",
        target: "/api/v1/advisories?source=bench",
        headers: &[("Content-Type", "application/x-ndjson")],
        body: &[lines.as_bytes()],
    };
    connection.expect(200, &request).map(drop)
}

const MEDIUM: &str = "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:L/I:L/A:N";
const CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";

fn advisory(cve: &str, package: &str, fixed: &str, severity: &str, round: usize) -> Value {
    json!({
        "id": format!("DEBIAN-{cve}"), "upstream": [cve],
        "modified": format!("2026-11-01T00:00:{round:02}Z"),
        "details": format!("{package} does what it should not, as of {round}"),
        "severity": [{ "type": "CVSS_V3", "score": severity }],
        "affected": [{
            "package": { "ecosystem": "Debian:12", "name": package },
            "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": fixed }] }],
        }],
    })
}

/// Waits until every package is matched with the advisories in force.
fn matched(connection: &mut Connection) -> Result<()> {
    let started = Instant::now();
    loop {
        let status = get(connection, "/api/v1/advisories")?;
        if status["waiting"] == 0 {
            return Ok(());
        }
        ensure!(started.elapsed() < PATIENCE, "packages still wait to be matched: {status}");
        std::thread::sleep(MOMENT);
    }
}
