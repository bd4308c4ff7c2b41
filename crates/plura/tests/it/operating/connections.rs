//! Too many clients, silent clients, slow clients.

use std::time::Duration;

use plura_testkit::raw::Connection;
use plura_testkit::{Random, digest, eventually};

use super::{logged, metric, server};

#[tokio::test]
async fn a_client_beyond_the_limit_waits_and_is_served_when_another_ends() {
    let server = server(&[("PLURA_SERVER__MAX_CONNECTIONS", "2")]).start();
    let authority = server.client().authority();
    let mut others = Vec::new();
    for _ in 0..2 {
        let mut connection = Connection::open(&authority).await;
        connection.send_head("GET /v2/", &[]).await;
        connection.answer().await.expect(200);
        others.push(connection);
    }
    let mut third = Connection::open(&authority).await;
    third.send_head("GET /v2/", &[]).await;
    logged(&server, "the connection limit is reached").await;
    // Several whole conversations later the third still waits.
    for _ in 0..20 {
        others[0].send_head("GET /metrics", &[]).await;
        let metrics = others[0].answer().await.expect(200).body;
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        assert!(metrics.contains("\nplura_connections_open 2\n"), "{metrics}");
    }
    assert!(third.is_silent());
    drop(others.pop());
    third.answer().await.expect(200);
}

#[tokio::test]
async fn a_client_that_says_nothing_or_half_of_a_head_is_cut() {
    let server = server(&[("PLURA_SERVER__HEADER_TIMEOUT", "80ms")]).start();
    let client = server.client();
    for words in
        [&b""[..], b"G", b"GET /v2/ HTTP/1.1\r\nHost: a\r\nX-Half: ", b"PRI * HTTP/2.0\r\n"]
    {
        let mut connection = Connection::open(&client.authority()).await;
        connection.send(words).await;
        let answer = connection.closed().await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{answer:?}");
    }
    // Between requests there is no head to wait for.
    client.get("/v2/").await.expect(200);
    assert!(metric(&client, "plura_connections_cut").await >= Some(4));
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_the_idle_time() {
    let server = server(&[("PLURA_SERVER__IDLE_TIMEOUT", "80ms")]).start();
    let mut connection = Connection::open(&server.client().authority()).await;
    connection.send_head("GET /v2/", &[]).await;
    connection.answer().await.expect(200);
    assert_eq!(connection.closed().await, b"");
}

#[tokio::test]
async fn an_upload_that_stalls_is_cut_and_can_be_continued() {
    let server = server(&[("PLURA_SERVER__STALL_TIMEOUT", "80ms")]).start();
    let client = server.client();
    let repository = client.repository("apps/stalled");
    let bytes = Random::printed().bytes(1000);
    let mut upload = repository.start_upload().await;
    let mut connection = Connection::open(&client.authority()).await;
    let line = format!("PATCH {}", upload.location);
    connection.send_head(&line, &["Content-Length: 1000"]).await;
    connection.send(&bytes[..400]).await;
    let answer = connection.closed().await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    upload.progress().await.expect(204).expect_header("range", "0-399");
    upload.patch(400, bytes[400..].to_vec()).await.expect(202);
    upload.finish(&digest(&bytes)).await.expect(201);
}

#[tokio::test]
async fn a_download_that_nobody_reads_is_cut() {
    let server = server(&[("PLURA_SERVER__STALL_TIMEOUT", "80ms")]).start();
    let client = server.client();
    // More than the buffers of both ends hold.
    let bytes = Random::printed().bytes(48 << 20);
    let pushed = client.repository("apps/unread").push_bytes(&bytes).await;
    let mut connection = Connection::open(&client.authority()).await;
    connection.send_head(&format!("GET /v2/apps/unread/blobs/{pushed}"), &[]).await;
    let cut = || async { metric(&client, "plura_connections_cut").await.filter(|cut| *cut >= 1) };
    eventually("the download is cut", cut).await;
    assert!(connection.closed().await.len() < bytes.len());
}

/// Progress, however slow, has no limit: in all this takes longer than a stall may.
#[tokio::test]
async fn an_upload_that_is_slow_but_goes_on_is_not_cut() {
    let server = server(&[("PLURA_SERVER__STALL_TIMEOUT", "1s")]).start();
    let client = server.client();
    let bytes = Random::printed().bytes(15);
    let mut connection = Connection::open(&client.authority()).await;
    let line = format!("POST /v2/apps/slow/blobs/uploads/?digest={}", digest(&bytes));
    connection.send_head(&line, &["Content-Length: 15"]).await;
    // Slowness is what is tested, so time has to pass.
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for byte in &bytes {
        pace.tick().await;
        connection.send(std::slice::from_ref(byte)).await;
    }
    connection.answer().await.expect(201);
}
