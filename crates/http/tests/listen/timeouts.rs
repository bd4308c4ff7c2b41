//! Silent peers are cut; slow ones are not.

use std::io::ErrorKind;
use std::time::Duration;

use http::{Response, StatusCode};
use plura_http::body::Body;
use plura_http::listen::{Metrics, Options};
use tokio::io::AsyncReadExt;

use crate::support::{LENGTH, Server, assert_range, collect, eventually, file, within};

const SHORT: Duration = Duration::from_millis(150);

fn patient() -> Options {
    Options::default()
}

#[tokio::test]
async fn a_head_that_does_not_arrive_is_cut() {
    let options = Options { header_timeout: SHORT, ..patient() };
    let server = Server::start(options, |_| async { Response::new(Body::empty()) }).await;
    let mut silent = server.connect().await;
    let mut partial = server.connect().await;
    partial.send("GET / HTTP/1.1\r\nhost: te").await;
    let mut second = server.connect().await;
    second.fetch("/").await;
    second.send("GET / HTTP/1.1\r\nhost: te").await;
    for client in [&mut silent, &mut partial, &mut second] {
        assert_eq!(client.rest().await, b"");
    }
    eventually(|| Metrics::get(&server.metrics.cut) == 3).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let options = Options { idle_timeout: SHORT, ..patient() };
    let server = Server::start(options, |_| async { Response::new(Body::empty()) }).await;
    let mut client = server.connect().await;
    client.fetch("/").await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed() {
    let options = Options { idle_timeout: SHORT, header_timeout: SHORT, ..patient() };
    let server = Server::start(options, |_| async { Response::new(Body::from("x")) }).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/", server.address);
    within(client.get(&url).send()).await.unwrap();
    eventually(|| Metrics::get(&server.metrics.open) == 0).await;
    within(client.get(&url).send()).await.unwrap();
}

#[tokio::test]
async fn a_handler_may_think() {
    let options =
        Options { idle_timeout: SHORT, header_timeout: SHORT, stall_timeout: SHORT, ..patient() };
    let server = Server::start(options, |request| async move {
        tokio::time::sleep(SHORT * 5).await;
        let body = collect(request.into_body()).await.unwrap();
        tokio::time::sleep(SHORT * 5).await;
        Response::new(Body::from(body))
    })
    .await;
    let mut client = server.connect().await;
    client.send("PUT / HTTP/1.1\r\nhost: test\r\ncontent-length: 300000\r\n\r\n").await;
    client.send(&"y".repeat(300_000)).await;
    assert_eq!(client.answer().await, (200, vec![b'y'; 300_000]));
}

#[tokio::test]
async fn a_request_body_that_stops_is_an_error() {
    let options = Options { stall_timeout: SHORT, ..patient() };
    let server = Server::start(options, |request| async move {
        let error = collect(request.into_body()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let mut response = Response::new(Body::from("stalled"));
        *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
        response
    })
    .await;
    let mut client = server.connect().await;
    client.send("PUT / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nabc").await;
    assert_eq!(client.answer().await, (408, b"stalled".to_vec()));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_slow_request_body_arrives() {
    let options = Options { stall_timeout: SHORT, ..patient() };
    let server = Server::start(options, |request| async move {
        Response::new(Body::from(collect(request.into_body()).await.unwrap()))
    })
    .await;
    let mut client = server.connect().await;
    client.send("PUT / HTTP/1.1\r\nhost: test\r\ncontent-length: 60\r\n\r\n").await;
    let mut ticks = tokio::time::interval(SHORT / 10);
    for _ in 0..60 {
        ticks.tick().await;
        client.send("z").await;
    }
    assert_eq!(client.answer().await, (200, vec![b'z'; 60]));
}

async fn check_stalled_reader(options: Options) {
    let server = Server::with_file(options, file()).await;
    let mut client = server.connect_narrow().await;
    client.get(&format!("/0/{LENGTH}")).await;
    eventually(|| Metrics::get(&server.metrics.open) == 1).await;
    eventually(|| Metrics::get(&server.metrics.open) == 0).await;
    assert_eq!(Metrics::get(&server.metrics.cut), 1);
    let received = client.rest().await;
    assert!(received.len() < LENGTH, "a stalled transfer must not be completed");
}

#[tokio::test]
async fn a_reader_that_stops_is_cut() {
    check_stalled_reader(Options { stall_timeout: SHORT, ..patient() }).await;
    check_stalled_reader(Options { stall_timeout: SHORT, zero_copy: false, ..patient() }).await;
}

/// The peer acknowledges everything on the connection and opens no window for the response.
#[tokio::test]
async fn an_http2_reader_that_stops_is_cut() {
    let options = Options { stall_timeout: SHORT, ..patient() };
    let server = Server::with_file(options, file()).await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(64 * 1024)
        .build()
        .unwrap();
    let url = format!("http://{}/0/{LENGTH}", server.address);
    let answer = within(client.get(url).send()).await.unwrap();
    eventually(|| Metrics::get(&server.metrics.open) == 0).await;
    assert_eq!(Metrics::get(&server.metrics.cut), 1);
    assert!(within(answer.bytes()).await.is_err());
}

async fn check_slow_reader(options: Options) {
    let server = Server::with_file(options, file()).await;
    let mut client = server.connect_narrow().await;
    client.get(&format!("/0/{LENGTH}")).await;
    let answer = client.head().await;
    let mut body = vec![0; LENGTH];
    let mut ticks = tokio::time::interval(SHORT / 10);
    let mut taken = 0;
    for _ in 0..80 {
        ticks.tick().await;
        taken += within(client.0.read(&mut body[taken..taken + 4096])).await.unwrap();
    }
    within(client.0.read_exact(&mut body[taken..])).await.unwrap();
    assert_eq!(answer.length, LENGTH as u64);
    assert_range(&body, 0, LENGTH);
    assert_eq!(Metrics::get(&server.metrics.cut), 0);
}

#[tokio::test]
async fn a_slow_reader_gets_everything() {
    let options = || Options {
        stall_timeout: SHORT,
        idle_timeout: SHORT,
        header_timeout: SHORT,
        ..patient()
    };
    check_slow_reader(options()).await;
    check_slow_reader(Options { zero_copy: false, ..options() }).await;
}
