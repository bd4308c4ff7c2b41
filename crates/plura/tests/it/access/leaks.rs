//! Secrets are told once, to who asked for them, and are nowhere else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use plura_testkit::{Answer, Client, Issuer, Outcome, Upload};
use serde_json::json;

use super::Closed;
use super::closed::{ADMINISTRATOR, Account, docker_token, exchange, password, text};

/// Secrets by what they are.
#[derive(Default)]
pub(super) struct Secrets(Vec<(String, String)>);

impl Secrets {
    pub(super) fn add(&mut self, what: &str, secret: &str) -> String {
        assert!(secret.len() >= 12, "{what} is too short to be looked for");
        self.0.push((what.to_owned(), secret.to_owned()));
        secret.to_owned()
    }

    /// Which of them are in these bytes: as they are, in base64 wherever it begins, as hexadecimal
    /// digits, and escaped for an address.
    pub(super) fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let text = String::from_utf8_lossy(bytes);
        let is_in = |secret: &str| forms(secret).iter().any(|form| text.contains(form));
        let found = self.0.iter().filter(|(_, secret)| is_in(secret));
        found.map(|(what, _)| what.as_str()).collect()
    }
}

/// What a secret may look like.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), secret.replace(' ', "+"), secret.replace(' ', "%20")];
    for shift in 0..3 {
        // Something before it moves the groups of three; what stays the same is in the middle.
        let shifted = format!("{}{secret}", "x".repeat(shift));
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.push(encoded[4..encoded.len() - 4].to_owned());
        }
    }
    let mut hex = String::new();
    for byte in secret.bytes() {
        write!(hex, "{byte:02x}").expect("writing to a string does not fail");
    }
    forms.push(hex.to_uppercase());
    forms.push(hex);
    // The middle of a token is as good as all of it, where it is cut.
    if secret.len() > 60 {
        forms.push(secret[secret.len() - 40..].to_owned());
    }
    forms
}

/// Every answer, to be looked through, but for those that tell a secret.
#[derive(Default)]
struct Answers(Vec<(String, Vec<u8>)>);

impl Answers {
    fn keep(&mut self, answer: &Answer) {
        let text = format!("{:?}", answer.headers);
        self.0.push((answer.request.clone(), [text.as_bytes(), &answer.body].concat()));
    }
}

/// Fills a server with secrets, uses each rightly and wrongly, and remembers them.
async fn use_secrets(closed: &mut Closed, issuer: &Issuer) -> (Secrets, Answers) {
    let (mut secrets, mut answers) = (Secrets::default(), Answers::default());
    secrets.add("the administrator's password", &closed.root_password.clone());
    closed.project("apps").await;
    closed.image("apps/web").await;
    let dora = closed.member("dora", "developer", "apps").await;
    secrets.add("a password", &dora.secret);
    let (id, api_token) = closed.api_token(&dora, &[]).await;
    secrets.add("an API token", &api_token);
    let (ended, ended_token) = closed.api_token(&dora, &["repository:apps/*:pull"]).await;
    secrets.add("an API token that was ended", &ended_token);
    answers.keep(&dora.client.delete(&format!("/api/v1/tokens/{ended}")).await.expect(204));
    let robot = json!({"name": "ci", "project": "apps", "grants": [{"role": "developer"}]});
    let robot = closed.robot(robot).await;
    secrets.add("a robot's secret", &robot.secret);
    let rotate = closed.root.post("/api/v1/robots/robot+apps+ci/rotate").body("").await.expect(200);
    secrets.add("a robot's next secret", &text(&rotate, "/secret"));
    let jwt = docker_token(&dora.client, &["repository:apps/web:pull,push"]).await;
    secrets.add("a token", &jwt);
    let offline = dora.client.get("/auth/token?offline_token=true").await.expect(200);
    let refresh = secrets.add("a refresh token", &text(&offline, "/refresh_token"));
    let form = [("grant_type", "refresh_token"), ("refresh_token", &refresh)];
    let refreshed = closed.client.post("/auth/token").form(&form).await.expect(200);
    secrets.add("a refreshed token", &text(&refreshed, "/token"));
    let login = json!({"name": "dora", "password": dora.secret});
    let login = closed.client.post("/auth/login").json(&login).await.expect(204);
    let cookie = login.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let (_, session) = cookie.split_once('=').expect("a value");
    secrets.add("a session", session);
    let foreign = issuer.sign(&issuer.github_claims("plura"));
    secrets.add("a token of another issuer", &foreign);
    let exchanged = exchange(&closed.client, &foreign).await.expect(200);
    let job = secrets.add("a token of a job", &text(&exchanged, "/token"));
    let credentials = [
        closed.root.clone(),
        dora.client.clone(),
        closed.client.basic("dora", &api_token),
        closed.client.bearer(&api_token),
        robot.client.clone(),
        closed.client.bearer(&robot.secret),
        closed.client.bearer(&jwt),
        closed.client.bearer(&job),
        closed.client.sending("cookie", &cookie).sending("sec-fetch-site", "same-origin"),
    ];
    for client in &credentials {
        for path in PATHS {
            answers.keep(&client.get(path).await);
        }
    }
    let new = secrets.add("a new password", &password(&mut closed.random));
    let body = json!({"current": dora.secret, "new": new});
    answers.keep(&dora.client.put("/api/v1/users/dora/password").json(&body).await.expect(204));
    use_wrongly(closed, &mut secrets, &mut answers, &dora).await;
    push_by_robot(&robot.client, &mut answers).await;
    let token = closed.client.bearer(&api_token).get(&format!("/api/v1/tokens?user=dora&{id}"));
    answers.keep(&token.await);
    (secrets, answers)
}

/// What is read with each credential.
const PATHS: [&str; 14] = [
    "/v2/",
    "/v2/_catalog",
    "/v2/apps/web/tags/list",
    "/v2/none/web/tags/list",
    "/api/v1/me",
    "/api/v1/users",
    "/api/v1/users/dora",
    "/api/v1/tokens",
    "/api/v1/projects/apps/members",
    "/api/v1/robots?project=apps",
    "/api/v1/robots/robot+apps+ci",
    "/api/v1/trust",
    "/api/v1/nothing",
    "/auth/keys",
];

/// Secrets where they do not belong, and secrets that are wrong.
async fn use_wrongly(
    closed: &Closed,
    secrets: &mut Secrets,
    answers: &mut Answers,
    dora: &Account,
) {
    let client = &closed.client;
    let mistake = secrets.add("a password that was mistyped", "mistyped-4f1c9b7e");
    let name = secrets.add("a password instead of a name", "instead-of-a-name-77d1");
    let token = secrets
        .add("a token that is damaged", "plura_pt_damaged0damaged0damaged0damaged0damaged00000000");
    let foreign = secrets.add(
        "something that looks like a token",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJsb29rcy1saWtlIn0.c2lnbmF0dXJl",
    );
    for client in [
        client.basic("dora", &mistake),
        client.basic(&name, "empty-password-1"),
        client.basic("dora", &token),
        client.bearer(&token),
        client.bearer(&foreign),
        client.basic("token", &foreign),
        client.bearer(&dora.secret.replace(' ', "-")),
        client.sending("authorization", &format!("Digest {mistake}")),
        client.sending("cookie", &format!("plura_session={token}")),
    ] {
        for path in ["/v2/apps/web/tags/list", "/auth/token", "/api/v1/me"] {
            answers.keep(&client.get(path).await);
        }
    }
    let form = [("grant_type", "password"), ("username", &name), ("password", &mistake)];
    answers.keep(&client.post("/auth/token").form(&form).await);
    let form = [("grant_type", "refresh_token"), ("refresh_token", &token)];
    answers.keep(&client.post("/auth/token").form(&form).await);
    for body in [
        json!({"name": name, "password": mistake}),
        json!({"name": "dora", "password": {"nested": mistake}}),
        json!({"name": "dora", "password": [mistake]}),
        json!({"name": "dora", "pasword": mistake}),
    ] {
        answers.keep(&client.post("/auth/login").json(&body).await);
    }
    for body in [json!({"token": foreign}), json!({"tokn": foreign}), json!({"token": [foreign]})] {
        answers.keep(&client.post("/auth/exchange").json(&body).await);
    }
    let body = json!({"name": "eve", "password": mistake, "unknown": true});
    answers.keep(&closed.root.post("/api/v1/users").json(&body).await);
    let weak = json!({"name": "eve", "password": "eve-password-eve"});
    secrets.add("a password that is too weak", "eve-password-eve");
    answers.keep(&closed.root.post("/api/v1/users").json(&weak).await.expect(400));
    let broken = format!(r#"{{"name": "dora", "password": "{mistake}""#);
    answers.keep(&client.post("/auth/login").body(broken).await.expect(400));
}

/// A robot pushes: uploads and their addresses are no secrets, what the robot shows is.
async fn push_by_robot(client: &Client, answers: &mut Answers) {
    let started = client.post("/v2/apps/web/blobs/uploads/").body("").await.expect(202);
    answers.keep(&started);
    let upload = Upload::opened(client, &started);
    answers.keep(&upload.finish_with(0, "x", &plura_testkit::digest(b"x")).await.expect(201));
}

/// All files below a directory, but for the keys that tokens are signed with.
pub(super) fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory of the server") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "keys") {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
        }
    }
    found
}

#[tokio::test]
async fn secrets_are_told_once_and_are_nowhere_else() {
    let issuer = Issuer::start().await;
    let mut closed = Closed::with(&[("PLURA_LOG__LEVEL", "trace"), ("PLURA_LOG__FORMAT", "json")]);
    let entry = json!({
        "name": "main",
        "kind": "github",
        "issuer": issuer.url(),
        "audience": "plura",
        "conditions": {"repository_id": ["74"], "repository_owner_id": ["9"]},
    });
    closed.trust(&entry).await;
    let (mut secrets, Answers(mut texts)) = use_secrets(&mut closed, &issuer).await;
    let root = closed.account(ADMINISTRATOR, &closed.root_password);
    let (_, token) = closed.api_token(&root, &[]).await;
    secrets.add("the administrator's token", &token);
    assert!(secrets.0.len() > 15);
    let metrics = closed.root.get("/metrics").await.expect(200);
    texts.push(("/metrics".to_owned(), metrics.body.to_vec()));
    let lines = closed.root.get("/api/v1/audit").header("accept", "application/x-ndjson");
    texts.push(("the audit as lines".to_owned(), lines.await.expect(200).body.to_vec()));
    texts.push(("`plura audit`".to_owned(), read_audit(&closed, &token).into_bytes()));
    // While it runs, with what is not in the main file yet; and when all of it is written.
    texts.extend(files(closed.server.data()));
    closed.server.terminate();
    let ended = closed.server.ended();
    assert!(
        ended.log.len() > 10_000 && ended.log.contains("TRACE"),
        "the log is one of all levels"
    );
    texts.push(("the log".to_owned(), ended.log.into_bytes()));
    texts.extend(files(closed.server.data()));
    assert!(texts.iter().any(|(name, _)| name.ends_with("plura.db")));
    let leaks: Vec<String> = texts
        .iter()
        .flat_map(|(place, bytes)| {
            secrets.found_in(bytes).into_iter().map(move |what| format!("{what} in {place}"))
        })
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// The audit as the command line prints it.
fn read_audit(closed: &Closed, token: &str) -> String {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let home = directory.path().to_str().expect("temporary paths are UTF-8").to_owned();
    let environment: BTreeMap<String, String> =
        [("PLURA_SERVER", closed.server.base()), ("PLURA_TOKEN", token.to_owned()), ("HOME", home)]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
    let binary = Path::new(env!("CARGO_BIN_EXE_plura"));
    let outcome = Outcome::of(binary, &["audit"], &environment, directory.path()).expect(0);
    assert!(outcome.stdout.contains("login"), "{outcome}");
    outcome.stdout + &outcome.stderr
}

#[test]
fn what_is_looked_for_is_found_in_every_form() {
    let mut secrets = Secrets::default();
    secrets.add("a secret", "correct horse 42");
    for text in [
        "the secret is correct horse 42, as it is".to_owned(),
        "password=correct+horse+42".to_owned(),
        format!("Basic {}", STANDARD.encode("a:correct horse 42")),
        format!("Basic {}", STANDARD.encode("dora:correct horse 42")),
        format!("Basic {}", STANDARD.encode("root:correct horse 42")),
    ] {
        assert_eq!(secrets.found_in(text.as_bytes()), ["a secret"], "{text}");
    }
    assert!(secrets.found_in(b"correct horse 4").is_empty());
}
