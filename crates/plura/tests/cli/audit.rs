//! Reading the audit log.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::Place;
use crate::fake_server::{FakeServer, Request, answer};

fn entry(id: u64) -> Value {
    json!({
        "id": id, "at": "2026-07-29T10:00:00Z", "request_id": "r1",
        "actor": { "kind": "robot", "name": "robot+apps+ci" }, "method": "robot",
        "address": "10.0.0.7", "action": "manifest.push", "target": format!("apps/x:{id}"),
        "outcome": "allowed", "rule": "grant", "detail": {},
    })
}

/// Entries 250 to 1, the newest first.
fn log(request: &Request) -> Value {
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = request.line.split_once(&format!("{name}="))?;
        rest.split('&').next()?.parse().ok()
    };
    let before = number("before").unwrap_or(251);
    let limit = number("limit").expect("a limit is always given");
    let first = before.saturating_sub(limit).max(1);
    let entries: Vec<Value> = (first..before).rev().map(entry).collect();
    json!({ "entries": entries, "next": (first > 1).then_some(first) })
}

fn server() -> FakeServer {
    FakeServer::start(|request, _| answer(200, &log(request)))
}

#[test]
fn entries_are_lines_of_a_table() {
    assert_snapshot!(Place::empty().ask(&server(), &["audit", "--limit", "2"]), @r"
    exit: 0
    --- stdout
    TIME                  ACTOR          METHOD  ADDRESS   ACTION         TARGET      OUTCOME  RULE
    2026-07-29T10:00:00Z  robot+apps+ci  robot   10.0.0.7  manifest.push  apps/x:250  allowed  grant
    2026-07-29T10:00:00Z  robot+apps+ci  robot   10.0.0.7  manifest.push  apps/x:249  allowed  grant
    --- stderr
    there are more; ask for them with `--limit`
    ");
}

#[test]
fn pages_are_read_up_to_the_limit() {
    let (place, server) = (Place::empty(), server());
    let said = place.ask(&server, &["audit", "--jsonl", "--limit", "220"]);
    let lines: Vec<Value> =
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let expected: Vec<Value> = (31..=250).rev().map(entry).collect();
    assert_eq!(lines, expected);
    assert_eq!(
        server.lines(),
        [
            "GET /api/v1/audit?limit=100",
            "GET /api/v1/audit?before=151&limit=100",
            "GET /api/v1/audit?before=51&limit=20"
        ]
    );
}

#[test]
fn a_log_that_ends_before_the_limit_is_read_to_its_end() {
    let (place, server) = (Place::empty(), server());
    let mut command = place.plura(&["audit", "--json", "--limit", "1000"]);
    command.env("PLURA_SERVER", server.url());
    let entries: Vec<Value> = serde_json::from_str(&crate::data(command)).expect("it is JSON");
    assert_eq!(entries.len(), 250);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn what_is_asked_for_is_the_servers_to_find() {
    let server = FakeServer::always(200, &json!({ "entries": [], "next": null }));
    let words = "audit --actor alice --action manifest.push --target apps/x:1 --outcome denied \
                 --project apps --since 2026-07-01 --until 2026-07-02T12:00:00+02:00";
    let said = Place::empty().ask(&server, &words.split(' ').collect::<Vec<_>>());
    assert_snapshot!(said, @r"
    exit: 0
    --- stdout
    --- stderr
    there are no such entries
    ");
    assert_snapshot!(server.request().line, @"GET /api/v1/audit?actor=alice&action=manifest.push&target=apps%2Fx%3A1&outcome=denied&project=apps&since=2026-07-01T00%3A00%3A00Z&until=2026-07-02T10%3A00%3A00Z&limit=100");
}
