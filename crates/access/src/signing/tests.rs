use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use jsonwebtoken::{EncodingKey, Header, encode};
use plura_meta::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const START: Timestamp = Timestamp(1_750_000_000_000);

/// A key, and who knows its public half.
struct Keys {
    key: Key,
    public: PublicKey,
}

impl Keys {
    fn mint(&self, claims: &TokenClaims) -> Result<String, KeyError> {
        self.key.sign(claims)
    }

    fn verify(&self, token: &str, expected: &Expected<'_>) -> Result<TokenClaims, InvalidToken> {
        if named_key(token)? != self.public.id {
            return Err(InvalidToken::UnknownKey);
        }
        let claims: TokenClaims = super::open(token, &self.public)?;
        claims.check(expected)?;
        Ok(claims)
    }

    fn current(&self) -> String {
        self.key.id.to_string()
    }

    fn jwks(&self) -> serde_json::Value {
        serde_json::json!({ "keys": [self.public.jwk()] })
    }
}

fn open(directory: &Path) -> Result<OwnKey, KeyError> {
    OwnKey::open(Some(directory.to_owned()))
}

fn known(key: Key) -> Keys {
    let public = PublicKey::read(&key.id, &key.public).unwrap();
    Keys { key, public }
}

/// A directory with a key in it.
fn keys() -> (TempDir, Keys) {
    let directory = TempDir::new().unwrap();
    let own = open(&directory.path().join("keys")).unwrap();
    let key = own.make(START).unwrap();
    (directory, known(key))
}

fn claims(now: Timestamp) -> TokenClaims {
    let now = now.0 / 1000;
    TokenClaims {
        iss: "https://plura.example".to_owned(),
        sub: "42".to_owned(),
        aud: "plura.example".to_owned(),
        exp: now + 300,
        nbf: now,
        iat: now,
        jti: "0197".to_owned(),
        access: Some(vec![AccessEntry {
            resource: "repository".to_owned(),
            name: "apps/web".to_owned(),
            actions: vec!["pull".to_owned()],
        }]),
        kind: "user".to_owned(),
        credential: None,
        build: None,
    }
}

fn at(now: Timestamp) -> Expected<'static> {
    Expected { issuer: "https://plura.example", audience: "plura.example", now }
}

fn files(directory: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.path().join("keys")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A token of a header and a body of one's own, with a signature of one's own.
fn forge(header: &str, body: &serde_json::Value, signature: &[u8]) -> String {
    let part = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    format!("{}.{}.{}", part(header.as_bytes()), part(body.to_string().as_bytes()), part(signature))
}

fn body(now: Timestamp) -> serde_json::Value {
    serde_json::to_value(claims(now)).unwrap()
}

#[test]
fn a_token_says_what_was_put_in() {
    let (_directory, keys) = keys();
    let token = keys.mint(&claims(START)).unwrap();
    assert_eq!(keys.verify(&token, &at(START)), Ok(claims(START)));
    let payload = token.split('.').nth(1).unwrap();
    let payload = String::from_utf8(Base64UrlUnpadded::decode_vec(payload).unwrap()).unwrap();
    assert!(payload.contains(r#""type":"repository","name":"apps/web","actions":["pull"]"#));
}

#[test]
fn times_are_compared_with_the_time_that_is_given() {
    let (_directory, keys) = keys();
    let token = keys.mint(&claims(START)).unwrap();
    let verify = |seconds: i64| keys.verify(&token, &at(Timestamp(START.0 + seconds * 1000)));
    assert!(verify(299).is_ok());
    assert_eq!(verify(300), Err(InvalidToken::Expired));
    assert!(verify(-5).is_ok());
    assert_eq!(verify(-6), Err(InvalidToken::NotYet));
    assert_eq!(keys.verify(&token, &at(Timestamp(i64::MAX))), Err(InvalidToken::Expired));
    assert_eq!(keys.verify(&token, &at(Timestamp(i64::MIN))), Err(InvalidToken::NotYet));
}

#[test]
fn issuer_and_audience_are_compared_exactly() {
    let (_directory, keys) = keys();
    let token = keys.mint(&claims(START)).unwrap();
    let issuer = Expected { issuer: "https://plura.example/", ..at(START) };
    assert_eq!(keys.verify(&token, &issuer), Err(InvalidToken::Issuer));
    let audience = Expected { audience: "other.example", ..at(START) };
    assert_eq!(keys.verify(&token, &audience), Err(InvalidToken::Audience));
}

#[test]
fn an_unsigned_token_is_refused() {
    let (_directory, keys) = keys();
    let id = keys.current();
    for algorithm in ["none", "None", "NONE", ""] {
        let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"{id}"}}"#);
        let token = forge(&header, &body(START), b"");
        assert_eq!(keys.verify(&token, &at(START)), Err(InvalidToken::Malformed), "{algorithm}");
    }
    let token = forge(&format!(r#"{{"alg":"EdDSA","kid":"{id}"}}"#), &body(START), b"");
    assert_eq!(keys.verify(&token, &at(START)), Err(InvalidToken::Signature));
}

#[test]
fn the_public_key_is_no_shared_secret() {
    let (_directory, keys) = keys();
    let set = keys.jwks();
    let public = set["keys"][0]["x"].as_str().unwrap();
    let raw = Base64UrlUnpadded::decode_vec(public).unwrap();
    for secret in [raw.as_slice(), public.as_bytes(), set.to_string().as_bytes()] {
        let header = Header { kid: Some(keys.current()), ..Header::new(Algorithm::HS256) };
        let token = encode(&header, &claims(START), &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(keys.verify(&token, &at(START)), Err(InvalidToken::Algorithm));
        let changed = token.split_once('.').unwrap().1.rsplit_once('.').unwrap();
        let header = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, keys.current());
        let header = Base64UrlUnpadded::encode_string(header.as_bytes());
        let token = format!("{header}.{}.{}", changed.0, changed.1);
        assert_eq!(keys.verify(&token, &at(START)), Err(InvalidToken::Signature));
    }
}

#[test]
fn the_id_of_the_key_is_needed_and_only_looked_up() {
    let (directory, keys) = keys();
    let (stranger, _) = Key::generate(START).unwrap();
    let secret = directory.path().join("secret");
    fs::write(&secret, "anything").unwrap();
    let id = keys.current();
    for named in [
        None,
        Some(String::new()),
        Some("../secret".to_owned()),
        Some(format!("../keys/token-1750000000-{id}")),
        Some(format!("{id}\0")),
        Some("' or 1=1 --".to_owned()),
        Some(stranger.id.to_string()),
        Some("A".repeat(43)),
    ] {
        let header = Header { kid: named.clone(), ..Header::new(Algorithm::EdDSA) };
        let token = encode(&header, &claims(START), &stranger.signing).unwrap();
        assert_eq!(keys.verify(&token, &at(START)), Err(InvalidToken::UnknownKey), "{named:?}");
    }
    let header = Header { kid: Some(id), ..Header::new(Algorithm::EdDSA) };
    let token = encode(&header, &claims(START), &stranger.signing).unwrap();
    assert_eq!(keys.verify(&token, &at(START)), Err(InvalidToken::Signature));
}

#[test]
fn a_key_that_the_token_brings_along_is_not_used() {
    let (_directory, keys) = keys();
    let (stranger, _) = Key::generate(START).unwrap();
    let jwk = serde_json::from_value(known(stranger.clone()).public.jwk()).unwrap();
    let header = Header {
        kid: Some(keys.current()),
        jwk: Some(jwk),
        jku: Some("https://attacker.example/keys".to_owned()),
        ..Header::new(Algorithm::EdDSA)
    };
    let token = encode(&header, &claims(START), &stranger.signing).unwrap();
    assert_eq!(keys.verify(&token, &at(START)), Err(InvalidToken::Signature));
}

#[test]
fn a_changed_token_is_refused() {
    let (_directory, keys) = keys();
    let token = keys.mint(&claims(START)).unwrap();
    let mut parts = token.split('.');
    let (header, signature) = (parts.next().unwrap(), parts.next_back().unwrap());
    let mut wider = claims(START);
    wider.access.iter_mut().flatten().for_each(|entry| entry.actions.push("push".to_owned()));
    let wider = Base64UrlUnpadded::encode_string(&serde_json::to_vec(&wider).unwrap());
    let changed = format!("{header}.{wider}.{signature}");
    assert_eq!(keys.verify(&changed, &at(START)), Err(InvalidToken::Signature));
    for index in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(keys.verify(&changed, &at(START)).is_err(), "{index}");
    }
}

#[test]
fn a_token_without_what_is_needed_is_refused() {
    let (_directory, keys) = keys();
    let sign = |body: &serde_json::Value| {
        let header = Header { kid: Some(keys.current()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, body, &keys.key.signing).unwrap()
    };
    for name in ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "kind"] {
        let mut body = body(START);
        body.as_object_mut().unwrap().remove(name);
        assert_eq!(keys.verify(&sign(&body), &at(START)), Err(InvalidToken::Malformed), "{name}");
    }
    for (name, value) in [
        ("aud", serde_json::json!(["plura.example"])),
        ("iss", serde_json::json!(["https://plura.example"])),
        ("exp", serde_json::json!("9999999999")),
        ("exp", serde_json::json!(1e300)),
    ] {
        let mut body = body(START);
        body[name] = value;
        assert_eq!(keys.verify(&sign(&body), &at(START)), Err(InvalidToken::Malformed), "{name}");
    }
}

#[test]
fn what_a_critical_header_asks_for_is_not_understood() {
    let (_directory, keys) = keys();
    let header = Header {
        kid: Some(keys.current()),
        crit: Some(vec!["b64".to_owned()]),
        ..Header::new(Algorithm::EdDSA)
    };
    let token = encode(&header, &claims(START), &keys.key.signing);
    // The library may refuse to make one; if it does make it, it is refused here.
    if let Ok(token) = token {
        assert!(keys.verify(&token, &at(START)).is_err());
    }
}

#[test]
fn long_tokens_are_not_looked_at() {
    let (_directory, keys) = keys();
    let mut long = claims(START);
    long.sub = "x".repeat(LONGEST_TOKEN);
    let token = keys.mint(&long).unwrap();
    assert_eq!(keys.verify(&token, &at(START)), Err(InvalidToken::TooLong));
}

#[test]
fn keys_survive_a_restart_and_are_private() {
    let (directory, keys) = keys();
    let token = keys.mint(&claims(START)).unwrap();
    let again = open(&directory.path().join("keys")).unwrap().kept().unwrap();
    let [again] = again.try_into().unwrap();
    assert!(known(again).verify(&token, &at(START)).is_ok());
    let [file] = files(&directory).try_into().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&directory.path().join("keys")), 0o700);
    let name = format!("token-1750000000-{}.pem", keys.current());
    assert_eq!(file.file_name().unwrap().to_str(), Some(name.as_str()));
}

#[test]
fn the_key_that_is_used_is_the_only_one_that_is_kept() {
    let (directory, first) = keys();
    let own = open(&directory.path().join("keys")).unwrap();
    let second = own.make(Timestamp(START.0 + 1000)).unwrap();
    let kept: Vec<_> = own.kept().unwrap().into_iter().map(|key| key.id).collect();
    assert_eq!(kept, [second.id.clone(), first.key.id]);
    own.use_alone(second.clone()).unwrap();
    assert_eq!(files(&directory).len(), 1);
    assert_eq!(own.current().unwrap().id, second.id);
}

#[test]
fn without_a_directory_keys_are_in_memory() {
    let own = OwnKey::open(None).unwrap();
    let key = own.make(START).unwrap();
    assert!(own.kept().unwrap().is_empty());
    own.use_alone(key.clone()).unwrap();
    assert_eq!(own.current().unwrap().id, key.id);
}

#[test]
fn the_key_set_is_public() {
    let (_directory, keys) = keys();
    let set = keys.jwks();
    let [key] = set["keys"].as_array().unwrap().as_slice() else { panic!("{set}") };
    assert_eq!(key["kid"], keys.current());
    assert_eq!((&key["kty"], &key["crv"]), (&"OKP".into(), &"Ed25519".into()));
    assert!(key.get("d").is_none(), "the private half stays here");
    let read: jsonwebtoken::jwk::JwkSet = serde_json::from_value(set).unwrap();
    assert_eq!(read.keys.len(), 1);
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let (directory, _) = keys();
    let path = directory.path().join("keys");
    let read = || open(&path)?.kept();
    let [file] = files(&directory).try_into().unwrap();
    for mode in [0o640, 0o604, 0o644, 0o660, 0o601] {
        chmod(&file, mode);
        let error = read().err().unwrap();
        assert!(matches!(error, KeyError::Exposed { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("chmod 600 {}", file.display())), "{text}");
    }
    chmod(&file, 0o400);
    chmod(&path, 0o755);
    let text = read().err().unwrap().to_string();
    assert!(text.contains(&format!("chmod 700 {}", path.display())), "{text}");
    chmod(&path, 0o700);
    assert_eq!(read().unwrap().len(), 1);
}

#[test]
fn a_damaged_key_is_refused_and_named() {
    let (directory, _) = keys();
    let own = open(&directory.path().join("keys")).unwrap();
    let [file] = files(&directory).try_into().unwrap();
    let (stranger, pem) = Key::generate(START).unwrap();
    for content in ["", "nonsense", &pem, &"x".repeat(100_000)] {
        fs::write(&file, content).unwrap();
        let error = own.kept().err().unwrap();
        assert!(matches!(&error, KeyError::Damaged(path) if *path == file), "{error}");
        assert!(!error.to_string().contains(&stranger.id.to_string()));
    }
}

#[test]
fn other_files_are_left_alone() {
    let (directory, _) = keys();
    for name in ["notes", "token-1-x.pem", "token-x.pem", ".x.unfinished", "token--1.pem"] {
        fs::write(directory.path().join("keys").join(name), "").unwrap();
    }
    let own = open(&directory.path().join("keys")).unwrap();
    let next = own.make(START).unwrap();
    own.use_alone(next).unwrap();
    assert_eq!(files(&directory).len(), 5 + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_tokens_are_refused(token in "[A-Za-z0-9_.=-]{0,200}|.{0,200}") {
        let (_directory, keys) = keys();
        prop_assert!(keys.verify(&token, &at(START)).is_err());
    }

    #[test]
    fn arbitrary_headers_are_refused(header in "\\{[\\x20-\\x7e]{0,100}\\}", signature in any::<[u8; 64]>()) {
        let (_directory, keys) = keys();
        let token = forge(&header, &body(START), &signature);
        prop_assert!(keys.verify(&token, &at(START)).is_err());
    }
}
