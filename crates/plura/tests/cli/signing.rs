//! Signing, as the server sees it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use plura_oci::Digest;
use plura_trust::{PrivateKey, Signature};
use serde_json::{Value, json};

use crate::Place;
use crate::fake_server::{Answer, FakeServer, Request, answer};

const MANIFEST: &str = r#"{"schemaVersion":2}"#;
const TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry that has one manifest and takes what is pushed.
pub(crate) fn registry() -> FakeServer {
    FakeServer::start(respond)
}

fn respond(request: &Request, _: std::net::SocketAddr) -> Answer {
    if request.line.starts_with("GET /v2/apps/web/manifests/") {
        let manifest: Value = serde_json::from_str(MANIFEST).expect("it is JSON");
        return answer(200, &manifest).header("content-type", TYPE);
    }
    answer(201, &Value::Null)
}

/// The digest of the manifest.
pub(crate) fn digest() -> Digest {
    Digest::sha256(MANIFEST.as_bytes())
}

/// What was pushed and says this of itself.
#[track_caller]
pub(crate) fn pushed(server: &FakeServer, path: &str) -> Request {
    let mut requests = server.requests().into_iter();
    let found = requests.find(|request| request.line.contains(path));
    found.unwrap_or_else(|| panic!("nothing was pushed to {path}: {:?}", server.lines()))
}

fn place() -> (Place, PrivateKey) {
    let (place, key) = (Place::empty(), PrivateKey::generate().expect("a key"));
    place.write("release.key", &key.to_pem());
    (place, key)
}

#[test]
fn a_bundle_refers_to_the_image_as_cosign_writes_it() {
    let ((place, key), server) = (place(), registry());
    let sign = ["sign", "apps/web:1.0", "--key", "release.key", "-a", "stage=prod"];
    let said = place.ask(&server, &sign);
    let fingerprint = key.public_key().fingerprint();
    let expected = format!(
        "exit: 0\n--- stdout\napps/web@{}\n--- stderr\nsigned with `release.key`, whose public key \
         is {fingerprint}\n",
        digest()
    );
    assert_eq!(said, expected);
    let put = pushed(&server, "PUT /v2/apps/web/manifests/sha256:");
    let manifest = put.json();
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    assert_eq!(manifest["artifactType"], bundle);
    assert_eq!(
        manifest["subject"],
        json!({
            "mediaType": TYPE, "digest": digest(), "size": MANIFEST.len(),
        })
    );
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
    let annotations = &manifest["annotations"];
    assert_eq!(annotations["dev.sigstore.bundle.content"], "dsse-envelope");
    let predicate_type = "https://sigstore.dev/cosign/sign/v1";
    assert_eq!(annotations["dev.sigstore.bundle.predicateType"], predicate_type);

    let layer = manifest["layers"][0]["digest"].as_str().expect("a digest");
    let blob = pushed(&server, &layer.replace(':', "%3A"));
    assert_eq!(Digest::sha256(blob.body.as_bytes()).to_string(), layer);
    Signature::from_bundle(blob.body.as_bytes()).expect("it is a bundle");
    let payload = blob.json()["dsseEnvelope"]["payload"].as_str().map(str::to_owned);
    let payload = BASE64_STANDARD.decode(payload.expect("a payload")).expect("it is Base64");
    let statement: Value = serde_json::from_slice(&payload).expect("it is JSON");
    assert_eq!(
        statement["subject"],
        json!([{
            "digest": { "sha256": digest().hex() }, "annotations": { "stage": "prod" },
        }])
    );
}

#[test]
fn under_a_tag_only_the_new_layer_is_pushed() {
    let ((place, key), server) = (place(), registry());
    let sign = ["sign", "apps/web:1.0", "--key", "release.key", "--form", "tag"];
    let said = place.ask(&server, &sign);
    assert!(said.starts_with("exit: 0"), "{said}");
    let put = pushed(&server, &format!("PUT /v2/apps/web/manifests/sha256-{}.sig", digest().hex()));
    let layers = put.json()["layers"].as_array().expect("layers").clone();
    let [layer] = &layers[..] else { panic!("{layers:?}") };
    let blob = pushed(&server, &layer["digest"].as_str().expect("a digest").replace(':', "%3A"));
    let payload = blob.json();
    assert_eq!(payload["critical"]["image"]["docker-manifest-digest"], json!(digest()));
    let reference = format!("{}/apps/web", server.host());
    assert_eq!(payload["critical"]["identity"]["docker-reference"], reference);
    let signature = layer["annotations"]["dev.cosignproject.cosign/signature"].as_str();
    let signature = BASE64_STANDARD.decode(signature.expect("a signature")).expect("Base64");
    assert!(key.public_key().verifies(blob.body.as_bytes(), &signature));
}

#[test]
fn a_manifest_of_another_digest_is_not_signed() {
    let ((place, _), server) = (place(), registry());
    let image = format!("apps/web@sha256:{}", "0".repeat(64));
    let said = place.ask(&server, &["sign", &image, "--key", "release.key"]);
    assert!(said.contains(&format!("the server answered with {} instead of", digest())), "{said}");
    assert!(said.starts_with("exit: 2"), "{said}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn no_login_is_sent_but_that_of_the_registry_in_the_name() {
    let ((place, _), server) = (place(), registry());
    let image = format!("{}/apps/web:1.0", server.host());
    let sign = ["sign", &image, "--key", "release.key", "--token", "secret"];
    let said = place.ask(&FakeServer::always(200, &Value::Null), &sign);
    assert!(said.contains("the token that was given is for"), "{said}");
    assert_eq!(server.requests().len(), 0);
    let said = place.ask(&server, &sign);
    assert!(said.starts_with("exit: 0"), "{said}");
    assert!(server.requests().iter().all(|request| request.authorization == "Bearer secret"));
}
