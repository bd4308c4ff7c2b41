//! The part of the demo about what may run where: rules, evidence, a promotion that is refused and one that
//! is not, the way back, and the proof of all that.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use plura_tlog::{Proof, VerifierKey};
use plura_trust::PrivateKey;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{Ask, Client};
use super::image::Content;
use super::release::{Attached, Release};

/// Where the service's images are.
pub(super) const REPOSITORY: &str = "apps/search";
/// Where its channels in production are.
const CHANNELS: &str = "channels/prod/search";
const DOCUMENT: &str = include_str!("governance.toml");
/// Everything here takes seconds.
const PATIENCE: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(50);

/// From the rules to the proof.
pub(super) async fn walk(client: &Client<'_>) -> anyhow::Result<()> {
    let key = govern(client).await?;
    let good = release(client, &key, "1.0.0", "3.3.2-r1").await?;
    let bad = release(client, &key, "1.1.0", "3.3.1-r3").await?;
    let better = release(client, &key, "1.1.1", "3.3.2-r1").await?;
    bring(client, &good).await?;
    refuse(client, &bad).await?;
    bring(client, &better).await?;
    let position = go_back(client, &good, &better).await?;
    prove(client, position).await
}

/// Says what is asked of images, whose signatures count, and which vulnerabilities there are.
async fn govern(client: &Client<'_>) -> anyhow::Result<PrivateKey> {
    client
        .tell("What may run where is one document; what is wrong with it is told with its place")?;
    client.same_as("plura policy apply governance.toml --reason demo --server http://HOST")?;
    let ask = Ask::new(Method::PUT, "/api/v1/policy?reason=demo", StatusCode::OK);
    client.ask(ask.header("Content-Type", "application/toml").body(DOCUMENT)).await?;

    client.tell("Releases are signed with a key; a vulnerability of OpenSSL is known")?;
    client.same_as("plura trust policy set release --repositories 'apps/**' --key release.pub")?;
    let key = PrivateKey::generate()?;
    let policy = json!({
        "name": "release",
        "repositories": ["apps/**"],
        "keys": [{ "name": "release", "pem": key.public_key().to_pem() }],
    });
    let ask = Ask::new(Method::PUT, "/api/v1/trust-policies/release", StatusCode::CREATED);
    client.ask(ask.json(&policy)).await?;
    client.same_as("plura advisories import alpine.json --server http://HOST")?;
    let ask = Ask::new(Method::POST, "/api/v1/advisories?source=alpine", StatusCode::OK);
    client.ask(ask.json(&advisory())).await?;
    Ok(key)
}

fn advisory() -> Value {
    json!({
        "id": "CVE-2026-0001",
        "modified": "2026-01-01T00:00:00Z",
        "summary": "An example: anybody can run anything",
        "severity": [{
            "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        }],
        "affected": [{
            "package": { "ecosystem": "Alpine:v3.20", "name": "openssl" },
            "ranges": [{ "type": "ECOSYSTEM", "events": [
                { "introduced": "0" }, { "fixed": "3.3.2-r0" },
            ] }],
        }],
    })
}

/// Pushes a release with who signed it, how it was built and what is in it.
async fn release(
    client: &Client<'_>,
    key: &PrivateKey,
    version: &'static str,
    library: &str,
) -> anyhow::Result<Release> {
    client.tell(&format!(
        "Push search {version}, with signature, provenance and bill of materials"
    ))?;
    client.same_as(&format!("skopeo copy oci:search docker://HOST/{REPOSITORY}:{version}"))?;
    client.same_as(&format!("plura sign HOST/{REPOSITORY}:{version} --key release.key"))?;
    let release = Release::build(version, library)?;
    let quiet = client.quiet();
    push_blob(&quiet, &release.layer).await?;
    push_blob(&quiet, &release.configuration).await?;
    push_manifest(&quiet, version, &release.manifest).await?;
    attach(&quiet, &release.signature(key)?).await?;
    attach(&quiet, &release.provenance(key)?).await?;
    let path =
        format!("/api/v1/images/sbom?repository={REPOSITORY}&reference={version}&format=cyclonedx");
    let document = answer(&quiet, Ask::new(Method::GET, path, StatusCode::OK)).await?;
    attach(&quiet, &release.bill_of_materials(key, &document)?).await?;
    Ok(release)
}

/// The vulnerable release goes nowhere, and it is said why.
async fn refuse(client: &Client<'_>, release: &Release) -> anyhow::Result<()> {
    let digest = release.manifest.digest;
    client.tell(&format!("May search {} be in staging? No, and this is why", release.version))?;
    client.same_as(&format!("plura reg why {REPOSITORY}@{digest} --to stg:stable"))?;
    let ask = Ask::new(Method::POST, "/v1/registry/promote", StatusCode::OK);
    let asked =
        json!({ "repo": REPOSITORY, "to": "stg:stable", "digest": digest, "dry_run": true });
    let decision = answer(client, ask.json(&asked)).await?["decision"].clone();
    ensure!(decision["effect"] == "deny", "it is not refused: {decision}");
    for outcome in decision["outcomes"].as_array().context("no outcomes")? {
        if outcome["effect"] != "allow" {
            let word = |key: &str| outcome[key].as_str().unwrap_or_default().to_owned();
            let (rule, observed, required) = (word("rule"), word("observed"), word("required"));
            client.tell(&format!("  {rule}: {observed}; required: {required}"))?;
            client.tell(&format!("  fix: {}", word("fix")))?;
        }
    }
    Ok(())
}

/// Brings a release through staging, where it gets its traffic step by step, to production.
async fn bring(client: &Client<'_>, release: &Release) -> anyhow::Result<()> {
    let digest = release.manifest.digest;
    client.tell(&format!(
        "Promote search {} to staging: 5, 25, then 100 percent of the traffic",
        release.version
    ))?;
    let quiet = client.quiet();
    client.same_as(&format!("plura reg promote {REPOSITORY}@{digest} --to stg --wait"))?;
    promote(client, release, "stg:stable").await?;

    client.tell(
        "Then to the candidates of production; what stays there without a complaint becomes stable",
    )?;
    client
        .same_as(&format!("plura reg promote {REPOSITORY}@{digest} --to prod:candidate --wait"))?;
    promote(client, release, "prod:candidate").await?;
    let path = format!("/v2/{CHANNELS}/manifests/stable");
    let stable = || async {
        let bytes = quiet.fetch_if_there(&path).await?;
        Ok(bytes.filter(|bytes| plura_oci::Digest::sha256(bytes) == digest).map(drop))
    };
    wait_for("the release is stable in production", stable).await?;
    client.tell("Every client pulls what is stable by one name")?;
    client.same_as(&format!("docker pull HOST/{CHANNELS}:stable"))?;
    client.fetch(Ask::new(Method::GET, path, StatusCode::OK), Some(&digest)).await?;
    Ok(())
}

async fn promote(client: &Client<'_>, release: &Release, channel: &str) -> anyhow::Result<()> {
    let digest = release.manifest.digest;
    let ask = Ask::new(Method::POST, "/v1/registry/promote", StatusCode::OK);
    let asked = json!({ "repo": REPOSITORY, "to": channel, "digest": digest });
    let promoted = answer(client, ask.json(&asked)).await?;
    let id = promoted["promotion"]["id"].as_str().context("no promotion")?.to_owned();
    let quiet = client.quiet();
    let finished = || async {
        let path = format!("/api/v1/promotions/{id}");
        let promotion = answer(&quiet, Ask::new(Method::GET, path, StatusCode::OK)).await?;
        match promotion["state"].as_str().unwrap_or_default() {
            "finished" => Ok(Some(())),
            "requested" | "waiting" => Ok(None),
            // Each step wants to hear that the tests of the service still pass.
            "canary" => test(&quiet, release).await.map(|()| None),
            _ => bail!("the promotion ended: {promotion}"),
        }
    };
    wait_for("the promotion is finished", finished).await
}

/// Says that the service was tested, as whatever tests it would.
async fn test(client: &Client<'_>, release: &Release) -> anyhow::Result<()> {
    let digest = release.manifest.digest;
    let path = format!("/api/v1/checks?repository={REPOSITORY}&reference={digest}");
    let passed = json!({ "name": "smoke", "state": "success" });
    client.ask(Ask::new(Method::POST, path, StatusCode::OK).json(&passed)).await?;
    Ok(())
}

/// Production is where it was before, at once; the log's position of that.
async fn go_back(client: &Client<'_>, before: &Release, after: &Release) -> anyhow::Result<u64> {
    client.tell(&format!(
        "Something is wrong with {}: back to {}, in one transaction",
        after.version, before.version
    ))?;
    client.same_as(&format!("plura reg rollback {REPOSITORY} --to prod:stable"))?;
    let ask = Ask::new(Method::POST, "/v1/registry/rollback", StatusCode::OK);
    let asked = json!({ "repo": REPOSITORY, "to": "prod:stable", "reason": "demo" });
    let moved = answer(client, ask.json(&asked)).await?;
    let path = format!("/v2/{CHANNELS}/manifests/stable");
    let digest = before.manifest.digest;
    client.fetch(Ask::new(Method::GET, path, StatusCode::OK), Some(&digest)).await?;
    moved["log_position"].as_u64().context("no place in the log")
}

/// That it was decided is in a log that nobody can change unseen: the proof needs no server.
async fn prove(client: &Client<'_>, position: u64) -> anyhow::Result<()> {
    client.tell("That is in a log that nobody can change unseen; the proof is verified here")?;
    client.same_as(&format!("plura log prove {position} > proof.json"))?;
    client.same_as("plura log verify --offline proof.json")?;
    let log = answer(client, Ask::new(Method::GET, "/api/v1/log", StatusCode::OK)).await?;
    let path = format!("/api/v1/log/proof?index={position}&wait=10");
    let proof = client.fetch(Ask::new(Method::GET, path, StatusCode::OK), None).await?;
    let origin = log["origin"].as_str().context("no origin")?;
    let keys = log["keys"].as_array().context("no keys")?;
    let keys = keys.iter().filter_map(Value::as_str).map(str::parse);
    let keys: Vec<VerifierKey> = keys.collect::<Result<_, _>>().context("no key of a log")?;
    let proof = Proof::from_json(&proof)?;
    let proved = proof.verify(origin, &keys)?;
    let entry: Value = proved.entry.read()?;
    client.tell(&format!("  {entry}"))
}

async fn attach(client: &Client<'_>, attached: &Attached) -> anyhow::Result<()> {
    push_blob(client, &attached.empty).await?;
    push_blob(client, &attached.bundle).await?;
    push_manifest(client, &attached.manifest.digest.to_string(), &attached.manifest).await
}

async fn push_blob(client: &Client<'_>, content: &Content) -> anyhow::Result<()> {
    let path = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={}", content.digest);
    let ask = Ask::new(Method::POST, path, StatusCode::CREATED);
    client.ask(ask.body(content.bytes.clone())).await?;
    Ok(())
}

async fn push_manifest(
    client: &Client<'_>,
    reference: &str,
    content: &Content,
) -> anyhow::Result<()> {
    let path = format!("/v2/{REPOSITORY}/manifests/{reference}");
    let ask = Ask::new(Method::PUT, path, StatusCode::CREATED);
    client.ask(ask.header("Content-Type", content.media_type).body(content.bytes.clone())).await?;
    Ok(())
}

async fn wait_for<Asking>(what: &str, ask: impl Fn() -> Asking) -> anyhow::Result<()>
where
    Asking: Future<Output = anyhow::Result<Option<()>>>,
{
    let started = Instant::now();
    while ask().await?.is_none() {
        ensure!(started.elapsed() < PATIENCE, "still not after {PATIENCE:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn answer(client: &Client<'_>, ask: Ask) -> anyhow::Result<Value> {
    let bytes = client.fetch(ask, None).await?;
    serde_json::from_slice(&bytes).context("the answer is not JSON")
}
