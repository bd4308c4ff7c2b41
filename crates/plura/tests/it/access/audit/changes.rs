//! People, projects, members, robots; and what of the API is refused.

use serde_json::json;

use super::super::Closed;
use super::super::closed::{password, text};
use super::{Left, left};

#[tokio::test]
async fn every_change_of_access_is_written_down_once() {
    let mut closed = Closed::start();
    let (first, second) = (password(&mut closed.random), password(&mut closed.random));
    let root = closed.root.clone();
    let client = closed.client.clone();
    let mut left = Left::from_now(&closed).await;
    let by_root = |what: &str| format!("root password allowed {what}");
    let body = json!({"name": "apps", "quota_tags": 9});
    left!(
        left,
        root.post("/api/v1/projects").json(&body).await.expect(201),
        [by_root("project.create project:apps")]
    );
    let body = json!({"public": false});
    left!(
        left,
        root.patch("/api/v1/projects/apps").json(&body).await.expect(200),
        [by_root("project.update project:apps")]
    );
    let body = json!({"name": "dora", "password": first});
    left!(
        left,
        root.post("/api/v1/users").json(&body).await.expect(201),
        [by_root("user.create user:dora")]
    );
    let body = json!({"display_name": "Dora"});
    left!(
        left,
        root.patch("/api/v1/users/dora").json(&body).await.expect(200),
        [by_root("user.update user:dora")]
    );
    let body = json!({"subject": "user:dora", "role": "maintainer"});
    let added = left!(
        left,
        root.post("/api/v1/projects/apps/members").json(&body).await.expect(201),
        [by_root("member.add user:dora")]
    );
    let body = json!({"subject": "everyone", "role": "reader"});
    let everywhere = left!(
        left,
        root.post("/api/v1/members").json(&body).await.expect(201),
        [by_root("member.add everyone")]
    );

    let dora = client.basic("dora", &first);
    let body = json!({"current": first, "new": second});
    left!(
        left,
        dora.put("/api/v1/users/dora/password").json(&body).await.expect(204),
        ["dora password allowed user.password user:dora"]
    );
    let dora = client.basic("dora", &second);
    let body = json!({"name": "laptop"});
    let token = dora.post("/api/v1/tokens").json(&body).await.expect(201);
    let id = text(&token, "/token/id");
    left!(left, token, [format!("dora password allowed token.create token:{id}")]);
    left!(
        left,
        dora.delete(&format!("/api/v1/tokens/{id}")).await.expect(204),
        [format!("dora password allowed token.delete token:{id}")]
    );

    let path = format!("/api/v1/projects/apps/members/{}", text(&added, "/id"));
    left!(left, root.delete(&path).await.expect(204), [by_root("member.remove user:dora")]);
    let path = format!("/api/v1/members/{}", text(&everywhere, "/id"));
    left!(left, root.delete(&path).await.expect(204), [by_root("member.remove everyone")]);
    left!(
        left,
        root.delete("/api/v1/users/dora/sessions").await.expect(200),
        [by_root("user.logout user:dora")]
    );
    left!(
        left,
        root.delete("/api/v1/users/dora").await.expect(204),
        [by_root("user.delete user:dora")]
    );
    left!(
        left,
        root.delete("/api/v1/projects/apps").await.expect(204),
        [by_root("project.delete project:apps")]
    );
    // What fails changes nothing, and reading is not written down.
    for path in ["/api/v1/users/dora", "/api/v1/projects/apps", "/api/v1/robots/robot+ci"] {
        left!(left, root.delete(path).await.expect(404), []);
        left!(left, root.get(path).await.expect(404), []);
    }
    left!(left, root.post("/api/v1/users").json(&json!({"name": "root"})).await.expect(409), []);
    left!(left, root.get("/api/v1/users").await.expect(200), []);
}

#[tokio::test]
async fn every_change_of_a_robot_is_written_down_once() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    let dora = closed.member("dora", "maintainer", "apps").await.client;
    let mut left = Left::from_now(&closed).await;
    let by_dora = |what: &str| format!("dora password allowed {what}");
    let body = json!({"name": "ci", "project": "apps", "grants": [{"role": "developer"}]});
    left!(
        left,
        dora.post("/api/v1/robots").json(&body).await.expect(201),
        [by_dora("robot.create robot:robot+apps+ci")]
    );
    let path = "/api/v1/robots/robot+apps+ci";
    left!(
        left,
        dora.post(&format!("{path}/rotate")).body("").await.expect(200),
        [by_dora("robot.rotate robot:robot+apps+ci")]
    );
    left!(
        left,
        dora.patch(path).json(&json!({"disabled": true})).await.expect(200),
        [by_dora("robot.update robot:robot+apps+ci")]
    );
    left!(left, dora.delete(path).await.expect(204), [by_dora("robot.delete robot:robot+apps+ci")]);
}

#[tokio::test]
async fn refusals_of_the_api_are_written_down_once() {
    let mut closed = Closed::start();
    for project in ["apps", "vault"] {
        closed.project(project).await;
    }
    let mary = closed.member("mary", "maintainer", "apps").await;
    let mut left = Left::from_now(&closed).await;
    let denied = |what: &str| format!("mary password denied {what}");
    let client = &mary.client;
    left!(left, client.get("/api/v1/users").await.expect(403), [denied("user.list /api/v1/users")]);
    left!(
        left,
        client.delete("/api/v1/users/root").await.expect(403),
        [denied("user.delete user:root")]
    );
    left!(
        left,
        client.get("/api/v1/projects/vault").await.expect(404),
        [denied("project.show project:vault")]
    );
    left!(
        left,
        client.get("/api/v1/projects/none").await.expect(404),
        [denied("project.show project:none")]
    );
    left!(
        left,
        client.get("/api/v1/audit").await.expect(403),
        [denied("audit.read /api/v1/audit")]
    );
    let body = json!({"subject": "user:mary", "role": "administrator"});
    left!(
        left,
        client.post("/api/v1/projects/apps/members").json(&body).await.expect(403),
        [denied("member.add project:apps")]
    );
    let body = json!({"name": "a", "project": "vault"});
    left!(
        left,
        client.post("/api/v1/robots").json(&body).await.expect(404),
        [denied("robot.create /api/v1/robots")]
    );
    let body = json!({"current": "wrong", "new": "a long passphrase here"});
    left!(
        left,
        client.put("/api/v1/users/mary/password").json(&body).await.expect(403),
        [denied("user.password user:mary")]
    );
    client.get("/api/v1/trust").header("x-request-id", "chosen-by-me").await;
    let entries = left.read().await;
    assert_eq!(entries[0]["request_id"], "chosen-by-me");
}
