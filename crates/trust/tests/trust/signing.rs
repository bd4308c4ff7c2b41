//! What plura signs, verified by cosign, and read again.

use std::{path::Path, process::Command};

use base64::{Engine, prelude::BASE64_STANDARD};
use plura_oci::Digest;
use plura_trust::{
    Envelope, PredicateKind, PrivateKey, Signature, SimpleSigning, Verifier, attestation_layer,
    bundle, signature_statement, simple_signing_layer, statement, statement_to_be_signed,
    verification_summary,
};
use serde_json::{Value, json};

use crate::fixtures::{Case, image, read, simple_signing, text};

/// Where `scripts/install-test-tools` puts it.
fn cosign() -> Command {
    let tools = std::env::var("PLURA_TEST_TOOLS").unwrap_or_else(|_| {
        let cache = std::env::var("XDG_CACHE_HOME")
            .unwrap_or_else(|_| format!("{}/.cache", std::env::var("HOME").unwrap()));
        format!("{cache}/plura-test-tools")
    });
    let mut command = Command::new(Path::new(&tools).join("bin/cosign"));
    // What it would fetch from Sigstore goes nowhere but into the test's directory.
    command.env("COSIGN_PASSWORD", "plura").env("SIGSTORE_NO_CACHE", "true");
    command
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().expect("cosign starts; scripts/install-test-tools installs it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}

#[track_caller]
fn fails(command: &mut Command) {
    assert!(!command.output().expect("cosign starts").status.success(), "{command:?}");
}

fn fixture_key() -> PrivateKey {
    PrivateKey::from_pem(&text("cosign/cosign.key"), Some(b"plura")).unwrap()
}

/// Blobs, and an index with the image and its signatures: what `cosign save` writes.
struct Layout<'a> {
    directory: &'a Path,
    index: Vec<Value>,
}

impl<'a> Layout<'a> {
    fn new(directory: &'a Path) -> Self {
        std::fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        let layout = json!({ "imageLayoutVersion": "1.0.0" }).to_string();
        std::fs::write(directory.join("oci-layout"), layout).unwrap();
        Self { directory, index: Vec::new() }
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::sha256(bytes);
        std::fs::write(self.directory.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    fn manifest(&mut self, kind: &str, bytes: &[u8]) {
        let mut descriptor = self.blob("application/vnd.oci.image.manifest.v1+json", bytes);
        descriptor["annotations"] = json!({ "kind": kind });
        self.index.push(descriptor);
        let index = json!({ "schemaVersion": 2, "manifests": self.index });
        std::fs::write(self.directory.join("index.json"), index.to_string()).unwrap();
    }

    fn layers(&mut self, kind: &str, layers: &[plura_trust::Layer]) {
        let descriptors = layers.iter().map(|layer| {
            let mut descriptor = self.blob(layer.media_type, &layer.bytes);
            descriptor["annotations"] = json!(layer.annotations);
            descriptor
        });
        let descriptors: Vec<_> = descriptors.collect();
        let config = self.blob("application/vnd.oci.image.config.v1+json", b"{}");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": descriptors,
        });
        self.manifest(kind, manifest.to_string().as_bytes());
    }
}

fn payload() -> SimpleSigning {
    SimpleSigning {
        digest: image(),
        reference: "registry.example.com/app".to_owned(),
        annotations: [("build".to_owned(), json!("42"))].into(),
    }
}

#[test]
fn cosign_verifies_a_signature_and_an_attestation_of_an_image() {
    let key = PrivateKey::generate().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let public = directory.path().join("key.pub");
    std::fs::write(&public, key.public_key().to_pem()).unwrap();
    let mut layout = Layout::new(directory.path());
    layout.manifest("dev.cosignproject.cosign/image", &read("cosign/image.json"));

    let signature = key.sign(&payload().to_json()).unwrap();
    let layer = simple_signing_layer(&payload(), &signature);
    layout.layers("dev.cosignproject.cosign/sigs", &[layer]);

    let predicate = serde_json::value::to_raw_value(&json!({ "builder": { "id": "x" } })).unwrap();
    let predicate_type = "https://example.com/predicate";
    let statement = statement("app", &image(), predicate_type, &predicate);
    let signature = key.sign(&statement_to_be_signed(&statement)).unwrap();
    let layer = attestation_layer(statement, predicate_type, signature);
    layout.layers("dev.cosignproject.cosign/atts", &[layer]);

    let verify = |command: &str, key: &Path| {
        let mut cosign = cosign();
        cosign.args([command, "--local-image", "--insecure-ignore-tlog=true", "--key"]).arg(key);
        if command == "verify-attestation" {
            cosign.args(["--type", predicate_type]);
        }
        cosign.arg(directory.path());
        cosign
    };
    let other = crate::fixtures::path("cosign/cosign.pub");
    for command in ["verify", "verify-attestation"] {
        succeeds(&mut verify(command, &public));
        fails(&mut verify(command, &other));
    }
}

#[test]
fn cosign_verifies_a_bundle() {
    let key = PrivateKey::generate().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let predicate = serde_json::value::to_raw_value(&json!({ "level": 3 })).unwrap();
    let predicate_type = "https://example.com/predicate";
    let statement = statement("app", &image(), predicate_type, &predicate);
    let signature = key.sign(&statement_to_be_signed(&statement)).unwrap();
    let bundle = bundle(&statement, &signature, key.public_key());
    std::fs::write(at("bundle.json"), &bundle).unwrap();
    std::fs::write(at("key.pub"), key.public_key().to_pem()).unwrap();
    std::fs::write(at("image.json"), read("cosign/image.json")).unwrap();
    std::fs::write(at("other.json"), "other").unwrap();

    let verify = |blob: &str| {
        let mut cosign = cosign();
        cosign.args(["verify-blob-attestation", "--new-bundle-format", "--insecure-ignore-tlog"]);
        cosign.args(["--type", predicate_type, "--key"]).arg(at("key.pub"));
        // Nothing of it is used, but without one it would be fetched from Sigstore.
        cosign.arg("--trusted-root").arg(crate::fixtures::path("keyless/trusted_root.json"));
        cosign.arg("--bundle").arg(at("bundle.json")).arg(at(blob));
        cosign
    };
    succeeds(&mut verify("image.json"));
    fails(&mut verify("other.json"));
}

#[test]
fn cosign_signs_with_a_key_that_plura_encrypted() {
    let key = PrivateKey::generate().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("key"), key.to_encrypted_pem(b"plura").unwrap().as_str()).unwrap();
    std::fs::write(at("payload"), "hello").unwrap();
    let mut sign = cosign();
    sign.args(["sign-blob", "--yes", "--tlog-upload=false", "--key"]).arg(at("key"));
    sign.arg("--output-signature").arg(at("signature")).arg(at("payload"));
    succeeds(&mut sign);

    let signature = std::fs::read_to_string(at("signature")).unwrap();
    let signature = BASE64_STANDARD.decode(signature.trim()).unwrap();
    assert!(key.public_key().verifies(b"hello", &signature));
    assert!(!key.public_key().verifies(b"other", &signature));
}

#[test]
fn the_payload_is_cosigns_to_the_byte() {
    let mut payload = payload();
    let signature = simple_signing();
    let plura_trust::Content::Simple { payload: cosigns, .. } = &*signature.content else {
        panic!("another content")
    };
    payload.reference.clone_from(&cosigns.reference);
    assert_eq!(payload.to_json(), read("cosign/sig.layer"));
}

#[test]
fn what_plura_signs_it_believes() {
    let (case, key) = (Case::of_key(), fixture_key());
    let statement =
        signature_statement(&image(), &[("stage".to_owned(), "test".to_owned())].into());
    let signature = key.sign(&statement_to_be_signed(&statement)).unwrap();
    let written = bundle(&statement, &signature, key.public_key());
    let fact = case.accepts(&Signature::from_bundle(&written).unwrap());
    assert_eq!(fact.kind, PredicateKind::Signature);

    let layer = simple_signing_layer(&payload(), &key.sign(&payload().to_json()).unwrap());
    let read = Signature::from_simple_signing(&layer.bytes, &layer.annotations).unwrap();
    case.accepts(&read);
}

#[test]
fn a_verdict_is_attested_as_a_summary() {
    let (case, key) = (Case::of_key(), fixture_key());
    let verdict = case.judge(vec![Ok(simple_signing())]);
    let resource = format!("registry.example.com/app@{}", image());
    let verifier = Verifier {
        id: "https://registry.example.com",
        resource: &resource,
        policy: "https://registry.example.com/v1/trust/release",
    };
    let summary = verification_summary(&verdict, &verifier);
    let predicate_type = plura_trust::predicate_types::VERIFICATION_SUMMARY;
    let statement = statement(&resource, &image(), predicate_type, &summary);
    let signature = key.sign(&statement_to_be_signed(&statement)).unwrap();
    let layer = attestation_layer(statement, predicate_type, signature);
    let read = Signature::from_attestation(&layer.bytes, &layer.annotations).unwrap();
    let fact = case.accepts(&read[0]);
    assert_eq!(fact.kind, PredicateKind::VerificationSummary);

    let summary: Value = serde_json::from_str(summary.get()).unwrap();
    assert_eq!(summary["verificationResult"], "PASSED");
    assert_eq!(summary["policy"]["digest"]["sha256"], case.policy.source.hex());
    let envelope = Envelope::read(&layer.bytes).unwrap();
    assert_eq!(envelope.signatures.len(), 1);
}

#[test]
fn keys_are_written_and_read_again() {
    let key = PrivateKey::generate().unwrap();
    let plain = PrivateKey::from_pem(&key.to_pem(), None).unwrap();
    assert_eq!(plain.public_key(), key.public_key());
    let encrypted = key.to_encrypted_pem(b"secret").unwrap();
    assert!(encrypted.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    let opened = PrivateKey::from_pem(&encrypted, Some(b"secret")).unwrap();
    assert_eq!(opened.public_key(), key.public_key());
    assert!(PrivateKey::from_pem(&encrypted, Some(b"Secret")).is_err());
}

fn openssl(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("openssl");
    succeeds(command.current_dir(directory).args(arguments));
}

#[test]
fn openssl_verifies_what_its_own_keys_sign_here() {
    for (algorithm, options, verify) in [
        ("EC", &["-pkeyopt", "ec_paramgen_curve:P-256"][..], &["-digest", "sha256"][..]),
        ("EC", &["-pkeyopt", "ec_paramgen_curve:P-384"], &["-digest", "sha384"]),
        ("RSA", &["-pkeyopt", "rsa_keygen_bits:2048"], &["-digest", "sha256"]),
        ("ED25519", &[], &[]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let generate = [&["genpkey", "-algorithm", algorithm, "-out", "key"], options].concat();
        openssl(directory.path(), &generate);
        let pem = std::fs::read_to_string(at("key")).unwrap();
        let key = PrivateKey::from_pem(&pem, None).unwrap();
        let signature = key.sign(b"hello").unwrap();
        assert!(key.public_key().verifies(b"hello", &signature), "{algorithm}");
        assert!(!key.public_key().verifies(b"other", &signature), "{algorithm}");

        std::fs::write(at("signature"), signature).unwrap();
        std::fs::write(at("message"), "hello").unwrap();
        std::fs::write(at("key.pub"), key.public_key().to_pem()).unwrap();
        let common = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.pub"];
        let files = ["-in", "message", "-sigfile", "signature"];
        openssl(directory.path(), &[&common[..], &files, verify].concat());
    }
}

#[test]
fn keys_are_read_as_older_tools_write_them() {
    for generate in [
        &["ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", "key"][..],
        &["ecparam", "-genkey", "-noout", "-name", "secp384r1", "-out", "key"],
        &["genrsa", "-traditional", "-out", "key", "2048"],
    ] {
        let directory = tempfile::tempdir().unwrap();
        openssl(directory.path(), generate);
        let pem = std::fs::read_to_string(directory.path().join("key")).unwrap();
        assert!(!pem.starts_with("-----BEGIN PRIVATE KEY"), "{pem}");
        let key = PrivateKey::from_pem(&pem, None).unwrap();
        assert!(key.public_key().verifies(b"hello", &key.sign(b"hello").unwrap()));
        let again = PrivateKey::from_pem(&key.to_pem(), None).unwrap();
        assert_eq!(again.public_key(), key.public_key());
    }
}

#[test]
fn what_is_no_private_key_is_refused() {
    let public = PrivateKey::from_pem(&text("cosign/cosign.pub"), None).unwrap_err();
    assert_eq!(public.reason, plura_trust::Reason::Malformed);
    assert!(PrivateKey::from_pem("", None).is_err());
    assert!(PrivateKey::from_pkcs8(b"0").is_err());
    // A file must not be able to ask for gigabytes of memory.
    let greedy = r#"{"kdf":{"name":"scrypt","params":{"N":1073741824,"r":8,"p":1},"salt":"AA=="},
        "cipher":{"name":"nacl/secretbox","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        "ciphertext":"AAAA"}"#;
    let encoded = BASE64_STANDARD.encode(greedy);
    let tag = "ENCRYPTED SIGSTORE PRIVATE KEY";
    let pem = format!("-----BEGIN {tag}-----\n{encoded}\n-----END {tag}-----\n");
    let refusal = PrivateKey::from_pem(&pem, Some(b"x")).unwrap_err();
    assert_eq!(refusal.reason, plura_trust::Reason::Unsupported, "{refusal:?}");
}
