//! What people and robots say: approvals, checks, freezes; and what is decided from that.

use plura_testkit::eventually;
use serde_json::{Value, json};

use super::{Place, image, outcome};

const DOCUMENT: &str = r#"
[gates.production.approvals]
required = 1
author = "with_others"

[gates.production.checks]
required = ["smoke"]

[[channels]]
name = "prod:stable"
repositories = ["apps/**"]
gates = ["production"]
"#;

fn about(place: &Place, path: &str) -> plura_testkit::Request {
    let request = place.server.client().post(path).query("repository", "apps/search");
    request.query("reference", "1.0.0")
}

#[tokio::test]
async fn a_decision_tells_everything_that_is_missing_and_then_that_it_is_there() {
    let place = Place::governed_by(DOCUMENT).await;
    place.repository.push_image_as("1.0.0", &image("a", &json!({}))).await.expect(201);
    let why = place.why("1.0.0", "prod:stable").await;
    assert_eq!(why["version"], 1);
    assert_eq!(why["decision"]["effect"], "wait");
    let check = outcome(&why["decision"], "checks");
    assert_eq!(check["observed"], "`smoke` has no result yet");
    assert_eq!(check["fix"], "run `smoke` and post its result");
    assert_eq!(
        outcome(&why["decision"], "approvals")["observed"],
        "nobody approved it for prod:stable"
    );

    let failed = json!({ "name": "smoke", "state": "failure", "detail": "500" });
    about(&place, "/api/v1/checks").json(&failed).await.expect(200);
    assert_eq!(place.why("1.0.0", "prod:stable").await["decision"]["effect"], "deny");
    let passed = json!({ "name": "smoke", "state": "success" });
    about(&place, "/api/v1/checks").json(&passed).await.expect(200);
    let listed = place.server.client().get("/api/v1/checks").query("repository", "apps/search");
    let listed = listed.query("reference", "1.0.0").await.expect(200).json();
    assert_eq!(listed["checks"].as_array().map(Vec::len), Some(1));
    let why = place.why("1.0.0", "prod:stable").await;
    assert_eq!(outcome(&why["decision"], "checks")["effect"], "allow");
}

#[tokio::test]
async fn approvals_are_of_one_digest_for_one_channel_and_can_be_taken_back() {
    let place = Place::governed_by(DOCUMENT).await;
    place.repository.push_image_as("1.0.0", &image("a", &json!({}))).await.expect(201);
    let unknown = json!({ "channel": "moon:stable" });
    about(&place, "/api/v1/approvals").json(&unknown).await.expect(400);
    let body = json!({ "channel": "prod:stable", "reason": "looks good" });
    let given = about(&place, "/api/v1/approvals").json(&body).await.expect(200).json();
    // Everybody is the same here: who pushed it approves it, and is never enough alone.
    assert_eq!(given["is_authors"], true);
    let why = place.why("1.0.0", "prod:stable").await;
    assert_eq!(outcome(&why["decision"], "approvals")["effect"], "wait");
    let observed = outcome(&why["decision"], "approvals")["observed"].as_str().unwrap_or_default();
    assert!(observed.starts_with("approved by "), "{observed}");

    let id = given["id"].as_str().expect("a name");
    let revoke = |repository: &str| {
        let request =
            place.server.client().delete("/api/v1/approvals").query("repository", repository);
        request.query("approval", id)
    };
    revoke("apps/other").await.expect(404);
    revoke("apps/search").await.expect(204);
    revoke("apps/search").await.expect(404);
    let why = place.why("1.0.0", "prod:stable").await;
    assert_eq!(
        outcome(&why["decision"], "approvals")["observed"],
        "nobody approved it for prod:stable"
    );
    assert_eq!(place.audit("approval.").await.len(), 2);
}

#[tokio::test]
async fn a_freeze_beside_the_document_is_part_of_the_decision() {
    let place =
        Place::governed_by("[[channels]]\nname = \"prod:stable\"\nrepositories = [\"apps/**\"]\n")
            .await;
    place.repository.push_image_as("1.0.0", &image("a", &json!({}))).await.expect(201);
    let why = place.why("1.0.0", "prod:stable").await;
    assert_eq!(why["decision"]["effect"], "allow", "{why:#}");
    let freeze = |until: &str| {
        let body = json!({ "channels": "prod:*", "reason": "sale", "until": until });
        place.server.client().post("/api/v1/freezes").json(&body)
    };
    freeze("2020-01-01T00:00:00Z").await.expect(400);
    let frozen = freeze("2100-01-01T00:00:00Z").await.expect(200).json();
    let why = place.why("1.0.0", "prod:stable").await;
    assert_eq!(why["decision"]["effect"], "wait");
    assert_eq!(why["decision"]["until"], "2100-01-01T00:00:00Z");
    let observed = outcome(&why["decision"], "freeze")["observed"].as_str().unwrap_or_default();
    assert!(observed.contains("sale"), "{observed}");
    let path = format!("/api/v1/freezes/{}", frozen["id"].as_str().expect("a name"));
    place.server.client().delete(&path).await.expect(204);
    place.server.client().delete(&path).await.expect(404);
    assert_eq!(place.why("1.0.0", "prod:stable").await["decision"]["effect"], "allow");
}

#[tokio::test]
async fn a_blocked_digest_may_be_in_no_channel() {
    let place =
        Place::governed_by("[[channels]]\nname = \"prod:stable\"\nrepositories = [\"apps/**\"]\n")
            .await;
    let web = image("a", &json!({}));
    place.repository.push_image_as("1.0.0", &web).await.expect(201);
    let block = json!({ "digest": web.digest(), "reason": "leaks a key" });
    place.server.client().post("/api/v1/blocks").json(&block).await.expect(200);
    let why = place.why("1.0.0", "prod:stable").await;
    assert_eq!(why["decision"]["effect"], "deny");
    assert_eq!(outcome(&why["decision"], "blocked")["effect"], "deny");
}

#[tokio::test]
async fn an_exception_that_there_is_not_can_be_asked_about() {
    let document = r#"
[gates.production.vulnerabilities]
high = 0
[[channels]]
name = "prod:stable"
repositories = ["apps/**"]
gates = ["production"]
"#;
    let place = Place::governed_by(document).await;
    place.repository.push_image_as("1.0.0", &image("a", &json!({}))).await.expect(201);
    // Nothing is known without advisories, which is not the same as that there is nothing.
    let why = eventually("the image is read", || async {
        let why = place.why("1.0.0", "prod:stable").await;
        (why["decision"]["effect"] == "deny").then_some(why)
    })
    .await;
    let observed = outcome(&why["decision"], "vulnerabilities")["observed"].as_str();
    assert!(observed.is_some_and(|words| words.contains("no advisories")), "{why:#}");
    let request = place.server.client().get("/api/v1/decisions").query("repository", "apps/search");
    let request = request.query("reference", "1.0.0").query("channel", "prod:stable");
    let asked = request.query("if_exception", "CVE-2026-1").query("facts", "true");
    let asked: Value = asked.await.expect(200).json();
    assert_eq!(asked["if_exception"]["after"], "deny");
    assert_eq!(asked["facts"]["repository"], "apps/search");
}
