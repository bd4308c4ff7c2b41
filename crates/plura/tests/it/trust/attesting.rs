//! `plura attest`.

use serde_json::json;

use super::{REPOSITORY, Workbench};
use crate::images::layers;

const PROVENANCE: &str = r#"{
    "buildDefinition": {
        "buildType": "https://example.com/build",
        "externalParameters": {},
        "resolvedDependencies": [{
            "uri": "git+https://example.com/web@refs/heads/main",
            "digest": { "gitCommit": "1234567890123456789012345678901234567890" }
        }]
    },
    "runDetails": { "builder": { "id": "https://ci.example.com" } }
}"#;

#[tokio::test]
async fn provenance_is_attested_and_explained_in_either_form() {
    let bench = Workbench::start();
    bench.write("provenance.json", PROVENANCE);
    bench.trust("release", &["alice"]);
    for form in ["bundle", "tag"] {
        bench.push(form).await;
        let image = format!("{REPOSITORY}:{form}");
        let attest =
            format!("attest {image} --predicate provenance.json --key alice.key --form {form}");
        let said = bench.run(&format!("{attest} --type slsaprovenance")).expect(2);
        said.expect_stderr("hint: `--type slsaprovenance` is version 0.2");
        bench.run(&format!("{attest} --type slsaprovenance1")).expect(0);
        // A statement is no signature of the image.
        let said = bench.run(&format!("verify {image} --explain")).expect(1);
        let said = said.expect_stdout("(provenance, https://slsa.dev/provenance/v1)");
        let said =
            said.expect_stdout("signed by alice").expect_stdout("builder: https://ci.example.com");
        said.expect_stdout("source: https://example.com/web").expect_stdout("commit: 1234567890");
        let wanted = format!("verify {image} --key alice.pub --attestation slsaprovenance1");
        bench.run(&wanted).expect(1);
        bench.run(&format!("sign {image} --key alice.key --form {form}")).expect(0);
        bench.run(&wanted).expect(0);
        let other = format!("verify {image} --key alice.pub --attestation cyclonedx");
        bench.run(&other).expect(1).expect_stdout("https://cyclonedx.org/bom");
    }
}

#[tokio::test]
async fn anything_is_attested_as_custom_and_json_only_as_the_rest() {
    let bench = Workbench::start();
    bench.push("1").await;
    bench.write("notes.txt", "it works");
    let attest = format!("attest {REPOSITORY}:1 --predicate notes.txt --key alice.key");
    bench.run(&format!("{attest} --type custom")).expect(0);
    bench.run(&format!("{attest} --type spdx")).expect(2).expect_stderr("is not JSON");
    bench
        .run(&format!("{attest} --type strange"))
        .expect(2)
        .expect_stderr("expected a URI or one of");
    bench.run(&attest).expect(2);
}

#[tokio::test]
async fn a_verdict_becomes_a_summary() {
    let bench = Workbench::start();
    bench.push("1").await;
    let attest = format!("attest {REPOSITORY}:1 --verdict --key bob.key");
    bench.run(&attest).expect(1).expect_stderr("no trust policy is about apps/web");
    bench.trust("release", &["alice"]);
    bench.run(&attest).expect(0).expect_stderr("the summary says that the image is not verified");
    bench.run(&format!("sign {REPOSITORY}:1 --key alice.key")).expect(0);
    let made = bench.json(&attest, 0);
    assert_eq!(made["predicate_type"], json!("https://slsa.dev/verification_summary/v1"));
    bench.trust("security", &["bob"]);
    bench.run(&attest).expect(2).expect_stderr("hint: say which one with `--policy NAME`");
    bench.run(&format!("{attest} --policy other")).expect(2);
    bench.run(&format!("{attest} --policy release")).expect(0);
    let said = bench.run(&format!("verify {REPOSITORY}:1 --explain --key bob.pub")).expect(1);
    said.expect_stdout("(verification-summary, ").expect_stdout("signed by bob");
}

#[tokio::test]
async fn what_a_trusted_signer_says_of_vulnerabilities_counts() {
    let bench = Workbench::start();
    let pushed = layers::image("web", &[layers::npm("left-pad", "1.3.0")]);
    let repository = bench.server.client().repository(REPOSITORY);
    repository.push_image_as("1", &pushed).await.expect(201);
    let advisory = json!({
        "id": "CVE-2026-1", "modified": "2026-07-01T00:00:00Z",
        "affected": [{
            "package": { "ecosystem": "npm", "name": "left-pad" },
            "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }] }],
        }],
    });
    let import = bench.server.client().post("/api/v1/advisories").query("source", "npm");
    import.json(&advisory).await.expect(200);
    let vex = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "vex-1", "author": "alice",
        "timestamp": "2026-07-02T00:00:00Z",
        "statements": [{
            "vulnerability": { "name": "CVE-2026-1" }, "status": "not_affected",
            "justification": "vulnerable_code_not_present",
        }],
    });
    bench.write("vex.json", &vex.to_string());
    let found = async || {
        let get = bench.server.client().get("/api/v1/images/vulnerabilities");
        let answer = get.query("repository", REPOSITORY).query("reference", "1").await.expect(200);
        answer.json()["vulnerabilities"][0].clone()
    };
    // Nobody has read the image before it is asked about.
    assert_eq!(found().await["id"], "CVE-2026-1");
    let attest = |key: &str| {
        format!("attest {REPOSITORY}:1 --predicate vex.json --key {key} --type openvex")
    };
    bench.trust("release", &["alice"]);
    bench.run(&attest("bob.key")).expect(0);
    assert_eq!(found().await["suppressed"], json!(null));
    bench.run(&attest("alice.key")).expect(0);
    let suppressed = &found().await["suppressed"];
    assert_eq!(suppressed["by"], "vex");
    assert_eq!(suppressed["name"], "not_affected");
    assert_eq!(suppressed["reason"], "vulnerable_code_not_present");
    assert_eq!(suppressed["signers"], json!(["alice"]));
    // Who is trusted is asked as of now.
    bench.trust("release", &["bob"]);
    assert_eq!(found().await["suppressed"]["signers"], json!(["bob"]));
}
