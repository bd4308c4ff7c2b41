//! A digest known is not a digest readable: content belongs to the repositories it was pushed to.

use plura_testkit::{Algorithm, Image, PushMethod};
use reqwest::Method;

use super::Plura;

#[tokio::test]
async fn a_blob_is_readable_only_where_it_was_pushed() {
    let mut plura = Plura::start();
    let (here, there) = (plura.repository("here"), plura.used_repository("there").await);
    for algorithm in Algorithm::ALL {
        let bytes = plura.random.bytes(64);
        let digest = algorithm.digest(&bytes);
        here.push_by(PushMethod::PostPut, &bytes, &digest).await.expect(201);
        let parent = plura.client.repository("tests");
        for stranger in [&there, &here.child("nested"), &parent] {
            for method in [Method::GET, Method::HEAD, Method::DELETE] {
                let answer = stranger.blob(method, &digest).await;
                answer.expect_error_of(&[404], &["BLOB_UNKNOWN", "NAME_UNKNOWN"]);
            }
        }
        here.get_blob(&digest).await.expect(200).expect_body(&bytes);
    }
}

#[tokio::test]
async fn a_manifest_is_readable_only_where_it_was_pushed() {
    let mut plura = Plura::start();
    let (here, there) = (plura.repository("here"), plura.used_repository("there").await);
    let image = Image::random(&mut plura.random);
    here.push_image_as("latest", &image).await;
    for stranger in [&there, &here.child("nested")] {
        for reference in ["latest", &image.digest()] {
            for method in [Method::GET, Method::HEAD, Method::DELETE] {
                let answer = stranger.manifest(method, reference).await;
                answer.expect_error_of(&[404], &["MANIFEST_UNKNOWN", "NAME_UNKNOWN"]);
            }
        }
    }
    here.get_manifest("latest").await.expect(200);
    // Having its blobs does not give a repository the manifest either.
    there.push_blobs(&image.blobs).await;
    there.get_manifest(&image.digest()).await.expect_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_blob_is_not_a_manifest() {
    let mut plura = Plura::start();
    let repository = plura.repository("kinds");
    let image = Image::random(&mut plura.random);
    repository.push_image(&image).await;
    let layer = image.blobs[1].digest();
    repository.get_manifest(&layer).await.expect_error(404, "MANIFEST_UNKNOWN");
    // Even bytes that are a manifest are none until they are pushed as one.
    let other = Image::random(&mut plura.random);
    let digest = repository.push_bytes(&other.manifest.bytes).await;
    repository.get_manifest(&digest).await.expect_error(404, "MANIFEST_UNKNOWN");
    repository.get_blob(&digest).await.expect(200).expect_body(&other.manifest.bytes);
}

#[tokio::test]
async fn each_repository_has_its_own_tags() {
    let mut plura = Plura::start();
    let (here, there) = (plura.repository("here"), plura.repository("there"));
    let (one, two) = (Image::random(&mut plura.random), Image::random(&mut plura.random));
    here.push_image_as("latest", &one).await;
    there.push_image_as("latest", &two).await;
    there.push_image_as("extra", &two).await;
    here.get_manifest("latest").await.expect(200).expect_body(&one.manifest.bytes);
    there.get_manifest("latest").await.expect(200).expect_body(&two.manifest.bytes);
    assert_eq!(here.tags().await, ["latest"]);
    assert_eq!(there.tags().await, ["extra", "latest"]);
}

#[tokio::test]
async fn guessing_a_digest_while_finishing_an_upload_gives_nothing() {
    let mut plura = Plura::start();
    let (here, there) = (plura.repository("here"), plura.used_repository("there").await);
    let secret = plura.random.bytes(64);
    let digest = here.push_bytes(&secret).await;
    // Whoever does not have the bytes cannot finish an upload of them, whatever is stored already.
    there.start_upload().await.finish(&digest).await.expect_error(400, "DIGEST_INVALID");
    there.get_blob(&digest).await.expect_error(404, "BLOB_UNKNOWN");
}
