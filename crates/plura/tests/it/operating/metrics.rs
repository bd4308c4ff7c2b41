//! `/metrics`: in the format it claims, and true.

use std::collections::BTreeMap;

use plura_testkit::{Client, Random, Server, eventually};
use serde_json::json;

use super::{binary, metric, server};

/// Reads the text as `OpenMetrics`: every family is declared once, before its samples, and every
/// sample belongs to one. Returns the samples.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    let mut samples = BTreeMap::new();
    let mut lines = text.lines();
    assert_eq!(lines.next_back(), Some("# EOF"), "{text}");
    for line in lines {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (family, kind) = declared.split_once(' ').expect("a name and a type");
            let before = types.insert(family.to_owned(), kind.to_owned());
            assert_eq!(before, None, "declared twice: {line}");
        } else if let Some(help) = line.strip_prefix("# HELP ") {
            let (_, words) = help.split_once(' ').expect("a name and words");
            assert!(!words.is_empty(), "{line}");
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
            let name = sample.split('{').next().expect("a name");
            assert!(name.starts_with("plura_"), "{line}");
            assert!(is_declared(name, &types), "belongs to no declared metric: {line}");
            assert_eq!(samples.insert(sample.to_owned(), value), None, "twice: {line}");
        }
    }
    samples
}

fn is_declared(name: &str, types: &BTreeMap<String, String>) -> bool {
    let of = |suffixes: &[&str], kind: &str| {
        let families = suffixes.iter().filter_map(|suffix| name.strip_suffix(suffix));
        families.into_iter().any(|family| types.get(family).is_some_and(|found| found == kind))
    };
    of(&["_total"], "counter")
        || of(&["_bucket", "_sum", "_count"], "histogram")
        || of(&[""], "gauge")
}

async fn read(client: &Client) -> BTreeMap<String, f64> {
    let answer = client.get("/metrics").await.expect(200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    samples(std::str::from_utf8(&answer.body).expect("metrics are text"))
}

#[tokio::test]
async fn every_sample_belongs_to_a_declared_metric_and_requests_are_counted() {
    let server = Server::start(binary());
    let client = server.client();
    for _ in 0..3 {
        client.get("/v2/").await.expect(200);
    }
    client.get("/v2/apps/none/tags/list").await.expect(404);
    client.get("/v2/APPS/none/tags/list").await.expect_one_of(&[400, 404]);
    client.repository("apps/counted").push_bytes(b"counted").await;
    client.get("/nothing").await.expect(404);
    let samples = read(&client).await;
    for (sample, expected) in [
        (r#"plura_requests_total{action="ping",status="200"}"#, 3.0),
        (r#"plura_requests_total{action="list_tags",status="404"}"#, 1.0),
        (r#"plura_requests_total{action="start_upload",status="202"}"#, 1.0),
        (r#"plura_requests_total{action="finish_upload",status="201"}"#, 1.0),
        (r#"plura_request_duration_seconds_count{action="ping"}"#, 3.0),
        (r#"plura_request_duration_seconds_bucket{le="+Inf",action="ping"}"#, 3.0),
        ("plura_storage_blobs", 1.0),
        ("plura_registry_storage_bytes", 7.0),
        ("plura_ready", 1.0),
    ] {
        assert_eq!(samples.get(sample), Some(&expected), "{sample} in {samples:#?}");
    }
    assert!(samples["plura_connections_accepted"] >= 1.0, "{samples:#?}");
    assert!(samples["plura_received_bytes"] > 0.0 && samples["plura_sent_bytes"] > 0.0);
}

#[tokio::test]
async fn storage_follows_a_push_and_a_collection() {
    let environment = [("PLURA_COLLECTION__ENABLED", "false"), ("PLURA_COLLECTION__GRACE", "0s")];
    let server = server(&environment).start();
    let client = server.client();
    let mut random = Random::printed();
    assert_eq!(metric(&client, "plura_registry_storage_bytes").await, Some(0));
    let bytes = random.bytes(12_345);
    client.repository("apps/one").push_bytes(&bytes).await;
    // The same content in a second repository is stored once.
    client.repository("apps/two").push_bytes(&bytes).await;
    client.repository("apps/two").push_bytes(&random.bytes(55)).await;
    assert_eq!(metric(&client, "plura_registry_storage_bytes").await, Some(12_400));
    assert_eq!(metric(&client, "plura_storage_blobs").await, Some(2));

    let request = client.post("/v1/registry/gc").header("content-type", "application/json");
    let report = request.body(json!({}).to_string()).await.expect(200).json();
    assert_eq!(report["bytes"], json!(12_400));
    let samples = read(&client).await;
    for (sample, expected) in [
        ("plura_registry_storage_bytes", 0.0),
        ("plura_storage_blobs", 0.0),
        ("plura_gc_reclaim_bytes", 12_400.0),
        ("plura_gc_reclaim_blobs", 2.0),
        (r#"plura_collections_total{outcome="done"}"#, 1.0),
    ] {
        assert_eq!(samples.get(sample), Some(&expected), "{sample} in {samples:#?}");
    }
    assert!(samples["plura_collection_last_done_seconds"] > 1.7e9);
}

#[tokio::test]
async fn uploads_in_flight_return_to_none_however_they_end() {
    let server = Server::start(binary());
    let client = server.client();
    let repository = client.repository("apps/flying");
    let in_flight = |expected: u64| {
        let client = client.clone();
        async move {
            let is = || async {
                metric(&client, "plura_uploads_in_flight").await.filter(|found| *found == expected)
            };
            eventually(&format!("{expected} uploads are in flight"), is).await;
        }
    };
    in_flight(0).await;
    let mut connections = Vec::new();
    for expected in [1, 2, 3] {
        let upload = repository.start_upload().await;
        let mut connection = plura_testkit::raw::Connection::open(&client.authority()).await;
        connection.send_head(&format!("PATCH {}", upload.location), &["Content-Length: 10"]).await;
        connection.send(b"half ").await;
        connections.push(connection);
        in_flight(expected).await;
    }
    // One is finished, one is dropped, one goes on with too little and ends.
    connections[0].send(b"whole").await;
    connections[0].answer().await.expect(202);
    in_flight(2).await;
    drop(connections.pop());
    in_flight(1).await;
    drop(connections.pop());
    in_flight(0).await;
}
