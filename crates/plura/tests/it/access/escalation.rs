//! Nobody gets more than they were given, in whatever roundabout way.

use plura_testkit::Client;
use serde_json::{Value, json};

use super::Closed;
use super::closed::{Account, text};

const MEMBERS: &str = "/api/v1/projects/apps/members";

/// A maintainer of `apps`, who is nobody in `vault`.
async fn with_maintainer() -> (Closed, Account) {
    let mut closed = Closed::start();
    for project in ["apps", "vault"] {
        closed.project(project).await;
    }
    closed.image("apps/web").await;
    closed.user("dora").await;
    let maintainer = closed.member("mary", "maintainer", "apps").await;
    (closed, maintainer)
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let (mut closed, mary) = with_maintainer().await;
    // Who may do something with some repositories does not give it for all.
    let rita = closed.user("rita").await;
    let part = json!({"subject": "user:rita", "role": "maintainer", "repositories": "apps/web"});
    closed.give(Some("apps"), part.clone()).await;
    for body in [json!({"subject": "user:rita", "role": "maintainer"}), part] {
        rita.client.post(MEMBERS).json(&body).await.expect_error(403, "DENIED");
    }
    for (role, status) in [
        ("reader", 201),
        ("developer", 201),
        ("maintainer", 201),
        ("promoter", 403),
        ("administrator", 403),
    ] {
        for subject in ["user:mary", "user:dora", "everyone", "group:sre"] {
            let body = json!({"subject": subject, "role": role});
            let answer = mary.client.post(MEMBERS).json(&body).await;
            assert_eq!(answer.status, status, "{role} for {subject}: {}", answer.describe());
            mary.client.post("/api/v1/members").json(&body).await.expect_error(403, "DENIED");
            let elsewhere = mary.client.post("/api/v1/projects/vault/members").json(&body);
            elsewhere.await.expect_error(404, "NOT_FOUND");
        }
        let robot =
            json!({"name": format!("as-{role}"), "project": "apps", "grants": [{"role": role}]});
        let answer = mary.client.post("/api/v1/robots").json(&robot).await;
        assert_eq!(answer.status, status, "{role} for a robot: {}", answer.describe());
    }
}

/// Those whom governance binds do not undo it.
#[tokio::test]
async fn governance_is_taken_away_by_administrators_only() {
    let (mut closed, mary) = with_maintainer().await;
    for name in ["paul", "mark", "rita"] {
        closed.user(name).await;
    }
    let mut given = Vec::new();
    for (name, role, status) in [
        ("paul", "promoter", 403),
        ("paul", "administrator", 403),
        ("mark", "maintainer", 204),
        ("rita", "developer", 204),
        ("rita", "reader", 204),
    ] {
        let body = json!({"subject": format!("user:{name}"), "role": role});
        given.push((closed.give(Some("apps"), body).await, role, status));
    }
    for (id, role, status) in &given {
        let answer = mary.client.delete(&format!("{MEMBERS}/{id}")).await;
        assert_eq!(answer.status, *status, "{role}: {}", answer.describe());
    }
    let denied = closed.audit("&actor=mary&action=member.remove&outcome=denied").await;
    assert_eq!(denied.len(), 1, "those that are alike are counted: {denied:#?}");
    assert_eq!(denied[0]["rule"], "governance is the administrators'");
    let robot = json!({"name": "gov", "project": "apps", "grants": [{"role": "promoter"}]});
    closed.robot(robot).await;
    let path = "/api/v1/robots/robot+apps+gov";
    mary.client.delete(path).await.expect_error(403, "DENIED");
    let stop = json!({"disabled": true});
    mary.client.patch(path).json(&stop).await.expect_error(403, "DENIED");
    for (id, ..) in given.iter().filter(|(_, _, status)| *status == 403) {
        closed.root.delete(&format!("{MEMBERS}/{id}")).await.expect(204);
    }
    closed.root.delete(path).await.expect(204);
    // Whoever both maintains and promotes does not hand that on.
    closed.give(Some("apps"), json!({"subject": "user:mary", "role": "promoter"})).await;
    let body = json!({"subject": "user:dora", "role": "promoter"});
    mary.client.post(MEMBERS).json(&body).await.expect_error(403, "DENIED");
}

#[tokio::test]
async fn robots_of_a_project_stay_in_it() {
    let (closed, mary) = with_maintainer().await;
    let refused = [
        (json!({"name": "a", "grants": [{"role": "reader"}]}), 403),
        (json!({"name": "a", "project": "vault", "grants": [{"role": "reader"}]}), 404),
        (
            json!({"name": "a", "project": "apps", "grants": [{"role": "reader", "project": "vault"}]}),
            400,
        ),
        (json!({"name": "a", "project": "apps", "expires_in_days": 0}), 400),
        (json!({"name": "vault+a", "project": "apps"}), 400),
        (json!({"name": "a+b"}), 403),
    ];
    for (body, status) in refused {
        let answer = mary.client.post("/api/v1/robots").json(&body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.describe());
    }
    let robot = json!({"name": "a", "project": "apps", "grants": [{"role": "maintainer", "project": null}]});
    let answer = mary.client.post("/api/v1/robots").json(&robot).await.expect(201);
    assert_eq!(answer.json()["robot"]["grants"][0]["project"], "apps");
    let robot = closed.account("robot+apps+a", &text(&answer, "/secret"));
    for client in [&robot.client, &closed.client.bearer(&robot.secret)] {
        client.get("/v2/vault/x/tags/list").await.expect_error(403, "DENIED");
        client
            .post("/api/v1/tokens")
            .json(&json!({"name": "x"}))
            .await
            .expect_error(409, "CONFLICT");
    }
    let never = json!({"expires_in_days": 0});
    let answer = mary.client.patch("/api/v1/robots/robot+apps+a").json(&never).await;
    answer.expect_one_of(&[400, 403]);
}

/// The secret of a robot is good for all that the robot may do.
#[tokio::test]
async fn nobody_takes_over_a_robot_that_may_do_more() {
    let (closed, mary) = with_maintainer().await;
    for (name, grants) in [
        ("governor", json!([{"role": "promoter"}])),
        ("master", json!([{"role": "administrator"}])),
    ] {
        closed.robot(json!({"name": name, "project": "apps", "grants": grants})).await;
    }
    let lent = closed
        .robot(json!({"name": "lent", "project": "apps", "grants": [{"role": "reader"}]}))
        .await;
    closed
        .give(Some("vault"), json!({"subject": format!("robot:{}", lent.name), "role": "reader"}))
        .await;
    for name in ["governor", "master", "lent"] {
        let path = format!("/api/v1/robots/robot+apps+{name}/rotate");
        mary.client.post(&path).body("").await.expect_error(403, "DENIED");
        closed.root.post(&path).body("").await.expect(200);
    }
    closed
        .robot(json!({"name": "own", "project": "apps", "grants": [{"role": "developer"}]}))
        .await;
    mary.client.post("/api/v1/robots/robot+apps+own/rotate").body("").await.expect(200);
}

#[tokio::test]
async fn nobody_makes_themselves_an_administrator() {
    let (mut closed, mary) = with_maintainer().await;
    let rolf = closed.user("rolf").await;
    closed.give(None, json!({"subject": "user:rolf", "role": "maintainer"})).await;
    let (_, token) = closed.api_token(&mary, &[]).await;
    let clients: [(&Client, &str); 3] =
        [(&mary.client, "mary"), (&closed.client.bearer(&token), "mary"), (&rolf.client, "rolf")];
    for (client, name) in clients {
        let own = format!("/api/v1/users/{name}");
        for body in [
            json!({"administrator": true}),
            json!({"administrator": true, "display_name": "M"}),
            json!({"disabled": false}),
        ] {
            client.patch(&own).json(&body).await.expect_error(403, "DENIED");
        }
        client.patch(&own).json(&json!({"name": "root"})).await.expect(400);
        client.patch(&own).json(&json!({"source": "oidc"})).await.expect(400);
        let new =
            json!({"name": "eve", "password": "a long passphrase here", "administrator": true});
        client.post("/api/v1/users").json(&new).await.expect_error(403, "DENIED");
        let password = json!({"new": "a long passphrase here"});
        for other in ["root", "dora"] {
            let path = format!("/api/v1/users/{other}/password");
            client.put(&path).json(&password).await.expect_error(403, "DENIED");
            client.delete(&format!("/api/v1/users/{other}/sessions")).await.expect(403);
            client.get(&format!("/api/v1/tokens?user={other}")).await.expect(403);
        }
        // One's own needs the one that is.
        client.put(&format!("{own}/password")).json(&password).await.expect_one_of(&[400, 403]);
        let me = client.get("/api/v1/me").await.expect(200).json();
        assert_eq!(me["administrator"], false);
    }
    let users = closed.root.get("/api/v1/users").await.expect(200).json();
    let administrators = users["users"].as_array().unwrap().iter();
    let administrators: Vec<&Value> = administrators
        .filter(|user| user["administrator"] == true)
        .map(|user| &user["name"])
        .collect();
    assert_eq!(administrators, ["root"]);
}

#[tokio::test]
async fn trust_entries_and_quotas_are_the_administrators() {
    let (mut closed, mary) = with_maintainer().await;
    let rolf = closed.user("rolf").await;
    closed.give(None, json!({"subject": "user:rolf", "role": "maintainer"})).await;
    let entry = json!({
        "name": "own",
        "kind": "generic",
        "issuer": "https://issuer.example",
        "audience": "plura",
        "conditions": {"sub": ["x"]},
        "grants": [{"role": "reader", "project": "apps"}],
    });
    for client in [&mary.client, &rolf.client] {
        client.post("/api/v1/trust").json(&entry).await.expect_error(403, "DENIED");
        client
            .post("/api/v1/projects")
            .json(&json!({"name": "own"}))
            .await
            .expect_error(403, "DENIED");
        for body in [json!({"quota_bytes": null}), json!({"quota_tags": 5, "public": true})] {
            let answer = client.patch("/api/v1/projects/apps").json(&body).await;
            answer.expect_error(403, "DENIED");
        }
    }
    let project = closed.root.get("/api/v1/projects/apps").await.expect(200).json();
    assert_eq!((&project["public"], &project["quota_tags"]), (&json!(false), &Value::Null));
}
