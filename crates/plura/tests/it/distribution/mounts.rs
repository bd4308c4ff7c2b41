//! Blobs that are in the registry already need not be sent again.

use plura_testkit::{Algorithm, Answer, Repository, Upload};

use super::Plura;
use super::uploads::check_readable;

async fn check_mounted(target: &Repository, mounted: Answer, digest: &str, bytes: &[u8]) {
    let mounted = mounted.expect(201).expect_header("docker-content-digest", digest);
    target.client.get(mounted.header("location")).await.expect(200).expect_body(bytes);
    check_readable(target, digest, bytes).await;
}

/// The registry does not have the blob to mount, opened an upload instead, and that works.
async fn check_fallback(target: &Repository, answer: Answer, digest: &str, bytes: &[u8]) {
    let upload = Upload::opened(&target.client, &answer.expect(202));
    target.head_blob(digest).await.expect(404);
    upload.finish_with(0, bytes.to_vec(), digest).await.expect(201);
    check_readable(target, digest, bytes).await;
}

/// A blob in a repository of its own.
async fn source(plura: &mut Plura, algorithm: Algorithm) -> (Repository, String, Vec<u8>) {
    let repository = plura.repository("source");
    let bytes = plura.random.bytes(256);
    let digest = algorithm.digest(&bytes);
    let method = plura_testkit::PushMethod::PostPut;
    repository.push_by(method, &bytes, &digest).await.expect(201);
    (repository, digest, bytes)
}

#[tokio::test]
async fn a_blob_is_mounted_from_a_named_repository() {
    let mut plura = Plura::start();
    for algorithm in Algorithm::ALL {
        let (from, digest, bytes) = source(&mut plura, algorithm).await;
        let target = plura.repository("target");
        let mounted = target.mount(&digest, Some(&from.name)).await;
        check_mounted(&target, mounted, &digest, &bytes).await;
        let again = target.mount(&digest, Some(&from.name)).await;
        check_mounted(&target, again, &digest, &bytes).await;
    }
}

#[tokio::test]
async fn a_blob_is_mounted_from_wherever_it_is() {
    let mut plura = Plura::start();
    for algorithm in Algorithm::ALL {
        let (_, digest, bytes) = source(&mut plura, algorithm).await;
        let target = plura.repository("target");
        let mounted = target.mount(&digest, None).await;
        check_mounted(&target, mounted, &digest, &bytes).await;
    }
}

#[tokio::test]
async fn a_blob_nobody_has_must_be_uploaded() {
    let mut plura = Plura::start();
    let (source, ..) = source(&mut plura, Algorithm::Sha256).await;
    for algorithm in Algorithm::ALL {
        for from in [Some(source.name.as_str()), Some("tests/nobody-ever"), None] {
            let target = plura.repository("target");
            let bytes = plura.random.bytes(128);
            let digest = algorithm.digest(&bytes);
            let answer = target.mount(&digest, from).await;
            check_fallback(&target, answer, &digest, &bytes).await;
        }
    }
}

#[tokio::test]
async fn a_blob_that_the_named_repository_lacks_must_be_uploaded() {
    let mut plura = Plura::start();
    let (_, digest, bytes) = source(&mut plura, Algorithm::Sha256).await;
    let elsewhere = plura.used_repository("elsewhere").await;
    let target = plura.repository("target");
    let answer = target.mount(&digest, Some(&elsewhere.name)).await;
    check_fallback(&target, answer, &digest, &bytes).await;
}

#[tokio::test]
async fn a_mount_outlives_the_blob_it_came_from() {
    let mut plura = Plura::start();
    let (from, digest, bytes) = source(&mut plura, Algorithm::Sha256).await;
    let target = plura.repository("target");
    target.mount(&digest, Some(&from.name)).await.expect(201);
    from.delete_blob(&digest).await.expect(202);
    from.head_blob(&digest).await.expect(404);
    check_readable(&target, &digest, &bytes).await;
    // What was deleted there cannot be mounted from there any more.
    let third = plura.repository("third");
    third.mount(&digest, Some(&from.name)).await.expect(202);
}

#[tokio::test]
async fn what_cannot_be_mounted_is_an_error_of_the_client_or_an_upload() {
    let mut plura = Plura::start();
    let (from, digest, bytes) = source(&mut plura, Algorithm::Sha256).await;
    let target = plura.used_repository("target").await;
    for malformed in ["sha256:abc", "nonsense", "../../etc/passwd"] {
        let refused = target.mount(malformed, Some(&from.name)).await;
        refused.expect_error(400, "DIGEST_INVALID");
    }
    for name in ["UPPER", "../up", "a//b", "a\0b"] {
        let answer = target.mount(&digest, Some(name)).await;
        check_fallback(&target, answer, &digest, &bytes).await;
        target.delete_blob(&digest).await.expect(202);
    }
}
