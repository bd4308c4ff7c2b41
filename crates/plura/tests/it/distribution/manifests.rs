//! Manifests that are accepted, and come back byte by byte.

use plura_testkit::{Algorithm, Blob, Image, Manifest, Random, Repository, media_type};
use reqwest::Method;
use serde_json::{Value, json};

use super::Plura;

/// Every kind of manifest without children of its own, with the blobs that must be there first.
fn images(random: &mut Random) -> Vec<(&'static str, Image)> {
    let layer = |random: &mut Random, media_type| Blob { media_type, ..Blob::random(random, 99) };
    let mut images = vec![
        ("OCI image", Image::random(random)),
        ("OCI image by sha512", Image::by(Algorithm::Sha512, random)),
        ("Docker image", Image::docker(random)),
        ("artifact", Image::artifact(random, "application/vnd.example.thing")),
        ("no layers", Image::random(random).with("layers", json!([]))),
        ("artifact without layers", {
            Image::artifact(random, "application/vnd.example.thing").with("layers", json!([]))
        }),
        ("no media type inside", Image::random(random).with("mediaType", Value::Null)),
        ("annotations", {
            Image::random(random).with("annotations", json!({"a": "b", "org.é": "\u{1f980}"}))
        }),
        ("fields nobody knows", {
            let unknown = json!({"deep": [1, 2.50, null, {"x": true}], "e": "\\u0041\n"});
            Image::random(random).with("org.example.unknown", unknown)
        }),
    ];
    for kind in ["application/vnd.oci.image.layer.v1.tar", "text/plain", "application/x.y+zstd"] {
        let mut image = Image::random(random);
        image.blobs[1] = layer(random, kind);
        let layers = json!([image.blobs[1].descriptor(Algorithm::Sha256)]);
        images.push(("other layers", image.with("layers", layers)));
    }
    let old_artifact = Image::random(random);
    let mut config = old_artifact.blobs[0].descriptor(Algorithm::Sha256);
    config["mediaType"] = json!("application/vnd.example.config.v1+json");
    images.push(("artifact by its configuration", old_artifact.with("config", config)));
    let with_data = Image::artifact(random, "application/vnd.example.data");
    let mut config = with_data.blobs[0].descriptor(Algorithm::Sha256);
    config["data"] = json!("e30=");
    images.push(("data field", with_data.with("config", config)));
    images
}

/// The manifest is stored as it was sent: by digest, by tag, by `GET` and by `HEAD`.
async fn check_stored(repository: &Repository, what: &str, manifest: &Manifest) {
    for algorithm in Algorithm::ALL {
        let digest = manifest.digest_by(algorithm);
        let put = repository.put_manifest(&digest, manifest).await;
        assert_eq!(put.status, 201, "{what}: {}", put.describe());
        let put = put.expect_header("docker-content-digest", &digest);
        let located = repository.client.get(put.header("location")).await.expect(200);
        located.expect_body(&manifest.bytes);
        check_get(repository, &digest, manifest, &digest).await;
    }
    repository.put_manifest("tagged", manifest).await.expect(201);
    check_get(repository, "tagged", manifest, &manifest.digest()).await;
}

async fn check_get(repository: &Repository, reference: &str, manifest: &Manifest, digest: &str) {
    let get = repository.get_manifest(reference).await.expect(200).expect_body(&manifest.bytes);
    let head = repository.head_manifest(reference).await.expect(200);
    for answer in [get, head] {
        answer
            .expect_header("content-type", &manifest.media_type)
            .expect_header("content-length", &manifest.bytes.len().to_string())
            .expect_header("docker-content-digest", digest);
    }
}

#[tokio::test]
async fn every_kind_of_manifest_comes_back_byte_by_byte() {
    let mut plura = Plura::start();
    for (what, image) in images(&mut plura.random) {
        let repository = plura.repository("kinds");
        for blob in &image.blobs {
            for algorithm in Algorithm::ALL {
                let (method, digest) =
                    (plura_testkit::PushMethod::Post, algorithm.digest(&blob.bytes));
                repository.push_by(method, &blob.bytes, &digest).await.expect(201);
            }
        }
        check_stored(&repository, what, &image.manifest).await;
    }
}

#[tokio::test]
async fn every_kind_of_index_comes_back_byte_by_byte() {
    let mut plura = Plura::start();
    let repository = plura.repository("indexes");
    let (one, two) = (Image::random(&mut plura.random), Image::docker(&mut plura.random));
    let artifact = Image::artifact(&mut plura.random, "application/vnd.example.thing");
    for image in [&one, &two, &artifact] {
        repository.push_image(image).await;
    }
    let mut amd64 = one.manifest.descriptor();
    amd64["platform"] = json!({"architecture": "amd64", "os": "linux"});
    let index = Manifest::index(&[amd64, two.manifest.descriptor()]);
    let nested = Manifest::index(&[index.descriptor(), artifact.manifest.descriptor()]);
    let deeper = Manifest::index(&[nested.descriptor()]);
    let list = Manifest {
        media_type: media_type::DOCKER_LIST.to_owned(),
        ..Manifest::of(
            media_type::DOCKER_LIST,
            &json!({"schemaVersion": 2, "mediaType": media_type::DOCKER_LIST,
                    "manifests": [two.manifest.descriptor()]}),
        )
    };
    let typed = index.with("artifactType", json!("application/vnd.example.index"));
    for (what, manifest) in [
        ("empty index", Manifest::index(&[])),
        ("index", index),
        ("nested index", nested),
        ("index in an index in an index", deeper),
        ("Docker manifest list", list),
        ("index with an artifact type", typed.with("annotations", json!({"a": "b"}))),
        ("index without media type", typed.with("mediaType", Value::Null)),
    ] {
        check_stored(&repository, what, &manifest).await;
    }
}

#[tokio::test]
async fn layers_that_may_not_be_distributed_need_not_be_there() {
    let mut plura = Plura::start();
    let repository = plura.repository("foreign");
    let image = Image::random(&mut plura.random);
    repository.push_blobs(&image.blobs).await;
    let foreign =
        Blob { media_type: media_type::FOREIGN_LAYER, ..Blob::random(&mut plura.random, 80) };
    let mut layers = image.manifest.json()["layers"].clone();
    let mut far = foreign.descriptor(Algorithm::Sha256);
    layers.as_array_mut().unwrap().push(far.clone());
    check_stored(&repository, "foreign", &image.manifest.with("layers", layers)).await;
    far["urls"] = json!(["https://example.com/layer"]);
    check_stored(&repository, "with URL", &image.manifest.with("layers", json!([far]))).await;
}

#[tokio::test]
async fn a_manifest_of_several_megabytes_is_accepted() {
    let mut plura = Plura::start();
    let repository = plura.repository("large");
    let image = Image::large(&mut plura.random, 3_900_000);
    assert!(image.manifest.bytes.len() > 3_800_000);
    repository.push_blobs(&image.blobs).await;
    check_stored(&repository, "large", &image.manifest).await;

    // Exactly 4 MiB: what the specification asks every registry to take.
    let mut bytes = image.manifest.bytes.to_vec();
    bytes.resize(4 * 1024 * 1024, b' ');
    let largest = Manifest { bytes: bytes.into(), ..image.manifest };
    check_stored(&repository, "4 MiB", &largest).await;
}

#[tokio::test]
async fn parameters_of_the_content_type_are_dropped() {
    let mut plura = Plura::start();
    let repository = plura.repository("parameters");
    let image = Image::random(&mut plura.random);
    repository.push_blobs(&image.blobs).await;
    for parameter in ["; charset=utf-8", ";charset=utf-8", "  ; x=\"y;z\""] {
        let content_type = format!("{}{parameter}", media_type::IMAGE);
        let put = repository.put_bytes("latest", &content_type, image.manifest.bytes.clone());
        put.await.expect(201);
        check_get(&repository, "latest", &image.manifest, &image.digest()).await;
    }
}

#[tokio::test]
async fn what_is_stored_is_answered_whatever_the_client_accepts() {
    let mut plura = Plura::start();
    let repository = plura.repository("accept");
    let image = Image::random(&mut plura.random);
    repository.push_image_as("latest", &image).await;
    let path = repository.path("manifests/latest");
    for method in [Method::GET, Method::HEAD] {
        let request = || plura.client.request(method.clone(), &path);
        request().await.expect(200).expect_header("content-type", media_type::IMAGE);
        for accept in [media_type::IMAGE, media_type::DOCKER_IMAGE, "*/*", "text/html", "nonsense"]
        {
            let answer = request().header("accept", accept).await;
            answer.expect(200).expect_header("content-type", media_type::IMAGE);
        }
    }
}

#[tokio::test]
async fn a_tag_moves_to_what_was_pushed_last_and_the_rest_stays() {
    let mut plura = Plura::start();
    let repository = plura.repository("moves");
    let images: Vec<Image> = (0..3).map(|_| Image::random(&mut plura.random)).collect();
    for image in &images {
        repository.push_image_as("latest", image).await;
        check_get(&repository, "latest", &image.manifest, &image.digest()).await;
    }
    repository.put_manifest("latest", &images[0].manifest).await.expect(201);
    check_get(&repository, "latest", &images[0].manifest, &images[0].digest()).await;
    for image in &images {
        check_get(&repository, &image.digest(), &image.manifest, &image.digest()).await;
    }
    assert_eq!(repository.tags().await, ["latest"]);
}

#[tokio::test]
async fn pushing_the_same_manifest_again_changes_nothing() {
    let mut plura = Plura::start();
    let repository = plura.repository("again");
    let image = Image::random(&mut plura.random);
    for _ in 0..3 {
        repository.push_image_as("latest", &image).await;
        repository.push_image(&image).await;
    }
    check_stored(&repository, "again", &image.manifest).await;
}

#[tokio::test]
async fn a_digest_is_also_a_manifest_pushed_by_tag_only() {
    let mut plura = Plura::start();
    let repository = plura.repository("by-tag");
    let image = Image::random(&mut plura.random);
    let put = repository.push_image_as("v1", &image).await;
    put.expect_header("docker-content-digest", &image.digest());
    check_get(&repository, &image.digest(), &image.manifest, &image.digest()).await;
}
