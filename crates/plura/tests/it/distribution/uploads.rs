//! Pushing blobs: every method, both algorithms, nothing, and what is refused.

use plura_testkit::{Algorithm, PushMethod, Repository};

use super::Plura;
use super::missing::check_unknown;

/// The blob can be read back under its digest, at the `Location` given for it and by `HEAD`.
pub(super) async fn check_readable(repository: &Repository, digest: &str, bytes: &[u8]) {
    let get = repository.get_blob(digest).await.expect(200).expect_body(bytes);
    let head = repository.head_blob(digest).await.expect(200);
    for answer in [get, head] {
        answer
            .expect_header("content-length", &bytes.len().to_string())
            .expect_header("docker-content-digest", digest)
            .expect_header("content-type", "application/octet-stream");
    }
}

async fn check_push(repository: &Repository, method: PushMethod, bytes: &[u8], digest: &str) {
    let pushed = repository.push_by(method, bytes, digest).await.expect(201);
    assert_eq!(pushed.header("docker-content-digest"), digest, "{method:?}");
    let location = repository.client.get(pushed.header("location")).await;
    location.expect(200).expect_body(bytes);
    check_readable(repository, digest, bytes).await;
}

#[tokio::test]
async fn a_blob_can_be_pushed_by_every_method_under_either_algorithm() {
    let mut plura = Plura::start();
    let repository = plura.repository("methods");
    for algorithm in Algorithm::ALL {
        for method in PushMethod::ALL {
            let bytes = plura.random.bytes(512);
            check_push(&repository, method, &bytes, &algorithm.digest(&bytes)).await;
        }
    }
}

#[tokio::test]
async fn a_blob_of_no_bytes_can_be_pushed_by_every_method() {
    let mut plura = Plura::start();
    for algorithm in Algorithm::ALL {
        for method in PushMethod::ALL {
            let repository = plura.repository("nothing");
            check_push(&repository, method, b"", &algorithm.digest(b"")).await;
        }
    }
}

#[tokio::test]
async fn the_same_small_blob_can_be_pushed_again_and_again() {
    let mut plura = Plura::start();
    let repository = plura.repository("again");
    for algorithm in Algorithm::ALL {
        for method in PushMethod::ALL {
            check_push(&repository, method, b"{}", &algorithm.digest(b"{}")).await;
        }
    }
}

#[tokio::test]
async fn a_blob_larger_than_any_buffer_arrives_whole() {
    let mut plura = Plura::start();
    let repository = plura.repository("large");
    let bytes = plura.random.bytes(9 * 1024 * 1024 + 17);
    for (method, algorithm) in [
        (PushMethod::PostPut, Algorithm::Sha256),
        (PushMethod::Stream, Algorithm::Sha512),
        (PushMethod::Chunks, Algorithm::Sha512),
    ] {
        check_push(&repository, method, &bytes, &algorithm.digest(&bytes)).await;
    }
}

#[tokio::test]
async fn one_blob_may_have_a_digest_of_each_algorithm() {
    let mut plura = Plura::start();
    let repository = plura.repository("both");
    let bytes = plura.random.bytes(300);
    for algorithm in Algorithm::ALL {
        let digest = algorithm.digest(&bytes);
        check_push(&repository, PushMethod::PostPut, &bytes, &digest).await;
    }
    for algorithm in Algorithm::ALL {
        check_readable(&repository, &algorithm.digest(&bytes), &bytes).await;
    }
}

#[tokio::test]
async fn a_wrong_digest_is_refused_by_every_method_and_nothing_is_kept() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("wrong").await;
    for algorithm in Algorithm::ALL {
        for method in PushMethod::ALL {
            let bytes = plura.random.bytes(512);
            let wrong = algorithm.digest(&plura.random.bytes(16));
            let refused = repository.push_by(method, &bytes, &wrong).await;
            refused.expect_error(400, "DIGEST_INVALID");
            for digest in [wrong, algorithm.digest(&bytes)] {
                repository.head_blob(&digest).await.expect(404);
            }
        }
    }
}

#[tokio::test]
async fn a_malformed_digest_is_refused_and_the_upload_can_still_be_finished() {
    let mut plura = Plura::start();
    let repository = plura.repository("malformed");
    let bytes = plura.random.bytes(100);
    let digest = Algorithm::Sha256.digest(&bytes);
    let hex = digest.trim_start_matches("sha256:");
    let mut upload = repository.start_upload().await;
    upload.patch(0, bytes.clone()).await.expect(202);
    for malformed in [
        "sha256:abc".to_owned(),
        "nonsense".to_owned(),
        String::new(),
        format!("sha256:{}", hex.to_uppercase()),
        format!("sha512:{hex}"),
        format!("md5:{}", &hex[..32]),
        format!("sha256:{hex}0"),
        format!("sha256:{hex} "),
        format!("sha256:../{hex}"),
    ] {
        upload.finish(&malformed).await.expect_error(400, "DIGEST_INVALID");
    }
    let without = plura.client.put(&upload.location).body("").await;
    without.expect_error(400, "DIGEST_INVALID");
    upload.finish(&digest).await.expect(201);
    let post = repository.push_by(PushMethod::Post, &bytes, "sha256:abc").await;
    post.expect_error(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn an_upload_may_announce_its_algorithm() {
    let mut plura = Plura::start();
    let repository = plura.repository("announced");
    let start = repository.path("blobs/uploads/?digest-algorithm=");
    for announced in Algorithm::ALL {
        for used in Algorithm::ALL {
            let opened = plura.client.post(&format!("{start}{}", announced.name())).body("").await;
            let upload = plura_testkit::Upload::opened(&plura.client, &opened.expect(202));
            let bytes = plura.random.bytes(64);
            let digest = used.digest(&bytes);
            let finished = upload.finish_with(0, bytes.clone(), &digest).await;
            if announced == used {
                finished.expect(201).expect_header("docker-content-digest", &digest);
                check_readable(&repository, &digest, &bytes).await;
            } else {
                // Whether an announcement binds is left open; keeping a wrong blob is not.
                finished.expect_one_of(&[201, 400]);
            }
        }
    }
    let unknown = plura.client.post(&format!("{start}md5")).body("").await;
    unknown.expect_error_of(&[400], &["DIGEST_INVALID", "UNSUPPORTED"]);
}

#[tokio::test]
async fn a_finished_upload_is_gone() {
    let mut plura = Plura::start();
    let repository = plura.repository("finished");
    let upload = repository.start_upload().await;
    let bytes = plura.random.bytes(20);
    let digest = Algorithm::Sha256.digest(&bytes);
    upload.finish_with(0, bytes, &digest).await.expect(201);
    check_unknown(upload).await;
}

#[tokio::test]
async fn the_location_of_an_upload_has_the_form_clients_look_for() {
    let mut plura = Plura::start();
    let repository = plura.repository("location");
    let prefix = repository.path("blobs/uploads/");
    let mut upload = repository.start_upload().await;
    assert!(upload.location.starts_with(&prefix), "{}", upload.location);
    let id = upload.location[prefix.len()..].split('?').next().unwrap().to_owned();
    assert!(!id.is_empty() && !id.contains('/'), "{id}");
    let progress = upload.patch(0, "abc").await.expect(202);
    assert!(upload.location.starts_with(&format!("{prefix}{id}")), "{}", upload.location);
    assert_eq!(progress.header("docker-upload-uuid"), id);
}
