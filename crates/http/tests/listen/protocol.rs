//! Protocols, extensions, limits and panics.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use http::{Method, Response, StatusCode, Version};
use plura_http::body::Body;
use plura_http::listen::{Connection, Metrics, Options};

use crate::support::{Server, collect, eventually, pipeline, within};

#[tokio::test]
async fn a_connection_serves_request_after_request() {
    let server = Server::start(Options::default(), |request| async move {
        let path = request.uri().path().to_owned();
        let body = collect(request.into_body()).await.unwrap();
        Response::new(Body::from(format!("{path} {}", body.len())))
    })
    .await;
    let mut client = server.connect().await;
    assert_eq!(client.fetch("/a").await, (200, b"/a 0".to_vec()));
    client.send("PUT /b HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc").await;
    assert_eq!(client.answer().await, (200, b"/b 3".to_vec()));
    client.send("PUT /c HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.send("5\r\nhello\r\n0\r\n\r\n").await;
    assert_eq!(client.answer().await, (200, b"/c 5".to_vec()));
    assert_eq!(Metrics::get(&server.metrics.accepted), 1);
    assert_eq!(Metrics::get(&server.metrics.open), 1);
    drop(client);
    eventually(|| Metrics::get(&server.metrics.open) == 0).await;
}

#[tokio::test]
async fn requests_learn_about_their_connection() {
    let seen = Arc::new(Mutex::new(None));
    let note = Arc::clone(&seen);
    let server = Server::start(Options::default(), move |request| {
        *note.lock().unwrap() = request.extensions().get::<Connection>().cloned();
        async { Response::new(Body::empty()) }
    })
    .await;
    let mut client = server.connect().await;
    client.fetch("/").await;
    let connection = seen.lock().unwrap().take().unwrap();
    assert_eq!(connection.peer, client.0.get_ref().local_addr().unwrap());
    assert_eq!(connection.peer.ip(), IpAddr::from([127, 0, 0, 1]));
    assert!(!connection.tls);
}

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge() {
    let server = Server::start(Options::default(), |request| async move {
        assert_eq!(request.version(), Version::HTTP_2);
        let body = collect(request.into_body()).await.unwrap();
        Response::new(Body::from(body))
    })
    .await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/", server.address);
    let upload = vec![7; 3 * 1024 * 1024];
    let exchange = || async {
        let answer = client.put(&url).body(upload.clone()).send().await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        assert_eq!(answer.bytes().await.unwrap(), upload);
    };
    within(futures_util::future::join_all((0..8).map(|_| exchange()))).await;
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let server = Server::start(Options::default(), |request| {
        assert_ne!(request.uri().path(), "/at-once", "wanted");
        async move {
            assert_ne!(request.uri().path(), "/later", "wanted");
            Response::new(Body::from("fine"))
        }
    })
    .await;
    let mut client = server.connect().await;
    assert_eq!(client.fetch("/at-once").await.0, 500);
    assert_eq!(client.fetch("/later").await.0, 500);
    assert_eq!(client.fetch("/").await, (200, b"fine".to_vec()));
    assert_eq!(Metrics::get(&server.metrics.panics), 2);
}

#[tokio::test]
async fn beyond_the_limit_connections_wait() {
    let options = Options { max_connections: 2, ..Options::default() };
    let server = Server::start(options, |_| async { Response::new(Body::from("served")) }).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    first.fetch("/").await;
    second.fetch("/").await;
    let mut third = server.connect().await;
    third.get("/").await;
    eventually(|| Metrics::get(&server.metrics.limited) == 1).await;
    first.fetch("/").await;
    assert_eq!(Metrics::get(&server.metrics.accepted), 2);
    drop(second);
    assert_eq!(third.answer().await, (200, b"served".to_vec()));
    assert_eq!(Metrics::get(&server.metrics.open), 2);
}

/// The response must not be lost to the reset that closing with unread bytes causes.
#[tokio::test]
async fn an_upload_refused_early_still_gets_its_answer() {
    let server = Server::start(Options::default(), |request| async move {
        assert_eq!(request.method(), Method::PUT);
        let mut response = Response::new(Body::from("too large"));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        response
    })
    .await;
    for _ in 0..10 {
        let mut client = server.connect().await;
        client.send("PUT / HTTP/1.1\r\nhost: test\r\ncontent-length: 8000000\r\n\r\n").await;
        client.send(&"x".repeat(8_000_000)).await;
        assert_eq!(client.answer().await, (413, b"too large".to_vec()));
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(Options::default(), |request| async move {
        Response::new(Body::from(request.uri().path().to_owned()))
    })
    .await;
    let mut client = server.connect().await;
    client.send(&pipeline((0..50).map(|index| format!("/{index}")))).await;
    for index in 0..50 {
        assert_eq!(client.answer().await, (200, format!("/{index}").into_bytes()));
    }
}
