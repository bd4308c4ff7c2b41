//! The audit.

use plura_testkit::{Answer, assert_json_contains};
use serde_json::{Value, json};

use super::Site;

#[track_caller]
fn entries(answer: &Answer) -> Vec<Value> {
    answer.json()["entries"].as_array().expect("entries").clone()
}

#[tokio::test]
async fn what_is_done_and_refused_is_recorded() {
    let site = Site::start().await;
    let alice = site.user("alice").await;
    let request = alice.delete("/api/v1/users/root").header("x-request-id", "attempt-1");
    request.await.expect_error(403, "DENIED");
    site.named("root", "a wrong password")
        .get("/api/v1/me")
        .await
        .expect_error(401, "UNAUTHORIZED");
    let root = site.root();
    let refused = root.get("/api/v1/audit?outcome=denied").await.expect(200);
    let refused = entries(&refused);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert_json_contains(&refused[0], &json!({ "action": "login", "outcome": "denied" }));
    assert_json_contains(
        &refused[1],
        &json!({
            "request_id": "attempt-1",
            "actor": { "kind": "user", "name": "alice" },
            "method": "password",
            "address": "127.0.0.1",
            "action": "user.delete",
            "target": "user:root",
            "rule": "no role",
        }),
    );
    assert!(refused[1]["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{}", refused[1]);
    let made = root.get("/api/v1/audit?action=user.create&target=user:alice").await.expect(200);
    let made = entries(&made);
    assert_eq!(made.len(), 1, "{made:?}");
    assert_json_contains(&made[0], &json!({ "outcome": "allowed", "actor": { "name": "root" } }));
    alice.get("/api/v1/audit").await.expect_error(403, "DENIED");
}

#[tokio::test]
async fn the_audit_of_a_project_is_its_maintainers() {
    let site = Site::start().await;
    site.project("apps").await;
    let alice = site.user("alice").await;
    site.give("apps", "user:alice", "maintainer").await;
    let own = entries(&alice.get("/api/v1/audit?project=apps").await.expect(200));
    let actions: Vec<&str> = own.iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(actions, ["member.add", "project.create"]);
    alice.get("/api/v1/audit?project=other").await.expect_error(404, "NOT_FOUND");
    alice.get("/api/v1/audit?project=").await.expect_error(400, "INVALID");
}

#[tokio::test]
async fn as_lines_the_audit_is_told_to_its_end() {
    const COUNT: usize = 1200;
    let site = Site::start().await;
    let alice = site.user("alice").await;
    // More than is read at a time.
    for _ in 0..COUNT {
        alice.post("/api/v1/tokens", &json!({ "name": "one of many" })).await.expect(201);
    }
    let root = site.root();
    let lines = async |path: &str| {
        let answer = root.get(path).header("accept", "application/x-ndjson").await.expect(200);
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let text = String::from_utf8(answer.body.to_vec()).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    };
    let all = lines("/api/v1/audit?actor=alice").await;
    assert_eq!(all.len(), COUNT);
    let ids: Vec<i64> = all.iter().filter_map(|entry| entry["id"].as_i64()).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older));
    assert_eq!(lines("/api/v1/audit?actor=alice&limit=700").await.len(), 700);
    assert_eq!(lines("/api/v1/audit?actor=nobody").await.len(), 0);
    let wrong = root.get("/api/v1/audit?since=x").header("accept", "application/x-ndjson").await;
    wrong.expect_error(400, "INVALID");
    let page = root.get("/api/v1/audit?actor=alice&limit=3").await.expect(200).json();
    let next = page["next"].as_i64().expect("another page");
    let second = root.get(&format!("/api/v1/audit?actor=alice&limit=3&before={next}")).await;
    let second = entries(&second.expect(200));
    assert!(second[0]["id"].as_i64().is_some_and(|id| id < next));
}
