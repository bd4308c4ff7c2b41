//! Logins, sessions, exchanges: those that succeed, and those that do not.

use plura_testkit::Issuer;
use serde_json::json;

use super::super::Closed;
use super::super::closed::exchange;
use super::{Left, left};

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
    let subject = "repo:octo-org/web:ref:refs/heads/main";
    let by_job = format!("{subject} oidc allowed token.exchange trust:main");
    Left::check(&exchanged, &entries, &[&by_job]);
    assert_eq!(entries[0]["detail"]["subject"], subject);
    left!(
        left,
        exchange(&client, &good).await.expect(401),
        [format!("anonymous none denied token.exchange subject:{subject}")]
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
    // Those that follow and are alike are counted.
    left!(left, client.basic("dora", wrong).get("/v2/").await.expect(401), []);
    left!(left, client.basic("dora", wrong).get("/auth/token").await.expect(401), []);
    let form = [("grant_type", "password"), ("username", "dora"), ("password", wrong)];
    left!(left, client.post("/auth/token").form(&form).await.expect(401), []);
    left!(left, client.basic("dora", wrong).get("/api/v1/me").await.expect(401), []);
    left!(left, client.basic("dora", wrong).get("/v2/").await.expect(429), []);
    // A name that nobody has may be a password.
    let nameless = "anonymous none denied login";
    left!(left, client.basic(&dora.secret, "").get("/v2/").await.expect(401), [nameless]);
    left!(left, client.bearer("nonsense").get("/v2/").await.expect(401), []);
    let form = [("grant_type", "refresh_token"), ("refresh_token", "nonsense")];
    left!(left, client.post("/auth/token").form(&form).await.expect(401), []);
    let nonsense = client.sending("cookie", "plura_session=nonsense");
    left!(left, nonsense.get("/api/v1/me").await.expect(401), []);
    // Who shows nothing is told to log in, and was not refused.
    left!(left, client.get("/v2/").await.expect(401), []);
    left!(left, client.get("/v2/apps/x/tags/list").await.expect(401), []);
    left!(left, client.get("/api/v1/me").await.expect(401), []);
    left!(left, closed.root.get("/auth/token").await.expect(200), []);
    assert_eq!(closed.denials("&action=login&target=account:dora").await, 6);
    let all = closed.audit("&action=login&outcome=denied").await;
    let counts: Vec<_> = all.iter().map(|entry| &entry["detail"]["count"]).collect();
    assert_eq!(counts.len(), 4, "{all:#?}");
    assert_eq!(closed.denials("&action=login").await, 10);
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
    Left::check(&login, &entries, &[&format!("dora password allowed login {target}")]);
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    let browser = closed.client.sending("cookie", &cookie).sending("sec-fetch-site", "same-origin");
    let out = browser.post("/auth/logout").body("").await.expect(204);
    left!(left, out, [format!("dora session allowed logout {target}")]);
    let refresh = dora.client.get("/auth/token?offline_token=true").await.expect(200);
    let entries = left.read().await;
    let target = entries[0]["target"].as_str().unwrap().to_owned();
    Left::check(&refresh, &entries, &[&format!("dora password allowed login {target}")]);
}
