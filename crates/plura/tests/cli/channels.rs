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
    assert_snapshot!(place.ask(&server, &promote), @"");
    assert_eq!(server.lines(), ["POST /v1/registry/promote"]);
    let waits = json!({
        "promotion": promotion("waiting", Some("frozen until Monday")), "decision": decision("wait"),
        "rollback_key": "plura_rb_example",
    });
    assert_snapshot!(place.ask(&FakeServer::always(202, &waits), &promote), @"");
    let denied = json!({
        "promotion": promotion("denied", Some("gates.production.signature: nobody signed it")),
        "decision": decision("deny"),
    });
    assert_snapshot!(place.ask(&FakeServer::always(200, &denied), &promote), @"");
    let dry = [&promote[..], &["--dry-run"]].concat();
    let server = FakeServer::always(200, &json!({ "decision": decision("allow") }));
    assert_snapshot!(place.ask(&server, &dry), @"");
    let server = FakeServer::start(|_, _| refusal(404, "there is no channel `prod`", &json!(null)));
    assert_snapshot!(place.ask(&server, &promote), @"");
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
    assert_snapshot!(place.ask(&server, &promote), @"");
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
    assert_snapshot!(place.ask(&server, &command), @"");
    assert_eq!(server.lines(), ["POST /v1/registry/rollback"]);
    let dry = [&command[..], &["--dry-run"]].concat();
    assert_snapshot!(place.ask(&FakeServer::always(200, &back), &dry), @"");
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
    assert_snapshot!(place.ask(&server, &["reg", "status"]), @"");
    let none = json!({ "channels": [], "promotions": [] });
    assert_snapshot!(place.ask(&FakeServer::always(200, &none), &["reg", "status", "prod"]), @"");
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
    assert_snapshot!(place.ask(&server, &["reg", "history", "prod:stable", "web"]), @"");
}

#[test]
fn figures_are_printed_one_a_line() {
    let place = Place::empty();
    let figures = json!({
        "repo": "apps/web", "image_count_by_env": { "dev": 3, "prod": 1 },
        "promotion_success_rate": 0.75,
    });
    let server = FakeServer::always(200, &figures);
    assert_snapshot!(place.ask(&server, &["reg", "metrics", "--repo", "apps/web"]), @"");
}

#[test]
fn the_log_tells_how_far_it_is_and_what_is_in_it() {
    let place = Place::empty();
    let status = json!({
        "origin": "registry.example.com", "size": 8, "integrated": 7, "checkpoint": "...",
        "keys": ["registry.example.com+2b9cf1a8+AZ"],
    });
    let server = FakeServer::always(200, &status);
    assert_snapshot!(place.ask(&server, &["log", "status"]), @"");
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
    assert_snapshot!(place.ask(&server, &["log", "list", "--limit", "2"]), @"");
    let server = FakeServer::always(200, &json!({ "entries": [], "next": null }));
    assert_snapshot!(place.ask(&server, &["log", "list", "--subject", "CVE-1"]), @"");
    let pending = "entry 8 is not part of the tree yet; wait with `wait=10`";
    let server = FakeServer::start(move |_, _| refusal(409, pending, &json!(null)));
    assert_snapshot!(place.ask(&server, &["log", "prove", "8"]), @"");
}
