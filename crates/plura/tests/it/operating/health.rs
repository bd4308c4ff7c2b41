//! What watchers ask: alive, ready; and what every answer carries.

use plura_testkit::{Answer, Client, PushMethod, Random, Server, assert_json, digest, eventually};
use serde_json::json;

use super::{binary, logged, metric, plura, server};

async fn ready_is(client: &Client, status: u16) -> Answer {
    let ask = || async {
        let answer = client.get("/readyz").await.expect_one_of(&[200, 503]);
        (answer.status == status).then_some(answer)
    };
    eventually(&format!("/readyz is {status}"), ask).await
}

#[tokio::test]
async fn a_server_whose_storage_fails_is_alive_but_not_ready_until_it_is_mended() {
    let server = server(&[
        ("PLURA_HEALTH__INTERVAL", "50ms"),
        ("PLURA_HEALTH__FAILURES", "2"),
        ("PLURA_COLLECTION__ENABLED", "false"),
    ])
    .start();
    let client = server.client();
    let repository = client.repository("apps/ill");
    client.get("/healthz").await.expect(200).expect_body(b"ok\n");
    assert_json(&client.get("/readyz").await.expect(200).json(), &json!({"ready": true}));
    assert_eq!(metric(&client, "plura_ready").await, Some(1));
    let kept = repository.push_bytes(b"pushed before").await;

    let (uploads, aside) = (server.data().join("uploads"), server.data().join("aside"));
    std::fs::rename(&uploads, &aside).expect("the directory is moved");
    std::fs::write(&uploads, "not a directory").expect("the file is written");
    let unready = ready_is(&client, 503).await;
    assert_eq!(unready.json()["ready"], json!(false));
    let problem = unready.json()["problem"].to_string();
    assert!(problem.contains("Not a directory"), "{problem}");
    assert_eq!(metric(&client, "plura_ready").await, Some(0));
    client.get("/healthz").await.expect(200);

    // What can be served is served; what cannot is the server's fault, and may be tried again.
    repository.get_blob(&kept).await.expect(200).expect_body(b"pushed before");
    let refused = repository.push_by(PushMethod::Post, b"x", &digest(b"x")).await;
    let refused = refused.expect_error(503, "UNAVAILABLE");
    assert!(refused.header_if_any("retry-after").is_some(), "{}", refused.describe());

    std::fs::remove_file(&uploads).expect("the file is removed");
    std::fs::rename(&aside, &uploads).expect("the directory is moved back");
    ready_is(&client, 200).await;
    repository.push_bytes(b"pushed after").await;
    for line in ["storage probe failed", "storage is well again"] {
        logged(&server, line).await;
    }
}

#[tokio::test]
async fn the_command_line_asks_whether_a_server_is_ready() {
    let server = server(&[
        ("PLURA_HEALTH__INTERVAL", "20ms"),
        ("PLURA_HEALTH__FAILURES", "1"),
        ("PLURA_COLLECTION__ENABLED", "false"),
    ])
    .start();
    let client = server.client();
    ready_is(&client, 200).await;
    plura(&["health", &server.base()]).expect(0).expect_stdout("ready");
    let directory = server.data().join("uploads");
    std::fs::rename(&directory, server.data().join("aside")).expect("the directory is moved");
    ready_is(&client, 503).await;
    plura(&["health", &server.base()]).expect(1).expect_stdout("not ready: ");
    let told = plura(&["health", "--json", &server.base()]).expect(1);
    assert!(told.stdout.contains("\"ready\": false"), "{told}");

    // A server that is not there, and one that is no plura.
    let address = server.base();
    drop(server);
    plura(&["health", &address]).expect(2).expect_stderr("does not answer");
}

#[tokio::test]
async fn a_server_stays_ready_below_the_configured_number_of_failures() {
    let server = server(&[
        ("PLURA_HEALTH__INTERVAL", "1ms"),
        ("PLURA_HEALTH__FAILURES", "4000000000"),
        ("FAULT_POINTS", "blob.probe=error"),
    ])
    .start();
    logged(&server, "failures=5").await;
    server.client().get("/readyz").await.expect(200);
}

#[tokio::test]
async fn every_answer_may_not_be_guessed_at_framed_or_run() {
    let server = Server::start(binary());
    let client = server.client();
    for path in ["/", "/healthz", "/readyz", "/metrics", "/nothing/here", "/v2/", "/v2/a/tags/list"]
    {
        client.get(path).await.expect_header("x-content-type-options", "nosniff");
    }
    for path in ["/", "/healthz", "/readyz", "/metrics", "/nothing/here"] {
        client
            .get(path)
            .await
            .expect_header("x-frame-options", "DENY")
            .expect_header("referrer-policy", "no-referrer")
            .expect_header("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    }
}

#[tokio::test]
async fn a_request_keeps_the_id_it_came_with_if_it_can_be_logged() {
    let server = Server::start(binary());
    let client = server.client();
    for path in ["/v2/", "/healthz", "/nothing/here"] {
        let answer = client.get(path).header("x-request-id", "proxy-0.1_A").await;
        answer.expect_header("x-request-id", "proxy-0.1_A");
    }
    let long = "x".repeat(65);
    for unusable in ["", "two words", "quote\"", long.as_str()] {
        let answer = client.get("/v2/").header("x-request-id", unusable).await;
        let id = answer.header("x-request-id");
        assert!(id != unusable && id.len() == 32, "{id}");
    }
    let ids = [client.get("/v2/").await, client.get("/v2/").await];
    assert_ne!(ids[0].header("x-request-id"), ids[1].header("x-request-id"));
}

#[tokio::test]
async fn a_path_that_is_nothing_is_an_error_in_json() {
    let server = Server::start(binary());
    let client = server.client();
    for path in ["/nothing/here", "/v1", "/v1/registry", "/v2x/", "/metrics/", "/.well-known/x"] {
        let answer = client.get(path).await.expect_error(404, "UNSUPPORTED");
        assert!(answer.error_message().contains("/v2/"), "{}", answer.error_message());
    }
    let wrong = client.get("/v1/registry/gc").await.expect_error(405, "UNSUPPORTED");
    assert!(wrong.header("allow").contains("POST"), "{}", wrong.describe());
    client.delete("/metrics").await.expect_error(405, "UNSUPPORTED");
    let root = client.get("/").await.expect(200);
    assert!(String::from_utf8_lossy(&root.body).contains("/v2/"));
}

#[tokio::test]
async fn a_failure_of_the_server_does_not_show_its_insides() {
    let server = server(&[("FAULT_POINTS", "blob.append=error")]).start();
    let bytes = Random::printed().bytes(100);
    let repository = server.client().repository("apps/failing");
    let refused = repository.push_by(PushMethod::Post, &bytes, &digest(&bytes)).await;
    let refused = refused.expect_error(503, "UNAVAILABLE");
    let text = String::from_utf8_lossy(&refused.body).into_owned();
    let data = server.data().display().to_string();
    assert!(!text.contains(&data) && !text.contains("fault point"), "{text}");
    logged(&server, "fault point blob.append").await;
}
