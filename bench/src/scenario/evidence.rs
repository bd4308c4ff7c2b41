//! What is known of images: what it costs to ask, to verify, and to push while it is gathered.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::{Bench, rotated};
use crate::content::digest_of;
use crate::http::{Connection, Request, Response};
use crate::image::Image;
use crate::peer::{Kind, Peer};
use crate::registry::{MANIFEST_TYPE, push_bytes, push_image, put_manifest};
use crate::report::{Report, SUBJECT, Target, WITHOUT_EVIDENCE, percentile};
use crate::seed::{TAGGED, tag};
use crate::{as_f64, milliseconds, parallel, physical};

const REPOSITORY: &str = "bench/evidence";
/// How many times something is asked or verified.
const QUESTIONS: usize = 2000;
const VERIFICATIONS: usize = 200;
const GATHERED: Duration = Duration::from_mins(20);

/// What cosign and Sigstore's libraries made, as the tests of verification have it.
mod made {
    pub(super) const IMAGE: &[u8] =
        include_bytes!("../../../crates/trust/tests/fixtures/cosign/image.json");
    pub(super) const SIGNATURES: &[u8] =
        include_bytes!("../../../crates/trust/tests/fixtures/cosign/sig.manifest.json");
    pub(super) const PAYLOAD: &[u8] =
        include_bytes!("../../../crates/trust/tests/fixtures/cosign/sig.layer");
    pub(super) const KEY: &str =
        include_str!("../../../crates/trust/tests/fixtures/cosign/cosign.pub");
    pub(super) const BUNDLE: &[u8] =
        include_bytes!("../../../crates/trust/tests/fixtures/keyless/signature.sigstore.json");
    pub(super) const ROOT: &[u8] =
        include_bytes!("../../../crates/trust/tests/fixtures/keyless/trusted_root.json");
    pub(super) const ISSUER: &str = "https://token.actions.githubusercontent.com";
    pub(super) const WORKFLOW: &str =
        "https://github.com/acme/web/.github/workflows/release.yml@refs/heads/main";
}

pub(super) fn run(bench: &mut Bench, report: &mut Report) -> Result<()> {
    verify(bench, report)?;
    ask(bench, report)?;
    push(bench, report)
}

/// From what is stored to a verdict, through the API; nothing is remembered between two of them.
fn verify(bench: &Bench, report: &mut Report) -> Result<()> {
    let sparse = ("PLURA_REGISTRY__SPARSE", "all");
    let directory = bench.launcher.temporary()?;
    let peer = bench.launcher.start_on(Kind::Plura, directory.path(), &[sparse])?;
    let mut connection = peer.connect()?;
    let digest = digest_of(made::IMAGE);
    put_manifest(&mut connection, REPOSITORY, "v1", made::IMAGE)?;
    push_bytes(&mut connection, REPOSITORY, &digest_of(made::PAYLOAD), made::PAYLOAD)?;
    let signatures = format!("{}.sig", digest.replace(':', "-"));
    put_manifest(&mut connection, REPOSITORY, &signatures, made::SIGNATURES)?;
    let key = json!({ "keys": [{ "name": "release", "pem": made::KEY }] });
    verdicts(report, &mut connection, "one signature of a key", key, 2.0)?;

    // The bundle is about the same image; its key is in no policy, its identity is.
    put_bundle(&mut connection, REPOSITORY, &digest)?;
    send_json(&mut connection, ("PUT", "/api/v1/trust-root", 200), made::ROOT)?;
    let identity = json!({ "identities": [
        { "name": "ci", "issuer": made::ISSUER, "subject": made::WORKFLOW },
    ] });
    verdicts(report, &mut connection, "one signature of an identity", identity, 10.0)
}

fn put_bundle(connection: &mut Connection, repository: &str, subject: &str) -> Result<()> {
    const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let digest = digest_of(made::BUNDLE);
    push_bytes(connection, repository, &digest, made::BUNDLE)?;
    push_bytes(connection, repository, &digest_of(b"{}"), b"{}")?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": BUNDLE,
        "config": { "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": digest_of(b"{}"), "size": 2 },
        "layers": [{ "mediaType": BUNDLE, "digest": digest, "size": made::BUNDLE.len() }],
        "subject": { "mediaType": MANIFEST_TYPE, "digest": subject, "size": made::IMAGE.len() },
    })
    .to_string();
    put_manifest(connection, repository, &digest_of(manifest.as_bytes()), manifest.as_bytes())
}

fn verdicts(
    report: &mut Report,
    connection: &mut Connection,
    case: &str,
    mut policy: Value,
    limit: f64,
) -> Result<()> {
    policy["name"] = "bench".into();
    policy["repositories"] = json!(["**"]);
    let body = policy.to_string();
    let target = format!("/api/v1/evidence/verify?repository={REPOSITORY}&reference=v1");
    let mut times = Vec::with_capacity(VERIFICATIONS);
    for _ in 0..VERIFICATIONS {
        let started = Instant::now();
        let answer = send_json(connection, ("POST", &target, 200), body.as_bytes())?;
        times.push(milliseconds(started.elapsed()));
        let verdict: Value = serde_json::from_slice(&answer.body)?;
        ensure!(verdict["verified"] == true, "{case} is not verified: {verdict}");
    }
    let case = format!("verifying {case} from storage, p50");
    let time = percentile(&times, 50).context("nothing was verified")?;
    report.record(&case, "ms", SUBJECT, time);
    report.target(&case, "ms", Target::Limit(limit));
    Ok(())
}

/// What is kept of some among many.
fn ask(bench: &mut Bench, report: &mut Report) -> Result<()> {
    let large = bench.large_store()?;
    let peer = large.start(&bench.launcher)?;
    let mut connection = peer.connect()?;
    let case = format!("asking what is known, {} manifests stored", large.stored);
    let step = (large.stored / QUESTIONS).max(1);
    say_something(&mut connection, (0..large.stored).step_by(step))?;
    gathered(&peer)?;
    for _ in 0..bench.rounds {
        let mut times = Vec::with_capacity(QUESTIONS);
        for number in (0..large.stored).step_by(step) {
            let target = format!("/api/v1/evidence?repository={TAGGED}&reference={}", tag(number));
            let request = Request { method: "GET", target: &target, ..Request::default() };
            let started = Instant::now();
            connection.expect(200, &request)?;
            times.push(milliseconds(started.elapsed()));
        }
        for (part, label) in [(50, "p50"), (99, "p99")] {
            let time = percentile(&times, part).context("nothing was asked")?;
            report.record(&format!("{case}, {label}"), "ms", SUBJECT, time);
        }
    }
    report.target(&format!("{case}, p99"), "ms", Target::Limit(1.0));
    Ok(())
}

/// A signature for each of those images, so that there is something to know: that it is about another.
fn say_something(connection: &mut Connection, numbers: impl Iterator<Item = usize>) -> Result<()> {
    for number in numbers {
        let target = format!("/v2/{TAGGED}/manifests/{}", tag(number));
        let request = Request { method: "HEAD", target: &target, ..Request::default() };
        let head = connection.expect(200, &request)?;
        let digest =
            head.head.header("docker-content-digest").context("a manifest has no digest")?;
        put_bundle(connection, TAGGED, digest)?;
    }
    Ok(())
}

/// Waits until nobody's evidence waits to be gathered.
pub(super) fn gathered(peer: &Peer) -> Result<()> {
    let started = Instant::now();
    while waiting(peer)? > 0 {
        ensure!(started.elapsed() < GATHERED, "the evidence is not gathered");
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// How many manifests wait, as the server counts them.
fn waiting(peer: &Peer) -> Result<u64> {
    let request = Request { method: "GET", target: "/metrics", ..Request::default() };
    let answer = peer.connect()?.expect(200, &request)?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("plura_evidence_waiting "));
    match line {
        Some(count) => Ok(count.parse()?),
        None => bail!("the server does not say how many wait"),
    }
}

/// What is pushed by 8 clients while evidence is gathered, and while it is not.
fn push(bench: &Bench, report: &mut Report) -> Result<()> {
    let images: Vec<_> = (0..bench.scale.small_pushes).map(|_| Image::unique(4096)).collect();
    pushes(bench, report, "small pushes, 8 clients", images.len(), |number, connection| {
        push_image(connection, REPOSITORY, &images[number])
    })?;
    // The same signed image, each time into another repository, where it is verified anew.
    let digest = digest_of(made::IMAGE);
    let (payload, signatures) = (digest_of(made::PAYLOAD), digest.replace(':', "-") + ".sig");
    pushes(bench, report, "signed pushes, 8 clients", images.len(), |number, connection| {
        let repository = format!("{REPOSITORY}-{number}");
        put_manifest(connection, &repository, "v1", made::IMAGE)?;
        push_bytes(connection, &repository, &payload, made::PAYLOAD)?;
        put_manifest(connection, &repository, &signatures, made::SIGNATURES)
    })
}

fn pushes(
    bench: &Bench,
    report: &mut Report,
    case: &str,
    count: usize,
    push: impl Fn(usize, &mut Connection) -> Result<()> + Sync,
) -> Result<()> {
    const UNIT: &str = "pushes/s";
    let policy = json!({
        "name": "bench", "repositories": ["**"], "keys": [{ "name": "release", "pem": made::KEY }],
    })
    .to_string();
    for round in 0..bench.rounds {
        for column in rotated(&[SUBJECT, WITHOUT_EVIDENCE], round) {
            let gather = if *column == SUBJECT { "true" } else { "false" };
            let settings = [("PLURA_EVIDENCE__GATHER", gather), ("PLURA_REGISTRY__SPARSE", "all")];
            let directory = bench.launcher.temporary()?;
            let peer = bench.launcher.start_on(Kind::Plura, directory.path(), &settings)?;
            let target = ("PUT", "/api/v1/trust-policies/bench", 201);
            send_json(&mut peer.connect()?, target, policy.as_bytes())?;
            physical::settle(0)?;
            let elapsed = parallel::for_each(&peer, 8, count, &push)?;
            let rate = as_f64(count as u64) / elapsed.as_secs_f64();
            report.record(case, UNIT, column, rate);
        }
    }
    let peer = WITHOUT_EVIDENCE;
    report.target(case, UNIT, Target::AtLeast { peer, factor: 0.95 });
    Ok(())
}

fn send_json(
    connection: &mut Connection,
    (method, target, status): (&str, &str, u16),
    body: &[u8],
) -> Result<Response> {
    let headers = &[("Content-Type", "application/json")];
    connection.expect(status, &Request { method, target, headers, body: &[body] })
}
