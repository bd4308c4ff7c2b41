//! Manifests that are refused, and why the answer says so.

use plura_testkit::{Image, Manifest, digest, media_type};
use serde_json::{Value, json};

use super::Plura;

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("nonsense").await;
    let image = Image::random(&mut plura.random);
    repository.push_blobs(&image.blobs).await;
    let with = |field: &str, value: Value| image.manifest.with(field, value).bytes.to_vec();
    let layers = image.manifest.json()["layers"].clone();
    let layer = |field: &str, value: Value| {
        let mut layers = layers.clone();
        layers[0][field] = value;
        with("layers", layers)
    };
    let mut accepted = Vec::new();
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    for (what, body) in [
        ("nothing", Vec::new()),
        ("half", image.manifest.bytes[..image.manifest.bytes.len() / 2].to_vec()),
        ("a list", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("a string", b"\"manifest\"".to_vec()),
        ("an empty object", b"{}".to_vec()),
        ("two objects", [image.manifest.bytes.to_vec(), b"{}".to_vec()].concat()),
        ("not UTF-8", b"{\"schemaVersion\":2,\"\xff\":1}".to_vec()),
        ("no configuration", with("config", Value::Null)),
        ("configuration of text", with("config", json!("config"))),
        ("layers that are no list", with("layers", json!({}))),
        ("another schema", with("schemaVersion", json!(3))),
        ("a digest of nothing", layer("digest", json!("sha256:abc"))),
        ("a digest that climbs", layer("digest", json!("sha256:../../../etc/passwd"))),
        ("no digest", layer("digest", Value::Null)),
        ("a negative size", layer("size", json!(-1))),
        ("a size of text", layer("size", json!("1"))),
        ("a subject of text", with("subject", json!("subject"))),
        ("image and index in one", with("manifests", json!([]))),
        ("very deep", deep.clone()),
        ("very deep inside", [b"{\"schemaVersion\":2,\"x\":".to_vec(), deep].concat()),
    ] {
        let answer = repository.put_bytes("latest", media_type::IMAGE, body.clone()).await;
        if answer.status == 201 {
            accepted.push(what);
            continue;
        }
        answer.expect_error_of(&[400], &["MANIFEST_INVALID", "DIGEST_INVALID"]);
        repository.head_manifest(&digest(&body)).await.expect(404);
    }
    assert_eq!(accepted, <[&str; 0]>::default());
    repository.head_manifest("latest").await.expect(404);
    repository.put_manifest("latest", &image.manifest).await.expect(201);
}

#[tokio::test]
async fn a_manifest_under_another_digest_is_refused() {
    let mut plura = Plura::start();
    let repository = plura.repository("digest");
    let image = Image::random(&mut plura.random);
    repository.push_blobs(&image.blobs).await;
    let other = digest(b"other");
    for algorithm in plura_testkit::Algorithm::ALL {
        let honest = image.manifest.digest_by(algorithm);
        let padded = [image.manifest.bytes.as_ref(), b" \n"].concat();
        for (reference, body) in [
            (algorithm.digest(b"other"), image.manifest.bytes.to_vec()),
            // Even white space makes another document.
            (honest.clone(), padded.clone()),
        ] {
            let refused = repository.put_bytes(&reference, media_type::IMAGE, body).await;
            refused.expect_error_of(&[400], &["DIGEST_INVALID", "MANIFEST_INVALID"]);
        }
        for unknown in [honest, algorithm.digest(&padded), other.clone()] {
            repository.head_manifest(&unknown).await.expect(404);
        }
    }
}

#[tokio::test]
async fn the_content_type_must_be_what_the_manifest_says_it_is() {
    let mut plura = Plura::start();
    let repository = plura.repository("types");
    let image = Image::random(&mut plura.random);
    repository.push_blobs(&image.blobs).await;
    let index = Manifest::index(&[]);
    let bare_index = index.with("mediaType", Value::Null);
    for (manifest, content_type) in [
        (&image.manifest, media_type::INDEX),
        (&image.manifest, media_type::DOCKER_IMAGE),
        (&index, media_type::IMAGE),
        (&index, media_type::DOCKER_LIST),
        // Without a media type inside, the shape decides.
        (&bare_index, media_type::IMAGE),
    ] {
        let refused = repository.put_bytes("latest", content_type, manifest.bytes.clone()).await;
        refused.expect_error(400, "MANIFEST_INVALID");
    }
    for content_type in ["text/plain", "nonsense", "application/octet-stream"] {
        let body = image.manifest.bytes.clone();
        let refused = repository.put_bytes("latest", content_type, body).await;
        refused.expect_error_of(&[400, 415], &["MANIFEST_INVALID", "UNSUPPORTED"]);
    }
    repository.head_manifest("latest").await.expect(404);
}

#[tokio::test]
async fn a_manifest_above_the_limit_is_refused_as_too_large() {
    let mut plura = Plura::start();
    let repository = plura.repository("too-large");
    let image = Image::random(&mut plura.random);
    repository.push_blobs(&image.blobs).await;
    let mut bytes = image.manifest.bytes.to_vec();
    bytes.resize(5 * 1024 * 1024, b' ');
    let codes = ["SIZE_INVALID", "MANIFEST_INVALID"];
    let sized = repository.put_bytes("latest", media_type::IMAGE, bytes.clone()).await;
    sized.expect_error_of(&[413], &codes);
    // Without an announced length it is noticed on the way.
    let request = repository.manifest(reqwest::Method::PUT, "latest");
    let request = request.header("content-type", media_type::IMAGE).streamed(bytes);
    request.await.expect_error_of(&[413], &codes);
    repository.head_manifest("latest").await.expect(404);
}

#[tokio::test]
async fn schema_1_is_refused_with_an_explanation() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("schema1").await;
    let manifest = json!({
        "schemaVersion": 1, "name": repository.name, "tag": "latest", "architecture": "amd64",
        "fsLayers": [{"blobSum": digest(b"layer")}], "history": [{"v1Compatibility": "{}"}],
        "signatures": [],
    });
    for content_type in [
        media_type::DOCKER_SCHEMA1,
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/json",
    ] {
        let body = manifest.to_string();
        let refused = repository.put_bytes("latest", content_type, body).await;
        let refused = refused.expect_error_of(&[400], &["MANIFEST_INVALID", "UNSUPPORTED"]);
        let message = refused.error_message().to_lowercase();
        assert!(message.contains("schema"), "{message}");
    }
}

#[tokio::test]
async fn an_error_answers_with_a_body_that_any_client_can_read() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("errors").await;
    let refused = repository.put_bytes("latest", media_type::IMAGE, "{").await.expect(400);
    let body = refused.json();
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{body}");
    for field in ["code", "message"] {
        assert!(errors[0][field].is_string(), "{field} in {body}");
    }
    let code = errors[0]["code"].as_str().unwrap();
    assert!(code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code}");
}
