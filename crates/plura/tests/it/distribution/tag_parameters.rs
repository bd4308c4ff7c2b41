//! `?tag=`: one push, several tags (specification, end-7b).

use plura_testkit::{Algorithm, Image, Repository};

use super::Plura;

/// Pushes the manifest by digest under these tags and returns those the answer confirms.
async fn push(
    repository: &Repository,
    image: &Image,
    algorithm: Algorithm,
    tags: &[&str],
) -> Vec<String> {
    let digest = image.manifest.digest_by(algorithm);
    let mut request = repository.manifest(reqwest::Method::PUT, &digest);
    for tag in tags {
        request = request.query("tag", tag);
    }
    let request = request.header("content-type", &image.manifest.media_type);
    let answer = request.body(image.manifest.bytes.clone()).await.expect(201);
    answer.expect_header("docker-content-digest", &digest).header_list("oci-tag")
}

#[tokio::test]
async fn a_manifest_can_be_pushed_under_many_tags_at_once() {
    let mut plura = Plura::start();
    let tags = ["1", "1.2", "1.2.3", "latest", "stable", "A", "b_c", "d-e", "x9", "t10", "t11"];
    for algorithm in Algorithm::ALL {
        let repository = plura.repository("many");
        let image = Image::random(&mut plura.random);
        repository.push_blobs(&image.blobs).await;
        let mut confirmed = push(&repository, &image, algorithm, &tags).await;
        confirmed.sort();
        let mut expected = tags.map(str::to_owned);
        expected.sort();
        assert_eq!(confirmed, expected);
        assert_eq!(repository.tags().await, expected);
        for tag in tags {
            let get = repository.get_manifest(tag).await.expect(200);
            get.expect_body(&image.manifest.bytes);
        }
    }
}

#[tokio::test]
async fn tags_move_with_a_later_push() {
    let mut plura = Plura::start();
    let repository = plura.repository("move");
    let (one, two) = (Image::random(&mut plura.random), Image::random(&mut plura.random));
    for image in [&one, &two] {
        repository.push_blobs(&image.blobs).await;
    }
    push(&repository, &one, Algorithm::Sha256, &["a", "b"]).await;
    push(&repository, &two, Algorithm::Sha512, &["b", "c", "c"]).await;
    for (tag, image) in [("a", &one), ("b", &two), ("c", &two)] {
        repository.get_manifest(tag).await.expect(200).expect_body(&image.manifest.bytes);
    }
    assert_eq!(repository.tags().await, ["a", "b", "c"]);
}

#[tokio::test]
async fn one_bad_tag_refuses_the_whole_push() {
    let mut plura = Plura::start();
    let repository = plura.repository("bad");
    let image = Image::random(&mut plura.random);
    repository.push_blobs(&image.blobs).await;
    let long = "x".repeat(129);
    for bad in ["-a", ".a", "a/b", "a b", "é", "a:b", &long] {
        let request = repository.manifest(reqwest::Method::PUT, &image.digest());
        let request = request.query("tag", "good").query("tag", bad);
        let request = request.header("content-type", &image.manifest.media_type);
        let refused = request.body(image.manifest.bytes.clone()).await;
        refused.expect_error(400, "TAG_INVALID");
    }
    repository.head_manifest("good").await.expect(404);
    repository.head_manifest(&image.digest()).await.expect(404);
}

#[tokio::test]
async fn a_push_without_tags_confirms_none() {
    let mut plura = Plura::start();
    let repository = plura.repository("none");
    let image = Image::random(&mut plura.random);
    repository.push_blobs(&image.blobs).await;
    assert!(push(&repository, &image, Algorithm::Sha256, &[]).await.is_empty());
}
