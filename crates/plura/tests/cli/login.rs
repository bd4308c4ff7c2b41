//! Logging in as docker does, and what goes with requests afterwards.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::fake_server::{Answer, FakeServer, Request, answer, refusal};
use crate::{Place, run_with_input};

const BEARER: &str = "Bearer the-token";

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))
}

/// A registry with a token endpoint that knows alice, and what it gives out.
pub(crate) fn registry(token: Value) -> FakeServer {
    FakeServer::start(move |request, address| respond(request, address, &token))
}

fn respond(request: &Request, address: SocketAddr, token: &Value) -> Answer {
    let known = request.authorization == basic("alice", "secret");
    let (_, path) = request.line.split_once(' ').expect("a request line");
    match path.split('?').next().unwrap_or_default() {
        "/v2/" if request.authorization == BEARER => answer(200, &json!({})),
        "/v2/" => {
            let realm =
                format!("Bearer realm=\"http://{address}/auth/token\",service=\"{address}\"");
            refusal(401, "log in", &Value::Null).header("WWW-Authenticate", &realm)
        }
        "/auth/token" if known || request.body.contains("refresh_token=identity") => {
            answer(200, token)
        }
        "/auth/token" => refusal(401, "unknown name or password", &Value::Null),
        "/api/v1/me" if known || request.authorization == BEARER => {
            answer(200, &json!({ "kind": "user", "name": "alice" }))
        }
        _ => refusal(401, "log in", &Value::Null),
    }
}

fn login(place: &Place, server: &FakeServer, more: &[&str]) -> Command {
    let host = server.host();
    place.plura(&[&["login", "-u", "alice", "--password-stdin", &host], more].concat())
}

/// What docker would find.
fn kept(place: &Place) -> Value {
    let text = std::fs::read(place.path().join("docker/config.json")).expect("it was written");
    serde_json::from_slice(&text).expect("it is JSON")
}

#[track_caller]
fn scrubbed(transcript: &str, place: &Place, server: &FakeServer) -> String {
    let place = place.path().to_str().expect("temporary paths are UTF-8");
    transcript.replace(place, "PLACE").replace(&server.host(), "HOST")
}

#[test]
fn a_password_that_is_accepted_is_kept_where_docker_looks() {
    let (place, server) = (Place::empty(), registry(json!({ "token": "the-token" })));
    let said = run_with_input(login(&place, &server, &[]), "secret\n");
    assert_snapshot!(scrubbed(&said, &place, &server), @r"
    exit: 0
    --- stdout
    --- stderr
    logged in to HOST; kept in `PLACE/docker/config.json`
    ");
    let auth = BASE64_STANDARD.encode("alice:secret");
    assert_eq!(kept(&place), json!({ "auths": { server.host(): { "auth": auth } } }));

    let requests = server.requests();
    let asked: Vec<_> = requests.iter().map(|r| r.line.replace(&server.host(), "HOST")).collect();
    let service = server.host().replace(':', "%3A");
    let token = format!(
        "GET /auth/token?service={service}&client_id=plura&account=alice&offline_token=true"
    );
    assert_eq!(asked, ["GET /v2/", &token, "GET /v2/"]);
    assert_eq!(requests[0].authorization, "");
}

#[test]
fn an_identity_token_is_kept_instead_of_the_password() {
    let token = json!({ "access_token": "the-token", "refresh_token": "identity" });
    let (place, server) = (Place::empty(), registry(token));
    let said = run_with_input(login(&place, &server, &[]), "secret");
    assert!(said.starts_with("exit: 0"), "{said}");
    let auth = BASE64_STANDARD.encode("alice:");
    let entry = json!({ "auth": auth, "identitytoken": "identity" });
    assert_eq!(kept(&place), json!({ "auths": { server.host(): entry } }));

    // It is exchanged before it is of use.
    let me = place.ask(&server, &["access", "whoami"]);
    assert!(me.contains("alice"), "{me}");
    let requests = server.requests();
    let [.., version, exchange, whoami] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((&*version.line, &*exchange.line), ("GET /v2/", "POST /auth/token"));
    assert_eq!(
        exchange.body.replace(&server.host().replace(':', "%3A"), "HOST"),
        "service=HOST&grant_type=refresh_token&client_id=plura&scope=registry%3Aapi%3A*&refresh_token=identity"
    );
    assert_eq!((&*whoami.line, &*whoami.authorization), ("GET /api/v1/me", BEARER));
}

#[test]
fn a_password_that_is_not_accepted_is_a_no() {
    let (place, server) = (Place::empty(), registry(json!({ "token": "the-token" })));
    let said = run_with_input(login(&place, &server, &[]), "wrong\n");
    assert_snapshot!(scrubbed(&said, &place, &server), @r"
    exit: 1
    --- stdout
    --- stderr
    error: the server does not accept this name with this password or token

    hint: check the name; for a robot it is the whole name, such as `robot+apps+ci`
    ");
    assert!(!place.path().join("docker").exists());
}

#[test]
fn a_registry_with_passwords_only_is_logged_in_to_as_well() {
    let server = FakeServer::start(|request, _| {
        let known = request.authorization == basic("alice", "secret");
        let refused = refusal(401, "log in", &Value::Null).header("WWW-Authenticate", "Basic");
        if known { answer(200, &json!({})) } else { refused }
    });
    let place = Place::empty();
    let said = run_with_input(login(&place, &server, &[]), "secret\n");
    assert!(said.starts_with("exit: 0"), "{said}");
    let said = run_with_input(login(&place, &server, &[]), "wrong\n");
    assert!(said.starts_with("exit: 1"), "{said}");
}

#[test]
fn a_server_that_asks_for_no_login_gets_none() {
    let (place, server) = (Place::empty(), FakeServer::always(200, &json!({})));
    let said = run_with_input(login(&place, &server, &[]), "secret\n");
    assert_snapshot!(scrubbed(&said, &place, &server), @r"
    exit: 0
    --- stdout
    --- stderr
    HOST needs no login
    ");
    assert!(!place.path().join("docker").exists());
}

#[test]
fn without_a_terminal_there_is_nobody_to_ask() {
    let (place, server) = (Place::empty(), registry(json!({ "token": "the-token" })));
    let host = server.host();
    assert_snapshot!(place.run(&["login", &host]), @r"
    exit: 2
    --- stdout
    --- stderr
    error: cannot ask for the user name: standard input is not a terminal

    hint: give it with `--user NAME`
    ");
    assert_snapshot!(place.run(&["login", "-u", "alice", &host]), @r"
    exit: 2
    --- stdout
    --- stderr
    error: cannot ask for the password: standard input is not a terminal

    hint: give it with `--password-stdin`
    ");
    assert_snapshot!(run_with_input(login(&place, &server, &[]), ""), @r"
    exit: 2
    --- stdout
    --- stderr
    error: expected one line on standard input
    ");
}

#[test]
fn logging_out_forgets_the_login() {
    let (place, server) = (Place::empty(), registry(json!({ "token": "the-token" })));
    run_with_input(login(&place, &server, &[]), "secret\n");
    let host = server.host();
    assert_snapshot!(scrubbed(&place.run(&["logout", &host]), &place, &server), @r"
    exit: 0
    --- stdout
    --- stderr
    logged out of HOST
    ");
    assert_eq!(kept(&place), json!({ "auths": {} }));
    assert_snapshot!(scrubbed(&place.run(&["logout", &host]), &place, &server), @r"
    exit: 0
    --- stdout
    --- stderr
    there was no login for HOST
    ");
}

#[test]
fn a_login_goes_with_requests() {
    let (place, server) = (Place::empty(), registry(json!({ "token": "the-token" })));
    run_with_input(login(&place, &server, &[]), "secret\n");
    place.ask(&server, &["access", "whoami"]);
    let last = server.requests().pop().expect("it was asked");
    assert_eq!(last.authorization, basic("alice", "secret"));
    // The token that is given is stronger than the login that is kept.
    let mut command = place.plura(&["access", "whoami", "--server", &server.url()]);
    let output = command.env("PLURA_TOKEN", "the-token").output().expect("plura runs");
    assert!(output.status.success());
    assert_eq!(server.requests().pop().expect("it was asked").authorization, BEARER);
}

#[test]
fn who_is_not_logged_in_is_told_how_to() {
    let (place, server) = (Place::empty(), registry(json!({ "token": "the-token" })));
    assert_snapshot!(scrubbed(&place.ask(&server, &["user", "list"]), &place, &server), @r"
    exit: 2
    --- stdout
    --- stderr
    error: the server answered 401 Unauthorized: log in

    hint: log in: plura login http://HOST
    ");
    let said = place
        .plura(&["user", "list", "--server", &server.url()])
        .env("PLURA_TOKEN", "plura_pt_stale")
        .output()
        .map(|output| crate::transcript(&output))
        .expect("plura runs");
    assert!(
        said.contains("hint: the token of `PLURA_TOKEN` or `--token` is not accepted"),
        "{said}"
    );
    assert!(!said.contains("stale"), "{said}");
}

#[test]
fn a_login_that_is_no_longer_accepted_is_renewed_by_another() {
    let (place, server) = (Place::empty(), registry(json!({ "token": "the-token" })));
    std::fs::create_dir(place.path().join("docker")).expect("the directory is made");
    for entry in
        [json!({ "auth": BASE64_STANDARD.encode("alice:old") }), json!({ "identitytoken": "old" })]
    {
        let config = json!({ "auths": { server.host(): entry } });
        place.write("docker/config.json", &config.to_string());
        let said = scrubbed(&place.ask(&server, &["user", "list"]), &place, &server);
        assert!(said.starts_with("exit: 2"), "{said}");
        assert!(said.contains("plura login http://HOST"), "{said}");
    }
}

#[test]
fn a_broken_login_is_only_missed_where_one_is_needed() {
    let place = Place::empty();
    std::fs::create_dir(place.path().join("docker")).expect("the directory is made");
    place.write("docker/config.json", r#"{"credsStore": "nowhere"}"#);
    let open = FakeServer::always(200, &json!({ "users": [], "next": null }));
    assert!(place.ask(&open, &["user", "list"]).starts_with("exit: 0"));
    let closed = registry(json!({ "token": "the-token" }));
    assert_snapshot!(place.ask(&closed, &["user", "list"]), @r"
    exit: 2
    --- stdout
    --- stderr
    error: the credential helper `docker-credential-nowhere` is not installed
      caused by: the server answered 401 Unauthorized: log in

    hint: install it, or take `nowhere` out of `credsStore` or `credHelpers` in docker's config.json
    ");
}

#[test]
fn a_credential_helper_is_given_the_login() {
    let (place, server) = (Place::empty(), registry(json!({ "token": "the-token" })));
    std::fs::create_dir(place.path().join("docker")).expect("the directory is made");
    place.write("docker/config.json", r#"{"credsStore": "test"}"#);
    place.write("docker-credential-test", "#!/bin/sh\ncat > \"$(dirname \"$0\")/$1\"\n");
    let helper = place.path().join("docker-credential-test");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(helper, mode).expect("it can be run");
    let mut command = login(&place, &server, &[]);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", place.path().display()));
    let said = run_with_input(command, "secret\n");
    assert_snapshot!(scrubbed(&said, &place, &server), @r"
    exit: 0
    --- stdout
    --- stderr
    logged in to HOST; kept in the credential helper `test`
    ");
    let stored = std::fs::read(place.path().join("store")).expect("it was stored");
    let stored: Value = serde_json::from_slice(&stored).expect("it is JSON");
    let expected = json!({ "ServerURL": server.host(), "Username": "alice", "Secret": "secret" });
    assert_eq!(stored, expected);
    assert_eq!(kept(&place)["auths"], json!({ server.host(): {} }));
}

#[test]
fn a_redirect_gets_no_credentials() {
    let server =
        FakeServer::start(|_, _| answer(301, &Value::Null).header("Location", "http://evil.test/"));
    assert_snapshot!(Place::empty().ask(&server, &["user", "list"]), @r"
    exit: 2
    --- stdout
    --- stderr
    error: the server answered 301 Moved Permanently: it points to http://evil.test/

    hint: name the server by its own address with `--server URL` or `PLURA_SERVER`
    ");
}

#[test]
fn certificates_must_be_readable() {
    let place = Place::empty();
    assert_snapshot!(place.run(&["user", "list", "--ca-file", "missing.pem"]), @r"
    exit: 2
    --- stdout
    --- stderr
    error: cannot read certificates from `missing.pem`
      caused by: No such file or directory (os error 2)

    hint: name a PEM file with `--ca-file` or `PLURA_CA_FILE`
    ");
    place.write("empty.pem", "");
    assert_snapshot!(place.run_with(("PLURA_CA_FILE", "empty.pem"), &["user", "list"]), @r"
    exit: 2
    --- stdout
    --- stderr
    error: there is no certificate in `empty.pem`

    hint: name a PEM file with `--ca-file` or `PLURA_CA_FILE`
    ");
}
