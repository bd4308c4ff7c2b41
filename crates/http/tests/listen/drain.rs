//! Shutdown: idle connections go at once, running requests finish, the rest is cut.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use plura_http::body::Body;
use plura_http::listen::{Drained, Metrics, Options};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{LENGTH, Server, assert_range, eventually, file, within};

#[tokio::test]
async fn running_requests_finish_and_idle_connections_close() {
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (starting, released) = (Arc::clone(&started), Arc::clone(&release));
    let mut server = Server::start(Options::default(), move |request| {
        let (starting, released) = (Arc::clone(&starting), Arc::clone(&released));
        async move {
            if request.uri().path() == "/slow" {
                starting.notify_one();
                released.notified().await;
            }
            Response::new(Body::from("done"))
        }
    })
    .await;
    let mut idle = server.connect().await;
    idle.fetch("/").await;
    let mut fresh = server.connect().await;
    let mut busy = server.connect().await;
    busy.get("/slow").await;
    within(started.notified()).await;
    eventually(|| Metrics::get(&server.metrics.open) == 3).await;

    server.begin_shutdown();
    assert_eq!(idle.rest().await, b"");
    assert_eq!(fresh.rest().await, b"");
    assert!(TcpStream::connect(server.address).await.is_err(), "nothing listens any more");
    release.notify_one();
    let answer = busy.head().await;
    assert!(answer.head.to_ascii_lowercase().contains("connection: close"));
    assert_eq!(busy.body(&answer).await, b"done");
    assert_eq!(server.drained().await, Drained { finished: 3, cut: 0 });
}

#[tokio::test]
async fn a_transfer_under_way_is_completed() {
    let mut server = Server::with_file(Options::default(), file()).await;
    let mut client = server.connect_narrow().await;
    client.get(&format!("/0/{LENGTH}")).await;
    let answer = client.head().await;
    server.begin_shutdown();
    assert_range(&client.body(&answer).await, 0, LENGTH);
    assert_eq!(server.drained().await, Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn an_idle_http2_connection_closes() {
    let mut server =
        Server::start(Options::default(), |_| async { Response::new(Body::from("x")) }).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    within(client.get(format!("http://{}/", server.address)).send()).await.unwrap();
    server.begin_shutdown();
    assert_eq!(server.drained().await, Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn what_does_not_finish_is_cut() {
    let options = Options { drain_timeout: Duration::from_millis(50), ..Options::default() };
    let started = Arc::new(Notify::new());
    let starting = Arc::clone(&started);
    let mut server = Server::start(options, move |_| {
        starting.notify_one();
        std::future::pending()
    })
    .await;
    let mut client = server.connect().await;
    client.get("/").await;
    within(started.notified()).await;
    server.begin_shutdown();
    assert_eq!(server.drained().await, Drained { finished: 0, cut: 1 });
    assert_eq!(client.rest().await, b"");
}
