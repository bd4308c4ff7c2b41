//! Vulnerabilities, by the commands that people type and the API behind them.

mod scanner;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use plura_testkit::{Client, Image, Outcome, Random, Server, eventually};
use serde_json::{Value, json};

/// A server without login.
struct Site {
    server: Server,
    client: Client,
}

impl Site {
    fn start() -> Self {
        let server = Server::start(binary());
        let client = server.client();
        Self { server, client }
    }

    /// Runs the binary, in the directory of the installation; words are separated by spaces.
    fn run(&self, command: &str) -> Outcome {
        let words: Vec<&str> = command.split(' ').collect();
        let variables =
            [("PLURA_SERVER", self.server.base()), ("DOCKER_CONFIG", "none".to_owned())];
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        let environment: BTreeMap<_, _> = variables.into_iter().map(own).collect();
        Outcome::of(binary(), &words, &environment, self.server.data())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.server.data().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }

    async fn status(&self) -> Value {
        self.client.get("/api/v1/advisories").await.expect(200).json()
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_plura"))
}

fn advisory(id: &str) -> Value {
    json!({
        "id": id, "modified": "2026-07-01T00:00:00Z", "aliases": ["CVE-2026-1"],
        "affected": [{
            "package": { "ecosystem": "npm", "name": "lodash" },
            "ranges": [{ "type": "SEMVER", "events": [
                { "introduced": "0" }, { "fixed": "4.17.21" },
            ] }],
        }],
    })
}

#[tokio::test]
async fn advisories_are_taken_over_from_files_and_directories() {
    let site = Site::start();
    site.run("advisories status").expect(0).expect_stderr("there are no advisories");
    let pretty = |id: &str| serde_json::to_string_pretty(&advisory(id)).expect("it is JSON");
    site.write("records/npm/GHSA-1.json", &pretty("GHSA-1"));
    site.write("records/GHSA-2.json", &pretty("GHSA-2"));
    site.write("records/other.txt", "not a record");
    site.run("advisories import records").expect(0).expect_stderr("records has 2 advisories");
    site.write("one.json", &pretty("GHSA-3"));
    let imported = site.run("advisories import one.json --source npm --json").expect(0).json();
    assert_eq!(imported["source"]["advisories"], 1);
    assert_eq!(imported["source"]["location"], "one.json");
    site.run("advisories import one.json --source npm").expect(0).expect_stderr("same as before");
    let shown = site.run("advisories status").expect(0);
    shown.expect_stdout("records").expect_stdout("one.json");
    assert_eq!(site.status().await["sources"].as_array().map(Vec::len), Some(2));

    site.write("wrong.json", "<html>");
    let refused = site.run("advisories import wrong.json --source npm").expect(2);
    refused.expect_stderr("nothing in it is an advisory");
    site.run("advisories remove npm").expect(0);
    site.run("advisories remove npm").expect(1).expect_stderr("no source of advisories");
    assert_eq!(site.status().await["advisories"], 2);
    let figures = site.client.get("/metrics").await.expect(200);
    let figures = String::from_utf8_lossy(&figures.body);
    assert!(figures.contains("plura_advisories_age_seconds"), "{figures}");
}

#[tokio::test]
async fn advisories_come_from_a_mirror_and_from_an_artifact() {
    let site = Site::start();
    let repository = site.client.repository("mirror/osv");
    let record = advisory("GHSA-1").to_string();
    let digest = repository.push_bytes(record.as_bytes()).await;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.example.advisories",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
            "digest": repository.push_bytes(b"{}").await,
        },
        "layers": [{ "mediaType": "application/json", "digest": digest, "size": record.len() }],
    });
    let manifest =
        plura_testkit::Manifest::of("application/vnd.oci.image.manifest.v1+json", &manifest);
    repository.put_manifest("latest", &manifest).await.expect(201);
    let imported = "advisories import --artifact mirror/osv:latest --source npm";
    site.run(imported).expect(0).expect_stderr("npm has 1 advisories");
    let location = site.status().await["sources"][0]["location"].clone();
    assert_eq!(location, format!("mirror/osv@{}", manifest.digest()));

    // The registry itself gives out what a mirror would.
    let address = format!("{}/v2/mirror/osv/blobs/{digest}", site.server.base());
    site.run(&format!("advisories import {address} --source mirror")).expect(0);
    site.run("advisories update").expect(0).expect_stderr("mirror has 1 advisories, the same");
}

#[tokio::test]
async fn an_image_that_nobody_looked_into_is_not_said_to_be_clean() {
    let site = Site::start();
    let image = Image::random(&mut Random::printed());
    site.client.repository("apps/web").push_image_as("1", &image).await.expect(201);
    site.run("image vulns apps/web:1").expect(0).expect_stderr("the server has no advisories");
    site.write("one.json", &advisory("GHSA-1").to_string());
    site.run("advisories import one.json").expect(0);
    site.run("image vulns apps/web:none").expect(1);
    let sarif = site.run("image vulns apps/web:1 --sarif").expect(0).json();
    assert_eq!(sarif["version"], "2.1.0");
    site.run("vulns --cve CVE-2026-1").expect(0).expect_stderr("there are no such images");
    site.run("vulns --package lodash --below 4.17.21 --ecosystem npm").expect(0);
    site.run("vulns --since 1h --json").expect(0).expect_stdout("[]");
    site.run("vulns").expect(2);
}

#[tokio::test]
async fn exceptions_are_granted_listed_and_ended() {
    let site = Site::start();
    let add = "exception add --vulnerability CVE-2026-1 --repositories apps/** --reason fine";
    site.run(&format!("{add} --owner alice --expires 30d")).expect(0);
    site.run(&format!("{add} --owner alice --expires 30d")).expect(1).expect_stderr("already");
    let refused = site.run(&format!("{add} --owner alice --expires 91d --id long")).expect(2);
    refused.expect_stderr("may hold until");
    let listed = site.run("exception list --json").expect(0).json();
    assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&json!("CVE-2026-1"), &json!("active")));
    assert_eq!(listed[0]["owner"], "alice");
    assert_ne!(listed[0]["approver"], "alice");
    site.write("ignore.yaml", "vulnerabilities:\n  - id: CVE-2026-2\n    statement: fine\n");
    let import = "exception import ignore.yaml --project apps --owner alice";
    site.run(import).expect(0).expect_stderr("1 exceptions");
    site.run("exception list").expect(0).expect_stdout("project apps");
    site.run("exception remove CVE-2026-2").expect(0);
    site.run("exception remove CVE-2026-2").expect(1);
    let vex = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "vex-1", "author": "Vendor",
        "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": [],
    });
    site.write("vex.json", &vex.to_string());
    site.run("exception import vex.json").expect(0).expect_stderr("Vendor says in vex-1");
    let events = site.run("audit --action exception. --jsonl").expect(0).stdout;
    assert_eq!(events.lines().count(), 3, "{events}");
}

#[tokio::test]
async fn a_large_import_comes_as_it_is_sent() {
    let site = Site::start();
    let padding = "x".repeat(400);
    let mut lines = String::new();
    for number in 0..20_000 {
        let id = format!("GHSA-{number}");
        let record = json!({ "id": id, "modified": "2026-07-01T00:00:00Z", "summary": padding });
        lines.push_str(&record.to_string());
        lines.push('\n');
    }
    let sent = site.client.post("/api/v1/advisories?source=many");
    let sent = sent.header("content-type", "application/x-ndjson").streamed(lines);
    let answer = sent.await.expect(200).json();
    assert_eq!(answer["source"]["advisories"], 20_000);
    let request = site.client.post("/api/v1/advisories?source=many").body("{}");
    request.header("content-type", "text/plain").await.expect(400);
    // What is matched is told when it is done.
    let matched = async || (site.status().await["waiting"] == 0).then_some(());
    eventually("all packages are matched", matched).await;
}
