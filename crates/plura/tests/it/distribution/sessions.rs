//! Upload sessions step by step: order, progress, cancelling, chunk sizes.

use plura_testkit::{Algorithm, Answer, Upload, raw};

use super::Plura;
use super::missing::check_unknown;
use super::uploads::check_readable;

/// The upload says it has exactly these many bytes, and where to go on.
#[track_caller]
fn check_progress(answer: Answer, bytes: usize) -> Answer {
    answer.header("location");
    // There is no way to write the range of nothing; `0-0` is what registries answer.
    answer.expect_header("range", &format!("0-{}", bytes.max(1) - 1))
}

#[tokio::test]
async fn an_upload_says_how_far_it_is_after_every_step() {
    let mut plura = Plura::start();
    let repository = plura.repository("progress");
    let bytes = plura.random.bytes(3000);
    let mut upload = repository.start_upload().await;
    check_progress(upload.progress().await.expect(204), 0);
    check_progress(upload.patch(0, bytes[..1000].to_vec()).await.expect(202), 1000);
    check_progress(upload.progress().await.expect(204), 1000);
    check_progress(upload.stream(bytes[1000..2500].to_vec()).await.expect(202), 2500);
    check_progress(upload.patch(2500, bytes[2500..].to_vec()).await.expect(202), 3000);
    let answer = upload.progress().await;
    assert!(answer.body.is_empty());
    check_progress(answer.expect(204), 3000);
    let digest = Algorithm::Sha512.digest(&bytes);
    upload.finish(&digest).await.expect(201);
    check_readable(&repository, &digest, &bytes).await;
}

#[tokio::test]
async fn an_empty_last_chunk_changes_nothing() {
    let mut plura = Plura::start();
    let repository = plura.repository("empty-chunk");
    for algorithm in Algorithm::ALL {
        let bytes = plura.random.bytes(700);
        let digest = algorithm.digest(&bytes);
        let mut upload = repository.start_upload().await;
        upload.patch(0, bytes.clone()).await.expect(202);
        check_progress(upload.patch(700, "").await.expect(202), 700);
        check_progress(upload.stream("").await.expect(202), 700);
        upload.finish_with(700, "", &digest).await.expect(201);
        check_readable(&repository, &digest, &bytes).await;
    }
}

#[tokio::test]
async fn chunks_out_of_order_are_refused_and_the_upload_goes_on() {
    let mut plura = Plura::start();
    let repository = plura.repository("order");
    for algorithm in Algorithm::ALL {
        let bytes = plura.random.bytes(1531);
        let chunk = |from: usize, to: usize| bytes[from..to].to_vec();
        let digest = algorithm.digest(&bytes);
        let mut upload = repository.start_upload().await;

        let ahead = upload.patch(512, chunk(512, 1024)).await;
        check_progress(ahead.expect_error_of(&[416], CODES), 0);
        check_progress(upload.progress().await.expect(204), 0);
        upload.patch(0, chunk(0, 512)).await.expect(202);

        for (start, end) in [(1024, 1531), (0, 512), (511, 1000), (513, 1000)] {
            let refused = upload.patch(start, chunk(start, end)).await;
            check_progress(refused.expect_error_of(&[416], CODES), 512);
            check_progress(upload.progress().await.expect(204), 512);
        }
        let early = upload.finish_with(1024, chunk(1024, 1531), &digest).await;
        check_progress(early.expect_error_of(&[416], CODES), 512);

        upload.patch(512, chunk(512, 1024)).await.expect(202);
        let again = upload.finish_with(0, chunk(0, 512), &digest).await;
        check_progress(again.expect_error_of(&[416], CODES), 1024);
        check_progress(upload.progress().await.expect(204), 1024);
        upload.finish_with(1024, chunk(1024, 1531), &digest).await.expect(201);
        check_readable(&repository, &digest, &bytes).await;
    }
}

const CODES: &[&str] = &["RANGE_INVALID", "BLOB_UPLOAD_INVALID"];

#[tokio::test]
async fn a_range_that_does_not_fit_its_bytes_is_refused_and_nothing_is_kept() {
    let mut plura = Plura::start();
    let repository = plura.repository("range");
    let mut upload = repository.start_upload().await;
    upload.patch(0, "0123456789").await.expect(202);
    for range in ["10-109", "10-10", "abc", "15-10", "-5", "10-", "10-99999999999999999999"] {
        let refused = plura.client.patch(&upload.location).header("content-range", range);
        let refused = refused.body("0123456789").await;
        refused.expect_error_of(&[400, 416], &["SIZE_INVALID", "RANGE_INVALID", CODES[1]]);
        check_progress(upload.progress().await.expect(204), 10);
    }
    upload.patch(10, "0123456789").await.expect(202);
    let digest = Algorithm::Sha256.digest(b"01234567890123456789");
    upload.finish(&digest).await.expect(201);
}

#[tokio::test]
async fn a_range_may_be_written_as_http_does() {
    let mut plura = Plura::start();
    let repository = plura.repository("http-range");
    let upload = repository.start_upload().await;
    let patch = plura.client.patch(&upload.location).header("content-range", "bytes 0-4/*");
    patch.body("hello").await.expect(202);
    upload.finish(&Algorithm::Sha256.digest(b"hello")).await.expect(201);
}

#[tokio::test]
async fn a_cancelled_upload_is_gone() {
    let mut plura = Plura::start();
    let repository = plura.repository("cancel");
    for chunk in ["", "some bytes"] {
        let mut upload = repository.start_upload().await;
        upload.patch(0, chunk).await.expect(202);
        let cancelled = upload.cancel().await.expect(204);
        assert!(cancelled.body.is_empty());
        check_unknown(upload).await;
    }
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let mut plura = Plura::start();
    let repository = plura.repository("owner");
    let other = plura.used_repository("other").await;
    let mut upload = repository.start_upload().await;
    upload.patch(0, "mine").await.expect(202);
    let foreign = upload.location.replace(&repository.name, &other.name);
    assert_ne!(foreign, upload.location);
    check_unknown(Upload::at(&plura.client, &foreign)).await;
    check_progress(upload.progress().await.expect(204), 4);
    upload.finish(&Algorithm::Sha256.digest(b"mine")).await.expect(201);
}

#[tokio::test]
async fn while_one_client_sends_another_is_told_and_the_first_is_not_disturbed() {
    let mut plura = Plura::start();
    let repository = plura.repository("busy");
    let bytes = plura.random.bytes(1000);
    let mut upload = repository.start_upload().await;
    let mut slow = raw::Connection::open(&plura.client.authority()).await;
    let headers = ["Content-Length: 1000", "Content-Range: 0-999", "Expect: 100-continue"];
    slow.send_head(&format!("PATCH {}", upload.location), &headers).await;
    // The go-ahead comes when the session is this client's.
    slow.answer().await.expect(100);
    slow.send(&bytes[..500]).await;
    let digest = Algorithm::Sha256.digest(&bytes);
    for refused in [
        upload.clone().patch(0, bytes.clone()).await,
        upload.clone().stream(bytes.clone()).await,
        upload.finish_with(0, bytes.clone(), &digest).await,
        upload.cancel().await,
    ] {
        refused.expect_error_of(&[409], CODES);
    }
    check_progress(upload.progress().await.expect(204), 0);
    slow.send(&bytes[500..]).await;
    check_progress(slow.answer().await.expect(202), 1000);
    upload.finish(&digest).await.expect(201);
    check_readable(&repository, &digest, &bytes).await;
}

#[tokio::test]
async fn a_client_that_waits_for_the_go_ahead_gets_it() {
    let mut plura = Plura::start();
    let repository = plura.repository("continue");
    let upload = repository.start_upload().await;
    let mut connection = raw::Connection::open(&plura.client.authority()).await;
    let headers = ["Content-Length: 5", "Expect: 100-continue"];
    connection.send_head(&format!("PATCH {}", upload.location), &headers).await;
    connection.answer().await.expect(100);
    connection.send(b"hello").await;
    check_progress(connection.answer().await.expect(202), 5);
}

#[tokio::test]
async fn a_minimum_chunk_size_is_announced_and_chunks_of_it_are_taken() {
    let mut plura = Plura::with(&[("PLURA_REGISTRY__MINIMUM_CHUNK", "4096")]);
    let repository = plura.repository("minimum");
    let opened = plura.client.post(&repository.path("blobs/uploads/")).body("").await.expect(202);
    let opened = opened.expect_header("oci-chunk-min-length", "4096");
    let mut upload = Upload::opened(&plura.client, &opened);
    let bytes = plura.random.bytes(4096 * 2 + 5);
    for start in [0, 4096] {
        upload.patch(start, bytes[start..start + 4096].to_vec()).await.expect(202);
    }
    // The last chunk is as long as what is left, by either way to send it.
    let digest = Algorithm::Sha256.digest(&bytes);
    upload.finish_with(8192, bytes[8192..].to_vec(), &digest).await.expect(201);
    check_readable(&repository, &digest, &bytes).await;

    let mut upload = repository.start_upload().await;
    upload.patch(0, "short").await.expect(202);
    upload.finish(&Algorithm::Sha256.digest(b"short")).await.expect(201);
}

#[tokio::test]
async fn without_a_minimum_none_is_announced() {
    let mut plura = Plura::start();
    let repository = plura.repository("minimum");
    let opened = plura.client.post(&repository.path("blobs/uploads/")).body("").await;
    opened.expect(202).expect_no_header("oci-chunk-min-length");
}
