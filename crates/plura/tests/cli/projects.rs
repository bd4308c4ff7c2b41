//! Projects, their members, and what is trusted.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::fake_server::{FakeServer, answer};
use crate::{Place, run_with_input};

fn project() -> Value {
    json!({
        "name": "apps", "public": false, "quota_bytes": 5_368_709_120_u64, "quota_tags": null,
        "redirect": "inherit", "used_bytes": 1_610_612_736_u64, "used_tags": 12, "created_at": "2026-07-01T08:00:00Z",
    })
}

fn member(id: u64, subject: &str, role: &str) -> Value {
    json!({
        "id": id, "subject": subject, "role": role, "project": "apps", "repositories": null,
        "created_at": "2026-07-01T08:00:00Z", "created_by": "root",
    })
}

fn trust() -> Value {
    json!({
        "name": "github-main", "kind": "github",
        "issuer": "https://token.actions.githubusercontent.com",
        "audience": "https://registry.example.com",
        "conditions": {
            "ref": ["refs/heads/main", "refs/tags/v*"],
            "repository_id": ["1"],
        },
        "allow_pull_request_target": false, "jwks_file": null, "token_seconds": 900,
        "grants": [{ "role": "developer", "project": "apps", "repositories": null }],
        "created_at": "2026-07-01T08:00:00Z",
    })
}

#[test]
fn projects_are_listed_with_their_quota() {
    let server = FakeServer::always(200, &json!({ "projects": [project()], "next": null }));
    assert_snapshot!(Place::empty().ask(&server, &["project", "list"]), @r"
    exit: 0
    --- stdout
    NAME  PUBLIC  USED    QUOTA   TAGS  QUOTA
    apps  no      1.5GiB  5.0GiB  12    -
    --- stderr
    ");
}

#[test]
fn a_project_is_created_shown_changed_and_deleted() {
    let (place, server) = (Place::empty(), FakeServer::always(200, &project()));
    let asked = |arguments: &[&str]| {
        let said = place.ask(&server, &[&["project"], arguments].concat());
        assert!(said.starts_with("exit: 0"), "{said}");
        server.requests().pop().expect("it was asked")
    };
    let created = asked(&["create", "apps", "--public", "--quota-bytes", "5GiB"]);
    let expected = json!({ "name": "apps", "public": true, "quota_bytes": 5_368_709_120_u64 });
    assert_eq!((&*created.line, created.json()), ("POST /api/v1/projects", expected));
    assert_eq!(asked(&["show", "apps"]).line, "GET /api/v1/projects/apps");
    let created = asked(&["create", "apps", "--redirect=on"]).json();
    assert_eq!(created, json!({ "name": "apps", "public": false, "redirect": "on" }));
    let changed =
        asked(&["update", "apps", "--public=false", "--quota-bytes=none", "--quota-tags=5"]);
    let expected = json!({ "public": false, "quota_bytes": null, "quota_tags": 5 });
    assert_eq!((&*changed.line, changed.json()), ("PATCH /api/v1/projects/apps", expected));
    let changed = asked(&["update", "apps", "--redirect=inherit"]).json();
    assert_eq!(changed, json!({ "redirect": "inherit" }));
    assert_eq!(asked(&["delete", "apps"]).line, "DELETE /api/v1/projects/apps");
}

#[test]
fn members_are_listed_in_a_project_or_everywhere() {
    let members = [member(1, "user:alice", "developer"), member(2, "group:sre", "maintainer")];
    let server = FakeServer::always(200, &json!({ "members": members }));
    let place = Place::empty();
    assert_snapshot!(place.ask(&server, &["member", "list", "--project", "apps"]), @r"
    exit: 0
    --- stdout
    ID  SUBJECT     ROLE        REPOSITORIES  CREATED               BY
    1   user:alice  developer   -             2026-07-01T08:00:00Z  root
    2   group:sre   maintainer  -             2026-07-01T08:00:00Z  root
    --- stderr
    ");
    place.ask(&server, &["member", "list", "--everywhere"]);
    assert_eq!(server.lines(), ["GET /api/v1/projects/apps/members", "GET /api/v1/members"]);
    for wrong in [&["member", "list"][..], &["member", "list", "--everywhere", "--project", "a"]] {
        let said = place.ask(&server, wrong);
        assert!(said.starts_with("exit: 2"), "{said}");
    }
}

#[test]
fn a_member_is_added() {
    let server = FakeServer::always(200, &member(1, "user:alice", "developer"));
    let place = Place::empty();
    let add = ["member", "add", "user:alice", "--role", "developer", "--project", "apps"];
    assert_snapshot!(place.ask(&server, &add), @r"
    exit: 0
    --- stdout
    --- stderr
    user:alice is now developer in apps
    ");
    let request = server.request();
    assert_eq!(request.line, "POST /api/v1/projects/apps/members");
    assert_eq!(request.json(), json!({ "subject": "user:alice", "role": "developer" }));
}

#[test]
fn a_member_is_removed_by_subject_role_or_id() {
    let members = json!({ "members": [
        member(1, "user:alice", "developer"),
        member(2, "user:alice", "promoter"),
        member(3, "user:bob", "reader"),
    ]});
    let server = FakeServer::start(move |request, _| match request.line.split(' ').next() {
        Some("GET") => answer(200, &members),
        _ => answer(204, &Value::Null),
    });
    let place = Place::empty();
    let removed = |arguments: &[&str]| -> Vec<String> {
        let before = server.requests().len();
        place.ask(&server, &[&["member", "remove", "--project", "apps"], arguments].concat());
        let lines = server.lines().split_off(before);
        let deleted = lines.iter().filter_map(|line| {
            line.strip_prefix("DELETE /api/v1/projects/apps/members/").map(str::to_owned)
        });
        deleted.collect()
    };
    assert_eq!(removed(&["user:alice"]), ["1", "2"]);
    assert_eq!(removed(&["user:alice", "--role", "promoter"]), ["2"]);
    assert_eq!(removed(&["3"]), ["3"]);
    assert_eq!(removed(&["user:eve"]), [""; 0]);
    assert_snapshot!(place.ask(&server, &["member", "remove", "user:bob", "--project", "apps"]), @r"
    exit: 0
    --- stdout
    --- stderr
    user:bob is no longer reader in apps
    ");
    assert_snapshot!(place.ask(&server, &["member", "remove", "user:eve", "--project", "apps"]), @r"
    exit: 1
    --- stdout
    --- stderr
    error: there is no such member: user:eve
    ");
}

#[test]
fn trust_is_listed_and_shown() {
    let place = Place::empty();
    let server = FakeServer::always(200, &json!({ "trust": [trust()] }));
    assert_snapshot!(place.ask(&server, &["trust", "list"]), @r"
    exit: 0
    --- stdout
    NAME         KIND    CONDITIONS                                         MAY
    github-main  github  ref=refs/heads/main|refs/tags/v*, repository_id=1  developer in apps
    --- stderr
    ");
    let server = FakeServer::always(200, &trust());
    assert_snapshot!(place.ask(&server, &["trust", "show", "github-main"]), @r"
    exit: 0
    --- stdout
    name                 github-main
    kind                 github
    issuer               https://token.actions.githubusercontent.com
    audience             https://registry.example.com
    conditions           ref=refs/heads/main|refs/tags/v*, repository_id=1
    pull_request_target  no
    keys                 -
    token lifetime       900s
    may                  developer in apps
    created              2026-07-01T08:00:00Z
    --- stderr
    ");
}

/// What a server with this address is told to trust.
#[track_caller]
fn added(words: &str) -> Value {
    let server = FakeServer::always(201, &trust());
    let said = Place::empty().ask(&server, &words.split(' ').collect::<Vec<_>>());
    assert!(said.starts_with("exit: 0"), "{said}");
    let mut body = server.request().json();
    if body["audience"] == server.url() {
        body["audience"] = json!("HERE");
    }
    body
}

#[test]
fn trust_is_added_by_flags() {
    let github = "trust add github-main --github --repository-id 1 --owner-id 2 --ref \
                  refs/heads/main --ref refs/tags/v* --role developer --project apps";
    assert_eq!(
        added(github),
        json!({
            "name": "github-main", "kind": "github",
            "issuer": "https://token.actions.githubusercontent.com", "audience": "HERE",
            "conditions": {
                "repository_id": ["1"], "repository_owner_id": ["2"],
                "ref": ["refs/heads/main", "refs/tags/v*"],
            },
            "allow_pull_request_target": false,
            "grants": [{ "role": "developer", "project": "apps", "repositories": null }],
        })
    );
    let gitlab = "trust add tags --gitlab --issuer https://gitlab.test --project-id 42 --namespace-id 7 \
                  --ref-type tag --condition ref_protected=true --role promoter --token-lifetime 5m \
                  --audience plura";
    assert_eq!(
        added(gitlab),
        json!({
            "name": "tags", "kind": "gitlab", "issuer": "https://gitlab.test", "audience": "plura",
            "conditions": {
                "project_id": ["42"], "namespace_id": ["7"], "ref_type": ["tag"], "ref_protected": ["true"],
            },
            "allow_pull_request_target": false, "token_seconds": 300,
            "grants": [{ "role": "promoter", "project": null, "repositories": null }],
        })
    );
    let kubernetes = "trust add cluster --kubernetes --issuer https://k8s.test --namespace web \
                      --service-account-uid u-1 --jwks-file /etc/plura/k8s.json --role reader";
    let body = added(kubernetes);
    let conditions = json!({
        "kubernetes.io/namespace": ["web"], "kubernetes.io/serviceaccount/uid": ["u-1"],
    });
    assert_eq!(
        (&body["conditions"], &body["jwks_file"]),
        (&conditions, &json!("/etc/plura/k8s.json"))
    );
}

#[test]
fn flags_of_trust_that_do_not_go_together_are_misuse() {
    for (words, missing) in [
        ("trust add x --role reader", "--github"),
        ("trust add x --github --gitlab --role reader", "--gitlab"),
        ("trust add x --github --repository-id 1 --owner-id 2", "--role"),
        ("trust add x --github --repository-id 1 --role reader", "--owner-id"),
        ("trust add x --gitlab --project-id 1 --role reader", "--namespace-id"),
        ("trust add x --kubernetes --role reader", "--issuer"),
        ("trust add x --kubernetes --issuer https://a --role reader", "--service-account-uid"),
        ("trust add x --generic --issuer https://a --role reader", "--subject"),
        ("trust add x --gitlab --repository-id 1 --role reader", "--gitlab"),
        ("trust add x --file trust.json --ref main", "--file"),
        (
            "trust add x --generic --issuer https://a --subject s --role reader --condition =x",
            "sub=deploy",
        ),
    ] {
        let said = Place::empty().run(&words.split(' ').collect::<Vec<_>>());
        assert!(said.starts_with("exit: 2") && said.contains(missing), "{words}: {said}");
    }
}

#[test]
fn trust_is_added_from_what_show_prints() {
    let place = Place::empty();
    let server = FakeServer::always(200, &trust());
    place.write("trust.json", &trust().to_string());
    let add = ["trust", "add", "copy", "--file", "trust.json", "--replace"];
    assert_snapshot!(place.ask(&server, &add), @r"
    exit: 0
    --- stdout
    --- stderr
    `copy` is trusted
    ");
    let request = server.request();
    assert_eq!(request.line, "PUT /api/v1/trust/copy");
    let mut expected = trust();
    expected["name"] = json!("copy");
    expected.as_object_mut().expect("an object").remove("created_at");
    assert_eq!(request.json(), expected);

    let base = server.url();
    let command = place.plura(&["trust", "add", "copy", "--file", "-", "--server", &base]);
    run_with_input(command, &trust().to_string());
    assert_eq!(server.requests().pop().expect("it was asked").line, "POST /api/v1/trust");

    place.write("trust.json", "[]");
    let said = place.ask(&server, &add);
    assert!(said.contains("error: `trust.json` holds no JSON object"), "{said}");
}
