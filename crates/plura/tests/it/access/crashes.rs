//! A server that crashes while it has secrets in its hands tells none of them.

use plura_testkit::{Client, Issuer, Request};
use serde_json::json;

use super::Closed;
use super::closed::{docker_token, exchange, text};
use super::leaks::{Secrets, files};

/// A request with a secret, the fault point that it meets, and what it is.
type Way = (&'static str, &'static str, Box<dyn Fn(&Client) -> Request>);

const PATH: &str = "/v2/apps/web/tags/list";

const AUTHENTICATE: &str = "access.authenticate";
const VERIFY: &str = "access.verify";
const EXCHANGE: &str = "access.exchange";

/// A server with secrets of every kind, and the requests in which they are shown.
async fn with_secrets(issuer: &Issuer) -> (Closed, Secrets, Vec<Way>) {
    let (mut closed, mut secrets) = (Closed::start(), Secrets::default());
    closed.project("apps").await;
    closed.image("apps/web").await;
    let entry = json!({
        "name": "main",
        "kind": "github",
        "issuer": issuer.url(),
        "audience": "plura",
        "conditions": {"repository_id": ["74"], "repository_owner_id": ["9"]},
    });
    closed.trust(&entry).await;
    let dora = closed.member("dora", "developer", "apps").await;
    let password = secrets.add("a password", &dora.secret);
    let token = secrets.add("an API token", &closed.api_token(&dora, &[]).await.1);
    let scope = ["repository:apps/web:pull"];
    let jwt = secrets.add("a token", &docker_token(&dora.client, &scope).await);
    let robot = json!({"name": "ci", "project": "apps", "grants": [{"role": "reader"}]});
    let robot = secrets.add("a robot's secret", &closed.robot(robot).await.secret);
    let offline = dora.client.get("/auth/token?offline_token=true").await.expect(200);
    let refresh = secrets.add("a refresh token", &text(&offline, "/refresh_token"));
    let login = json!({"name": "dora", "password": password});
    let begun = closed.client.post("/auth/login").json(&login).await.expect(204);
    let cookie = begun.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    secrets.add("a session", cookie.split_once('=').expect("a value").1);
    let foreign = secrets.add("a job's token", &issuer.sign(&issuer.github_claims("plura")));
    exchange(&closed.client, &issuer.sign(&issuer.github_claims("plura"))).await.expect(200);
    let form = [("grant_type", "password"), ("username", "dora"), ("password", &*password)]
        .map(|(name, value)| (name, value.to_owned()));
    let refreshing = [("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh)];
    let (basic, robots) = (password.clone(), robot);
    let ways: Vec<Way> = vec![
        ("Basic", AUTHENTICATE, Box::new(move |to| to.basic("dora", &basic).get(PATH))),
        ("a robot", AUTHENTICATE, Box::new(move |to| to.basic("robot+apps+ci", &robots).get(PATH))),
        ("an API token", AUTHENTICATE, Box::new(move |to| to.bearer(&token).get("/api/v1/me"))),
        ("bearer", AUTHENTICATE, Box::new(move |to| to.bearer(&jwt).get(PATH))),
        (
            "a cookie",
            AUTHENTICATE,
            Box::new(move |to| to.sending("cookie", &cookie).get("/api/v1/me")),
        ),
        (
            "a form",
            AUTHENTICATE,
            Box::new(move |to| {
                let form: Vec<_> = form.iter().map(|(name, value)| (*name, &**value)).collect();
                to.post("/auth/token").form(&form)
            }),
        ),
        (
            "a refresh token",
            AUTHENTICATE,
            Box::new(move |to| {
                let form: Vec<_> =
                    refreshing.iter().map(|(name, value)| (*name, &**value)).collect();
                to.post("/auth/token").form(&form)
            }),
        ),
        ("a login", VERIFY, Box::new(move |to| to.post("/auth/login").json(&login))),
        (
            "an exchange",
            EXCHANGE,
            Box::new(move |to| to.post("/auth/exchange").json(&json!({"token": foreign}))),
        ),
    ];
    closed.server.stop();
    (closed, secrets, ways)
}

fn start(closed: &mut Closed, faults: &str) {
    closed.server.start_again_with(&[
        ("FAULT_POINTS", faults),
        ("RUST_BACKTRACE", "full"),
        ("PLURA_LOG__LEVEL", "trace"),
    ]);
}

#[track_caller]
fn check_tells_nothing(secrets: &Secrets, closed: &Closed, what: &str, log: &str) {
    let mut places = files(closed.server.data());
    places.push(("standard error".to_owned(), log.as_bytes().to_vec()));
    for (place, bytes) in &places {
        let found = secrets.found_in(bytes);
        assert!(found.is_empty(), "{what}: {found:?} in {place}");
    }
}

#[tokio::test]
async fn a_request_that_panics_tells_nothing_and_takes_nobody_else_down() {
    let issuer = Issuer::start().await;
    let (mut closed, secrets, ways) = with_secrets(&issuer).await;
    start(&mut closed, &format!("{AUTHENTICATE}=panic,{VERIFY}=panic,{EXCHANGE}=panic"));
    // More often than there are threads that verify passwords.
    for _ in 0..3 {
        for (what, _, request) in &ways {
            let answer = request(&closed.client).await;
            assert_eq!(answer.status, 500, "{what}: {}", answer.describe());
            let body = String::from_utf8_lossy(&answer.body).to_lowercase();
            let told = ["panic", "fault", "point", ".rs", "dora"]
                .iter()
                .find(|word| body.contains(**word));
            assert_eq!(told, None, "{what}: {body}");
            assert!(secrets.found_in(&answer.body).is_empty(), "{what}");
            closed.client.get("/healthz").await.expect(200);
        }
    }
    closed.server.terminate();
    let ended = closed.server.ended();
    assert!(ended.status.success(), "{}", ended.status);
    let panics = ended.log.matches("panicked at").count();
    assert!(panics >= 3 * ways.len(), "{panics} panics are told");
    assert!(ended.log.contains("plura_access"), "with a backtrace");
    check_tells_nothing(&secrets, &closed, "after panics", &ended.log);
    // Nothing is left in the way of those who come later.
    start(&mut closed, "");
    for (what, _, request) in &ways {
        let answer = request(&closed.client).await;
        assert!((200..300).contains(&answer.status), "{what}: {}", answer.describe());
    }
}

#[tokio::test]
async fn a_server_that_dies_with_a_secret_in_its_hands_leaves_none() {
    let issuer = Issuer::start().await;
    let (mut closed, secrets, ways) = with_secrets(&issuer).await;
    for (what, point, request) in &ways {
        start(&mut closed, &format!("{point}=abort"));
        request(&closed.client).attempt().await.expect_err(what);
        let ended = closed.server.ended();
        assert!(ended.status.code().is_none(), "{what}: died with {}", ended.status);
        assert!(ended.log.contains("DEBUG"), "the log has more than it usually has");
        check_tells_nothing(&secrets, &closed, what, &ended.log);
    }
    start(&mut closed, "");
}
