//! Users, API tokens and robots.

use plura_testkit::{assert_json, assert_json_contains};
use serde_json::{Value, json};

use super::{PASSWORD, Site, names, rule, typed};

#[tokio::test]
async fn an_open_server_closes_with_its_first_administrator() {
    let site = Site::start().await;
    let anonymous = site.server.client();
    let refused = anonymous.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
    let challenge = refused.header("www-authenticate");
    assert!(challenge.starts_with("Bearer realm=\"http://"), "{challenge}");
    assert!(!challenge.contains("Basic"), "{challenge}");
    let again = json!({ "name": "other", "administrator": true });
    let again = typed(anonymous.post("/api/v1/users"), &again).await;
    again.expect_error(401, "UNAUTHORIZED");
    let me = site.root().get("/api/v1/me").await.expect(200).json();
    assert_json(
        &me,
        &json!({
            "kind": "user",
            "name": "root",
            "administrator": true,
            "method": "password",
            "groups": [],
            "grants": [],
        }),
    );
    let wrong = site.named("root", "not the password").get("/api/v1/me").await;
    wrong.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn on_an_open_server_everybody_is_local() {
    let server = plura_testkit::Server::start(std::path::Path::new(env!("CARGO_BIN_EXE_plura")));
    let me = server.client().get("/api/v1/me").await.expect(200).json();
    assert_json_contains(&me, &json!({ "kind": "local", "name": "local", "administrator": true }));
}

#[tokio::test]
async fn a_user_is_made_changed_and_removed() {
    let site = Site::start().await;
    let root = site.root();
    let new = json!({ "name": "alice", "password": PASSWORD, "email": "a@example.com" });
    let made = root.post("/api/v1/users", &new).await.expect(201);
    assert_eq!(made.header("location"), "/api/v1/users/alice");
    assert_eq!(made.header("cache-control"), "no-store");
    let user = made.json();
    assert_json_contains(
        &user,
        &json!({
            "name": "alice",
            "display_name": "",
            "email": "a@example.com",
            "administrator": false,
            "disabled": false,
            "source": "local",
            "last_used_at": null,
        }),
    );
    root.post("/api/v1/users", &new).await.expect_error(409, "CONFLICT");
    let change = json!({ "email": null, "display_name": "Alice" });
    let changed = root.patch("/api/v1/users/alice", &change).await.expect(200).json();
    assert_json_contains(&changed, &json!({ "email": null, "display_name": "Alice" }));
    let disable = json!({ "disabled": true });
    root.patch("/api/v1/users/alice", &disable).await.expect(200);
    let alice = site.named("alice", PASSWORD);
    alice.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
    let gone = root.delete("/api/v1/users/alice").await.expect(204);
    assert!(gone.body.is_empty());
    root.get("/api/v1/users/alice").await.expect_error(404, "NOT_FOUND");
    root.delete("/api/v1/users/alice").await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn people_change_themselves_and_nobody_else() {
    let site = Site::start().await;
    let alice = site.user("alice").await;
    site.user("bob").await;
    let name = json!({ "display_name": "Alice" });
    alice.patch("/api/v1/users/alice", &name).await.expect(200);
    alice.get("/api/v1/users/alice").await.expect(200);
    alice.get("/api/v1/users/bob").await.expect_error(403, "DENIED");
    alice.get("/api/v1/users/nobody").await.expect_error(403, "DENIED");
    alice.get("/api/v1/users").await.expect_error(403, "DENIED");
    alice.patch("/api/v1/users/bob", &name).await.expect_error(403, "DENIED");
    for more in [json!({ "administrator": true }), json!({ "disabled": false })] {
        let refused = alice.patch("/api/v1/users/alice", &more).await;
        assert_eq!(rule(&refused.expect_error(403, "DENIED")), "no role");
    }
    alice.delete("/api/v1/users/alice").await.expect_error(403, "DENIED");
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it() {
    const PATH: &str = "/api/v1/users/alice/password";
    const NEXT: &str = "staple and paper clip";
    let site = Site::start().await;
    let alice = site.user("alice").await;
    alice.put(PATH, &json!({ "new": NEXT })).await.expect_error(400, "INVALID");
    let wrong = json!({ "current": "not this one at all", "new": NEXT });
    let wrong = alice.put(PATH, &wrong).await.expect_error(403, "DENIED");
    assert_eq!(rule(&wrong), "current password");
    let weak = json!({ "current": PASSWORD, "new": "short" });
    alice.put(PATH, &weak).await.expect_error(400, "INVALID");
    let right = json!({ "current": PASSWORD, "new": NEXT });
    alice.put(PATH, &right).await.expect(204);
    alice.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
    site.named("alice", NEXT).get("/api/v1/me").await.expect(200);
    // An administrator need not know it.
    site.root().put(PATH, &json!({ "new": PASSWORD })).await.expect(204);
    alice.get("/api/v1/me").await.expect(200);
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    const PATH: &str = "/api/v1/users/root";
    let site = Site::start().await;
    let root = site.root();
    for change in [json!({ "administrator": false }), json!({ "disabled": true })] {
        root.patch(PATH, &change).await.expect_error(409, "CONFLICT");
    }
    root.delete(PATH).await.expect_error(409, "CONFLICT");
}

#[tokio::test]
async fn users_are_listed_in_pages() {
    let site = Site::start().await;
    for name in ["alice", "bob", "carol"] {
        site.user(name).await;
    }
    let root = site.root();
    let first = root.get("/api/v1/users?limit=2").await.expect(200);
    assert_eq!(names(&first, "users"), ["alice", "bob"]);
    assert_eq!(first.json()["next"], "bob");
    let second = root.get("/api/v1/users?limit=2&after=bob").await.expect(200);
    assert_eq!(names(&second, "users"), ["carol", "root"]);
    assert_eq!(second.json()["next"], Value::Null);
}

#[tokio::test]
async fn a_token_is_told_once_and_is_as_good_as_its_scope() {
    let site = Site::start().await;
    let alice = site.user("alice").await;
    let new = json!({ "name": "laptop", "expires_in_days": 30 });
    let made = alice.post("/api/v1/tokens", &new).await.expect(201);
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.json();
    let secret = made["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("plura_pt_"), "{secret}");
    let id = made["token"]["id"].as_str().expect("an id");
    let program = site.bearer(secret);
    let me = program.get("/api/v1/me").await.expect(200).json();
    assert_json_contains(&me, &json!({ "name": "alice", "method": "token" }));
    let listed = alice.get("/api/v1/tokens").await.expect(200);
    assert_eq!(names(&listed, "tokens"), ["laptop"]);
    assert!(!String::from_utf8_lossy(&listed.body).contains(secret));

    let limited = json!({ "name": "ci", "scopes": ["repository:apps/**:pull"] });
    let limited = alice.post("/api/v1/tokens", &limited).await.expect(201).json();
    let limited = site.bearer(limited["secret"].as_str().expect("a secret"));
    limited.get("/api/v1/me").await.expect(200);
    // What is limited to repositories is no way to more.
    for refused in [
        limited.get("/api/v1/tokens").await,
        limited.post("/api/v1/tokens", &new).await,
        limited.get("/api/v1/users/alice").await,
        limited.patch("/api/v1/users/alice", &json!({ "display_name": "x" })).await,
        limited.delete(&format!("/api/v1/tokens/{id}")).await,
    ] {
        assert_eq!(rule(&refused.expect_error(403, "DENIED")), "scope of the token");
    }

    let bob = site.user("bob").await;
    let path = format!("/api/v1/tokens/{id}");
    bob.delete(&path).await.expect_error(404, "NOT_FOUND");
    bob.get("/api/v1/tokens?user=alice").await.expect_error(403, "DENIED");
    let seen = site.root().get("/api/v1/tokens?user=alice").await.expect(200);
    assert_eq!(names(&seen, "tokens"), ["laptop", "ci"]);
    alice.delete(&path).await.expect(204);
    program.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn maintainers_have_robots_in_their_project() {
    let site = Site::start().await;
    site.project("apps").await;
    site.project("other").await;
    let alice = site.user("alice").await;
    site.give("apps", "user:alice", "maintainer").await;
    let new = json!({
        "name": "ci",
        "project": "apps",
        "description": "builds",
        "grants": [{ "role": "developer", "repositories": "apps/web-*" }],
    });
    let made = alice.post("/api/v1/robots", &new).await.expect(201);
    assert_eq!(made.header("location"), "/api/v1/robots/robot+apps+ci");
    let made = made.json();
    assert_json_contains(
        &made["robot"],
        &json!({
            "name": "robot+apps+ci",
            "project": "apps",
            "description": "builds",
            "disabled": false,
            "expires_soon": false,
            "grants": [{ "role": "developer", "project": "apps", "repositories": "apps/web-*" }],
        }),
    );
    let robot = site.bearer(made["secret"].as_str().expect("a secret"));
    robot.get("/api/v1/me").await.expect(200);
    robot.get("/api/v1/robots/robot+apps+ci").await.expect_error(403, "DENIED");

    let with = |fields: Value| {
        let mut new = new.clone();
        new.as_object_mut().expect("an object").extend(fields.as_object().cloned().unwrap());
        new
    };
    let elsewhere = with(json!({ "project": "other" }));
    alice.post("/api/v1/robots", &elsewhere).await.expect_error(404, "NOT_FOUND");
    let everywhere = with(json!({ "project": null }));
    alice.post("/api/v1/robots", &everywhere).await.expect_error(403, "DENIED");
    let disguised = with(json!({ "project": null, "name": "apps+other" }));
    site.root().post("/api/v1/robots", &disguised).await.expect_error(400, "INVALID");
    let more = with(json!({ "name": "more", "grants": [{ "role": "administrator" }] }));
    let more = alice.post("/api/v1/robots", &more).await.expect_error(403, "DENIED");
    assert_eq!(rule(&more), "governance is the administrators'");

    alice.get("/api/v1/robots").await.expect_error(403, "DENIED");
    alice.get("/api/v1/robots?project=other").await.expect_error(404, "NOT_FOUND");
    let listed = alice.get("/api/v1/robots?project=apps").await.expect(200);
    assert_eq!(names(&listed, "robots"), ["robot+apps+ci"]);
    // A body is no way around the question.
    let smuggled = typed(alice.get("/api/v1/robots"), &json!({ "project": "apps" })).await;
    smuggled.expect_error(403, "DENIED");
}

#[tokio::test]
async fn a_robot_is_rotated_disabled_and_removed() {
    const PATH: &str = "/api/v1/robots/robot+ci";
    let site = Site::start().await;
    let root = site.root();
    let made = root.post("/api/v1/robots", &json!({ "name": "ci" })).await.expect(201).json();
    let first = site.bearer(made["secret"].as_str().expect("a secret"));
    let rotate = root.with(root.client.post(&format!("{PATH}/rotate")));
    let rotated = rotate.await.expect(200).json();
    let second = site.bearer(rotated["secret"].as_str().expect("a secret"));
    for secret in [&first, &second] {
        secret.get("/api/v1/me").await.expect(200);
    }
    let now = json!({ "overlap_seconds": 0 });
    let third = root.post(&format!("{PATH}/rotate"), &now).await.expect(200).json();
    second.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
    let third = site.bearer(third["secret"].as_str().expect("a secret"));
    third.get("/api/v1/me").await.expect(200);
    let never = json!({ "overlap_seconds": 604_801 });
    root.post(&format!("{PATH}/rotate"), &never).await.expect_error(400, "INVALID");

    let changed = root.patch(PATH, &json!({ "disabled": true, "description": "old" })).await;
    assert_json_contains(
        &changed.expect(200).json(),
        &json!({ "disabled": true, "description": "old" }),
    );
    third.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
    root.delete(PATH).await.expect(204);
    root.get(PATH).await.expect_error(404, "NOT_FOUND");
}
