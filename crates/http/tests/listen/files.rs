//! Every byte of a file range arrives, however it is sent and however it is read.

use std::fs::File;
use std::sync::Arc;

use http::Response;
use http_body_util::BodyExt;
use plura_http::body::{Body, FileBody, FileSlice};
use plura_http::listen::{Metrics, Options};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::io::AsyncReadExt;

use crate::support::{Client, LENGTH, Server, assert_range, eventually, file, pipeline, within};

const PIECE: usize = 1024 * 1024;

/// Ranges anywhere, and more of them where something changes: ends of pages, chunks and pieces.
fn ranges() -> impl Strategy<Value = (usize, usize)> {
    let anywhere = (0..=LENGTH, 0..=LENGTH);
    let edge = prop_oneof![Just(4096), Just(64 * 1024), Just(128 * 1024), Just(PIECE)];
    let near = (edge, 0..8_usize, 0..5_usize)
        .prop_map(|(unit, count, shift)| (unit * count + shift).saturating_sub(2).min(LENGTH));
    let edges = (near.clone(), near);
    prop_oneof![anywhere, edges].prop_map(|(a, b)| (a.min(b), a.max(b)))
}

fn copying() -> Options {
    Options { zero_copy: false, ..Options::default() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Each case on the same connection, so that a mistake in one shows in the next.
fn check_ranges(options: Options, cases: u32) {
    let runtime = runtime();
    let server = runtime.block_on(Server::with_file(options, file()));
    let client = tokio::sync::Mutex::new(runtime.block_on(server.connect()));
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        cases,
        ..ProptestConfig::default()
    });
    runner
        .run(&ranges(), |(start, end)| {
            runtime.block_on(async {
                let (status, body) = client.lock().await.fetch(&format!("/{start}/{end}")).await;
                assert_eq!(status, 200);
                assert_range(&body, start, end);
            });
            Ok(())
        })
        .unwrap();
}

#[test]
fn every_range_is_right_when_the_kernel_sends() {
    check_ranges(Options::default(), 150);
}

#[test]
fn every_range_is_right_when_copied() {
    check_ranges(copying(), 60);
}

/// Sends all requests at once and reads the answers in odd steps through a narrow window.
async fn check_pipeline(server: &Server, ranges: &[(usize, usize)], step: usize) {
    let mut client = server.connect_narrow().await;
    let paths = ranges.iter().map(|(start, end)| format!("/{start}/{end}"));
    client.send(&pipeline(paths)).await;
    for &(start, end) in ranges {
        let answer = client.head().await;
        assert_eq!((answer.status, answer.length), (200, (end - start) as u64));
        let mut body = vec![0; end - start];
        for piece in body.chunks_mut(step) {
            within(client.0.read_exact(piece)).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_range(&body, start, end);
    }
}

#[test]
fn pipelines_through_a_narrow_window_are_right() {
    let runtime = runtime();
    let server = runtime.block_on(Server::with_file(Options::default(), file()));
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        cases: 12,
        ..ProptestConfig::default()
    });
    let small = ranges().prop_map(|(start, end)| (start, end.min(start + 5 * PIECE / 2)));
    let pipelines = (proptest::collection::vec(small, 1..8), 1000..40_000_usize);
    runner
        .run(&pipelines, |(ranges, step)| {
            runtime.block_on(check_pipeline(&server, &ranges, step));
            Ok(())
        })
        .unwrap();
    assert!(Metrics::get(&server.metrics.bytes_out_zero_copy) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kernel_sends_what_is_cached() {
    let server = Server::with_file(Options::default(), file()).await;
    let mut client = server.connect().await;
    let (_, body) = client.fetch(&format!("/3/{LENGTH}")).await;
    assert_range(&body, 3, LENGTH);
    assert_eq!(Metrics::get(&server.metrics.bytes_out_zero_copy), LENGTH as u64 - 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_at_once_get_their_own_bytes() {
    let server = Arc::new(Server::with_file(Options::default(), file()).await);
    let clients = (0..16).map(|index| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let ranges: Vec<_> = (0..6)
                .map(|turn| (index * 1_000_003 + turn * 77, LENGTH.min((index + turn) * 1_700_001)))
                .filter(|(start, end)| start < end)
                .collect();
            check_pipeline(&server, &ranges, 60_000).await;
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_leave_disturb_nobody() {
    let server = Server::with_file(Options::default(), file()).await;
    for index in 0..40 {
        let mut client = server.connect_narrow().await;
        client.get(&format!("/0/{LENGTH}")).await;
        let mut some = vec![0; index * 20_000];
        within(client.0.read_exact(&mut some)).await.unwrap();
    }
    let (_, body) = server.connect().await.fetch(&format!("/0/{LENGTH}")).await;
    assert_range(&body, 0, LENGTH);
    eventually(|| Metrics::get(&server.metrics.open) == 0).await;
}

#[tokio::test]
async fn a_head_request_leaves_nothing_behind() {
    let server = Server::with_file(Options::default(), file()).await;
    let mut client = server.connect().await;
    client.send(&format!("HEAD /0/{LENGTH} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    assert_eq!(client.head().await.length, LENGTH as u64);
    let (_, body) = client.fetch("/10/2000000").await;
    assert_range(&body, 10, 2_000_000);
}

#[tokio::test]
async fn http_1_0_gets_true_bytes() {
    let server = Server::with_file(Options::default(), file()).await;
    let mut client = server.connect().await;
    client.send("GET /0/2000000 HTTP/1.0\r\n\r\n").await;
    client.head().await;
    assert_range(&client.rest().await, 0, 2_000_000);
    assert_eq!(Metrics::get(&server.metrics.bytes_out_zero_copy), 0);
}

#[tokio::test]
async fn http2_gets_true_bytes() {
    let server = Server::with_file(Options::default(), file()).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/0/{LENGTH}", server.address);
    let body = within(async { client.get(url).send().await.unwrap().bytes().await.unwrap() }).await;
    assert_range(&body, 0, LENGTH);
    assert_eq!(Metrics::get(&server.metrics.bytes_out_zero_copy), 0);
}

/// What wraps a body sees the file, not the placeholder.
#[tokio::test]
async fn a_middleware_that_reads_the_body_gets_true_bytes() {
    let file = file();
    let server = Server::start(Options::default(), move |_| {
        let slice = FileSlice { file: Arc::clone(&file), start: 1, end: LENGTH as u64 };
        async {
            let bytes = Body::file(slice.clone()).collect().await.unwrap().to_bytes();
            assert_range(&bytes, 1, LENGTH);
            Response::new(Body::boxed(FileBody::new(slice)))
        }
    })
    .await;
    let (status, body) = server.connect().await.fetch("/").await;
    assert_eq!(status, 200);
    assert_range(&body, 1, LENGTH);
}

/// A body between chunk sizes is no plain file.
#[tokio::test]
async fn a_chunked_response_gets_true_bytes() {
    let file = file();
    let server = Server::start(Options::default(), move |_| {
        let slice = FileSlice { file: Arc::clone(&file), start: 0, end: 500_000 };
        async {
            let response = Response::builder().header("transfer-encoding", "chunked");
            response.body(Body::file(slice)).unwrap()
        }
    })
    .await;
    let url = format!("http://{}/", server.address);
    let body = within(async { reqwest::get(url).await.unwrap().bytes().await.unwrap() }).await;
    assert_range(&body, 0, 500_000);
    assert_eq!(Metrics::get(&server.metrics.bytes_out_zero_copy), 0);
}

/// Drops the file from the page cache.
fn chill(file: &File) {
    file.sync_all().unwrap();
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_file_is_read_and_then_sent_by_the_kernel() {
    for options in [Options::default(), copying()] {
        let zero_copy = options.zero_copy;
        let file = file();
        let server = Server::with_file(options, Arc::clone(&file)).await;
        let mut client = server.connect().await;
        chill(&file);
        let (_, body) = client.fetch(&format!("/7/{LENGTH}")).await;
        assert_range(&body, 7, LENGTH);
        let sent = Metrics::get(&server.metrics.bytes_out_zero_copy);
        let (_, body) = client.fetch(&format!("/7/{LENGTH}")).await;
        assert_range(&body, 7, LENGTH);
        let again = Metrics::get(&server.metrics.bytes_out_zero_copy) - sent;
        assert_eq!(again, if zero_copy { LENGTH as u64 - 7 } else { 0 });
    }
}

/// Half of the file is cached, in stripes, so that the two ways take turns within one body.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_cold_file_is_right() {
    for options in [Options::default(), copying()] {
        let file = file();
        let server = Server::with_file(options, Arc::clone(&file)).await;
        for stripe in [300_000, 2_000_000, 9_000_000] {
            chill(&file);
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random);
            for start in (0..LENGTH).step_by(2 * stripe) {
                let mut warmed = vec![0; stripe.min(LENGTH - start)];
                std::os::unix::fs::FileExt::read_exact_at(&*file, &mut warmed, start as u64)
                    .unwrap();
            }
            let (_, body) = server.connect().await.fetch(&format!("/0/{LENGTH}")).await;
            assert_range(&body, 0, LENGTH);
        }
    }
}

/// The pages were there when a piece was handed out, and are gone when the socket takes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cools_down_meanwhile_is_right() {
    let file = file();
    let server = Server::with_file(Options::default(), Arc::clone(&file)).await;
    let mut client = server.connect_narrow().await;
    client.get(&format!("/0/{LENGTH}")).await;
    let answer = client.head().await;
    let mut body = vec![0; usize::try_from(answer.length).unwrap()];
    for piece in body.chunks_mut(PIECE) {
        chill(&file);
        within(client.0.read_exact(piece)).await.unwrap();
    }
    assert_range(&body, 0, LENGTH);
}

/// What was promised and is not there cuts the connection; the answer never looks complete.
async fn check_too_short(client: &mut Client, server: &Server, real: usize) {
    client.get(&format!("/0/{LENGTH}")).await;
    let received = client.rest().await;
    // When not even the first bytes are there, the head is not sent either.
    if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
        let body = &received[end + 4..];
        assert!(body.len() <= real);
        assert_range(body, 0, body.len());
    }
    eventually(|| Metrics::get(&server.metrics.open) == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_shorter_than_promised_is_no_success() {
    for options in [Options::default(), copying()] {
        for cold in [false, true] {
            for real in [0, 100_000, PIECE, 5 * PIECE + 17] {
                let file = file();
                file.set_len(real as u64).unwrap();
                if cold {
                    chill(&file);
                }
                let server = Server::with_file(options.clone(), file).await;
                check_too_short(&mut server.connect().await, &server, real).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_shrinks_meanwhile_is_no_success() {
    for options in [Options::default(), copying()] {
        let file = file();
        let server = Server::with_file(options, Arc::clone(&file)).await;
        let mut client = server.connect_narrow().await;
        client.get(&format!("/0/{LENGTH}")).await;
        let answer = client.head().await;
        file.set_len(PIECE as u64).unwrap();
        assert_eq!(answer.length, LENGTH as u64);
        assert!(client.rest().await.len() < LENGTH);
    }
}
