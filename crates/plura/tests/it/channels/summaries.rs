//! What was decided of a promotion, signed and attached to the image: verified here by others' tools, and
//! there whenever the server dies.

use std::{collections::BTreeMap, fs, process::Command};

use plura_testkit::{Outcome, Repository, eventually};
use serde_json::{Value, json};

use super::{ORDER, Place, binary};

const SUMMARY: &str = "https://slsa.dev/verification_summary/v1";
/// What signs is of an image, and nobody else's signature counts.
const SIGNED: &str = r#"
format = 1
[gates.signed.signature]
[[channels]]
name = "dev:stable"
gates = ["signed"]
"#;

impl Place {
    /// Runs `plura`; words are separated by spaces.
    fn plura(&self, command: &str) -> Outcome {
        let words: Vec<&str> = command.split(' ').collect();
        let variables = [
            ("PLURA_SERVER", self.server.base()),
            ("DOCKER_CONFIG", "none".to_owned()),
            ("COSIGN_PASSWORD", "plura".to_owned()),
        ];
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        let environment: BTreeMap<_, _> = variables.into_iter().map(own).collect();
        Outcome::of(binary(), &words, &environment, self.server.data())
    }

    /// The file with the key that decisions are signed with.
    async fn attestation_key(&self) -> std::path::PathBuf {
        let key = self.client.get("/api/v1/keys/attestation").await.expect(200).json();
        let path = self.server.data().join("attestation.pub");
        fs::write(&path, key["public_key"].as_str().expect("a key")).expect("it can be written");
        path
    }

    /// What OpenSSL says of a DSSE envelope; the predicate, if it was signed.
    async fn verified(&self, envelope: &Value) -> Option<Value> {
        let decoded = |text: &Value| {
            use base64::{Engine as _, engine::general_purpose::STANDARD};
            STANDARD.decode(text.as_str().expect("a text")).expect("Base64")
        };
        let payload = decoded(&envelope["payload"]);
        let kind = envelope["payloadType"].as_str().expect("a type");
        // PAE of the DSSE protocol, version 1.0.2.
        let mut signed = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
        signed.extend_from_slice(&payload);
        let path = |name: &str| self.server.data().join(name);
        fs::write(path("signed"), signed).expect("it can be written");
        let signature = decoded(&envelope["signatures"][0]["sig"]);
        fs::write(path("signature"), signature).expect("it can be written");
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-verify"]).arg(self.attestation_key().await);
        openssl.arg("-signature").arg(path("signature")).arg(path("signed"));
        let said = openssl.output().expect("openssl runs");
        said.status.success().then(|| serde_json::from_slice(&payload).expect("a statement"))
    }
}

/// The summaries that are attached to an image.
async fn summaries(repository: &Repository, digest: &str) -> Vec<Value> {
    let mut found = repository.referrers(digest).await;
    found.retain(|one| {
        one["annotations"]["dev.sigstore.bundle.predicateType"].as_str() == Some(SUMMARY)
    });
    found
}

/// The envelope of the only summary, as soon as it is there.
async fn envelope(repository: &Repository, digest: &str) -> Value {
    let found = eventually("the summary is attached", || async {
        summaries(repository, digest).await.into_iter().next()
    })
    .await;
    let referrer = found["digest"].as_str().expect("a digest");
    let manifest: Value = repository.get_manifest(referrer).await.expect(200).json();
    assert_eq!(manifest["subject"]["digest"], digest);
    assert_eq!(manifest["artifactType"], found["artifactType"]);
    let layer = manifest["layers"][0]["digest"].as_str().expect("a layer");
    let bundle: Value = repository.get_blob(layer).await.expect(200).json();
    bundle["dsseEnvelope"].clone()
}

#[tokio::test]
async fn a_promotion_s_decision_is_attached_and_verified_by_others() {
    let mut place = Place::governed_by(SIGNED).await;
    let digest = place.push().await;
    place.plura("trust key alice").expect(0);
    place.plura("trust policy set release --repositories apps/** --key alice.pub").expect(0);
    let denied = place.promote(&digest, "dev").await.expect(200).json();
    assert_eq!(denied["promotion"]["state"], "denied", "{denied:#}");
    place.plura(&format!("sign apps/search@{digest} --key alice.key")).expect(0);
    eventually("the signature is known", || async {
        let answer = place.promote(&digest, "dev").await;
        (answer.status == 200 && answer.json()["promotion"]["state"] == "finished").then_some(())
    })
    .await;
    let found = eventually("both decisions are attached", || async {
        let found = summaries(&place.repository, &digest).await;
        (found.len() == 2).then_some(found)
    })
    .await;
    let policy = place.client.get("/api/v1/policy").await.expect(200).json();
    let mut results = Vec::new();
    for one in found {
        let referrer = one["digest"].as_str().expect("a digest");
        let manifest: Value = place.repository.get_manifest(referrer).await.expect(200).json();
        let layer = manifest["layers"][0]["digest"].as_str().expect("a layer");
        let bundle: Value = place.repository.get_blob(layer).await.expect(200).json();
        let envelope = &bundle["dsseEnvelope"];
        let statement = place.verified(envelope).await.expect("it is signed");
        assert_eq!(statement["predicateType"], SUMMARY);
        let hex = digest.strip_prefix("sha256:").expect("of SHA-256");
        assert_eq!(statement["subject"][0]["digest"], json!({ "sha256": hex }));
        let predicate = &statement["predicate"];
        assert!(predicate["verifier"]["id"].as_str().is_some_and(|id| !id.is_empty()));
        let uri = predicate["resourceUri"].as_str().expect("a URI");
        assert!(uri.ends_with(&format!("/apps/search@{digest}")), "{uri}");
        let applied = policy["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        assert_eq!(predicate["policy"]["digest"]["sha256"].as_str(), applied);
        assert_eq!(predicate["https://plura.dev/decision/v1"]["channel"], "dev:stable");
        results.push(predicate["verificationResult"].as_str().expect("a result").to_owned());

        let mut other = envelope.clone();
        other["payloadType"] = "text/plain".into();
        assert_eq!(place.verified(&other).await, None);
    }
    results.sort_unstable();
    assert_eq!(results, ["FAILED", "PASSED"]);
}

#[tokio::test]
async fn a_decision_is_attached_once_wherever_the_server_dies() {
    for fault in ["promotion.requested=abort", "summary.taken=abort", "summary.attached=abort"] {
        let mut place = Place::governed_by(ORDER).await;
        let digest = place.push().await;
        place.server.kill_hard();
        place.server.start_again_with(&[("FAULT_POINTS", fault)]);
        let body = json!({ "repo": "apps/search", "to": "dev", "digest": digest });
        // It is not always answered: the server may die before that.
        let _ = place.client.post("/v1/registry/promote").json(&body).attempt().await;
        place.server.ended();
        place.server.start_again_with(&[]);
        let envelope = envelope(&place.repository, &digest).await;
        assert!(place.verified(&envelope).await.is_some(), "{fault}");
        eventually("nothing waits any more", || async {
            let jobs = place.client.get("/api/v1/jobs").await.expect(200).json();
            let jobs = jobs["jobs"].as_array().expect("a list").clone();
            let job = jobs.into_iter().find(|job| job["name"] == "summaries");
            (job.expect("the job")["waiting"] == 0).then_some(())
        })
        .await;
        assert_eq!(summaries(&place.repository, &digest).await.len(), 1, "{fault}");
    }
}

#[tokio::test]
async fn what_is_gone_is_not_waited_for() {
    let mut place = Place::governed_by(ORDER).await;
    let digest = place.push().await;
    let denied = place.promote(&digest, "prod").await.expect(200).json();
    assert_eq!(denied["promotion"]["state"], "denied");
    place.repository.delete_manifest(&digest).await;
    eventually("nothing waits any more", || async {
        let jobs = place.client.get("/api/v1/jobs").await.expect(200).json();
        let jobs = jobs["jobs"].as_array().expect("a list").clone();
        let job = jobs.into_iter().find(|job| job["name"] == "summaries").expect("the job");
        (job["waiting"] == 0).then_some(())
    })
    .await;
}
