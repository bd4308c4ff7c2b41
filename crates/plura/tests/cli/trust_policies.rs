//! Trust policies, the trust root, and what is verified.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::Place;
use crate::fake_server::{FakeServer, answer, refusal};

/// The public key of `openssl ecparam -name prime256v1 -genkey`, made for this test.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+HALbEodtk1T67It+FvUXlUkXb5p
wMnyAjRJy0hSr/ifHh5TBbL0ERBTZ0UN3cASlxFirrh+/XsROKt4p6PEmA==
-----END PUBLIC KEY-----
";

fn policy() -> Value {
    json!({
        "name": "release", "repositories": ["apps/**"], "required": 2,
        "keys": [
            { "name": "alice", "pem": KEY, "region": "eu", "end": "2027-01-01T00:00:00Z" },
        ],
        "identities": [{
            "name": "ci", "issuer": "https://a.example", "subject_pattern": "^repo:.*$",
        }],
        "certificate_log": "required",
        "attestations": ["https://cyclonedx.org/bom"],
        "digest": "sha256:p", "changed_at": "2026-07-01T08:00:00Z",
    })
}

#[test]
fn policies_are_listed_and_shown() {
    let server = FakeServer::always(200, &json!({ "trust_policies": [policy()] }));
    assert_snapshot!(Place::empty().ask(&server, &["trust", "policy", "list"]), @r"
    exit: 0
    --- stdout
    NAME     REPOSITORIES  REQUIRED  SIGNERS    CHANGED
    release  apps/**       2         alice, ci  2026-07-01T08:00:00Z
    --- stderr
    ");
    let server = FakeServer::always(200, &policy());
    assert_snapshot!(Place::empty().ask(&server, &["trust", "policy", "show", "release"]), @r"
    exit: 0
    --- stdout
    name          release
    repositories  apps/**
    required      2
    keys          alice (sha256:d7ea61fa354929357d2f7b2b32afe2fc6cfa55f7e3d55ab0c91064bcf9ec29a3, in eu, until 2027-01-01T00:00:00Z)
    identities    ci (https://a.example: ^repo:.*$)
    notation      -
    log           -
    attestations  https://cyclonedx.org/bom
    digest        sha256:p
    changed       2026-07-01T08:00:00Z
    --- stderr
    ");
    assert_eq!(server.lines(), ["GET /api/v1/trust-policies/release"]);
}

#[test]
fn a_policy_is_made_of_options() {
    let place = Place::empty();
    place.write("release.pub", KEY);
    let server = FakeServer::always(200, &policy());
    let set = [
        "trust",
        "policy",
        "set",
        "release",
        "--repositories",
        "apps/**",
        "--key",
        "release.pub",
        "--identity",
        "ci",
        "--issuer",
        "https://a.example",
        "--subject-pattern",
        "^repo:.*$",
        "--required",
        "2",
        "--attestation",
        "cyclonedx",
    ];
    assert_snapshot!(place.ask(&server, &set), @r"
    exit: 0
    --- stdout
    --- stderr
    the trust policy `release` is in force
    ");
    let request = server.request();
    assert_eq!(request.line, "PUT /api/v1/trust-policies/release");
    assert_eq!(
        request.json(),
        json!({
            "name": "release", "repositories": ["apps/**"], "required": 2,
            "keys": [{ "name": "release", "pem": KEY }],
            "identities": [{
                "name": "ci", "issuer": "https://a.example", "subject_pattern": "^repo:.*$",
            }],
            "certificate_log": "required",
            "attestations": ["https://cyclonedx.org/bom"],
        })
    );
}

#[test]
fn a_policy_is_checked_without_a_server() {
    let place = Place::empty();
    place.write("a.toml", "name = 'a'\nrepositories = ['apps/**']\nkeys = []\n");
    assert_snapshot!(place.run(&["trust", "policy", "check", "a.toml"]), @r"
    exit: 1
    --- stdout
    --- stderr
    error: 1 of 0 signers are required; expected a policy that can be met

    hint: correct the trust policy
    ");
    place.write("b.toml", "name = 'a'\nrepositries = []\n");
    assert_snapshot!(place.run(&["trust", "policy", "check", "b.toml"]), @r"
    exit: 2
    --- stdout
    --- stderr
    error: cannot read `b.toml`
      caused by: unknown field `repositries`, expected one of `name`, `repositories`, `required`, `keys`, `identities`, `notation`, `log`, `certificate_log`, `attestations`

    hint: `plura trust policy show NAME --json` prints such a file
    ");
    let toml =
        format!("name = 'a'\nrepositories = ['a']\n[[keys]]\nname = 'k'\npem = '''{KEY}'''\n");
    place.write("c.toml", &toml);
    assert_snapshot!(place.run(&["trust", "policy", "check", "c.toml"]), @r"
    exit: 0
    --- stdout
    --- stderr
    the trust policy `a` is valid
    ");
}

#[test]
fn the_trust_root_is_shown() {
    let server = FakeServer::always(
        200,
        &json!({
            "is_set": true, "digest": "sha256:r", "authorities": ["https://fulcio.example"],
            "timestamp_authorities": [], "logs": ["https://rekor.example"], "certificate_logs": ["ct"],
        }),
    );
    assert_snapshot!(Place::empty().ask(&server, &["trust", "root", "show"]), @r"
    exit: 0
    --- stdout
    is                     set
    digest                 sha256:r
    authorities            https://fulcio.example
    certificate logs       ct
    logs                   https://rekor.example
    timestamp authorities  -
    --- stderr
    ");
}

fn evidence(verified: &Value) -> Value {
    json!({
        "repository": "apps/web", "digest": "sha256:d", "verified": verified, "verdicts": [],
        "signatures": [], "statements": [], "gathered_at": "2026-07-01T08:00:00Z",
    })
}

#[test]
fn where_no_policy_is_in_force_nothing_is_verified() {
    let server = FakeServer::always(200, &evidence(&Value::Null));
    let place = Place::empty();
    assert_snapshot!(place.ask(&server, &["verify", "apps/web:1.0"]), @r"
    exit: 1
    --- stdout
    not decided: apps/web@sha256:d
    --- stderr
    error: no trust policy is about apps/web

    hint: `plura trust policy set NAME --repositories 'apps/**' --key release.pub` sets one; `plura verify --key release.pub` asks what one would say
    ");
    assert_eq!(server.lines(), ["GET /api/v1/evidence?repository=apps%2Fweb&reference=1.0"]);
}

#[test]
fn what_a_key_would_say_is_asked_about_the_digest_that_was_found() {
    let place = Place::empty();
    place.write("release.pub", KEY);
    let verdict = json!({
        "digest": "sha256:d", "verified": false, "policy": "command line", "required": 1,
        "signers": [], "facts": [], "refusals": [],
        "reason": {
            "reason": "unsigned", "observed": "it has no signature", "required": "a signature",
            "fix": "sign the digest, e.g. with `plura sign`",
        },
        "inputs": {},
    });
    let server = FakeServer::start(move |request, _| match request.line.split(' ').next() {
        Some("GET") => answer(200, &evidence(&Value::Null)),
        _ => answer(200, &verdict),
    });
    let verify = ["verify", "apps/web:1.0", "--key", "release=release.pub", "--explain"];
    assert_snapshot!(place.ask(&server, &verify), @r"
    exit: 1
    --- stdout
    not verified: apps/web@sha256:d
      command line: not verified: it has no signature; expected a signature
    signatures: none
    statements: none
    --- stderr
    hint: sign the digest, e.g. with `plura sign`
    ");
    let request = server.requests().pop().expect("it was asked");
    let line = "POST /api/v1/evidence/verify?repository=apps%2Fweb&reference=sha256%3Ad";
    assert_eq!(request.line, line);
    assert_eq!(
        request.json(),
        json!({
            "name": "command line", "repositories": ["**"],
            "keys": [{ "name": "release", "pem": KEY }], "certificate_log": "required",
        })
    );
}

#[test]
fn what_is_not_there_is_an_answer() {
    let server = FakeServer::always(404, &Value::Null);
    let said = Place::empty().ask(&server, &["verify", "apps/web:1.0"]);
    assert!(said.starts_with("exit: 1"), "{said}");
    let server = FakeServer::start(|_, _| refusal(403, "denied", &json!({ "fix": "ask" })));
    assert_snapshot!(Place::empty().ask(&server, &["verify", "apps/web"]), @r"
    exit: 1
    --- stdout
    --- stderr
    error: the server answered 403 Forbidden: denied

    hint: ask
    ");
}
