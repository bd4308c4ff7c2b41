//! Tokens that the server did not make, or made for others and other times.

use plura_testkit::Jwt;
use serde_json::{Value, json};

use super::Closed;
use super::closed::docker_token;
use super::tokens::{PULL, TAGS, with_developer};

/// The file of the key that the server signs with.
pub(super) fn signing_key(closed: &Closed) -> String {
    let keys = std::fs::read_dir(closed.server.data().join("keys")).expect("the keys");
    let mut paths: Vec<_> = keys.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    std::fs::read_to_string(paths.last().expect("a key")).expect("a key")
}

async fn check_refused(closed: &Closed, what: &str, token: &str) {
    for client in [closed.client.bearer(token), closed.client.basic("dora", token)] {
        for path in [TAGS, "/v2/", "/api/v1/me", "/auth/token"] {
            let answer = client.get(path).await;
            assert_eq!(answer.status, 401, "{what}: {}", answer.describe());
        }
    }
}

/// A key that leaked ends with all that it signed, and whoever is not known to have it logs in again.
#[tokio::test]
async fn a_key_that_is_taken_back_signs_and_proves_nothing_more() {
    let (closed, developer) = with_developer().await;
    let token = docker_token(&developer.client, &[PULL]).await;
    let kids = async || {
        let keys = closed.client.get("/auth/keys").await.expect(200).json();
        let keys = keys["keys"].as_array().expect("keys").clone();
        keys.iter().map(|key| key["kid"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    let [leaked] = kids().await.try_into().expect("one key");
    let path = format!("/api/v1/keys/{leaked}");
    developer.client.delete(&path).await.expect_error(403, "DENIED");
    closed.client.bearer(&token).get(TAGS).await.expect(200);
    closed.root.delete(&path).await.expect(204);
    closed.client.bearer(&token).get(TAGS).await.expect_error(401, "UNAUTHORIZED");
    closed.root.delete(&path).await.expect_error(404, "NOT_FOUND");
    let next = docker_token(&developer.client, &[PULL]).await;
    closed.client.bearer(&next).get(TAGS).await.expect(200);
    let [current] = kids().await.try_into().expect("one key");
    assert_ne!(current, leaked);
    let entries = closed.audit("&action=key.revoke&outcome=allowed").await;
    assert_eq!(entries[0]["target"], format!("key:{leaked}"));
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let (closed, developer) = with_developer().await;
    let good = Jwt::of(&docker_token(&developer.client, &[PULL]).await);
    let jwks = closed.client.get("/auth/keys").await.expect(200).json();
    let public = jwks["keys"][0]["x"].as_str().expect("a public key").to_owned();
    let raw = base64_url(&public);
    let mut forged = Vec::new();
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let header = good.with_header("alg", json!(algorithm));
        forged.push((format!("alg {algorithm}"), header.without_signature()));
        forged.push((format!("alg {algorithm}, signed"), header.unsigned_again()));
    }
    for algorithm in ["HS256", "HS384", "EdDSA", "ES256"] {
        let header = good.with_header("alg", json!(algorithm));
        for secret in [raw.as_slice(), public.as_bytes(), jwks["keys"][0].to_string().as_bytes()] {
            let token = header.signed_with_secret(secret);
            forged.push((format!("{algorithm} with the public key"), token));
        }
    }
    for kid in [
        json!("../../../../dev/null"),
        json!("/proc/self/environ"),
        json!("keys/token"),
        json!("' or 1=1 --"),
        json!("A".repeat(43)),
        json!("A".repeat(100_000)),
        json!(7),
        Value::Null,
    ] {
        let header = good.with_header("kid", kid.clone());
        let kid: String = kid.to_string().chars().take(30).collect();
        forged.push((format!("kid {kid}"), header.unsigned_again()));
        forged.push((format!("kid {kid}, other key"), header.signed_by_a_stranger()));
    }
    for (field, value) in [
        ("jwk", jwks["keys"][0].clone()),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("crit", json!(["exp"])),
    ] {
        let header = good.with_header(field, value);
        forged.push((format!("header {field}"), header.signed_by_a_stranger()));
    }
    let wider = json!([{"type": "repository", "name": "apps/web", "actions": ["*"]}]);
    forged.push(("wider".into(), good.with("access", wider).unsigned_again()));
    forged.push(("unlimited".into(), good.with("access", Value::Null).unsigned_again()));
    forged.push(("somebody else".into(), good.with("sub", json!("root")).unsigned_again()));
    let whole = good.unsigned_again();
    closed.client.bearer(&whole).get("/v2/").await.expect_one_of(&[200, 401]);
    for text in ["", ".", "..", "...", "a.b.c", "eyJ", "eyJhbGciOiJub25lIn0.e30.", "\""] {
        forged.push((format!("no token: {text:?}"), format!("eyJ{text}")));
    }
    forged.push(("two in one".into(), format!("{whole}.{whole}")));
    for (what, token) in &forged {
        check_refused(&closed, what, token).await;
    }
    closed.client.get("/v2/").await.expect(401);
}

fn base64_url(text: &str) -> Vec<u8> {
    // A key is 32 bytes; the tests' own decoder is behind `Jwt`.
    let header = format!("e30.e30.{text}");
    Jwt::of(&header).signature
}

/// Everything that is checked beside the signature, one by one: these tokens are signed with the
/// server's own key.
#[tokio::test]
async fn tokens_for_others_and_for_other_times_are_refused() {
    let (closed, developer) = with_developer().await;
    let good = Jwt::of(&docker_token(&developer.client, &[PULL]).await);
    let key = signing_key(&closed);
    let client = closed.client.bearer(&good.signed_with_key(&key));
    client.get(TAGS).await.expect(200);
    let now = good.claims["iat"].as_i64().expect("a time");
    let wrong = [
        ("aud", json!("another registry")),
        ("aud", Value::Null),
        ("aud", json!(["another registry"])),
        ("iss", json!("another registry")),
        ("iss", Value::Null),
        ("exp", json!(now - 1)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("nbf", json!(now + 3600)),
        ("sub", json!("somebody")),
        ("sub", json!("")),
        ("sub", Value::Null),
        ("kind", json!("administrator")),
        ("kind", json!("local")),
        ("kind", json!("workload")),
        ("kind", json!("certificate")),
        ("credential", json!("password:0000000000000000")),
        ("credential", json!("nothing")),
    ];
    for (claim, value) in wrong {
        let what = format!("{claim}: {value}");
        check_refused(&closed, &what, &good.with(claim, value).signed_with_key(&key)).await;
    }
}
