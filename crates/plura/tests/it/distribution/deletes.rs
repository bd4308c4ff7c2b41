//! Deleting: what goes, what stays, and that it is gone at once.

use plura_testkit::{Algorithm, Image, PushMethod};
use reqwest::Method;

use super::Plura;
use super::uploads::check_readable;

#[tokio::test]
async fn a_deleted_tag_leaves_its_manifest_and_its_other_tags() {
    let mut plura = Plura::start();
    let repository = plura.repository("tag");
    let image = Image::random(&mut plura.random);
    repository.push_image_as("a", &image).await;
    repository.put_manifest("b", &image.manifest).await.expect(201);
    repository.delete_manifest("a").await.expect(202);
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        repository.manifest(method, "a").await.expect_error(404, "MANIFEST_UNKNOWN");
    }
    for reference in ["b", &image.digest()] {
        let get = repository.get_manifest(reference).await.expect(200);
        get.expect_body(&image.manifest.bytes);
    }
    assert_eq!(repository.tags().await, ["b"]);
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags_and_no_others() {
    let mut plura = Plura::start();
    let repository = plura.repository("manifest");
    let (gone, kept) = (Image::random(&mut plura.random), Image::random(&mut plura.random));
    repository.push_image_as("a", &gone).await;
    repository.put_manifest("b", &gone.manifest).await.expect(201);
    repository.push_image_as("c", &kept).await;
    repository.delete_manifest(&gone.digest()).await.expect(202);
    for reference in ["a", "b", &gone.digest()] {
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            repository.manifest(method, reference).await.expect_error(404, "MANIFEST_UNKNOWN");
        }
    }
    repository.get_manifest("c").await.expect(200).expect_body(&kept.manifest.bytes);
    assert_eq!(repository.tags().await, ["c"]);
}

#[tokio::test]
async fn a_manifest_known_by_sha512_can_be_deleted_by_it() {
    let mut plura = Plura::start();
    let repository = plura.repository("sha512");
    let image = Image::by(Algorithm::Sha512, &mut plura.random);
    for blob in &image.blobs {
        let digest = Algorithm::Sha512.digest(&blob.bytes);
        repository.push_by(PushMethod::Post, &blob.bytes, &digest).await.expect(201);
    }
    let digest = image.manifest.digest_by(Algorithm::Sha512);
    repository.put_manifest(&digest, &image.manifest).await.expect(201);
    repository.delete_manifest(&digest).await.expect(202);
    repository.get_manifest(&digest).await.expect_error(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_deleted_blob_is_gone_at_once() {
    let mut plura = Plura::start();
    let repository = plura.repository("blob");
    for algorithm in Algorithm::ALL {
        let bytes = plura.random.bytes(100);
        let digest = algorithm.digest(&bytes);
        for _ in 0..3 {
            repository.push_by(PushMethod::PostPut, &bytes, &digest).await.expect(201);
            check_readable(&repository, &digest, &bytes).await;
            repository.delete_blob(&digest).await.expect(202);
            for method in [Method::HEAD, Method::GET, Method::DELETE] {
                repository.blob(method, &digest).await.expect_error(404, "BLOB_UNKNOWN");
            }
        }
    }
}

#[tokio::test]
async fn deleting_in_one_repository_leaves_the_others_alone() {
    let mut plura = Plura::start();
    let (one, two) = (plura.repository("one"), plura.repository("two"));
    let image = Image::random(&mut plura.random);
    for repository in [&one, &two, &one.child("nested")] {
        repository.push_image_as("latest", &image).await;
    }
    one.delete_manifest("latest").await.expect(202);
    one.delete_manifest(&image.digest()).await.expect(202);
    for blob in &image.blobs {
        one.delete_blob(&blob.digest()).await.expect(202);
    }
    for repository in [&two, &one.child("nested")] {
        assert_eq!(repository.tags().await, ["latest"]);
        let get = repository.get_manifest(&image.digest()).await.expect(200);
        get.expect_body(&image.manifest.bytes);
        for blob in &image.blobs {
            check_readable(repository, &blob.digest(), &blob.bytes).await;
        }
    }
    one.get_manifest(&image.digest()).await.expect(404);
}

#[tokio::test]
async fn what_was_deleted_can_be_pushed_again() {
    let mut plura = Plura::start();
    let repository = plura.repository("again");
    let image = Image::random(&mut plura.random);
    for _ in 0..3 {
        repository.push_image_as("latest", &image).await;
        let get = repository.get_manifest("latest").await.expect(200);
        get.expect_body(&image.manifest.bytes);
        assert_eq!(repository.tags().await, ["latest"]);
        repository.delete_manifest(&image.digest()).await.expect(202);
        for blob in &image.blobs {
            repository.delete_blob(&blob.digest()).await.expect(202);
        }
        assert!(repository.tags().await.is_empty());
    }
}

#[tokio::test]
async fn an_index_and_its_children_are_deleted_one_by_one() {
    let mut plura = Plura::start();
    let repository = plura.repository("index");
    let image = Image::random(&mut plura.random);
    repository.push_image(&image).await;
    let index = plura_testkit::Manifest::index(&[image.manifest.descriptor()]);
    repository.put_manifest("latest", &index).await.expect(201);
    repository.delete_manifest(&index.digest()).await.expect(202);
    repository.get_manifest("latest").await.expect(404);
    repository.get_manifest(&image.digest()).await.expect(200);
}

#[tokio::test]
async fn deleting_can_be_switched_off() {
    let mut plura = Plura::with(&[("PLURA_REGISTRY__DELETE", "false")]);
    let repository = plura.repository("off");
    let image = Image::random(&mut plura.random);
    repository.push_image_as("latest", &image).await;
    for refused in [
        repository.delete_manifest("latest").await,
        repository.delete_manifest(&image.digest()).await,
        repository.delete_blob(&image.blobs[0].digest()).await,
    ] {
        let allow = refused.expect_error(405, "UNSUPPORTED").header_list("allow");
        assert!(allow.contains(&"GET".to_owned()), "{allow:?}");
        assert!(!allow.contains(&"DELETE".to_owned()), "{allow:?}");
    }
    repository.get_manifest("latest").await.expect(200);
    // An upload of one's own is not content yet.
    repository.start_upload().await.cancel().await.expect(204);
}
