//! Questions about what is allowed.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::Place;
use crate::fake_server::FakeServer;

const EXPLAIN: [&str; 8] =
    ["access", "explain", "--as", "user:alice", "--action", "push", "--repo", "apps/x"];

#[test]
fn what_is_allowed_is_a_yes() {
    let decision = json!({
        "effect": "allow", "rule": "grant 17", "reason": "user:alice is developer in apps",
        "fix": null,
    });
    let (place, server) = (Place::empty(), FakeServer::always(200, &decision));
    assert_snapshot!(place.ask(&server, &EXPLAIN), @r"
    exit: 0
    --- stdout
    effect  allow
    rule    grant 17
    reason  user:alice is developer in apps
    --- stderr
    ");
    let line = server.request().line;
    assert_eq!(line, "GET /api/v1/access/explain?as=user%3Aalice&action=push&repository=apps%2Fx");
}

#[test]
fn what_is_denied_is_a_no_with_what_would_help() {
    let decision = json!({
        "effect": "deny", "rule": "no grant", "reason": "user:alice has no role in apps",
        "fix": "plura member add user:alice --role developer --project apps",
    });
    let (place, server) = (Place::empty(), FakeServer::always(200, &decision));
    assert_snapshot!(place.ask(&server, &EXPLAIN), @r"
    exit: 1
    --- stdout
    effect  deny
    rule    no grant
    reason  user:alice has no role in apps
    --- stderr
    hint: plura member add user:alice --role developer --project apps
    ");
    let said = place.ask(&server, &[&EXPLAIN[..], &["--json"]].concat());
    let json = said.strip_prefix("exit: 1\n--- stdout\n").and_then(|it| it.split("---").next());
    assert_eq!(
        serde_json::from_str::<Value>(json.expect("it is a no")).expect("it is JSON"),
        decision
    );
}

#[test]
fn one_may_ask_who_one_is() {
    let me = json!({
        "kind": "user", "name": "alice", "administrator": false, "method": "token",
        "groups": ["sre", "web"],
        "grants": [
            { "role": "developer", "project": "apps", "repositories": "apps/w*", "origin": "x" },
            { "role": "reader", "project": null, "repositories": null, "origin": "y" },
        ],
    });
    let server = FakeServer::always(200, &me);
    assert_snapshot!(Place::empty().ask(&server, &["access", "whoami"]), @r"
    exit: 0
    --- stdout
    name           alice
    kind           user
    method         token
    administrator  no
    groups         sre, web
    may            developer in apps on apps/w*, reader everywhere
    --- stderr
    ");
}
