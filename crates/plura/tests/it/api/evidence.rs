//! What is known of images, and whom to trust: with what cosign signed.

use std::path::Path;

use plura_testkit::{Client, Manifest, Server};
use serde_json::{Value, json};

use super::Site;

const EVIDENCE: &str = "/api/v1/evidence";
const POLICY: &str = "/api/v1/trust-policies/release";
const ROOT: &str = "/api/v1/trust-root";

/// A file that another program wrote, for tests of verification.
fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trust/tests/fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn policy(pem: &str) -> Value {
    json!({ "name": "release", "repositories": ["apps/**"], "keys": [{ "name": "ci", "pem": pem }] })
}

fn manifest(name: &str) -> Manifest {
    let mut manifest = Manifest::of(MANIFEST, &json!({}));
    manifest.bytes = fixture(name).into();
    manifest
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An open server with the image that cosign signed, and its signature.
async fn signed() -> (Server, Client, String) {
    // Of the image, its manifest is enough.
    let server = Server::builder(Path::new(env!("CARGO_BIN_EXE_plura")))
        .env("PLURA_REGISTRY__SPARSE", "all")
        .start();
    let client = server.client();
    let web = client.repository("apps/web");
    let image = manifest("cosign/image.json");
    let digest = image.digest();
    web.put_manifest("v1", &image).await.expect(201);
    web.push_bytes(fixture("cosign/sig.layer").as_bytes()).await;
    let tag = format!("{}.sig", digest.replace(':', "-"));
    web.put_manifest(&tag, &manifest("cosign/sig.manifest.json")).await.expect(201);
    (server, client, digest)
}

async fn evidence(client: &Client, reference: &str) -> Value {
    let asked = client.get(EVIDENCE).query("repository", "apps/web").query("reference", reference);
    asked.await.expect(200).json()
}

#[tokio::test]
async fn what_cosign_signed_is_verified_while_a_policy_trusts_its_key() {
    let (_server, client, digest) = signed().await;
    let known = evidence(&client, "v1").await;
    assert_eq!((&known["verified"], &known["digest"]), (&Value::Null, &json!(digest)));
    assert_eq!(known["signatures"][0]["form"], "simple-signing");

    let trusted = policy(&fixture("cosign/cosign.pub"));
    let made = client.put(POLICY).json(&trusted).await.expect(201);
    assert_eq!(made.header("location"), POLICY);
    let known = evidence(&client, &digest).await;
    assert_eq!(known["verified"], true, "{known}");
    assert_eq!(known["verdicts"][0]["signers"], json!(["ci"]));
    assert_eq!(known["verdicts"][0]["inputs"]["policy"], made.json()["digest"]);

    let other = policy(&fixture("openssl/p384.pub"));
    client.put(POLICY).json(&other).await.expect(200);
    let known = evidence(&client, "v1").await;
    assert_eq!(known["verified"], false);
    assert_eq!(known["verdicts"][0]["reason"]["reason"], "other-key");

    // What a policy would say changes nothing.
    let verify = format!("{EVIDENCE}/verify?repository=apps/web&reference=v1");
    let verdict = client.post(&verify).json(&trusted).await.expect(200).json();
    assert_eq!(verdict["verified"], true);
    assert_eq!(evidence(&client, "v1").await["verified"], false);

    client.delete(POLICY).await.expect(204);
    assert_eq!(evidence(&client, "v1").await["verified"], Value::Null);
    client.delete(POLICY).await.expect_error(404, "NOT_FOUND");
    client.get(POLICY).await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn what_is_not_there_has_no_evidence() {
    let (_server, client, _) = signed().await;
    for (repository, reference) in [("apps/web", "v2"), ("apps/none", "v1")] {
        let asked = client.get(EVIDENCE).query("repository", repository);
        asked.query("reference", reference).await.expect_error(404, "NOT_FOUND");
    }
    client.get(EVIDENCE).query("reference", "v1").await.expect_error(400, "INVALID");
    let malformed = client.get(EVIDENCE).query("repository", "apps/web").query("reference", "a b");
    malformed.await.expect(400);
}

#[tokio::test]
async fn a_policy_that_trusts_everybody_or_nobody_is_refused() {
    let site = Site::start().await;
    let root = site.root();
    let pem = fixture("cosign/cosign.pub");
    let identity = |identity: Value| json!({ "name": "release", "repositories": ["**"], "identities": [identity] });
    for (wrong, reason) in [
        (json!({ "name": "release", "repositories": ["**"] }), "invalid-policy"),
        (identity(json!({ "name": "ci", "issuer": "https://a", "subject": "" })), "empty-identity"),
        (
            identity(json!({ "name": "ci", "issuer": "https://a", "subject_pattern": "acme" })),
            "unanchored-pattern",
        ),
        (policy("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), "malformed"),
    ] {
        let refused = root.put(POLICY, &wrong).await.expect_error(400, "INVALID");
        let detail = &refused.json()["errors"][0]["detail"];
        assert_eq!(detail["reason"], reason, "{wrong}: {detail}");
        assert!(detail["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{detail}");
    }
    let mut unknown = policy(&pem);
    unknown["key"] = json!(1);
    root.put(POLICY, &unknown).await.expect_error(400, "INVALID");
    root.put("/api/v1/trust-policies/other", &policy(&pem)).await.expect_error(400, "INVALID");
    let none = root.get("/api/v1/trust-policies").await.expect(200).json();
    assert_eq!(none["trust_policies"], json!([]));
}

#[tokio::test]
async fn the_trust_root_is_set_and_reset() {
    let site = Site::start().await;
    let root = site.root();
    let own = root.get(ROOT).await.expect(200).json();
    assert_eq!(own["is_set"], false);
    let mock: Value = serde_json::from_str(&fixture("keyless/trusted_root.json")).expect("JSON");
    let set = root.put(ROOT, &mock).await.expect(200).json();
    assert_eq!(set["is_set"], true);
    assert_ne!(set["digest"], own["digest"]);
    assert_eq!(root.get(ROOT).await.expect(200).json(), set);
    root.put(ROOT, &json!({ "tlogs": 1 })).await.expect_error(400, "INVALID");
    assert_eq!(root.get(ROOT).await.expect(200).json(), set);
    assert_eq!(root.delete(ROOT).await.expect(200).json(), own);
}
