//! Whoever is refused again and again fills nothing.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::Value;

use super::super::Closed;

fn count(entries: &[Value]) -> u64 {
    entries.iter().map(|entry| entry["detail"]["count"].as_u64().unwrap_or(1)).sum()
}

#[tokio::test]
async fn a_stranger_who_is_refused_a_thousand_times_leaves_a_few_rows() {
    const ATTEMPTS: u64 = 1000;
    let mut closed = Closed::start();
    let begun = Instant::now();
    let stranger = closed.client.bearer("nonsense");
    for _ in 0..ATTEMPTS / 20 {
        join_all((0..20).map(|_| async { stranger.get("/v2/").await.expect(401) })).await;
    }
    closed.server.restart();
    let entries = closed.audit("&action=login&outcome=denied").await;
    assert_eq!(count(&entries), ATTEMPTS);
    // The first, and one with the count, for each minute that this took.
    let most = 2 * (begun.elapsed().as_secs() / 60 + 1);
    assert!(entries.len() as u64 <= most, "{} rows", entries.len());
    for entry in &entries {
        assert!(entry["detail"]["reason"].is_string(), "{entry:#}");
        assert_eq!((&entry["address"], &entry["method"]), (&"127.0.0.1".into(), &"none".into()));
    }
    let summary = entries.iter().find(|entry| entry["detail"]["count"].is_u64()).expect("a count");
    assert!(summary["detail"]["since"].as_str().is_some_and(|since| since.ends_with('Z')));
}

#[tokio::test]
async fn different_refusals_of_one_address_are_counted_beyond_a_limit() {
    const ATTEMPTS: usize = 400;
    let mut closed = Closed::start();
    closed.project("vault").await;
    let dora = closed.user("dora").await;
    let begun = Instant::now();
    for attempt in 0..ATTEMPTS {
        let path = format!("/v2/vault/guess-{attempt}/manifests/v1");
        dora.client.get(&path).await.expect_error(403, "DENIED");
    }
    let minutes = begun.elapsed().as_secs() / 60 + 1;
    closed.server.restart();
    let entries = closed.audit("&outcome=denied").await;
    assert_eq!(count(&entries), ATTEMPTS as u64);
    assert!(entries.len() as u64 <= 121 * minutes, "{} rows", entries.len());
    let beyond: Vec<_> = entries.iter().filter(|entry| entry["action"] == "request.deny").collect();
    let [beyond, ..] = beyond.as_slice() else { panic!("nothing was beyond the limit") };
    assert_eq!(beyond["address"], "127.0.0.1");
    assert_eq!(beyond["detail"]["actions"]["manifest.pull"], beyond["detail"]["count"]);
    // Another one of that address is still in the audit by name for what is allowed.
    let (_, token) = closed.api_token(&dora, &[]).await;
    closed.client.bearer(&token).get("/api/v1/me").await.expect(200);
    assert_eq!(closed.audit("&actor=dora&action=token.create").await.len(), 1);
}
