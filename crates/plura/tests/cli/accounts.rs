//! Users, robots and tokens.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::fake_server::{FakeServer, answer, refusal};
use crate::{Place, run_with_input};

fn alice() -> Value {
    json!({
        "name": "alice", "display_name": "Alice A.", "email": "alice@example.com",
        "administrator": true, "disabled": false, "source": "local",
        "created_at": "2026-07-01T08:00:00Z", "last_used_at": "2026-07-29T10:00:00Z",
    })
}

fn bob() -> Value {
    json!({
        "name": "bob@example.com", "display_name": "", "email": null, "administrator": false,
        "disabled": true, "source": "oidc", "created_at": "2026-07-02T08:00:00Z",
        "last_used_at": null,
    })
}

fn robot() -> Value {
    json!({
        "name": "robot+apps+ci", "project": "apps", "description": "GitLab", "disabled": false,
        "created_at": "2026-07-01T08:00:00Z", "expires_at": "2026-09-29T08:00:00Z",
        "expires_soon": false, "last_used_at": null,
        "grants": [
            { "role": "developer", "project": "apps", "repositories": "apps/web-*" },
            { "role": "reader", "project": "apps", "repositories": null },
        ],
    })
}

fn token() -> Value {
    json!({
        "id": "t1", "name": "laptop", "user": "alice", "scopes": ["repository:apps/*:pull"],
        "created_at": "2026-07-01T08:00:00Z", "expires_at": null, "last_used_at": null,
    })
}

#[test]
fn users_are_listed_over_all_pages() {
    let server = FakeServer::start(|request, _| match request.line.as_str() {
        "GET /api/v1/users" => answer(200, json!({ "users": [alice()], "next": "alice" })),
        _ => answer(200, json!({ "users": [bob()], "next": null })),
    });
    let place = Place::empty();
    assert_snapshot!(place.ask(&server, &["user", "list"]), @r"
    exit: 0
    --- stdout
    NAME             EMAIL              ADMINISTRATOR  STATE     SOURCE  LAST USED
    alice            alice@example.com  yes            active    local   2026-07-29T10:00:00Z
    bob@example.com  -                  no             disabled  oidc    -
    --- stderr
    ");
    assert_eq!(server.lines(), ["GET /api/v1/users", "GET /api/v1/users?after=alice"]);
    let mut command = place.plura(&["user", "list", "--json"]);
    command.env("PLURA_SERVER", server.url());
    let users: Value = serde_json::from_str(&crate::data(command)).expect("it is JSON");
    assert_eq!(users, json!([alice(), bob()]));
}

#[test]
fn a_server_that_repeats_a_page_is_left() {
    let server = FakeServer::always(200, &json!({ "users": [], "next": "again" }));
    assert_snapshot!(Place::empty().ask(&server, &["user", "list"]), @r"
    exit: 0
    --- stdout
    --- stderr
    there are no users
    ");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_user_is_shown_with_every_field() {
    let server = FakeServer::always(200, &alice());
    assert_snapshot!(Place::empty().ask(&server, &["user", "show", "alice"]), @r"
    exit: 0
    --- stdout
    name           alice
    display name   Alice A.
    email          alice@example.com
    administrator  yes
    state          active
    source         local
    created        2026-07-01T08:00:00Z
    last used      2026-07-29T10:00:00Z
    --- stderr
    ");
    assert_eq!(server.request().line, "GET /api/v1/users/alice");
}

#[test]
fn a_user_that_is_not_there_is_a_no() {
    let server = FakeServer::start(|_, _| refusal(404, "there is no user `eve`", &Value::Null));
    assert_snapshot!(Place::empty().ask(&server, &["user", "show", "eve"]), @r"
    exit: 1
    --- stdout
    --- stderr
    error: the server answered 404 Not Found: there is no user `eve`
    ");
}

#[test]
fn what_would_help_is_passed_on() {
    let detail = json!({ "fix": "ask an administrator" });
    let server = FakeServer::start(move |_, _| refusal(403, "only administrators may", &detail));
    assert_snapshot!(Place::empty().ask(&server, &["user", "list"]), @r"
    exit: 1
    --- stdout
    --- stderr
    error: the server answered 403 Forbidden: only administrators may

    hint: ask an administrator
    ");
}

#[test]
fn a_server_cannot_write_on_the_terminal() {
    let server = FakeServer::start(|_, _| refusal(403, "a\u{1b}[2Jb", &json!({"fix": "\u{7}"})));
    let said = Place::empty().ask(&server, &["user", "list"]);
    assert!(said.contains("a\u{fffd}[2Jb") && !said.contains(['\u{1b}', '\u{7}']), "{said:?}");
}

#[test]
fn a_user_is_created_with_a_password_from_standard_input() {
    let (place, server) = (Place::empty(), FakeServer::always(201, &alice()));
    let base = server.url();
    let create = ["user", "create", "alice", "--server", &base];
    let command = place.plura(&[&create[..], &["--email", "a@b.c", "--password-stdin"]].concat());
    assert_snapshot!(run_with_input(command, "secret\n"), @r"
    exit: 0
    --- stdout
    --- stderr
    created user `alice`
    ");
    let request = server.request();
    assert_eq!(request.line, "POST /api/v1/users");
    let expected = json!({
        "name": "alice", "password": "secret", "email": "a@b.c", "administrator": false,
    });
    assert_eq!(request.json(), expected);

    assert_snapshot!(place.run(&create), @r"
    exit: 2
    --- stdout
    --- stderr
    error: cannot ask for the new password: standard input is not a terminal

    hint: give it with `--password-stdin`
    ");
    place.run(&[&create[..], &["--without-password", "--administrator"]].concat());
    let last = server.requests().pop().expect("it was asked");
    assert_eq!(last.json(), json!({ "name": "alice", "administrator": true }));
}

#[test]
fn changes_to_a_user_are_sent_alone() {
    let (place, server) = (Place::empty(), FakeServer::always(200, &alice()));
    for (arguments, body) in [
        (&["update", "alice", "--administrator=false"][..], json!({ "administrator": false })),
        (&["update", "alice", "--display-name", ""], json!({ "display_name": "" })),
        (&["disable", "alice"], json!({ "disabled": true })),
        (&["enable", "alice"], json!({ "disabled": false })),
    ] {
        let said = place.ask(&server, &[&["user"], arguments].concat());
        assert!(said.starts_with("exit: 0\n--- stdout\n--- stderr\n"), "{said}");
        let last = server.requests().pop().expect("it was asked");
        assert_eq!(last.line, "PATCH /api/v1/users/alice");
        assert_eq!(last.json(), body);
    }
    let said = place.ask(&server, &["user", "update", "alice"]);
    assert!(said.starts_with("exit: 2") && said.contains("--administrator"), "{said}");
}

#[test]
fn a_user_is_deleted_and_logged_out() {
    let place = Place::empty();
    let server = FakeServer::start(|_, _| answer(204, ""));
    assert_snapshot!(place.ask(&server, &["user", "delete", "alice", "--json"]), @r#"
    exit: 0
    --- stdout
    {
      "deleted": "alice"
    }
    --- stderr
    deleted user `alice`
    "#);
    assert_eq!(server.request().line, "DELETE /api/v1/users/alice");

    let server = FakeServer::always(200, &json!({ "ended": 3 }));
    assert_snapshot!(place.ask(&server, &["user", "logout", "alice"]), @r"
    exit: 0
    --- stdout
    --- stderr
    ended 3 sessions of `alice`
    ");
    assert_eq!(server.request().line, "DELETE /api/v1/users/alice/sessions");
}

#[test]
fn a_name_is_one_part_of_a_path_whatever_it_is() {
    let (place, server) = (Place::empty(), FakeServer::start(|_, _| answer(204, "")));
    place.ask(&server, &["user", "delete", "a/../b?c#d e"]);
    assert_eq!(server.request().line, "DELETE /api/v1/users/a%2F..%2Fb%3Fc%23d%20e");
    for name in ["", ".", ".."] {
        let said = place.ask(&server, &["user", "delete", name]);
        assert!(said.contains(&format!("error: {name:?} is not a name")), "{said}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn ones_own_password_is_changed_with_the_current_one() {
    let server = FakeServer::start(|request, _| match request.line.as_str() {
        "GET /api/v1/me" => answer(200, json!({ "kind": "user", "name": "alice" })),
        _ => answer(204, ""),
    });
    let (place, base) = (Place::empty(), server.url());
    let change = ["user", "password", "--password-stdin", "--server", &base];
    let said = run_with_input(place.plura(&change), "old\nnew\n");
    assert_snapshot!(said.replace(&server.host(), "HOST"), @r"
    exit: 0
    --- stdout
    --- stderr
    changed the password of `alice`
    hint: a login that is kept is now out of date; again: plura login http://HOST
    ");
    let last = server.requests().pop().expect("it was asked");
    assert_eq!(last.line, "PUT /api/v1/users/alice/password");
    assert_eq!(last.json(), json!({ "current": "old", "new": "new" }));

    run_with_input(place.plura(&[&change[..], &["bob"]].concat()), "new\n");
    let last = server.requests().pop().expect("it was asked");
    assert_eq!(last.line, "PUT /api/v1/users/bob/password");
    assert_eq!(last.json(), json!({ "new": "new" }));

    let said = run_with_input(place.plura(&change), "new\n");
    assert!(said.contains("error: expected 2 lines on standard input"), "{said}");
}

#[test]
fn robots_are_listed_with_what_they_may() {
    let server = FakeServer::always(200, &json!({ "robots": [robot()] }));
    assert_snapshot!(Place::empty().ask(&server, &["robot", "list", "--project", "apps"]), @r"
    exit: 0
    --- stdout
    NAME           STATE   MAY                                              EXPIRES               LAST USED  DESCRIPTION
    robot+apps+ci  active  developer in apps on apps/web-*, reader in apps  2026-09-29T08:00:00Z  -          GitLab
    --- stderr
    ");
    assert_eq!(server.request().line, "GET /api/v1/robots?project=apps");
}

#[test]
fn the_secret_of_a_robot_is_all_that_goes_to_standard_output() {
    let created = json!({ "robot": robot(), "secret": "plura_rs_x" });
    let (place, server) = (Place::empty(), FakeServer::always(201, &created));
    let create = ["robot", "create", "ci", "--project", "apps", "--role", "developer"];
    let more = ["--role", "reader", "--repositories", "apps/*", "--expires-in-days", "30"];
    assert_snapshot!(place.ask(&server, &[&create[..], &more[..]].concat()), @r"
    exit: 0
    --- stdout
    plura_rs_x
    --- stderr
    created robot `robot+apps+ci`, which expires at 2026-09-29T08:00:00Z
    this is the only time that its secret is shown
    ");
    let expected = json!({
        "name": "ci", "project": "apps", "expires_in_days": 30,
        "grants": [
            { "role": "developer", "repositories": "apps/*" },
            { "role": "reader", "repositories": "apps/*" },
        ],
    });
    let request = server.request();
    assert_eq!((&*request.line, request.json()), ("POST /api/v1/robots", expected));

    let said = place.ask(&server, &[&create[..], &["--json", "--quiet"]].concat());
    let printed = said.trim_start_matches("exit: 0\n--- stdout\n").trim_end_matches("--- stderr\n");
    assert_eq!(serde_json::from_str::<Value>(printed).expect("it is JSON"), created);
}

#[test]
fn robots_are_changed_and_rotated() {
    let answer = json!({ "robot": robot(), "secret": "plura_rs_y" });
    let (place, server) = (Place::empty(), FakeServer::always(200, &answer));
    let robot = "robot+apps+ci";
    for (arguments, line, body) in [
        (&["disable", robot][..], "PATCH /api/v1/robots/robot+apps+ci", json!({"disabled": true})),
        (&["enable", robot], "PATCH /api/v1/robots/robot+apps+ci", json!({ "disabled": false })),
        (
            &["update", robot, "--expires-in-days", "0"],
            "PATCH /api/v1/robots/robot+apps+ci",
            json!({ "expires_in_days": 0 }),
        ),
        (&["rotate", robot], "POST /api/v1/robots/robot+apps+ci/rotate", json!({})),
        (
            &["rotate", robot, "--overlap", "2h"],
            "POST /api/v1/robots/robot+apps+ci/rotate",
            json!({ "overlap_seconds": 7200 }),
        ),
    ] {
        let said = place.ask(&server, &[&["robot"], arguments].concat());
        assert!(said.starts_with("exit: 0"), "{said}");
        assert_eq!(said.contains("plura_rs_y"), arguments[0] == "rotate", "{said}");
        let last = server.requests().pop().expect("it was asked");
        assert_eq!((&*last.line, last.json()), (line, body));
    }
}

#[test]
fn tokens_are_listed_created_and_revoked() {
    let place = Place::empty();
    let server = FakeServer::start(|request, _| match request.line.split(' ').next() {
        Some("GET") => answer(200, json!({ "tokens": [token()] })),
        Some("POST") => answer(201, json!({ "token": token(), "secret": "plura_pt_x" })),
        _ => answer(204, ""),
    });
    assert_snapshot!(place.ask(&server, &["token", "list", "--user", "alice"]), @r"
    exit: 0
    --- stdout
    ID  NAME    USER   SCOPES                  EXPIRES  LAST USED
    t1  laptop  alice  repository:apps/*:pull  -        -
    --- stderr
    ");
    let create = ["token", "create", "laptop", "--scope", "repository:apps/*:pull"];
    assert_snapshot!(place.ask(&server, &create), @r"
    exit: 0
    --- stdout
    plura_pt_x
    --- stderr
    created token `laptop`, id t1
    this is the only time that its secret is shown
    ");
    let body = server.requests().pop().expect("it was asked").json();
    assert_eq!(body, json!({ "name": "laptop", "scopes": ["repository:apps/*:pull"] }));
    place.ask(&server, &["token", "revoke", "t1"]);
    let expected =
        ["GET /api/v1/tokens?user=alice", "POST /api/v1/tokens", "DELETE /api/v1/tokens/t1"];
    assert_eq!(server.lines(), expected);
}
