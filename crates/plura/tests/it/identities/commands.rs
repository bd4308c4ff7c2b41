//! The commands by which people are let in, against the server that they are meant for.

use std::collections::BTreeMap;
use std::path::Path;

use plura_testkit::{Outcome, Server, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{TAGS, refused_soon, soon};
use crate::access::{ADMINISTRATOR, ClosedServer as Closed};

const PASSWORD: &str = "correct horse battery";
const ANOTHER: &str = "staple battery horse";

/// Where somebody sits who types commands: a directory with logins of its own.
struct Desk {
    folder: TempDir,
    server: String,
}

impl Desk {
    fn at(server: &Server) -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        Self { folder, server: server.base() }
    }

    /// The desk of an administrator who has logged in.
    fn of_administrator(closed: &Closed) -> Self {
        let desk = Self::at(&closed.server);
        desk.log_in(ADMINISTRATOR, &closed.root_password).expect(0);
        desk
    }

    fn run(&self, command: &str) -> Outcome {
        self.run_with(command, "")
    }

    /// Runs `plura`; words are separated by spaces. This is on standard input.
    fn run_with(&self, command: &str, input: &str) -> Outcome {
        let words: Vec<&str> = command.split(' ').collect();
        let logins = self.folder.path().join("docker");
        let variables = [
            ("PLURA_SERVER", self.server.as_str()),
            ("DOCKER_CONFIG", logins.to_str().expect("temporary paths are UTF-8")),
            ("REGISTRY_AUTH_FILE", ""),
            ("XDG_RUNTIME_DIR", ""),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let environment: BTreeMap<_, _> = variables.into_iter().map(own).collect();
        Outcome::with_input(binary(), &words, &environment, self.folder.path(), input)
    }

    fn log_in(&self, name: &str, secret: &str) -> Outcome {
        let command = format!("login --user {name} --password-stdin {}", self.server);
        self.run_with(&command, &format!("{secret}\n"))
    }

    /// What a command prints as JSON, if it is done.
    #[track_caller]
    fn json(&self, command: &str) -> Value {
        self.run(&format!("{command} --json")).expect(0).json()
    }

    /// What is in docker's file.
    fn kept(&self) -> Value {
        let file = self.folder.path().join("docker/config.json");
        let text = std::fs::read(file).expect("logins are kept");
        serde_json::from_slice(&text).expect("it is JSON")
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_plura"))
}

/// The secret that a command printed: alone on its line, so that a pipe gets nothing else.
#[track_caller]
fn secret(outcome: &Outcome) -> String {
    let secret = outcome.stdout.strip_suffix('\n').expect("a line");
    assert!(secret.starts_with("plura_") && !secret.contains(char::is_whitespace), "{outcome}");
    assert!(!outcome.stderr.contains(secret), "{outcome}");
    secret.to_owned()
}

/// The names in a list.
fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list").iter();
    list.map(|entry| entry["name"].as_str().expect("a name")).collect()
}

#[test]
fn the_first_administrator_is_made_once() {
    let server = Server::start(binary());
    let desk = Desk::at(&server);
    drop(server);
    let init = |name: &str, input: &str| {
        desk.run_with(&format!("init --name {name} --password-stdin --data data --json"), input)
    };
    init("root", "short\n").expect(2).expect_stderr("hint: choose another password");
    init("no name", &format!("{PASSWORD}\n")).expect(2);
    let made = init("root", &format!("{PASSWORD}\n")).expect(0);
    assert_eq!(made.json()["name"], "root");
    assert!(!made.stdout.contains(PASSWORD) && !made.stderr.contains(PASSWORD), "{made}");
    let again = init("eve", &format!("{ANOTHER}\n")).expect(1);
    assert_eq!(again.stdout, "", "{again}");
    let server = Server::builder(binary()).data(&desk.folder.path().join("data")).start();
    let desk = Desk::at(&server);
    desk.run("user list").expect(2).expect_stderr("hint: log in");
    desk.log_in("eve", ANOTHER).expect(1);
    desk.log_in("root", PASSWORD).expect(0);
    assert_eq!(names(&desk.json("user list")), ["root"]);
}

/// What starts a registry in a container has neither a terminal nor a shell, and does the same every time.
#[test]
fn an_administrator_that_is_there_can_be_good_enough() {
    let server = Server::start(binary());
    let desk = Desk::at(&server);
    drop(server);
    let file = desk.folder.path().join("password");
    let init = "init --if-none --password-file password --data data";
    desk.run(init).expect(2).expect_stderr("cannot read the password in `password`");
    std::fs::write(&file, "").expect("it can be written");
    desk.run(init).expect(2).expect_stderr("expected one line in `password`");
    std::fs::write(&file, format!("{PASSWORD}\n")).expect("it can be written");
    desk.run(&format!("{init} --password-stdin")).expect(2).expect_stderr("cannot be used with");
    desk.run(init).expect(0).expect_stdout("admin");
    std::fs::write(&file, format!("{ANOTHER}\n")).expect("it can be written");
    let again = desk.run(init).expect(0);
    assert_eq!(again.stdout, "", "{again}");
    let server = Server::builder(binary()).data(&desk.folder.path().join("data")).start();
    let desk = Desk::at(&server);
    desk.log_in("admin", ANOTHER).expect(1);
    desk.log_in("admin", PASSWORD).expect(0);
}

#[test]
fn addresses_that_others_reach_need_an_administrator() {
    let server = Server::start(binary());
    let desk = Desk::at(&server);
    drop(server);
    let refused = desk.run("serve --listen 0.0.0.0:0 --data data").expect(2);
    assert_eq!(refused.stdout, "", "it never listened: {refused}");
    let refused = refused.expect_stderr("there is no administrator yet");
    refused.expect_stderr("hint: run `plura init --data data`");
    // The attempt made an installation, which is as good as any.
    let init = "init --password-stdin --data data";
    desk.run_with(init, &format!("{PASSWORD}\n")).expect(0).expect_stdout("admin");
}

#[tokio::test]
async fn an_open_server_is_closed_by_its_first_administrator() {
    let server = Server::start(binary());
    let desk = Desk::at(&server);
    let anybody = server.client();
    anybody.get("/v2/_catalog").await.expect(200);
    desk.run("login --user x --password-stdin").expect(0).expect_stderr("needs no login");
    assert_eq!(desk.json("access whoami")["kind"], "local");
    // An account that is none of an administrator closes nothing: it could let nobody in.
    let create = "user create alice --password-stdin";
    desk.run_with(create, &format!("{PASSWORD}\n")).expect(0);
    anybody.get("/v2/_catalog").await.expect(200);
    let create = "user create root --administrator --password-stdin";
    desk.run_with(create, &format!("{PASSWORD}\n")).expect(0);
    soon(401, async || anybody.get("/v2/_catalog").await).await;
    desk.run("user list").expect(2).expect_stderr("hint: log in: plura login");
    desk.log_in("root", PASSWORD).expect(0);
    assert_eq!(names(&desk.json("user list")), ["alice", "root"]);
}

#[tokio::test]
async fn a_login_is_kept_for_docker_and_forgotten() {
    let closed = Closed::start();
    let desk = Desk::at(&closed.server);
    desk.log_in(ADMINISTRATOR, "wrong").expect(1);
    desk.run("access whoami").expect(2);
    desk.log_in(ADMINISTRATOR, &closed.root_password).expect(0);
    let kept = desk.kept();
    let entry = &kept["auths"][closed.client.authority()];
    let token = entry["identitytoken"].as_str().expect("no password is kept");
    assert!(!kept.to_string().contains(&closed.root_password), "{kept}");
    let me = desk.json("access whoami");
    assert_eq!((&me["name"], &me["administrator"]), (&json!(ADMINISTRATOR), &json!(true)));
    // That is what docker does with it.
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("service", "plura")];
    closed.client.post("/auth/token").form(&form).await.expect(200);
    desk.run(&format!("user logout {ADMINISTRATOR}")).expect(0);
    soon(401, async || closed.client.post("/auth/token").form(&form).await).await;
    let refused = || async { Some(desk.run("access whoami")).filter(|run| run.status == Some(2)) };
    eventually("the login is of no use", refused).await;
    desk.log_in(ADMINISTRATOR, &closed.root_password).expect(0);
    desk.run(&format!("logout {}", desk.server)).expect(0);
    assert_eq!(desk.kept()["auths"], json!({}));
    desk.run("access whoami").expect(2);
}

#[tokio::test]
async fn users_from_the_first_day_to_the_last() {
    let closed = Closed::start();
    let desk = Desk::of_administrator(&closed);
    let create = "user create alice --email a@example.com --password-stdin --json";
    let made = desk.run_with(create, &format!("{PASSWORD}\n")).expect(0).json();
    assert_eq!((&made["name"], &made["email"]), (&json!("alice"), &json!("a@example.com")));
    desk.run_with(create, &format!("{PASSWORD}\n")).expect(1).expect_stderr("409");
    desk.run_with("user create bob --password-stdin", "short\n").expect(2).expect_stderr("12");
    desk.run("user create carol@example.com --without-password").expect(0);
    assert_eq!(names(&desk.json("user list")), ["alice", "carol@example.com", ADMINISTRATOR]);
    desk.run("user show nobody").expect(1);
    desk.run("user update alice --display-name Alice").expect(0);
    assert_eq!(desk.json("user show alice")["display_name"], "Alice");

    let hers = Desk::at(&closed.server);
    hers.log_in("alice", PASSWORD).expect(0);
    hers.run("user list").expect(1).expect_stderr("403");
    hers.run_with("user password --password-stdin", &format!("wrong one here\n{ANOTHER}\n"))
        .expect(1);
    hers.run_with("user password --password-stdin", &format!("{PASSWORD}\n{ANOTHER}\n")).expect(0);
    hers.log_in("alice", PASSWORD).expect(1);
    hers.log_in("alice", ANOTHER).expect(0);
    desk.run_with("user password alice --password-stdin", &format!("{PASSWORD}\n")).expect(0);
    hers.log_in("alice", PASSWORD).expect(0);

    let alice = closed.client.basic("alice", PASSWORD);
    alice.get("/api/v1/me").await.expect(200);
    desk.run("user disable alice").expect(0);
    refused_soon(&alice, "/api/v1/me").await;
    hers.log_in("alice", PASSWORD).expect(1);
    desk.run("user enable alice").expect(0);
    soon(200, async || alice.get("/api/v1/me").await).await;
    desk.run("user delete alice").expect(0);
    refused_soon(&alice, "/api/v1/me").await;
    desk.run("user delete alice").expect(1);
    desk.run("user delete").expect(2);
}

#[tokio::test]
async fn the_secret_of_a_robot_goes_through_a_pipe_and_is_rotated() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/web").await;
    let desk = Desk::of_administrator(&closed);
    let made = desk.run("robot create ci --project apps --role developer").expect(0);
    let first = secret(&made);
    let robot = |secret: &str| closed.client.basic("robot+apps+ci", secret);
    robot(&first).get(TAGS).await.expect(200);
    let its = Desk::at(&closed.server);
    its.log_in("robot+apps+ci", &first).expect(0);
    assert_eq!(its.json("access whoami")["name"], "robot+apps+ci");

    let second = secret(&desk.run("robot rotate robot+apps+ci").expect(0));
    for secret in [&first, &second] {
        robot(secret).get(TAGS).await.expect(200);
    }
    let third = desk.json("robot rotate robot+apps+ci --overlap 0s");
    let third = third["secret"].as_str().expect("a secret").to_owned();
    for secret in [&first, &second] {
        refused_soon(&robot(secret), TAGS).await;
    }
    robot(&third).get(TAGS).await.expect(200);

    desk.run("robot disable robot+apps+ci").expect(0);
    refused_soon(&robot(&third), TAGS).await;
    desk.run("robot enable robot+apps+ci").expect(0);
    soon(200, async || robot(&third).get(TAGS).await).await;
    desk.run("robot update robot+apps+ci --description pipeline").expect(0);
    let shown = desk.json("robot show robot+apps+ci");
    assert_eq!((&shown["description"], &shown["project"]), (&json!("pipeline"), &json!("apps")));
    assert_eq!(names(&desk.json("robot list --project apps")), ["robot+apps+ci"]);
    assert!(!desk.run("robot list").expect(0).stdout.contains("plura_"));
    desk.run("robot create ci --project missing --role reader").expect(1);
    desk.run("robot create ci").expect(2);
    desk.run("robot delete robot+apps+ci").expect(0);
    refused_soon(&robot(&third), TAGS).await;
    desk.run("robot delete robot+apps+ci").expect(1);
}

#[tokio::test]
async fn a_token_is_limited_and_revoked() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/web").await;
    let desk = Desk::of_administrator(&closed);
    let token = secret(&desk.run("token create laptop --scope repository:apps/**:pull").expect(0));
    let client = closed.client.basic(ADMINISTRATOR, &token);
    client.get(TAGS).await.expect(200);
    let push = client.post("/v2/apps/web/blobs/uploads/").body("").await;
    push.expect_one_of(&[401, 403]);
    let listed = desk.json("token list");
    assert_eq!(names(&listed), ["laptop"]);
    assert_eq!(listed[0]["scopes"], json!(["repository:apps/**:pull"]));
    let whole = secret(&desk.run("token create whole --expires-in-days 1").expect(0));
    // A token stands for a login, and wins over the one that is kept.
    let other = Desk::at(&closed.server);
    let me = other.json(&format!("access whoami --token {whole}"));
    assert_eq!(me["name"], ADMINISTRATOR);
    other.run(&format!("user list --token {token}")).expect(1);
    desk.run("token create bad --scope nonsense").expect(2).expect_stderr("is not a scope");
    desk.run(&format!("token revoke {}", listed[0]["id"].as_str().expect("an id"))).expect(0);
    refused_soon(&client, TAGS).await;
    assert_eq!(names(&desk.json("token list")), ["whole"]);
    desk.run("token revoke 01981f6e-8a3b-7c61-9d2f-3f1f8f0f2a11").expect(1);
}

#[tokio::test]
async fn projects_and_members_and_why() {
    let mut closed = Closed::start();
    let alice = closed.user("alice").await.client;
    let desk = Desk::of_administrator(&closed);
    let made = desk.json("project create apps --quota-tags 2");
    assert_eq!((&made["public"], &made["quota_tags"]), (&json!(false), &json!(2)));
    desk.run("project create apps").expect(1);
    closed.image("apps/web").await;
    alice.get(TAGS).await.expect_error(403, "DENIED");
    let explain = "access explain --as user:alice --action push --repo apps/web";
    let refused = desk.run(explain).expect(1);
    refused.expect_stdout("no role").expect_stderr("hint:");

    let member = desk.json("member add user:alice --role developer --project apps");
    assert_eq!((&member["subject"], &member["role"]), (&json!("user:alice"), &json!("developer")));
    soon(200, async || alice.get(TAGS).await).await;
    assert_eq!(desk.json(explain)["effect"], "allow");
    desk.run("member add user:nobody --role reader --project apps").expect(1);
    desk.run("member add nonsense --role reader --project apps").expect(2);
    desk.run("member add user:alice --role king --project apps").expect(2);
    desk.run("member add group:sre --role reader --everywhere").expect(0);
    assert_eq!(desk.json("member list --everywhere")[0]["subject"], "group:sre");
    desk.run("member remove user:alice --role reader --project apps").expect(1);
    desk.run("member remove user:alice --role developer --project apps").expect(0);
    soon(403, async || alice.get(TAGS).await).await;
    desk.run("member remove user:alice --project apps").expect(1);

    desk.run("project update apps --public=true --quota-tags none").expect(0);
    soon(200, async || closed.client.get(TAGS).await).await;
    let shown = desk.json("project show apps");
    assert_eq!((&shown["quota_tags"], &shown["used_tags"]), (&Value::Null, &json!(1)));
    desk.run("project delete apps").expect(1).expect_stderr("409");
    desk.run("project create empty").expect(0);
    desk.run("project delete empty").expect(0);
    assert_eq!(names(&desk.json("project list")), ["apps"]);
}

#[tokio::test]
async fn trust_is_given_shown_replaced_and_taken_back() {
    let issuer = plura_testkit::Issuer::start().await;
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/web").await;
    let desk = Desk::of_administrator(&closed);
    let terms = format!(
        "--github --issuer {} --repository-id 74 --owner-id 9 --ref refs/heads/main --role reader \
         --project apps",
        issuer.url()
    );
    let made = desk.json(&format!("trust add main {terms}"));
    // Unless it is said, tokens must be made for the server, as it is named here.
    let audience = made["audience"].as_str().expect("an audience").to_owned();
    assert_eq!(audience.trim_end_matches('/'), desk.server);
    let job = async |audience: &str| {
        let token = issuer.sign(&issuer.github_claims(audience));
        let answer = crate::access::exchange(&closed.client, &token).await;
        answer.status == 200
    };
    assert!(job(&audience).await);
    assert!(!job("https://other.example.com").await);
    desk.run(&format!("trust add main {terms}")).expect(1);
    desk.run("trust add other --github --role reader").expect(2);
    desk.run("trust show other").expect(1);
    // What is shown is what can be given again.
    let shown = desk.run("trust show main --json").expect(0).stdout;
    let replaced = shown.replace(&audience, "https://other.example.com");
    desk.run_with("trust add main --file - --replace", &replaced).expect(0);
    assert!(job("https://other.example.com").await);
    assert!(!job(&audience).await);
    desk.run_with("trust add second --file -", &shown).expect(0);
    assert_eq!(names(&desk.json("trust list")), ["main", "second"]);
    assert!(job(&audience).await);
    for name in ["main", "second"] {
        desk.run(&format!("trust remove {name}")).expect(0);
    }
    assert!(!job(&audience).await);
    desk.run("trust remove main").expect(1);
}

#[tokio::test]
async fn the_audit_is_read_by_who_may() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/web").await;
    let alice = closed.user("alice").await;
    alice.client.get(TAGS).await.expect(403);
    let desk = Desk::of_administrator(&closed);
    let denied = desk.json("audit --actor alice --outcome denied");
    assert_eq!(denied.as_array().map(Vec::len), Some(1), "{denied}");
    assert_eq!(denied[0]["rule"], "no role");
    let pushes = desk.run("audit --action tag.set --project apps --jsonl").expect(0);
    let lines: Vec<Value> = pushes
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["target"], "apps/web:v1");
    let all = desk.json("audit --limit 100000");
    assert!(!all.to_string().contains("plura_") && !all.to_string().contains(&alice.secret));
    desk.run("audit --since tomorrow").expect(2);
    let hers = Desk::at(&closed.server);
    hers.log_in("alice", &alice.secret).expect(0);
    hers.run("audit").expect(1).expect_stderr("403");
}

#[tokio::test]
async fn collection_is_asked_for_by_who_may() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/web").await;
    let alice = closed.user("alice").await;
    let desk = Desk::at(&closed.server);
    desk.run("reg gc").expect(2).expect_stderr("hint: log in");
    desk.log_in("alice", &alice.secret).expect(0);
    desk.run("reg gc").expect(1).expect_stderr("403");
    desk.log_in(ADMINISTRATOR, &closed.root_password).expect(0);
    assert_eq!(desk.json("reg gc --dry-run")["dry_run"], true);
    desk.run("reg gc --repo apps/web").expect(0);
}

#[test]
fn nobody_answers_is_not_a_no() {
    let server = Server::start(binary());
    let desk = Desk::at(&server);
    drop(server);
    for command in [
        "access whoami",
        "user list",
        "robot list",
        "token list",
        "project list",
        "member list --everywhere",
        "trust list",
        "audit",
        "reg gc",
    ] {
        let failed = desk.run(command).expect(2);
        assert_eq!(failed.stdout, "", "{failed}");
    }
}
