//! What `plura reg` says of channels and how they move, and `plura log` of what is kept of it.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::Place;
use crate::fake_server::{FakeServer, answer, refusal};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OLD: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const IMAGE: &str =
    "apps/web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn decision(effect: &str) -> Value {
    json!({
        "repository": "apps/web", "digest": DIGEST, "channel": "prod:stable", "effect": effect,
        "outcomes": [{
            "gate": "signature", "rule": "gates.production.signature", "effect": effect,
            "mode": "enforce", "observed": "signed by release", "required": "a trusted signature",
        }, {
            "gate": "non_root", "rule": "gates.basics.non_root", "effect": "deny", "mode": "warn",
            "observed": "it runs as root", "required": "another user than root",
            "fix": "set `USER` in the Dockerfile",
        }],
        "decided_at": "2026-07-01T10:00:00Z", "policy": DIGEST, "facts": DIGEST,
    })
}

fn promotion(state: &str, problem: Option<&str>) -> Value {
    json!({
        "id": "0199", "channel": "prod:stable", "service": "web", "repository": "apps/web",
        "digest": DIGEST, "state": state, "problem": problem, "weight": 5,
        "canary": { "step": 1, "steps": 3, "phase": "observing" },
        "requested_at": "2026-07-01T10:00:00Z", "requested_by": "alice",
        "changed_at": "2026-07-01T10:00:00Z", "expires_at": "2026-07-02T10:00:00Z", "chain": "0199",
    })
}

#[test]
fn a_promotion_is_done_on_its_way_or_denied() {
    let place = Place::empty();
    let promote = ["reg", "promote", IMAGE, "--to", "prod", "--reason", "1.5"];
    let done = json!({
        "promotion": promotion("finished", None), "decision": decision("allow"),
        "rollback_key": "plura_rb_example", "log": { "index": 7 },
    });
    let server = FakeServer::always(200, &done);
    assert_snapshot!(place.ask(&server, &promote), @r"
    exit: 0
    --- stdout
    finished  sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 in prod
    warn  gates.basics.non_root: it runs as root; required: another user than root
          fix: set `USER` in the Dockerfile
    allow gates.production.signature: signed by release; required: a trusted signature
    --- stderr
    this key undoes it, once, and is shown only now: plura reg rollback apps/web --to prod --key plura_rb_example
    ");
    assert_eq!(server.lines(), ["POST /v1/registry/promote"]);
    let waits = json!({
        "promotion": promotion("waiting", Some("frozen until Monday")), "decision": decision("wait"),
        "rollback_key": "plura_rb_example",
    });
    assert_snapshot!(place.ask(&FakeServer::always(202, &waits), &promote), @r"
    exit: 0
    --- stdout
    waiting   sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 in prod
    wait  gates.production.signature: signed by release; required: a trusted signature
    warn  gates.basics.non_root: it runs as root; required: another user than root
          fix: set `USER` in the Dockerfile
    --- stderr
    this key undoes it, once, and is shown only now: plura reg rollback apps/web --to prod --key plura_rb_example
    waiting: frozen until Monday
    hint: it goes on by itself: plura reg status; or plura reg cancel 0199
    ");
    let denied = json!({
        "promotion": promotion("denied", Some("gates.production.signature: nobody signed it")),
        "decision": decision("deny"),
    });
    assert_snapshot!(place.ask(&FakeServer::always(200, &denied), &promote), @r"
    exit: 1
    --- stdout
    denied    sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 in prod
    deny  gates.production.signature: signed by release; required: a trusted signature
    warn  gates.basics.non_root: it runs as root; required: another user than root
          fix: set `USER` in the Dockerfile
    --- stderr
    denied: gates.production.signature: nobody signed it
    ");
    let dry = [&promote[..], &["--dry-run"]].concat();
    let server = FakeServer::always(200, &json!({ "decision": decision("allow") }));
    assert_snapshot!(place.ask(&server, &dry), @r"
    exit: 0
    --- stdout
    allow     sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 in prod
    warn  gates.basics.non_root: it runs as root; required: another user than root
          fix: set `USER` in the Dockerfile
    allow gates.production.signature: signed by release; required: a trusted signature
    --- stderr
    ");
    let server = FakeServer::start(|_, _| refusal(404, "there is no channel `prod`", &json!(null)));
    assert_snapshot!(place.ask(&server, &promote), @r"
    exit: 1
    --- stdout
    --- stderr
    error: the server answered 404 Not Found: there is no channel `prod`
    ");
}

#[test]
fn a_canary_is_followed_to_its_end() {
    let place = Place::empty();
    let server = FakeServer::start(|request, _| {
        if request.line.starts_with("POST") {
            let begun =
                json!({ "promotion": promotion("canary", None), "decision": decision("allow") });
            answer(202, &begun)
        } else {
            answer(200, &promotion("rolled_back", Some("error_rate: 4% instead of 1%")))
        }
    });
    let promote = ["reg", "promote", IMAGE, "--to", "prod", "--wait"];
    assert_snapshot!(place.ask(&server, &promote), @r"
    exit: 1
    --- stdout
    rolled_back sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 in prod
    warn  gates.basics.non_root: it runs as root; required: another user than root
          fix: set `USER` in the Dockerfile
    allow gates.production.signature: signed by release; required: a trusted signature
    --- stderr
    canary: step 1 of 3, 5% of the traffic, observing
    rolled_back: error_rate: 4% instead of 1%
    rolled_back: error_rate: 4% instead of 1%
    ");
}

#[test]
fn a_channel_goes_back_and_is_held() {
    let place = Place::empty();
    let back = json!({
        "channel": "prod:stable", "service": "web", "digest": OLD, "previous": DIGEST, "move": 8,
        "decision": decision("allow"), "held": { "by": "alice", "reason": "it fails" },
    });
    let server = FakeServer::always(200, &back);
    let command = ["reg", "rollback", "apps/web", "--to", "prod", "--reason", "it fails"];
    assert_snapshot!(place.ask(&server, &command), @r"
    exit: 0
    --- stdout
    prod:stable of web points at sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, no longer at sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    warn  gates.basics.non_root: it runs as root; required: another user than root
          fix: set `USER` in the Dockerfile
    allow gates.production.signature: signed by release; required: a trusted signature
    --- stderr
    hint: nothing is promoted into it until: plura reg release prod:stable web
    ");
    assert_eq!(server.lines(), ["POST /v1/registry/rollback"]);
    let dry = [&command[..], &["--dry-run"]].concat();
    assert_snapshot!(place.ask(&FakeServer::always(200, &back), &dry), @r"
    exit: 0
    --- stdout
    prod:stable of web would point at sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, no longer at sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    warn  gates.basics.non_root: it runs as root; required: another user than root
          fix: set `USER` in the Dockerfile
    allow gates.production.signature: signed by release; required: a trusted signature
    --- stderr
    hint: nothing is promoted into it until: plura reg release prod:stable web
    ");
}

#[test]
fn channels_and_what_is_on_its_way_are_listed() {
    let place = Place::empty();
    let channel = json!({
        "channel": "prod:stable", "service": "web", "pull": "channels/prod/web:stable",
        "repository": "apps/web", "digest": DIGEST, "since": "2026-07-01T10:00:00Z", "move": 7,
        "standing": { "decision": decision("allow") }, "held": { "reason": "it failed" },
    });
    let server = FakeServer::start(move |request, _| {
        if request.line.contains("/promotions") {
            answer(200, &json!({ "promotions": [promotion("canary", None)] }))
        } else {
            answer(200, &json!({ "channels": [channel] }))
        }
    });
    assert_snapshot!(place.ask(&server, &["reg", "status"]), @r"
    exit: 0
    --- stdout
    CHANNEL      SERVICE  PULL                      DIGEST                                                                   SINCE                 MAY BE THERE  HELD
    prod:stable  web      channels/prod/web:stable  sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  2026-07-01T10:00:00Z  allow         it failed

    PROMOTION  CHANNEL      SERVICE  DIGEST                                                                   STATE   TRAFFIC  WHY
    0199       prod:stable  web      sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  canary  5%       -
    --- stderr
    ");
    let none = json!({ "channels": [], "promotions": [] });
    assert_snapshot!(place.ask(&FakeServer::always(200, &none), &["reg", "status", "prod"]), @r"
    exit: 0
    --- stdout
    --- stderr
    nothing was promoted into a channel that you may pull from
    ");
}

#[test]
fn the_moves_of_a_channel_are_listed() {
    let place = Place::empty();
    let made = |number: u32, kind: &str, digest: &str| {
        json!({
            "move": number, "at": "2026-07-01T10:00:00Z", "kind": kind, "digest": digest,
            "by": "user:alice", "log_position": number, "reason": "1.5",
        })
    };
    let moves = json!({
        "moves": [made(2, "rollback", OLD), made(1, "promotion", DIGEST)], "next": null,
    });
    let server = FakeServer::always(200, &moves);
    assert_snapshot!(place.ask(&server, &["reg", "history", "prod:stable", "web"]), @r"
    exit: 0
    --- stdout
    MOVE  AT                    KIND       DIGEST                                                                   BY          LOG  REASON
    2     2026-07-01T10:00:00Z  rollback   sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  user:alice  2    1.5
    1     2026-07-01T10:00:00Z  promotion  sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  user:alice  1    1.5
    --- stderr
    ");
}

#[test]
fn figures_are_printed_one_a_line() {
    let place = Place::empty();
    let figures = json!({
        "repo": "apps/web", "image_count_by_env": { "dev": 3, "prod": 1 },
        "promotion_success_rate": 0.75,
    });
    let server = FakeServer::always(200, &figures);
    assert_snapshot!(place.ask(&server, &["reg", "metrics", "--repo", "apps/web"]), @r"
    exit: 0
    --- stdout
    image_count_by_env.dev  3
    image_count_by_env.prod  1
    promotion_success_rate  0.75
    repo  apps/web
    --- stderr
    ");
}

#[test]
fn the_log_tells_how_far_it_is_and_what_is_in_it() {
    let place = Place::empty();
    let status = json!({
        "origin": "registry.example.com", "size": 8, "integrated": 7, "checkpoint": "...",
        "keys": ["registry.example.com+2b9cf1a8+AZ"],
    });
    let server = FakeServer::always(200, &status);
    assert_snapshot!(place.ask(&server, &["log", "status"]), @r"
    exit: 0
    --- stdout
    log      registry.example.com
    entries  8
    signed   7
    keys     registry.example.com+2b9cf1a8+AZ
    --- stderr
    ");
    let entry = |index: u32, kind: &str, subject: &str| {
        json!({
            "index": index, "at": "2026-07-01T10:00:00Z", "kind": kind, "subject": subject,
            "document": {},
        })
    };
    let entries = json!({
        "entries": [entry(7, "channel.rolled_back", "prod:stable/web"),
                    entry(6, "exception.granted", "CVE-2026-1")],
        "next": null,
    });
    let server = FakeServer::always(200, &entries);
    assert_snapshot!(place.ask(&server, &["log", "list", "--limit", "2"]), @r"
    exit: 0
    --- stdout
    INDEX  TIME                  KIND                 SUBJECT
    7      2026-07-01T10:00:00Z  channel.rolled_back  prod:stable/web
    6      2026-07-01T10:00:00Z  exception.granted    CVE-2026-1
    --- stderr
    ");
    let server = FakeServer::always(200, &json!({ "entries": [], "next": null }));
    assert_snapshot!(place.ask(&server, &["log", "list", "--subject", "CVE-1"]), @r"
    exit: 0
    --- stdout
    --- stderr
    there are no such entries
    ");
    let pending = "entry 8 is not part of the tree yet; wait with `wait=10`";
    let server = FakeServer::start(move |_, _| refusal(409, pending, &json!(null)));
    assert_snapshot!(place.ask(&server, &["log", "prove", "8"]), @r"
    exit: 1
    --- stdout
    --- stderr
    error: the server answered 409 Conflict: entry 8 is not part of the tree yet; wait with `wait=10`
    ");
}
