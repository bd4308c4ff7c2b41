//! What is not there: the right status, the right code, and no body to a `HEAD`.

use plura_testkit::{Algorithm, Image, Upload, raw};
use reqwest::Method;

use super::Plura;

const READS: [Method; 2] = [Method::GET, Method::HEAD];

#[tokio::test]
async fn a_missing_blob_is_blob_unknown() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("missing").await;
    for algorithm in Algorithm::ALL {
        let digest = algorithm.digest(&plura.random.bytes(10));
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            repository.blob(method, &digest).await.expect_error(404, "BLOB_UNKNOWN");
        }
    }
}

#[tokio::test]
async fn a_missing_manifest_or_tag_is_manifest_unknown() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("missing").await;
    let digests = Algorithm::ALL.map(|algorithm| algorithm.digest(&plura.random.bytes(10)));
    for reference in ["latest", digests[0].as_str(), digests[1].as_str()] {
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            repository.manifest(method, reference).await.expect_error(404, "MANIFEST_UNKNOWN");
        }
    }
}

#[tokio::test]
async fn in_a_repository_nobody_pushed_to_everything_is_missing() {
    let mut plura = Plura::start();
    let repository = plura.repository("unknown");
    let digest = Algorithm::Sha256.digest(&plura.random.bytes(10));
    for method in READS {
        let blob = repository.blob(method.clone(), &digest).await;
        blob.expect_error_of(&[404], &["BLOB_UNKNOWN", "NAME_UNKNOWN"]);
        let manifest = repository.manifest(method, &digest).await;
        manifest.expect_error_of(&[404], &["MANIFEST_UNKNOWN", "NAME_UNKNOWN"]);
    }
    let tags = plura.client.get(&repository.path("tags/list")).await;
    tags.expect_error(404, "NAME_UNKNOWN");
    // The referrers of anything can be asked for, and there are none (specification, "Listing
    // Referrers": a registry that supports the API never answers 404).
    assert!(repository.referrers(&digest).await.is_empty());
}

#[tokio::test]
async fn a_malformed_digest_is_an_error_of_the_client() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("missing").await;
    let long = "a".repeat(65);
    let upper = "A".repeat(64);
    for digest in [
        "sha256:baddigeststring",
        "sha256:",
        "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        ":abc",
        &format!("sha256:{long}"),
        &format!("sha256:{upper}"),
    ] {
        for method in READS {
            let blob = repository.blob(method.clone(), digest).await;
            blob.expect_error_of(&[400, 404], &["DIGEST_INVALID", "BLOB_UNKNOWN"]);
            let manifest = repository.manifest(method, digest).await;
            manifest.expect_error_of(&[400, 404], &["DIGEST_INVALID", "MANIFEST_UNKNOWN"]);
        }
        let referrers = plura.client.get(&repository.path(&format!("referrers/{digest}"))).await;
        referrers.expect_error(400, "DIGEST_INVALID");
        let image = Image::random(&mut plura.random);
        let put = repository.put_manifest(digest, &image.manifest).await;
        put.expect_error(400, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn the_answer_to_a_head_has_the_headers_of_a_get_and_no_body() {
    let mut plura = Plura::start();
    let repository = plura.repository("head");
    let image = Image::random(&mut plura.random);
    let digest = repository.push_image(&image).await;
    let blob = image.blobs[1].digest();
    let missing = Algorithm::Sha256.digest(b"missing");
    // On one connection: bytes after the head of one answer would be taken for the next answer.
    let mut connection = raw::Connection::open(&plura.client.authority()).await;
    for (path, status) in [
        (repository.path(&format!("blobs/{blob}")), 200),
        (repository.path(&format!("manifests/{digest}")), 200),
        (repository.path(&format!("blobs/{missing}")), 404),
        (repository.path("manifests/missing"), 404),
        (repository.path("tags/list"), 200),
    ] {
        connection.send_head(&format!("HEAD {path}"), &[]).await;
        let head = connection.answer().await.expect(status);
        connection.send_head(&format!("GET {path}"), &[]).await;
        let get = connection.answer().await.expect(status);
        for name in ["content-length", "content-type", "docker-content-digest", "etag"] {
            assert_eq!(head.header_if_any(name), get.header_if_any(name), "{name} of {path}");
        }
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn an_upload_nobody_opened_is_blob_upload_unknown() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("missing").await;
    let upload = repository.start_upload().await;
    upload.cancel().await.expect(204);
    check_unknown(upload).await;
    for id in ["nope", "0198c5a1-0000-7000-8000-000000000000", "..%2f..%2fetc", "%00"] {
        let location = repository.path(&format!("blobs/uploads/{id}"));
        let status = plura.client.get(&location).await;
        let codes = ["BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "NAME_INVALID"];
        status.expect_error_of(&[404, 400], &codes);
    }
}

/// Every step of this upload is answered with `BLOB_UPLOAD_UNKNOWN`.
pub(super) async fn check_unknown(mut upload: Upload) {
    let digest = Algorithm::Sha256.digest(b"x");
    upload.progress().await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    upload.patch(0, "x").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    upload.stream("x").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    upload.finish_with(0, "x", &digest).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    upload.cancel().await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
}
