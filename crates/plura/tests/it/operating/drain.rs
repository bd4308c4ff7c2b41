//! Stopping: what is under way is finished, what is idle is not waited for.

use std::time::{Duration, Instant};

use plura_testkit::raw::Connection;
use plura_testkit::{Random, Server, digest, eventually};
use tokio::net::TcpStream;

use super::{binary, metric, server};

/// More than the buffers of both ends of a connection hold, so that sending it waits for the reader.
const LARGE: usize = 48 << 20;

/// A request that pushes `bytes`, of which only the first half was sent.
async fn half_pushed(server: &Server, bytes: &[u8]) -> Connection {
    let client = server.client();
    let mut connection = Connection::open(&client.authority()).await;
    let target = format!("/v2/apps/slow/blobs/uploads/?digest={}", digest(bytes));
    let length = format!("Content-Length: {}", bytes.len());
    connection.send_head(&format!("POST {target}"), &[&length]).await;
    connection.send(&bytes[..bytes.len() / 2]).await;
    let under_way =
        || async { metric(&client, "plura_uploads_in_flight").await.filter(|n| *n > 0) };
    eventually("the upload is under way", under_way).await;
    connection
}

async fn refuses_connections(authority: &str) {
    let refused = || async { TcpStream::connect(authority).await.err() };
    eventually("new connections are refused", refused).await;
}

#[tokio::test]
async fn transfers_under_way_finish_and_new_connections_are_refused() {
    let mut server = Server::start(binary());
    let client = server.client();
    let mut random = Random::printed();
    let large = random.bytes(LARGE);
    let pulled = client.repository("apps/large").push_bytes(&large).await;

    let mut download = Connection::open(&client.authority()).await;
    download.send_head(&format!("GET /v2/apps/large/blobs/{pulled}"), &[]).await;
    download.answering().await;
    let bytes = random.bytes(200_000);
    let mut upload = half_pushed(&server, &bytes).await;

    server.terminate();
    refuses_connections(&client.authority()).await;
    upload.send(&bytes[bytes.len() / 2..]).await;
    upload.answer().await.expect(201);
    download.answer().await.expect(200).expect_body(&large);
    let ended = server.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(ended.log.contains("cut=0"), "{}", ended.log);

    // The answer was the truth.
    server.start_again();
    client.repository("apps/slow").get_blob(&digest(&bytes)).await.expect(200).expect_body(&bytes);
}

#[tokio::test]
async fn connections_without_a_request_do_not_hold_it_up() {
    let mut server = Server::start(binary());
    let client = server.client();
    let authority = client.authority();
    let mut used = Connection::open(&authority).await;
    used.send_head("GET /v2/", &[]).await;
    used.answer().await.expect(200);
    let mut untouched = Connection::open(&authority).await;
    let mut begun = Connection::open(&authority).await;
    begun.send(b"GET /v2/ HTTP/1.1\r\nHos").await;
    let http2 = client.with(reqwest::ClientBuilder::http2_prior_knowledge);
    http2.get("/v2/").await.expect(200);
    let all_open = || async { metric(&client, "plura_connections_open").await.filter(|n| *n >= 5) };
    eventually("all connections are accepted", all_open).await;

    let asked = Instant::now();
    let status = server.stop();
    // The time to drain is 30 seconds.
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(status.code(), Some(0));
    for connection in [&mut used, &mut untouched, &mut begun] {
        connection.closed().await;
    }
}

#[tokio::test]
async fn a_transfer_that_takes_longer_than_the_time_to_drain_is_cut() {
    let mut server = server(&[("PLURA_SERVER__DRAIN_TIMEOUT", "50ms")]).start();
    let bytes = Random::printed().bytes(200_000);
    let mut upload = half_pushed(&server, &bytes).await;
    server.terminate();
    upload.closed().await;
    let ended = server.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(ended.log.contains("cut=1"), "{}", ended.log);
}

#[tokio::test]
async fn a_session_interrupted_by_a_stop_goes_on_after_the_start() {
    let mut server = Server::start(binary());
    let repository = server.client().repository("apps/session");
    let bytes = Random::printed().bytes(100_000);
    let mut upload = repository.start_upload().await;
    upload.patch(0, bytes[..60_000].to_vec()).await.expect(202);
    server.restart();
    upload.patch(60_000, bytes[60_000..].to_vec()).await.expect(202);
    upload.finish(&digest(&bytes)).await.expect(201);
    repository.get_blob(&digest(&bytes)).await.expect(200).expect_body(&bytes);
}
