//! Projects, members and trust entries.

use plura_testkit::assert_json_contains;
use serde_json::{Value, json};

use super::{Site, names, rule};

#[tokio::test]
async fn a_project_is_made_changed_and_removed() {
    let site = Site::start().await;
    let root = site.root();
    let new = json!({ "name": "apps", "quota_tags": 10 });
    let made = root.post("/api/v1/projects", &new).await.expect(201);
    assert_eq!(made.header("location"), "/api/v1/projects/apps");
    assert_json_contains(
        &made.json(),
        &json!({
            "name": "apps",
            "public": false,
            "quota_bytes": null,
            "quota_tags": 10,
            "redirect": "inherit",
            "used_bytes": 0,
            "used_tags": 0,
        }),
    );
    root.post("/api/v1/projects", &new).await.expect_error(409, "CONFLICT");
    let change = json!({ "public": true, "quota_tags": null, "quota_bytes": 1_000_000 });
    let changed = root.patch("/api/v1/projects/apps", &change).await.expect(200).json();
    assert_json_contains(&changed, &change);
    let change = json!({ "redirect": "off" });
    let changed = root.patch("/api/v1/projects/apps", &change).await.expect(200).json();
    assert_json_contains(&changed, &json!({ "redirect": "off", "quota_bytes": 1_000_000 }));
    let changed = root.patch("/api/v1/projects/apps", &json!({})).await.expect(200).json();
    assert_json_contains(&changed, &change);
    for wrong in [json!({ "redirect": "never" }), json!({ "redirect": true })] {
        root.patch("/api/v1/projects/apps", &wrong).await.expect_error(400, "INVALID");
    }
    let beyond = json!({ "quota_bytes": u64::MAX });
    root.patch("/api/v1/projects/apps", &beyond).await.expect_error(400, "INVALID");
    root.delete("/api/v1/projects/apps").await.expect(204);
    root.delete("/api/v1/projects/apps").await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_project_that_may_not_be_seen_is_as_one_that_is_not_there() {
    let site = Site::start().await;
    for name in ["mine", "hidden", "open"] {
        site.project(name).await;
    }
    let public = json!({ "public": true });
    site.root().patch("/api/v1/projects/open", &public).await.expect(200);
    let alice = site.user("alice").await;
    site.give("mine", "user:alice", "reader").await;
    let listed = alice.get("/api/v1/projects").await.expect(200);
    assert_eq!(names(&listed, "projects"), ["mine", "open"]);
    alice.get("/api/v1/projects/mine").await.expect(200);
    alice.get("/api/v1/projects/open").await.expect(200);
    let hidden = alice.get("/api/v1/projects/hidden").await.expect_error(404, "NOT_FOUND");
    let missing = alice.get("/api/v1/projects/missing").await.expect_error(404, "NOT_FOUND");
    let same = missing.error_message().replace("missing", "hidden");
    assert_eq!(hidden.error_message(), same);
    let change = json!({ "public": true });
    for path in ["hidden", "missing"].map(|name| format!("/api/v1/projects/{name}")) {
        alice.patch(&path, &change).await.expect_error(404, "NOT_FOUND");
        alice.get(&format!("{path}/members")).await.expect_error(404, "NOT_FOUND");
    }
    for path in ["mine", "open"].map(|name| format!("/api/v1/projects/{name}")) {
        alice.patch(&path, &change).await.expect_error(403, "DENIED");
    }
    alice.get("/api/v1/projects/open/members").await.expect_error(403, "DENIED");
    // What is public is so for who shows nothing, too; everything else needs a login.
    let anonymous = site.server.client();
    anonymous.get("/api/v1/projects/open").await.expect(200);
    for path in ["/api/v1/projects", "/api/v1/projects/hidden", "/api/v1/projects/missing"] {
        anonymous.get(path).await.expect_error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn maintainers_manage_members_but_not_quotas_and_redirects() {
    const PATH: &str = "/api/v1/projects/apps/members";
    let site = Site::start().await;
    site.project("apps").await;
    let alice = site.user("alice").await;
    site.user("bob").await;
    site.give("apps", "user:alice", "maintainer").await;
    let quota = json!({ "quota_tags": 5 });
    alice.patch("/api/v1/projects/apps", &quota).await.expect_error(403, "DENIED");
    let redirect = json!({ "redirect": "on" });
    alice.patch("/api/v1/projects/apps", &redirect).await.expect_error(403, "DENIED");
    alice.patch("/api/v1/projects/apps", &json!({ "public": true })).await.expect(200);
    alice.post("/api/v1/projects", &json!({ "name": "x" })).await.expect_error(403, "DENIED");
    alice.delete("/api/v1/projects/apps").await.expect_error(403, "DENIED");

    let bob = json!({ "subject": "user:bob", "role": "developer", "repositories": "apps/b-*" });
    let given = alice.post(PATH, &bob).await.expect(201).json();
    assert_json_contains(&given, &bob);
    assert_json_contains(&given, &json!({ "project": "apps", "created_by": "alice" }));
    let again = alice.post(PATH, &bob).await.expect(201).json();
    assert_eq!(again["id"], given["id"]);
    let nobody = json!({ "subject": "user:nobody", "role": "reader" });
    alice.post(PATH, &nobody).await.expect_error(404, "NOT_FOUND");
    let above = json!({ "subject": "user:bob", "role": "administrator" });
    let above = alice.post(PATH, &above).await.expect_error(403, "DENIED");
    assert_eq!(rule(&above), "governance is the administrators'");
    let elsewhere = json!({ "subject": "user:bob", "role": "reader", "repositories": "other/*" });
    alice.post(PATH, &elsewhere).await.expect_error(400, "INVALID");
    alice.post("/api/v1/members", &bob).await.expect_error(403, "DENIED");

    let id = given["id"].as_str().expect("an id");
    let everywhere = format!("/api/v1/members/{id}");
    site.root().delete(&everywhere).await.expect_error(404, "NOT_FOUND");
    alice.delete(&format!("{PATH}/{id}")).await.expect(204);
    let left = alice.get(PATH).await.expect(200).json();
    let left: Vec<&Value> = left["members"].as_array().unwrap().iter().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["subject"], "user:alice");
}

#[tokio::test]
async fn a_trust_entry_is_made_replaced_and_removed() {
    const PATH: &str = "/api/v1/trust/github-main";
    let site = Site::start().await;
    site.project("apps").await;
    let root = site.root();
    let new = json!({
        "name": "github-main",
        "kind": "github",
        "issuer": "https://token.actions.githubusercontent.com",
        "audience": "plura",
        "conditions": {
            "repository_id": ["123"],
            "repository_owner_id": ["9"],
            "ref": ["refs/heads/main", "refs/tags/v*"],
        },
        "grants": [{ "role": "developer", "project": "apps", "repositories": null }],
    });
    let made = root.post("/api/v1/trust", &new).await.expect(201);
    assert_eq!(made.header("location"), "/api/v1/trust/github-main");
    let made = made.json();
    assert_json_contains(&made, &new);
    assert_json_contains(
        &made,
        &json!({ "allow_pull_request_target": false, "jwks_file": null, "token_seconds": 900 }),
    );
    root.post("/api/v1/trust", &new).await.expect_error(409, "CONFLICT");
    let listed = root.get("/api/v1/trust").await.expect(200);
    assert_eq!(names(&listed, "trust"), ["github-main"]);

    let mut changed = new.clone();
    changed["token_seconds"] = json!(60);
    let changed = root.put(PATH, &changed).await.expect(200).json();
    assert_eq!(changed["token_seconds"], 60);
    let mut other = new.clone();
    other["name"] = json!("other");
    root.put(PATH, &other).await.expect_error(400, "INVALID");
    root.put("/api/v1/trust/other", &other).await.expect_error(404, "NOT_FOUND");
    let mut loose = new.clone();
    loose["conditions"] = json!({ "ref": ["refs/heads/main"] });
    let loose = root.put(PATH, &loose).await.expect_error(400, "INVALID");
    assert!(loose.error_message().contains("repository_id"), "{}", loose.error_message());
    let alice = site.user("alice").await;
    alice.get("/api/v1/trust").await.expect_error(403, "DENIED");
    root.delete(PATH).await.expect(204);
    root.get(PATH).await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn what_is_explained_is_what_is_decided() {
    let site = Site::start().await;
    site.project("apps").await;
    let alice = site.user("alice").await;
    site.give("apps", "user:alice", "developer").await;
    let ask = |subject: &str, action: &str| {
        format!("/api/v1/access/explain?as={subject}&action={action}&repository=apps/web")
    };
    let allowed = alice.get(&ask("alice", "push")).await.expect(200).json();
    assert_json_contains(
        &allowed,
        &json!({
            "effect": "allow",
            "rule": "user:alice has the role developer in project apps",
            "fix": null,
        }),
    );
    let refused = alice.get(&ask("user:alice", "delete")).await.expect(200).json();
    assert_json_contains(&refused, &json!({ "effect": "deny", "rule": "no role" }));
    assert!(refused["fix"].as_str().is_some_and(|fix| fix.contains("maintainer")), "{refused}");
    alice.get(&ask("root", "pull")).await.expect_error(403, "DENIED");
    let root = site.root();
    let anonymous = root.get(&ask("anonymous", "pull")).await.expect(200).json();
    assert_eq!(anonymous["effect"], "deny");
    root.get(&ask("nobody", "pull")).await.expect_error(404, "NOT_FOUND");
    let unknown = root.get(&ask("alice", "fly")).await.expect_error(400, "INVALID");
    assert!(unknown.error_message().contains("promote"), "{}", unknown.error_message());
}
