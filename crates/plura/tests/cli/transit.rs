//! Keys that stay in Vault, against a server that signs as its transit engine does.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake_server::{Answer, FakeServer, Request, answer};
use crate::signing::{pushed, registry};
use crate::{Place, transcript};

/// Runs openssl in a directory.
fn openssl(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("openssl");
    let output = command.current_dir(directory).args(arguments).output().expect("openssl runs");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A key that signs hashes.
struct Engine {
    folder: TempDir,
    kind: &'static str,
}

impl Engine {
    fn new(kind: &'static str, algorithm: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        openssl(folder.path(), &[&["genpkey", "-out", "key"], algorithm].concat());
        openssl(folder.path(), &["pkey", "-in", "key", "-pubout", "-out", "key.pub"]);
        Self { folder, kind }
    }

    fn public(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("key.pub")).expect("it can be read")
    }

    fn answer(&self, request: &Request) -> Answer {
        let denied = json!({ "errors": ["permission denied"] });
        if request.vault != ("s.token".to_owned(), "team".to_owned()) {
            return answer(403, &denied);
        }
        match &*request.line {
            "GET /v1/transit/keys/release" => answer(
                200,
                &json!({ "data": {
                "type": self.kind, "latest_version": 2,
                "keys": { "1": { "public_key": "old" }, "2": { "public_key": self.public() } },
            } }),
            ),
            "POST /v1/transit/sign/release" => {
                let signature = self.sign(&request.json());
                answer(200, &json!({ "data": { "signature": format!("vault:v2:{signature}") } }))
            }
            _ => answer(404, &json!({ "errors": [] })),
        }
    }

    fn sign(&self, question: &Value) -> String {
        assert_eq!(question["key_version"], 2);
        assert_eq!(
            (&question["prehashed"], &question["hash_algorithm"]),
            (&json!(true), &json!("sha2-256"),)
        );
        let hash = BASE64_STANDARD.decode(question["input"].as_str().expect("an input"));
        let hash = hash.expect("it is Base64");
        assert_eq!(hash.len(), 32);
        std::fs::write(self.folder.path().join("hash"), hash).expect("it can be written");
        let sign = ["pkeyutl", "-sign", "-inkey", "key", "-in", "hash", "-out", "signature"];
        let scheme: &[&str] = if self.kind.starts_with("rsa") {
            assert_eq!(question["signature_algorithm"], "pkcs1v15");
            &["-pkeyopt", "digest:sha256"]
        } else {
            assert_eq!(question["marshaling_algorithm"], "asn1");
            &[]
        };
        openssl(self.folder.path(), &[&sign[..], scheme].concat());
        let signature = std::fs::read(self.folder.path().join("signature"));
        BASE64_STANDARD.encode(signature.expect("it can be read"))
    }
}

fn sign(place: &Place, vault: &str, token: &str, registry: &FakeServer) -> String {
    let mut command = place.plura(&["sign", "apps/web:1.0", "--key", "vault://transit/release"]);
    command.env("PLURA_SERVER", registry.url()).env("VAULT_ADDR", vault);
    command.env("VAULT_TOKEN", token).env("VAULT_NAMESPACE", "team").env("HOME", place.path());
    command.env_remove("VAULT_CACERT");
    transcript(&command.output().expect("plura runs"))
}

#[test]
fn a_key_in_vault_signs_and_never_leaves() {
    for (kind, algorithm) in [
        ("ecdsa-p256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"][..]),
        ("ecdsa-p384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ("rsa-2048", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ] {
        let engine = Engine::new(kind, algorithm);
        let vault = FakeServer::start(move |request, _| engine.answer(request));
        let registry = registry();
        let said = sign(&Place::empty(), &vault.url(), "s.token", &registry);
        assert!(said.starts_with("exit: 0"), "{kind}: {said}");
        assert!(said.contains("signed with vault://transit/release"), "{said}");
        pushed(&registry, "PUT /v2/apps/web/manifests/sha256:");
        let lines = ["GET /v1/transit/keys/release", "POST /v1/transit/sign/release"];
        assert_eq!(vault.lines(), lines);
    }
}

#[test]
fn a_policy_names_a_key_in_vault_by_its_public_half() {
    let engine =
        Engine::new("rsa-2048", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let public = engine.public();
    let vault = FakeServer::start(move |request, _| engine.answer(request));
    let server = FakeServer::always(200, &json!({}));
    let (place, key) = (Place::empty(), "release=vault://transit/release");
    let mut command = place.plura(&[
        "trust",
        "policy",
        "set",
        "release",
        "--repositories",
        "apps/**",
        "--key",
        key,
    ]);
    command.env("PLURA_SERVER", server.url()).env("VAULT_ADDR", vault.url());
    command.env("VAULT_TOKEN", "s.token").env("VAULT_NAMESPACE", "team");
    let said = transcript(&command.env_remove("VAULT_CACERT").output().expect("plura runs"));
    assert!(said.starts_with("exit: 0"), "{said}");
    let keys = json!([{ "name": "release", "pem": public }]);
    assert_eq!(server.request().json()["keys"], keys);
}

#[test]
fn the_token_of_a_file_is_used() {
    let engine =
        Engine::new("rsa-2048", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let vault = FakeServer::start(move |request, _| engine.answer(request));
    let place = Place::empty();
    let said = sign(&place, &vault.url(), "", &registry());
    assert!(said.contains("hint: set `VAULT_TOKEN`, or run `vault login`"), "{said}");
    place.write(".vault-token", "s.token");
    let said = sign(&place, &vault.url(), "", &registry());
    assert!(said.starts_with("exit: 0"), "{said}");
}

#[test]
fn what_vault_says_against_it_is_told_without_the_token() {
    let engine = Engine::new("aes256-gcm96", &["-algorithm", "ED25519"]);
    let vault = FakeServer::start(move |request, _| engine.answer(request));
    let said = sign(&Place::empty(), &vault.url(), "s.other", &registry());
    assert!(said.contains("Vault answered 403 Forbidden: permission denied"), "{said}");
    assert!(said.contains("hint: the token needs `read`") && !said.contains("s.other"), "{said}");
    let said = sign(&Place::empty(), &vault.url(), "s.token", &registry());
    assert!(said.contains("of the type `aes256-gcm96`, which cannot sign here"), "{said}");
}

#[test]
fn a_signature_of_another_key_is_not_pushed() {
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let (shown, used) = (Engine::new("ecdsa-p256", &curve), Engine::new("ecdsa-p256", &curve));
    let vault = FakeServer::start(move |request, _| {
        if request.line.starts_with("GET") { shown.answer(request) } else { used.answer(request) }
    });
    let registry = registry();
    let said = sign(&Place::empty(), &vault.url(), "s.token", &registry);
    assert!(said.contains("is not of this key over what was sent"), "{said}");
    assert!(registry.lines().iter().all(|line| line.starts_with("GET")), "{said}");
}

#[test]
fn the_token_is_not_sent_without_encryption() {
    let said = sign(&Place::empty(), "http://vault.example.com:8200", "s.token", &registry());
    assert!(said.contains("`VAULT_ADDR` is not encrypted"), "{said}");
}
