//! What is done and what is refused is written down: once, rightly, and for good.

use plura_testkit::{Algorithm, Answer, Image, Issuer};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::Closed;
use super::closed::{exchange, password, text};

/// Entries that an answer left, in the order in which they were made.
struct Left<'a> {
    closed: &'a Closed,
    seen: i64,
}

impl<'a> Left<'a> {
    async fn from_now(closed: &'a Closed) -> Self {
        let seen = newest(closed).await;
        Self { closed, seen }
    }

    /// Panics unless the request left exactly these: `ACTOR METHOD OUTCOME ACTION TARGET`.
    #[track_caller]
    fn check(&mut self, answer: &Answer, entries: &[Value], expected: &[&str]) {
        let request = answer.header("x-request-id");
        let said: Vec<String> = entries.iter().map(line).collect();
        assert_eq!(said, expected, "{}", answer.describe());
        for entry in entries {
            assert_eq!(entry["request_id"], request, "{entry:#}");
            assert_eq!(entry["address"], "127.0.0.1", "{entry:#}");
            assert!(entry["at"].as_str().is_some_and(|at| at.starts_with("20")), "{entry:#}");
            let denied = entry["outcome"] == "denied";
            assert_eq!(denied, entry["detail"]["reason"].is_string(), "{entry:#}");
        }
    }

    async fn read(&mut self) -> Vec<Value> {
        let mut entries = self.closed.audit("").await;
        entries.retain(|entry| entry["id"].as_i64().unwrap() > self.seen);
        entries.reverse();
        self.seen = entries.last().map_or(self.seen, |entry| entry["id"].as_i64().unwrap());
        entries
    }
}

async fn newest(closed: &Closed) -> i64 {
    closed.audit("").await.first().map_or(0, |entry| entry["id"].as_i64().unwrap())
}

fn line(entry: &Value) -> String {
    let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let actor = entry["actor"]["name"].as_str().unwrap_or_default();
    let words =
        [actor.to_owned(), field("method"), field("outcome"), field("action"), field("target")];
    words.join(" ").trim_end().to_owned()
}

/// Compares what an answer left.
macro_rules! left {
    ($left:expr, $answer:expr, [$($expected:expr),* $(,)?]) => {{
        let answer = $answer;
        let entries = $left.read().await;
        let expected: Vec<String> = vec![$($expected.to_string()),*];
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        $left.check(&answer, &entries, &expected);
        answer
    }};
}

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
async fn every_login_is_written_down_once() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    let dora = closed.user("dora").await;
    let issuer = Issuer::start().await;
    let client = closed.client.clone();
    let entry = json!({
        "name": "main",
        "kind": "github",
        "issuer": issuer.url(),
        "audience": "plura",
        "conditions": {"repository_id": ["74"], "repository_owner_id": ["9"]},
        "grants": [{"role": "developer", "project": "apps"}],
    });
    let mut left = Left::from_now(&closed).await;
    left!(
        left,
        closed.root.post("/api/v1/trust").json(&entry).await.expect(201),
        ["root password allowed trust.create trust:main"]
    );
    left!(
        left,
        closed.root.put("/api/v1/trust/main").json(&entry).await.expect(200),
        ["root password allowed trust.update trust:main"]
    );

    let good = issuer.sign(&issuer.github_claims("plura"));
    let exchanged = exchange(&client, &good).await.expect(200);
    let entries = left.read().await;
    left.check(&exchanged, &entries, &["anonymous none allowed token.exchange trust:main"]);
    assert_eq!(entries[0]["detail"]["subject"], "repo:octo-org/web:ref:refs/heads/main");
    left!(
        left,
        exchange(&client, &good).await.expect(401),
        ["anonymous none denied token.exchange"]
    );
    left!(
        left,
        closed.root.delete("/api/v1/trust/main").await.expect(204),
        ["root password allowed trust.delete trust:main"]
    );

    let wrong = "not the password";
    let denied = "anonymous none denied login account:dora";
    let body = json!({"name": "dora", "password": wrong});
    left!(left, client.post("/auth/login").json(&body).await.expect(401), [denied]);
    left!(left, client.basic("dora", wrong).get("/v2/").await.expect(401), [denied]);
    left!(left, client.basic("dora", wrong).get("/auth/token").await.expect(401), [denied]);
    let form = [("grant_type", "password"), ("username", "dora"), ("password", wrong)];
    left!(left, client.post("/auth/token").form(&form).await.expect(401), [denied]);
    left!(left, client.basic("dora", wrong).get("/api/v1/me").await.expect(401), [denied]);
    left!(left, client.basic("dora", wrong).get("/v2/").await.expect(429), [denied]);
    // A name that nobody has may be a password.
    let nameless = "anonymous none denied login";
    left!(left, client.basic(&dora.secret, "").get("/v2/").await.expect(401), [nameless]);
    left!(left, client.bearer("nonsense").get("/v2/").await.expect(401), [nameless]);
    let form = [("grant_type", "refresh_token"), ("refresh_token", "nonsense")];
    left!(left, client.post("/auth/token").form(&form).await.expect(401), [nameless]);
    left!(
        left,
        client.sending("cookie", "plura_session=nonsense").get("/api/v1/me").await.expect(401),
        [nameless]
    );
    // Who shows nothing is told to log in, and was not refused.
    left!(left, client.get("/v2/").await.expect(401), []);
    left!(left, client.get("/v2/apps/x/tags/list").await.expect(401), []);
    left!(left, client.get("/api/v1/me").await.expect(401), []);
    left!(left, closed.root.get("/auth/token").await.expect(200), []);
}

#[tokio::test]
async fn sessions_and_refresh_tokens_are_written_down() {
    let mut closed = Closed::start();
    let dora = closed.user("dora").await;
    let mut left = Left::from_now(&closed).await;
    let body = json!({"name": "dora", "password": dora.secret});
    let login = closed.client.post("/auth/login").json(&body).await.expect(204);
    let entries = left.read().await;
    let target = entries[0]["target"].as_str().unwrap().to_owned();
    assert!(target.starts_with("credential:"), "{target}");
    left.check(&login, &entries, &[&format!("dora password allowed login {target}")]);
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    let browser = closed.client.sending("cookie", &cookie).sending("sec-fetch-site", "same-origin");
    let out = browser.post("/auth/logout").body("").await.expect(204);
    left!(left, out, [format!("dora session allowed logout {target}")]);
    let refresh = dora.client.get("/auth/token?offline_token=true").await.expect(200);
    let entries = left.read().await;
    let target = entries[0]["target"].as_str().unwrap().to_owned();
    left.check(&refresh, &entries, &[&format!("dora password allowed login {target}")]);
}

#[tokio::test]
async fn every_push_and_refusal_is_written_down_once() {
    let mut closed = Closed::start();
    closed.project_with(json!({"name": "apps", "quota_tags": 2})).await;
    closed.project("base").await;
    let dora = closed.member("dora", "developer", "apps").await;
    let rita = closed.member("rita", "reader", "apps").await;
    let image = Image::random(&mut closed.random);
    let (repository, digest) = (dora.client.repository("apps/web"), image.digest());
    let mut left = Left::from_now(&closed).await;
    for blob in &image.blobs {
        let digest = blob.digest();
        let mut upload = repository.start_upload().await;
        let patched = upload.patch(0, blob.bytes.clone()).await.expect(202);
        left!(left, patched, []);
        let done = upload.finish(&digest).await.expect(201);
        left!(left, done, [format!("dora password allowed blob.push apps/web@{digest}")]);
    }
    let put = repository.put_manifest("v1", &image.manifest).await.expect(201);
    left!(
        left,
        put,
        [
            format!("dora password allowed manifest.push apps/web@{digest}"),
            "dora password allowed tag.set apps/web:v1",
        ]
    );
    let blob = image.blobs[0].digest();
    let other = dora.client.repository("apps/api");
    left!(
        left,
        other.mount(&blob, Some("apps/web")).await.expect(201),
        [format!("dora password allowed blob.mount apps/api@{blob}")]
    );
    left!(left, repository.get_manifest("v1").await.expect(200), []);

    // What is refused has the name of what it would have been.
    let by_rita = |what: &str| format!("rita password denied {what}");
    let read = rita.client.repository("apps/web");
    left!(
        left,
        read.put_manifest("v2", &image.manifest).await.expect(403),
        [by_rita("manifest.push apps/web:v2")]
    );
    left!(
        left,
        read.put_manifest(&digest, &image.manifest).await.expect(403),
        [by_rita(&format!("manifest.push apps/web@{digest}"))]
    );
    left!(left, read.delete_manifest("v1").await.expect(403), [by_rita("tag.delete apps/web:v1")]);
    left!(
        left,
        read.delete_manifest(&digest).await.expect(403),
        [by_rita(&format!("manifest.delete apps/web@{digest}"))]
    );
    left!(
        left,
        read.delete_blob(&blob).await.expect(403),
        [by_rita(&format!("blob.delete apps/web@{blob}"))]
    );
    left!(
        left,
        rita.client.post("/v2/apps/web/blobs/uploads/").body("").await.expect(403),
        [by_rita("blob.push apps/web")]
    );
    left!(
        left,
        read.mount(&blob, Some("apps/web")).await.expect(403),
        [by_rita(&format!("blob.mount apps/web@{blob}"))]
    );
    left!(
        left,
        rita.client.repository("base/os").get_manifest("v1").await.expect(403),
        [by_rita("manifest.pull base/os:v1")]
    );
    left!(
        left,
        rita.client.repository("base/os").head_blob(&blob).await.expect(403),
        [by_rita(&format!("blob.pull base/os@{blob}"))]
    );
    left!(
        left,
        rita.client.get("/v2/base/os/tags/list").await.expect(403),
        [by_rita("tag.list base/os")]
    );
    left!(
        left,
        other.mount(&blob, Some("base/os")).await.expect(202),
        [format!("dora password denied blob.mount base/os@{blob}")]
    );
    left!(
        left,
        dora.client.repository("none/x").put_manifest("v1", &image.manifest).await.expect(403),
        ["dora password denied manifest.push none/x:v1"]
    );

    // The quota is a rule like others.
    repository.put_manifest("v2", &image.manifest).await.expect(201);
    let mut left = Left::from_now(&closed).await;
    let over = repository.put_manifest("v3", &image.manifest).await.expect(403);
    let entries = left.read().await;
    left.check(&over, &entries, &["dora password denied manifest.push apps/web:v3"]);
    assert_eq!(entries[0]["rule"], "quota of project apps");
    assert_eq!(
        entries[0]["detail"]["reason"].as_str().map(|reason| reason.contains("quota")),
        Some(true)
    );

    let root = closed.root.repository("apps/web");
    left!(
        left,
        root.delete_manifest("v1").await.expect(202),
        ["root password allowed tag.delete apps/web:v1"]
    );
    left!(
        left,
        root.delete_manifest(&digest).await.expect(202),
        [format!("root password allowed manifest.delete apps/web@{digest}")]
    );
    let sha512 = Algorithm::Sha512.digest(b"x");
    left!(left, root.delete_blob(&sha512).await.expect(404), []);
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
    client.get("/api/v1/users").header("x-request-id", "chosen-by-me").await;
    let entries = left.read().await;
    assert_eq!(entries[0]["request_id"], "chosen-by-me");
}

/// Has the database itself do something, behind the server's back.
async fn sql(closed: &Closed, statement: &'static str) -> Result<u64, sqlx::Error> {
    let path = closed.server.data().join("plura.db");
    let url = format!("sqlite://{}", path.to_str().expect("temporary paths are UTF-8"));
    let mut connection = sqlx::SqliteConnection::connect(&url).await?;
    Ok(sqlx::query(statement).execute(&mut connection).await?.rows_affected())
}

#[tokio::test]
async fn what_is_written_down_stays() {
    let closed = Closed::start();
    closed.project("apps").await;
    let before = closed.audit("").await;
    assert!(before.len() >= 2);
    for statement in [
        "update audit set actor = 'somebody'",
        "update audit set outcome = 'allowed' where id = 1",
        "delete from audit",
        "delete from audit where id = 1",
        "insert or replace into audit select * from audit where id = 1",
        "replace into audit select * from audit",
    ] {
        let refused = sql(&closed, statement).await.expect_err(statement).to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(closed.audit("").await, before);
}
