//! What was good a moment ago: refused within five seconds, whatever was got with it.

use std::time::{Duration, Instant};

use plura_testkit::{Client, Issuer};
use serde_json::json;

use super::Closed;
use super::closed::{Account, exchange, text};
use super::tokens::with_derived;

const TAGS: &str = "/v2/apps/web/tags/list";

/// How long something that was ended may still be good.
const AT_MOST: Duration = Duration::from_secs(5);

async fn with_project() -> Closed {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/web").await;
    closed
}

/// Everything that was got with a credential, known to be good.
async fn good(closed: &Closed, client: &Client) -> Vec<(&'static str, Client)> {
    let all = with_derived(closed, client).await;
    for (_, client) in &all {
        client.get(TAGS).await.expect(200);
    }
    all
}

/// Panics unless all of them are answered so, soon.
async fn check_refused(what: &str, clients: &[(&str, Client)], status: u16) {
    let deadline = Instant::now() + AT_MOST;
    for (which, client) in clients {
        loop {
            let answer = client.get(TAGS).await;
            if answer.status == status {
                break;
            }
            assert_eq!(answer.status, 200, "{what}, {which}: {}", answer.describe());
            assert!(Instant::now() < deadline, "{what}: {which} is still good");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // And it stays so.
        client.get(TAGS).await.expect(status);
    }
}

async fn robot(closed: &Closed, name: &str) -> Account {
    let body = json!({"name": name, "project": "apps", "grants": [{"role": "reader"}]});
    closed.robot(body).await
}

#[tokio::test]
async fn robots_that_are_ended_are_refused() {
    let closed = with_project().await;
    let path = |robot: &Account| format!("/api/v1/robots/{}", robot.name);
    let deleted = robot(&closed, "deleted").await;
    let clients = good(&closed, &deleted.client).await;
    closed.root.delete(&path(&deleted)).await.expect(204);
    check_refused("deleted", &clients, 401).await;

    let disabled = robot(&closed, "disabled").await;
    let clients = good(&closed, &disabled.client).await;
    closed.root.patch(&path(&disabled)).json(&json!({"disabled": true})).await.expect(200);
    check_refused("disabled", &clients, 401).await;
    closed.root.patch(&path(&disabled)).json(&json!({"disabled": false})).await.expect(200);
    disabled.client.get(TAGS).await.expect(200);

    let rotated = robot(&closed, "rotated").await;
    let clients = good(&closed, &rotated.client).await;
    let rotate = closed.root.post(&format!("{}/rotate", path(&rotated)));
    let answer = rotate.json(&json!({"overlap_seconds": 0})).await.expect(200);
    check_refused("rotated", &clients, 401).await;
    let next = closed.client.basic(&rotated.name, &text(&answer, "/secret"));
    next.get(TAGS).await.expect(200);
}

#[tokio::test]
async fn a_rotated_secret_ends_with_the_overlap() {
    let closed = with_project().await;
    let robot = robot(&closed, "rotated").await;
    let clients = good(&closed, &robot.client).await;
    let rotate = closed.root.post(&format!("/api/v1/robots/{}/rotate", robot.name));
    let rotate = rotate.json(&json!({"overlap_seconds": 2}));
    let begun = Instant::now();
    rotate.await.expect(200);
    let answer = robot.client.get(TAGS).await;
    assert!(answer.status == 200 || begun.elapsed() > Duration::from_secs(1), "good for a while");
    check_refused("rotated with an overlap", &clients, 401).await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "ended too early");
}

#[tokio::test]
async fn people_who_are_ended_are_refused() {
    let mut closed = with_project().await;
    let deleted = closed.member("dora", "reader", "apps").await;
    let clients = good(&closed, &deleted.client).await;
    let (_, api_token) = closed.api_token(&deleted, &[]).await;
    let more = good(&closed, &closed.client.bearer(&api_token)).await;
    closed.root.delete("/api/v1/users/dora").await.expect(204);
    check_refused("deleted", &clients, 401).await;
    check_refused("token of somebody deleted", &more, 401).await;

    // Somebody else of the same name is somebody else.
    let again = closed.user("dora").await;
    check_refused("another of that name", &clients, 401).await;
    again.client.get(TAGS).await.expect_error(403, "DENIED");

    let disabled = closed.member("dan", "reader", "apps").await;
    let (_, api_token) = closed.api_token(&disabled, &[]).await;
    let mut clients = good(&closed, &disabled.client).await;
    clients.extend(good(&closed, &closed.client.bearer(&api_token)).await);
    let disable = closed.root.patch("/api/v1/users/dan").json(&json!({"disabled": true}));
    disable.await.expect(200);
    check_refused("disabled", &clients, 401).await;
}

#[tokio::test]
async fn a_password_that_was_changed_ends_what_it_led_to() {
    let mut closed = with_project().await;
    let dora = closed.member("dora", "reader", "apps").await;
    let clients = good(&closed, &dora.client).await;
    let login = json!({"name": "dora", "password": dora.secret});
    let session = closed.client.post("/auth/login").json(&login).await.expect(204);
    let cookie = session.header("set-cookie").split(';').next().unwrap().to_owned();
    let browser = closed.client.sending("cookie", &cookie);
    browser.get("/api/v1/me").await.expect(200);
    let new = super::closed::password(&mut closed.random);
    let body = json!({"current": dora.secret, "new": new});
    dora.client.put("/api/v1/users/dora/password").json(&body).await.expect(204);
    check_refused("changed password", &clients, 401).await;
    browser.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
    closed.client.basic("dora", &new).get(TAGS).await.expect(200);
}

#[tokio::test]
async fn sessions_and_refresh_tokens_end_when_all_are_ended() {
    let mut closed = with_project().await;
    let dora = closed.member("dora", "reader", "apps").await;
    let all = good(&closed, &dora.client).await;
    let (_, refreshed) = all.last().expect("with a refresh token").clone();
    let ended = dora.client.delete("/api/v1/users/dora/sessions").await.expect(200);
    assert_eq!(ended.json()["ended"], 1);
    check_refused("ended sessions", &[("refreshed", refreshed)], 401).await;
    dora.client.get(TAGS).await.expect(200);
}

#[tokio::test]
async fn roles_that_are_taken_away_are_gone() {
    let mut closed = with_project().await;
    let dora = closed.user("dora").await;
    let subject = json!({"subject": "user:dora", "role": "reader"});
    let member = closed.give(Some("apps"), subject.clone()).await;
    let clients = good(&closed, &dora.client).await;
    closed.root.delete(&format!("/api/v1/projects/apps/members/{member}")).await.expect(204);
    // A token that says that it is for pulling is refused like the password.
    check_refused("no role", &clients, 403).await;

    let member = closed.give(None, subject).await;
    check_refused("role everywhere", &clients, 200).await;
    closed.root.delete(&format!("/api/v1/members/{member}")).await.expect(204);
    check_refused("no role any more", &clients, 403).await;

    let change =
        |public: bool| closed.root.patch("/api/v1/projects/apps").json(&json!({"public": public}));
    change(true).await.expect(200);
    let nobody = good(&closed, &closed.client).await;
    change(false).await.expect(200);
    check_refused("not public any more", &nobody, 401).await;
}

#[tokio::test]
async fn api_tokens_that_are_ended_are_refused() {
    let mut closed = with_project().await;
    let dora = closed.member("dora", "reader", "apps").await;
    let (id, token) = closed.api_token(&dora, &[]).await;
    let clients = good(&closed, &closed.client.bearer(&token)).await;
    // Not by somebody else.
    let other = closed.member("mary", "maintainer", "apps").await;
    other.client.delete(&format!("/api/v1/tokens/{id}")).await.expect_error(404, "NOT_FOUND");
    dora.client.delete(&format!("/api/v1/tokens/{id}")).await.expect(204);
    check_refused("ended token", &clients, 401).await;
}

#[tokio::test]
async fn tokens_of_jobs_end_with_their_trust_entry() {
    let closed = with_project().await;
    let issuer = Issuer::start().await;
    let mut entry = json!({
        "name": "main",
        "kind": "github",
        "issuer": issuer.url(),
        "audience": "plura",
        "conditions": {"repository_id": ["74"], "repository_owner_id": ["9"]},
        "grants": [{"role": "reader", "project": "apps"}],
    });
    closed.trust(&entry).await;
    for change in ["changed", "removed"] {
        let token = issuer.sign(&issuer.github_claims("plura"));
        let token = text(&exchange(&closed.client, &token).await.expect(200), "/token");
        let clients = good(&closed, &closed.client.bearer(&token)).await;
        if change == "changed" {
            entry["conditions"]["ref"] = json!(["refs/heads/main"]);
            closed.root.put("/api/v1/trust/main").json(&entry).await.expect(200);
        } else {
            closed.root.delete("/api/v1/trust/main").await.expect(204);
        }
        check_refused(change, &clients, 401).await;
    }
}

#[tokio::test]
async fn an_administrator_who_is_none_any_more_is_none() {
    let mut closed = with_project().await;
    let anna = closed.user("anna").await;
    let change = |administrator: bool| {
        let body = json!({"administrator": administrator});
        closed.root.patch("/api/v1/users/anna").json(&body)
    };
    change(true).await.expect(200);
    let clients = good(&closed, &anna.client).await;
    anna.client.get("/api/v1/users").await.expect(200);
    change(false).await.expect(200);
    check_refused("no administrator", &clients, 403).await;
    anna.client.get("/api/v1/users").await.expect_error(403, "DENIED");
    // The last one stays.
    let alone = closed.root.patch("/api/v1/users/root").json(&json!({"administrator": false}));
    alone.await.expect_error(409, "CONFLICT");
    closed.root.delete("/api/v1/users/root").await.expect_error(409, "CONFLICT");
    let alone = closed.root.patch("/api/v1/users/root").json(&json!({"disabled": true}));
    alone.await.expect_error(409, "CONFLICT");
}
