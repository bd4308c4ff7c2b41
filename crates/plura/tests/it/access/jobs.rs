//! Robots and jobs: secrets that end, tokens that are used once, and tokens of the wrong job.

use futures_util::future::join_all;
use plura_testkit::{Issuer, eventually};
use serde_json::{Value, json};

use super::Closed;
use super::closed::{exchange, text};

const TAGS: &str = "/v2/apps/web/tags/list";

/// A server that trusts the jobs of one repository at GitHub, on its main branch.
async fn with_github(more: Value) -> (Closed, Issuer) {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/web").await;
    let issuer = Issuer::start().await;
    let mut entry = json!({
        "name": "main",
        "kind": "github",
        "issuer": issuer.url(),
        "audience": "plura",
        "conditions": {
            "repository_id": ["74"],
            "repository_owner_id": ["9"],
            "ref": ["refs/heads/main"],
        },
        "grants": [{"role": "developer", "project": "apps", "repositories": "apps/web"}],
    });
    entry.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    closed.trust(&entry).await;
    (closed, issuer)
}

#[tokio::test]
async fn a_token_of_a_job_is_used_once() {
    let (closed, issuer) = with_github(json!({})).await;
    let token = issuer.sign(&issuer.github_claims("plura"));
    let exchanges = (0..8).map(|_| exchange(&closed.client, &token));
    let answers = join_all(exchanges).await;
    let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(good.len(), 1, "{answers:#?}");
    let job = closed.client.bearer(&text(good[0], "/token"));
    job.get(TAGS).await.expect(200);
    job.repository("apps/web").start_upload().await;
    for elsewhere in ["/v2/apps/other/blobs/uploads/", "/v2/charts/db/blobs/uploads/"] {
        job.post(elsewhere).body("").await.expect_error(403, "DENIED");
    }
    let again = exchange(&closed.client, &token).await.expect_error(401, "UNAUTHORIZED");
    assert!(again.error_message().contains("used before"), "{}", again.error_message());
    // Signed again it is the same token; so it is as a password.
    let mut claims = issuer.github_claims("plura");
    let first = issuer.sign_as("ES256", &claims);
    exchange(&closed.client, &first).await.expect(200);
    exchange(&closed.client, &issuer.sign(&claims)).await.expect_error(401, "UNAUTHORIZED");
    claims["iat"] = json!(claims["iat"].as_u64().unwrap() - 1);
    exchange(&closed.client, &issuer.sign(&claims)).await.expect_error(401, "UNAUTHORIZED");
    let fresh = issuer.sign(&issuer.github_claims("plura"));
    closed.client.basic("token", &fresh).get(TAGS).await.expect_error(401, "UNAUTHORIZED");
    // The restart of a server forgets nothing.
    let mut closed = closed;
    closed.server.restart();
    exchange(&closed.client, &token).await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn tokens_of_other_jobs_are_refused() {
    let (mut closed, issuer) = with_github(json!({})).await;
    let stranger = Issuer::start().await;
    let claims = || issuer.github_claims("plura");
    let with = |claim: &str, value: Value| {
        let mut claims = claims();
        claims[claim] = value;
        issuer.sign(&claims)
    };
    let mut foreign = claims();
    foreign["iss"] = json!(stranger.url());
    let tokens = [
        ("another repository of that name", with("repository_id", json!("75"))),
        ("another owner of that name", with("repository_owner_id", json!("10"))),
        ("a list of repositories", with("repository_id", json!(["74"]))),
        ("a branch", with("ref", json!("refs/heads/feature"))),
        ("a branch that begins alike", with("ref", json!("refs/heads/main2"))),
        ("a tag", with("ref", json!("refs/tags/main"))),
        ("no branch", with("ref", Value::Null)),
        ("another audience", with("aud", json!("another registry"))),
        ("another audience, too", with("aud", json!(["another registry"]))),
        ("no audience", with("aud", Value::Null)),
        ("ended", with("exp", json!(1_000_000_000))),
        ("not begun", with("nbf", json!(4_000_000_000_u64))),
        ("without an end", with("exp", Value::Null)),
        ("a pull request of a stranger", with("event_name", json!("pull_request_target"))),
        ("what a stranger's run sets off", with("event_name", json!("workflow_run"))),
        ("another issuer, who says so", stranger.sign(&stranger.github_claims("plura"))),
        ("another issuer, who does not", stranger.sign(&claims())),
        ("another issuer's name", issuer.sign(&foreign)),
        ("not signed", issuer.forge_unsigned("none", &claims())),
        ("not signed, in capitals", issuer.forge_unsigned("NONE", &claims())),
        ("signed with the public key", issuer.forge_with_public_key(&claims())),
        ("no token", "nonsense".to_owned()),
    ];
    for (what, token) in &tokens {
        let answer = exchange(&closed.client, token).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.describe());
        let named = json!({"token": token, "trust": "main"});
        let answer = closed.client.post("/auth/exchange").json(&named).await;
        assert_eq!(answer.status, 401, "{what}, by name: {}", answer.describe());
    }
    let other = json!({"token": issuer.sign(&claims()), "trust": "another"});
    closed.client.post("/auth/exchange").json(&other).await.expect_error(401, "UNAUTHORIZED");
    exchange(&closed.client, &issuer.sign(&claims())).await.expect(200);
    let denied = closed.denials("&action=token.exchange").await;
    assert_eq!(denied, 2 * tokens.len() as u64 + 1);
}

#[tokio::test]
async fn pull_requests_of_strangers_are_accepted_where_somebody_said_so() {
    let (closed, issuer) = with_github(json!({"allow_pull_request_target": true})).await;
    let mut claims = issuer.github_claims("plura");
    claims["event_name"] = json!("pull_request_target");
    exchange(&closed.client, &issuer.sign(&claims)).await.expect(200);
}

#[tokio::test]
async fn a_trust_entry_names_what_cannot_be_taken_over() {
    let (closed, issuer) = with_github(json!({})).await;
    for conditions in [
        json!({}),
        json!({"repository": ["octo-org/web"]}),
        json!({"repository_id": ["74"]}),
        json!({"repository_owner_id": ["9"]}),
        json!({"repository_id": ["*"], "repository_owner_id": ["9"]}),
        json!({"repository_id": ["7*"], "repository_owner_id": ["9"]}),
        json!({"repository_id": [], "repository_owner_id": ["9"]}),
        json!({"repository_id": ["74"], "repository_owner_id": ["9"], "ref": []}),
    ] {
        let entry = json!({
            "name": "wide",
            "kind": "github",
            "issuer": issuer.url(),
            "audience": "plura",
            "conditions": conditions,
            "grants": [{"role": "reader", "project": "apps"}],
        });
        let answer = closed.root.post("/api/v1/trust").json(&entry).await;
        assert_eq!(answer.status, 400, "{conditions}: {}", answer.describe());
    }
    for issuer in [
        "http://issuer.example",
        "ftp://issuer.example",
        "file:///etc/passwd",
        "https://user:pw@issuer.example",
    ] {
        let entry = json!({
            "name": "wide",
            "kind": "generic",
            "issuer": issuer,
            "audience": "plura",
            "conditions": {"sub": ["x"]},
        });
        let answer = closed.root.post("/api/v1/trust").json(&entry).await;
        assert_eq!(answer.status, 400, "{issuer}: {}", answer.describe());
    }
}

#[tokio::test]
async fn the_secret_of_a_robot_ends() {
    let mut closed = Closed::with(&[("PLURA_ACCESS__ROBOT_LIFE", "2s")]);
    closed.project("apps").await;
    closed.image("apps/web").await;
    let grants = json!([{"role": "reader"}]);
    let short = closed.robot(json!({"name": "short", "project": "apps", "grants": grants})).await;
    let days = json!({"name": "days", "project": "apps", "grants": grants, "expires_in_days": 1});
    let days = closed.robot(days).await;
    short.client.get(TAGS).await.expect(200);
    let token = super::closed::docker_token(&short.client, &["repository:apps/web:pull"]).await;
    let token = closed.client.bearer(&token);
    let ended = || async { (short.client.get(TAGS).await.status == 401).then_some(()) };
    eventually("the secret ends", ended).await;
    let ended = || async { (token.get(TAGS).await.status == 401).then_some(()) };
    eventually("the token ends with it", ended).await;
    days.client.get(TAGS).await.expect(200);
    let robot = closed.root.get("/api/v1/robots/robot+apps+short").await.expect(200).json();
    assert_eq!(robot["expires_soon"], true);
    // Who rotates it has another one, and it lives.
    let rotated =
        closed.root.post("/api/v1/robots/robot+apps+short/rotate").body("").await.expect(200);
    let next = closed.client.basic("robot+apps+short", &text(&rotated, "/secret"));
    next.get(TAGS).await.expect(200);
    short.client.get(TAGS).await.expect_error(401, "UNAUTHORIZED");
}
