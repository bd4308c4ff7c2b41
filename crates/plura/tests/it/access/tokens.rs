//! The token protocol of container clients, and tokens that nobody should accept.

use plura_testkit::{Answer, Client, Issuer, Jwt};
use serde_json::{Value, json};

use super::Closed;
use super::closed::{ADMINISTRATOR, Account, ask_for_token, docker_token, text};
use super::forgery::signing_key;

/// The parameters of a `Bearer` challenge.
#[track_caller]
fn challenge(answer: &Answer) -> impl Fn(&str) -> Option<String> + use<> {
    let text = answer.header("www-authenticate").to_owned();
    let parameters = text.strip_prefix("Bearer ").expect("a Bearer challenge").to_owned();
    move |name: &str| {
        let (_, rest) = parameters.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    }
}

/// What a token allows, as `apps/web:pull,push`.
fn allowed(token: &str) -> Vec<String> {
    let claims = Jwt::of(token).claims;
    let entries = claims["access"].as_array().expect("a token for clients is limited").clone();
    let entry = |entry: Value| {
        let actions = entry["actions"].as_array().expect("actions").clone();
        let actions: Vec<_> =
            actions.iter().map(|action| action.as_str().expect("an action")).collect();
        format!("{}:{}", entry["name"].as_str().expect("a name"), actions.join(","))
    };
    entries.into_iter().map(entry).collect()
}

/// A server with `apps/web`, and a developer there.
pub(super) async fn with_developer() -> (Closed, Account) {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/web").await;
    let developer = closed.member("dora", "developer", "apps").await;
    (closed, developer)
}

pub(super) const PULL: &str = "repository:apps/web:pull";
pub(super) const TAGS: &str = "/v2/apps/web/tags/list";

#[tokio::test]
async fn a_client_that_follows_the_challenge_gets_in() {
    let (closed, developer) = with_developer().await;
    for (method, path, scope) in [
        (reqwest::Method::GET, TAGS, PULL),
        (reqwest::Method::POST, "/v2/apps/web/blobs/uploads/", "repository:apps/web:pull,push"),
    ] {
        let refused = closed.client.request(method.clone(), path).body("").await;
        let challenge = challenge(&refused.expect_error(401, "UNAUTHORIZED"));
        let realm = challenge("realm").expect("a realm");
        assert_eq!(realm, format!("{}/auth/token", closed.server.base()));
        assert_eq!(challenge("scope").as_deref(), Some(scope));
        assert_eq!(challenge("error"), None, "nothing was wrong with what was shown");
        let service = challenge("service").expect("a service");
        let answer = developer.client.get(&realm).query("service", &service).query("scope", scope);
        let answer = answer.await.expect(200).expect_header("cache-control", "no-store");
        assert_eq!(answer.json()["token"], answer.json()["access_token"]);
        assert!(
            answer.json()["expires_in"].as_u64().is_some_and(|life| (60..=600).contains(&life))
        );
        let client = closed.client.bearer(&text(&answer, "/token"));
        client.request(method, path).body("").await.expect_one_of(&[200, 202]);
    }
    let wrong = developer.client.get("/auth/token").query("service", "another registry");
    wrong.await.expect(400);
}

#[tokio::test]
async fn a_token_has_of_several_scopes_what_one_may_do() {
    let (closed, developer) = with_developer().await;
    closed.project("charts").await;
    closed.public_project("open").await;
    closed.give(Some("charts"), json!({"subject": "user:dora", "role": "reader"})).await;
    let asked = [
        "repository:apps/web:delete,pull,push",
        "repository:charts/db:pull,push repository:open/web:pull,push",
        "repository:secret/x:*",
        "repository:apps/*:pull",
        "repository(plugin):apps/api:*",
        "registry:catalog:*",
        "nonsense",
    ];
    let token = docker_token(&developer.client, &asked).await;
    assert_eq!(
        allowed(&token),
        [
            "apps/web:pull,push",
            "charts/db:pull",
            "open/web:pull",
            "secret/x:",
            "apps/api:pull,push",
            "catalog:*"
        ]
    );
    let many: Vec<String> = (0..65).map(|n| format!("repository:apps/r{n}:pull")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    ask_for_token(&developer.client, &many).await.expect(400);
}

#[tokio::test]
async fn who_shows_nothing_gets_a_token_for_what_is_public() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.public_project("open").await;
    closed.image("apps/web").await;
    closed.image("open/web").await;
    let scopes = ["repository:open/web:pull,push,delete", "repository:apps/web:pull"];
    let answer = closed.client.get("/auth/token").query("offline_token", "true");
    let answer = scopes.iter().fold(answer, |answer, scope| answer.query("scope", scope));
    let answer = answer.await.expect(200);
    assert_eq!(answer.json()["refresh_token"], Value::Null, "nobody needs none again");
    let token = text(&answer, "/token");
    assert_eq!(allowed(&token), ["open/web:pull", "apps/web:"]);
    let client = closed.client.bearer(&token);
    client.get("/v2/open/web/manifests/v1").await.expect(200);
    client.get("/v2/apps/web/manifests/v1").await.expect_error(401, "UNAUTHORIZED");
    // Who says nothing in this way says nothing.
    let empty = closed.client.basic("", "");
    empty.get("/v2/open/web/manifests/v1").await.expect(200);
    empty.get("/v2/apps/web/manifests/v1").await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn passwords_tokens_and_secrets_are_good_for_basic_everywhere() {
    let (closed, developer) = with_developer().await;
    let (_, api_token) = closed.api_token(&developer, &[]).await;
    let grants = json!([{"role": "reader", "repositories": "apps/web"}]);
    let robot = json!({"name": "ci", "project": "apps", "grants": grants});
    let robot = closed.robot(robot).await;
    let jwt = docker_token(&developer.client, &[PULL]).await;
    for (name, secret) in [
        ("dora", developer.secret.as_str()),
        ("dora", &api_token),
        ("token", &api_token),
        ("", &api_token),
        ("robot+apps+ci", &robot.secret),
        ("anything", &jwt),
    ] {
        let client = closed.client.basic(name, secret);
        client.get(TAGS).await.expect(200);
        docker_token(&client, &[PULL]).await;
    }
    for (name, secret) in [
        (ADMINISTRATOR, api_token.as_str()),
        (ADMINISTRATOR, &robot.secret),
        (ADMINISTRATOR, &developer.secret),
        ("dora", &robot.secret),
        ("", &developer.secret),
        ("dora", ""),
        ("dora", &api_token[..api_token.len() - 1]),
        ("dora", &api_token.to_uppercase()),
        ("dora", &format!("{} ", developer.secret)),
        ("DORA", &developer.secret),
    ] {
        let client = closed.client.basic(name, secret);
        let refused = client.get(TAGS).await.expect_error(401, "UNAUTHORIZED");
        assert_eq!(challenge(&refused)("error").as_deref(), Some("invalid_token"), "{name}");
    }
    for (name, secret) in [("dora", ""), (ADMINISTRATOR, &api_token), ("dora", &robot.secret)] {
        let client = closed.client.basic(name, secret);
        ask_for_token(&client, &[PULL]).await.expect_error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn a_refresh_token_gets_tokens_and_is_none() {
    let (closed, developer) = with_developer().await;
    let by_get = developer.client.get("/auth/token").query("offline_token", "true").await;
    let form = [
        ("grant_type", "password"),
        ("service", "plura"),
        ("client_id", "test"),
        ("access_type", "offline"),
        ("username", "dora"),
        ("password", &developer.secret),
        ("scope", PULL),
    ];
    let by_post = closed.client.post("/auth/token").form(&form).await;
    assert_eq!(allowed(&text(&by_post.clone().expect(200), "/token")), ["apps/web:pull"]);
    for answer in [by_get, by_post] {
        let refresh = text(&answer.expect(200), "/refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("scope", PULL)];
        let answer = closed.client.post("/auth/token").form(&form).await.expect(200);
        assert_eq!(text(&answer, "/refresh_token"), refresh);
        let token = text(&answer, "/token");
        closed.client.bearer(&token).get(TAGS).await.expect(200);
        for client in [closed.client.bearer(&refresh), closed.client.basic("dora", &refresh)] {
            client.get(TAGS).await.expect_error(401, "UNAUTHORIZED");
            ask_for_token(&client, &[PULL]).await.expect_error(401, "UNAUTHORIZED");
        }
    }
    let (_, api_token) = closed.api_token(&developer, &[]).await;
    for other in ["", "nonsense", &api_token, &developer.secret] {
        let form = [("grant_type", "refresh_token"), ("refresh_token", other)];
        closed.client.post("/auth/token").form(&form).await.expect_error(401, "UNAUTHORIZED");
    }
}

/// What does not change with a password comes to an end with itself, and not with something that was
/// got with it and lives longer.
#[tokio::test]
async fn only_a_password_is_exchanged_for_a_refresh_token() {
    let (closed, developer) = with_developer().await;
    let (_, api_token) = closed.api_token(&developer, &[]).await;
    let robot = json!({"name": "ci", "project": "apps", "grants": [{"role": "reader"}]});
    let robot = closed.robot(robot).await;
    let jwt = docker_token(&developer.client, &[PULL]).await;
    for client in [
        closed.client.basic("dora", &api_token),
        closed.client.bearer(&api_token),
        robot.client,
        closed.client.bearer(&jwt),
        closed.client.basic("dora", &jwt),
    ] {
        let answer = client.get("/auth/token").query("offline_token", "true");
        let answer = answer.query("scope", PULL).await.expect(200);
        assert_eq!(answer.json()["refresh_token"], Value::Null);
    }
}

/// Else a token that was stolen is good for ever.
#[tokio::test]
async fn a_token_that_is_got_with_a_token_ends_with_it() {
    let (closed, developer) = with_developer().await;
    let first = docker_token(&developer.client, &[PULL]).await;
    let key = signing_key(&closed);
    let soon = Jwt::of(&first).claims["iat"].as_i64().expect("a time") + 30;
    let first = Jwt::of(&first).with("exp", json!(soon)).signed_with_key(&key);
    for client in [closed.client.bearer(&first), closed.client.basic("dora", &first)] {
        let answer = ask_for_token(&client, &[PULL]).await.expect(200);
        let ends = Jwt::of(&text(&answer, "/token")).claims["exp"].as_i64();
        assert!(ends.is_some_and(|ends| ends <= soon), "{ends:?} is later than {soon}");
        assert!(answer.json()["expires_in"].as_u64().is_some_and(|life| life <= 30));
    }
}

#[tokio::test]
async fn no_way_leads_from_a_narrow_token_to_a_wider_one() {
    let (closed, developer) = with_developer().await;
    closed.project("charts").await;
    closed.give(Some("charts"), json!({"subject": "user:dora", "role": "developer"})).await;
    let jwt = docker_token(&developer.client, &[PULL]).await;
    let (_, api_token) = closed.api_token(&developer, &[PULL]).await;
    for narrow in [jwt, api_token] {
        for client in [closed.client.bearer(&narrow), closed.client.basic("dora", &narrow)] {
            client.get(TAGS).await.expect(200);
            let others = [
                client.get("/v2/apps/other/tags/list").await,
                client.get("/v2/charts/db/tags/list").await,
                client.post("/v2/apps/web/blobs/uploads/").body("").await,
                client.get("/v2/_catalog").await,
            ];
            for other in others {
                let refused = other.expect_error(401, "UNAUTHORIZED");
                assert_eq!(challenge(&refused)("error").as_deref(), Some("insufficient_scope"));
            }
            let wider = [
                "repository:apps/web:pull,push,delete",
                "repository:apps/other:pull",
                "repository:charts/db:*",
                "registry:catalog:*",
                "registry:api:*",
            ];
            let token = docker_token(&client, &wider).await;
            let entries: Vec<String> =
                allowed(&token).into_iter().filter(|entry| !entry.ends_with(':')).collect();
            assert_eq!(entries, ["apps/web:pull"]);
            let body = json!({"name": "wider"});
            client.post("/api/v1/tokens").json(&body).await.expect_error(403, "DENIED");
        }
    }
}

/// A token cannot be guessed, so failures are not counted: a pod whose token has ended would lock out
/// all others behind the same address.
#[tokio::test]
async fn tokens_that_are_refused_lock_out_nobody() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/web").await;
    let issuer = Issuer::start().await;
    let mut claims = issuer.kubernetes_claims("plura");
    let uid = claims["kubernetes.io"]["serviceaccount"]["uid"].clone();
    let entry = json!({
        "name": "cluster",
        "kind": "kubernetes",
        "issuer": issuer.url(),
        "audience": "plura",
        "conditions": {"kubernetes.io/serviceaccount/uid": [uid]},
        "grants": [{"role": "reader", "project": "apps"}],
    });
    closed.trust(&entry).await;
    let good = closed.client.basic("token", &issuer.sign(&claims));
    good.get(TAGS).await.expect(200);
    let jwt = docker_token(&good, &[PULL]).await;
    closed.client.bearer(&jwt).get(TAGS).await.expect(200);
    claims["exp"] = json!(1_000_000_000);
    let ended = closed.client.basic("token", &issuer.sign(&claims));
    for _ in 0..60 {
        ended.get(TAGS).await.expect_error(401, "UNAUTHORIZED");
    }
    claims["exp"] = json!(4_000_000_000_u64);
    claims["sub"] = json!("system:serviceaccount:build:other");
    let other = closed.client.basic("token", &issuer.sign(&claims));
    other.get(TAGS).await.expect(200);
}

/// A client of everything that stands for an account: itself, and what was got with it.
pub(super) async fn with_derived(closed: &Closed, client: &Client) -> Vec<(&'static str, Client)> {
    let token = docker_token(client, &[PULL]).await;
    let answer = client.get("/auth/token").query("offline_token", "true").await.expect(200);
    let mut all = vec![("itself", client.clone()), ("a token", closed.client.bearer(&token))];
    if let Some(refresh) = answer.json()["refresh_token"].as_str() {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", PULL)];
        let refreshed = closed.client.post("/auth/token").form(&form).await.expect(200);
        let token = text(&refreshed, "/token");
        all.push(("a refreshed token", closed.client.bearer(&token)));
    }
    all
}
