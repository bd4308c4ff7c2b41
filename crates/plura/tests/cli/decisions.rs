//! `plura policy` with a server, `plura reg why`, and what people and robots say about images.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::Place;
use crate::fake_server::{FakeServer, answer};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const STRICT: &str = "format = 1\n[gates.production.secrets]\n";
const LAX: &str = "format = 1\n[gates.production.secrets]\nmode = \"warn\"\n";

fn version(number: u32, document: Option<&str>) -> Value {
    json!({
        "version": number, "digest": DIGEST, "document": document, "author": "alice",
        "reason": "the first one", "applied_at": "2026-07-01T08:00:00Z",
    })
}

#[test]
fn what_becomes_laxer_is_applied_only_if_that_is_said() {
    let place = Place::empty();
    place.write("new.toml", LAX);
    let server = FakeServer::start(|request, _| match request.line.split(' ').next() {
        Some("GET") => answer(200, &version(1, Some(STRICT))),
        _ => answer(200, &version(2, None)),
    });
    let apply = ["policy", "apply", "new.toml", "--reason", "for now"];
    assert_snapshot!(place.ask(&server, &apply), @r#"
    exit: 1
    --- stdout
    laxer    gates.production.secrets.mode: "enforce" becomes "warn"
    --- stderr
    0 stricter, 1 laxer, 0 other
    error: what becomes laxer: 1; nothing was done

    hint: if that is meant, say it with `--yes`
    "#);
    assert_eq!(server.lines(), ["GET /api/v1/policy"]);
    let apply = ["policy", "apply", "new.toml", "--reason", "for now", "--yes"];
    assert_snapshot!(place.ask(&server, &apply), @r#"
    exit: 0
    --- stdout
    laxer    gates.production.secrets.mode: "enforce" becomes "warn"
    --- stderr
    0 stricter, 1 laxer, 0 other
    version 2 is in force: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    "#);
    let lines = server.lines();
    let digest = DIGEST.replace(':', "%3A");
    assert_eq!(
        lines.last().map(String::as_str),
        Some(format!("PUT /api/v1/policy?reason=for+now&expect={digest}").as_str())
    );
    assert_eq!(server.requests().last().map(|request| request.body.clone()), Some(LAX.to_owned()));
}

#[test]
fn a_document_is_compared_with_the_one_in_force() {
    let place = Place::empty();
    place.write("new.toml", LAX);
    let server = FakeServer::always(200, &version(1, Some(STRICT)));
    assert_snapshot!(place.ask(&server, &["policy", "diff", "new.toml"]), @r#"
    exit: 0
    --- stdout
    laxer    gates.production.secrets.mode: "enforce" becomes "warn"
    --- stderr
    0 stricter, 1 laxer, 0 other
    "#);
    assert_snapshot!(place.ask(&server, &["policy", "show"]), @r"
    exit: 0
    --- stdout
    format = 1
    [gates.production.secrets]
    --- stderr
    ");
    assert_snapshot!(place.ask(&server, &["policy", "show", "--version", "1"]), @r"
    exit: 0
    --- stdout
    format = 1
    [gates.production.secrets]
    --- stderr
    ");
    let history = json!({ "versions": [version(2, None), version(1, None)] });
    let server = FakeServer::always(200, &history);
    assert_snapshot!(place.ask(&server, &["policy", "history"]), @r"
    exit: 0
    --- stdout
    VERSION  APPLIED               AUTHOR  DIGEST                                                                   REASON
    2        2026-07-01T08:00:00Z  alice   sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  the first one
    1        2026-07-01T08:00:00Z  alice   sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  the first one
    --- stderr
    ");
}

fn outcome(effect: &str, until: Option<&str>) -> Value {
    let outcome = json!({
        "gate": "vulnerabilities", "rule": "gates.production.vulnerabilities", "effect": effect,
        "mode": "enforce", "platform": "linux/amd64", "observed": "1 critical: CVE-2026-1",
        "required": "no critical", "fix": "update openssl to 3.0.15", "until": until,
    });
    outcome
}

fn decision(effect: &str) -> Value {
    let allowed = json!({
        "gate": "non_root", "rule": "gates.production.non_root", "effect": "allow",
        "mode": "enforce", "observed": "it runs as 1000", "required": "another user than root",
    });
    json!({
        "repository": "apps/web", "digest": DIGEST, "channel": "prod:stable", "effect": effect,
        "outcomes": [allowed, outcome(effect, None)],
        "decided_at": "2026-07-01T10:00:00Z", "policy": DIGEST, "facts": DIGEST,
    })
}

#[test]
fn why_an_image_may_not_be_in_a_channel_is_told() {
    let place = Place::empty();
    let mut after = outcome("allow", None);
    after["observed"] = json!("none that counts");
    let change = json!({
        "before": "deny", "after": "allow",
        "outcomes": [{
            "rule": "gates.production.vulnerabilities", "platform": "linux/amd64",
            "before": outcome("deny", None), "after": after,
        }],
    });
    let answer = json!({ "version": 3, "decision": decision("deny"), "if_exception": change });
    let server = FakeServer::always(200, &answer);
    let why = ["reg", "why", "apps/web:1.0.0", "--to", "prod"];
    assert_snapshot!(place.ask(&server, &why), @r"
    exit: 1
    --- stdout
    apps/web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 may not be in prod:stable
    deny  gates.production.vulnerabilities (linux/amd64): 1 critical: CVE-2026-1; required: no critical
          fix: update openssl to 3.0.15
    allow gates.production.non_root: it runs as 1000; required: another user than root
    --- stderr
    ");
    let why = [&why[..], &["--if-exception", "CVE-2026-1"]].concat();
    assert_snapshot!(place.ask(&server, &why), @r"
    exit: 1
    --- stdout
    apps/web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 may not be in prod:stable
    deny  gates.production.vulnerabilities (linux/amd64): 1 critical: CVE-2026-1; required: no critical
          fix: update openssl to 3.0.15
    allow gates.production.non_root: it runs as 1000; required: another user than root

    with an exception for CVE-2026-1: deny becomes allow
    gates.production.vulnerabilities (linux/amd64): deny becomes allow: none that counts
    --- stderr
    ");
    assert_eq!(
        server.lines(),
        [
            "GET /api/v1/decisions?repository=apps%2Fweb&reference=1.0.0&channel=prod%3Astable",
            "GET /api/v1/decisions?repository=apps%2Fweb&reference=1.0.0&channel=prod%3Astable\
             &if_exception=CVE-2026-1",
        ]
    );
    let server = FakeServer::always(200, &json!({ "version": 3, "decision": decision("wait") }));
    let said = place.ask(&server, &["reg", "why", "apps/web:1.0.0", "--to", "prod"]);
    assert!(said.starts_with("exit: 3"), "{said}");
}

#[test]
fn decisions_that_would_be_others_are_listed() {
    let place = Place::empty();
    place.write("new.toml", LAX);
    let mut lax = outcome("deny", None);
    lax["mode"] = json!("warn");
    let simulation = json!({
        "decisions": 12, "not_asked": 1, "different": 1, "more": false,
        "changes": [{
            "id": 7, "repository": "apps/web", "digest": DIGEST, "channel": "prod:stable",
            "decided_at": "2026-07-01T10:00:00Z",
            "change": { "before": "deny", "after": "allow", "outcomes": [{
                "rule": "gates.production.vulnerabilities", "platform": "linux/amd64",
                "before": outcome("deny", None), "after": lax,
            }] },
        }],
    });
    let server = FakeServer::always(200, &simulation);
    let simulate = ["policy", "simulate", "new.toml", "--since", "36h"];
    assert_snapshot!(place.ask(&server, &simulate), @r"
    exit: 0
    --- stdout
    2026-07-01T10:00:00Z  prod:stable  apps/web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  deny becomes allow
      gates.production.vulnerabilities (linux/amd64): deny, enforce becomes warn: 1 critical: CVE-2026-1
    --- stderr
    1 of 12 decisions would be another
    not asked again: 1, about channels that it does not have or that are not for the repository
    ");
    assert_eq!(server.lines(), ["POST /api/v1/policy/simulate?days=2"]);
}

#[test]
fn approvals_are_given_listed_and_taken_back() {
    let place = Place::empty();
    let approval = json!({
        "id": "01997a62-5b0c-7d51-9a3e-6f6d2b1f2a11", "repository": "apps/web", "digest": DIGEST,
        "channel": "prod:stable", "by": "alice", "roles": ["maintainer"], "reason": "tested",
        "at": "2026-07-01T10:00:00Z", "expires": null, "revoked_at": null, "revoked_by": null,
        "is_authors": true,
    });
    let server = FakeServer::always(200, &approval);
    let approve = ["reg", "approve", "apps/web:1.0.0", "--to", "prod:stable", "--reason", "tested"];
    assert_snapshot!(place.ask(&server, &approve), @r"
    exit: 0
    --- stdout
    --- stderr
    warning: you pushed it yourself, so that your approval is not enough
    approved apps/web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 for prod:stable
    ");
    let request = server.request();
    assert_eq!(request.line, "POST /api/v1/approvals?repository=apps%2Fweb&reference=1.0.0");
    assert_eq!(request.json(), json!({ "channel": "prod:stable", "reason": "tested" }));
    let server = FakeServer::always(200, &json!({ "approvals": [approval] }));
    assert_snapshot!(place.ask(&server, &["reg", "approvals", "apps/web:1.0.0"]), @r"
    exit: 0
    --- stdout
    APPROVAL                              CHANNEL      BY     ROLES       AT                    EXPIRES  REVOKED  AUTHOR  REASON
    01997a62-5b0c-7d51-9a3e-6f6d2b1f2a11  prod:stable  alice  maintainer  2026-07-01T10:00:00Z  -        -        yes     tested
    --- stderr
    ");
    let server = FakeServer::always(200, &Value::Null);
    assert_snapshot!(place.ask(&server, &["reg", "revoke", "apps/web", "0199"]), @r"
    exit: 0
    --- stdout
    --- stderr
    took the approval 0199 back
    ");
    assert_eq!(server.lines(), ["DELETE /api/v1/approvals?repository=apps%2Fweb&approval=0199"]);
}

#[test]
fn results_of_checks_are_posted_and_listed() {
    let place = Place::empty();
    let check = json!({
        "repository": "apps/web", "digest": DIGEST, "name": "smoke", "state": "success",
        "detail": "", "by": "robot+apps+ci", "at": "2026-07-01T10:00:00Z",
    });
    let server = FakeServer::always(200, &check);
    let post = ["reg", "post-check", "apps/web:1.0.0", "smoke", "success"];
    assert_snapshot!(place.ask(&server, &post), @r"
    exit: 0
    --- stdout
    --- stderr
    smoke of apps/web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855: success
    ");
    assert_eq!(server.request().json(), json!({ "name": "smoke", "state": "success" }));
    let server = FakeServer::always(200, &json!({ "checks": [check] }));
    assert_snapshot!(place.ask(&server, &["reg", "checks", "apps/web:1.0.0"]), @r"
    exit: 0
    --- stdout
    CHECK  STATE    BY             AT                    DETAIL
    smoke  success  robot+apps+ci  2026-07-01T10:00:00Z  -
    --- stderr
    ");
}

#[test]
fn digests_are_blocked_everywhere_or_in_a_repository() {
    let place = Place::empty();
    let block = |repository: Option<&str>| {
        json!({
            "id": "0199", "digest": DIGEST, "repository": repository, "kind": "manual",
            "reason": "leaks a key", "by": "alice", "at": "2026-07-01T10:00:00Z",
        })
    };
    let server = FakeServer::always(200, &block(None));
    let everywhere = ["reg", "block", DIGEST, "--reason", "leaks a key"];
    assert_snapshot!(place.ask(&server, &everywhere), @r"
    exit: 0
    --- stdout
    --- stderr
    blocked sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    ");
    assert_eq!(server.request().json(), json!({ "digest": DIGEST, "reason": "leaks a key" }));
    let named = format!("apps/web@{DIGEST}");
    let server = FakeServer::always(200, &Value::Null);
    assert_snapshot!(place.ask(&server, &["reg", "unblock", &named, "--reason", "mended"]), @r"
    exit: 0
    --- stdout
    --- stderr
    lifted the block of apps/web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    ");
    let digest = DIGEST.replace(':', "%3A");
    assert_eq!(
        server.lines(),
        [format!("DELETE /api/v1/blocks?digest={digest}&repository=apps%2Fweb&reason=mended")]
    );
    let all = json!({ "blocks": [block(None), block(Some("apps/web"))] });
    let server = FakeServer::always(200, &all);
    assert_snapshot!(place.ask(&server, &["reg", "blocks"]), @r"
    exit: 0
    --- stdout
    DIGEST                                                                   REPOSITORY  KIND    BY     AT                    REASON
    sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  everywhere  manual  alice  2026-07-01T10:00:00Z  leaks a key
    sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  apps/web    manual  alice  2026-07-01T10:00:00Z  leaks a key
    --- stderr
    ");
}

#[test]
fn channels_are_frozen_for_a_time() {
    let place = Place::empty();
    let freeze = json!({
        "id": "0199", "channels": "prod:*", "reason": "the launch", "by": "alice",
        "begins": "2026-07-01T10:00:00Z", "ends": "2026-07-02T00:00:00Z",
    });
    let server = FakeServer::always(200, &freeze);
    let begin = ["reg", "freeze", "prod:*", "--until", "2026-07-02", "--reason", "the launch"];
    assert_snapshot!(place.ask(&server, &begin), @r"
    exit: 0
    --- stdout
    --- stderr
    nothing moves into prod:* until 2026-07-02T00:00:00Z; `plura reg unfreeze 0199` ends it before
    ");
    assert_eq!(
        server.request().json(),
        json!({ "channels": "prod:*", "reason": "the launch", "until": "2026-07-02T00:00:00Z" })
    );
    let server = FakeServer::always(200, &json!({ "freezes": [freeze] }));
    assert_snapshot!(place.ask(&server, &["reg", "freezes"]), @r"
    exit: 0
    --- stdout
    FREEZE  CHANNELS  BY     BEGINS                ENDS                  REASON
    0199    prod:*    alice  2026-07-01T10:00:00Z  2026-07-02T00:00:00Z  the launch
    --- stderr
    ");
    let server = FakeServer::always(200, &Value::Null);
    assert_snapshot!(place.ask(&server, &["reg", "unfreeze", "0199"]), @r"
    exit: 0
    --- stdout
    --- stderr
    ended the freeze 0199
    ");
    assert_eq!(server.lines(), ["DELETE /api/v1/freezes/0199"]);
}
