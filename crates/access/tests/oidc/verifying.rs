//! Which tokens are believed.

use plura_access::oidc::{LEEWAY, TokenError, claimed_issuer};
use plura_testkit::Issuer;
use serde_json::{Value, json};

use crate::{AUDIENCE, NOW, claims, expected, issuers, verify, with};

/// Panics unless the token is refused for this reason, in words that do not quote it.
async fn check_refused(issuer: &Issuer, what: &str, token: &str, reason: &str) {
    let error = verify(issuer, token).await.expect_err(what);
    let variant = format!("{error:?}");
    assert!(variant.starts_with(reason), "{what}: {variant}");
    for part in token.split('.').filter(|part| part.len() > 8) {
        assert!(!error.to_string().contains(part), "{what}: {error}");
        assert!(!variant.contains(part), "{what}: {variant}");
    }
}

#[tokio::test]
async fn every_algorithm_with_a_private_key_is_accepted() {
    let issuer = Issuer::start().await;
    let issuers = issuers();
    for algorithm in
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519"]
    {
        let token = issuer.sign_as(algorithm, &claims(&issuer));
        let verified = issuers.verify(&token, &expected(&issuer), NOW).await;
        assert_eq!(verified.expect(algorithm).subject, "someone");
    }
    assert_eq!(issuer.key_fetches(), 1);
}

#[tokio::test]
async fn all_claims_are_handed_on() {
    let issuer = Issuer::start().await;
    let more = json!({"jti": "one", "nested": {"a": [1, {"b": true}]}});
    let token = issuer.sign(&with(claims(&issuer), more.clone()));
    assert_eq!(claimed_issuer(&token).unwrap(), issuer.url());
    let verified = verify(&issuer, &token).await.unwrap();
    assert_eq!(verified.issuer, issuer.url());
    assert_eq!(verified.audience, [AUDIENCE]);
    assert_eq!(verified.jwt_id.as_deref(), Some("one"));
    assert_eq!(verified.expires_at, NOW + 300);
    assert_eq!(verified.all["nested"], more["nested"]);
    assert_eq!(verified.get("nested/a"), Some(&more["nested"]["a"]));
    assert_eq!(verified.get("nested/a/1"), None);
}

#[tokio::test]
async fn a_nonce_names_one_token_of_one_issuer() {
    let (one, other) = (Issuer::start().await, Issuer::start().await);
    let nonce = async |issuer: &Issuer, id: &str| {
        let token = issuer.sign(&with(claims(issuer), json!({"jti": id})));
        verify(issuer, &token).await.unwrap().nonce().unwrap()
    };
    let first = nonce(&one, "a").await;
    assert_eq!(first, nonce(&one, "a").await);
    assert_eq!(first.keep_until, NOW + 300 + LEEWAY);
    assert_eq!(first.value.len(), 64);
    assert_ne!(first, nonce(&one, "b").await);
    assert_ne!(first, nonce(&other, "a").await);
    let without = verify(&one, &one.sign(&claims(&one))).await.unwrap();
    assert_eq!(without.nonce(), None);
}

#[tokio::test]
async fn a_token_that_nobody_signed_is_refused() {
    let issuer = Issuer::start().await;
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let token = issuer.forge_unsigned(algorithm, &claims(&issuer));
        check_refused(&issuer, algorithm, &token, "AlgorithmRefused").await;
    }
    for algorithm in ["RS256", "ES256"] {
        let token = issuer.forge_unsigned(algorithm, &claims(&issuer));
        assert!(verify(&issuer, &token).await.is_err(), "{algorithm} with an empty signature");
    }
}

#[tokio::test]
async fn a_public_key_is_not_a_shared_secret() {
    let issuer = Issuer::start().await;
    let token = issuer.forge_with_public_key(&claims(&issuer));
    check_refused(&issuer, "HS256", &token, "AlgorithmRefused").await;
}

#[tokio::test]
async fn the_key_says_which_algorithm_it_is_for() {
    let issuer = Issuer::start().await;
    // Truly signed by the key, which is published for RS256 alone.
    for algorithm in ["RS384", "RS512", "PS256", "PS512"] {
        let header = json!({"alg": algorithm, "kid": issuer.key_id("RS256")});
        let token = issuer.sign_with(&header, &claims(&issuer));
        check_refused(&issuer, algorithm, &token, "AlgorithmMismatch").await;
    }
    for (algorithm, other) in
        [("ES256", "ES384"), ("ES384", "ES256"), ("RS256", "ES256"), ("EdDSA", "ES256")]
    {
        let header = json!({"alg": algorithm, "kid": issuer.key_id(other)});
        let token = issuer.sign_with(&header, &claims(&issuer));
        check_refused(&issuer, algorithm, &token, "AlgorithmMismatch").await;
    }
}

#[tokio::test]
async fn a_signature_of_another_key_is_refused() {
    let (issuer, attacker) = (Issuer::start().await, Issuer::start().await);
    // The attacker's keys have the same ids.
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let token = attacker.sign_as(algorithm, &claims(&issuer));
        check_refused(&issuer, algorithm, &token, "Signature").await;
    }
    assert_eq!(attacker.key_fetches(), 0);
}

#[tokio::test]
async fn a_token_does_not_bring_its_own_key() {
    let (issuer, attacker) = (Issuer::start().await, Issuer::start().await);
    let address = format!("{}/keys", attacker.url());
    let key = attacker.jwks()["keys"][0].clone();
    for extra in [json!({"jku": address}), json!({"x5u": address}), json!({"jwk": key})] {
        let header = with(json!({"alg": "RS256", "kid": issuer.key_id("RS256")}), extra.clone());
        let token = attacker.sign_with(&header, &claims(&issuer));
        check_refused(&issuer, "with our kid", &token, "Signature").await;
        let header = with(json!({"alg": "RS256", "kid": "mine"}), extra);
        let token = attacker.sign_with(&header, &claims(&issuer));
        check_refused(&issuer, "with its kid", &token, "UnknownKey").await;
    }
    assert_eq!((attacker.key_fetches(), attacker.discovery_fetches()), (0, 0));
}

#[tokio::test]
async fn the_name_of_a_key_is_only_looked_up() {
    let issuer = Issuer::start().await;
    for id in [
        "../../etc/passwd",
        "/etc/passwd",
        "http://127.0.0.1:1/keys",
        "' or 1=1 --",
        "rs256-1\0",
        "\u{202e}",
        "of-the-future",
        "for-encryption",
    ] {
        let token = issuer.sign_with(&json!({"alg": "RS256", "kid": id}), &claims(&issuer));
        check_refused(&issuer, id, &token, "UnknownKey").await;
    }
    for id in [String::new(), "k".repeat(257), "k".repeat(8000)] {
        let token = issuer.sign_with(&json!({"alg": "RS256", "kid": id}), &claims(&issuer));
        check_refused(&issuer, "no name", &token, "KeyIdInvalid").await;
    }
    for id in [json!(7), json!(["rs256-1"]), json!({"a": "b"})] {
        let token = issuer.sign_with(&json!({"alg": "RS256", "kid": id}), &claims(&issuer));
        check_refused(&issuer, "no text", &token, "Malformed").await;
    }
    let token = issuer.sign_with(&json!({"alg": "RS256"}), &claims(&issuer));
    check_refused(&issuer, "without one", &token, "KeyIdMissing").await;
}

#[tokio::test]
async fn what_must_be_understood_is_refused() {
    let issuer = Issuer::start().await;
    for extra in [json!({"crit": ["exp"]}), json!({"crit": ["b64"], "b64": false})] {
        let header = with(json!({"alg": "RS256", "kid": issuer.key_id("RS256")}), extra);
        let token = issuer.sign_with(&header, &claims(&issuer));
        check_refused(&issuer, "crit", &token, "Critical").await;
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let issuer = Issuer::start().await;
    let good = issuer.sign(&claims(&issuer));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = message.split_once('.').unwrap();
    for (what, token) in [
        ("nothing", String::new()),
        ("a word", "token".to_owned()),
        ("two parts", message.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{header}.{body}.{body}.{body}.{signature}")),
        ("empty parts", "..".to_owned()),
        ("padding", format!("{header}=.{body}.{signature}")),
        ("no base64", format!("{header}.{body}!.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("white space", format!(" {good}")),
        (
            "header twice",
            format!("{}.{body}.{signature}", encoded(r#"{"alg":"RS256","alg":"none"}"#)),
        ),
        ("header as a list", format!("{}.{body}.{signature}", encoded("[]"))),
        ("claims as a list", format!("{header}.{}.{signature}", encoded("[]"))),
        ("deep claims", format!("{header}.{}.{signature}", encoded(&"[".repeat(9000)))),
        ("no UTF-8", format!("{header}.{}.{signature}", "_____w")),
    ] {
        check_refused(&issuer, what, &token, "Malformed").await;
    }
    let changed = format!("{header}.{}.{signature}", encoded(&claims(&issuer).to_string()));
    assert!(verify(&issuer, &changed).await.is_ok(), "the same claims are the same token");
    let other = with(claims(&issuer), json!({"sub": "administrator"}));
    let changed = format!("{header}.{}.{signature}", encoded(&other.to_string()));
    check_refused(&issuer, "changed claims", &changed, "Signature").await;
    check_refused(&issuer, "cut signature", &good[..good.len() - 4], "Signature").await;
}

fn encoded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test]
async fn a_long_token_is_not_looked_at() {
    let issuer = Issuer::start().await;
    let padded = |bytes: usize| {
        issuer.sign_as("ES256", &with(claims(&issuer), json!({"padding": "x".repeat(bytes)})))
    };
    let fits = padded(11_800);
    assert!((15 << 10..=16 << 10).contains(&fits.len()), "{}", fits.len());
    assert!(verify(&issuer, &fits).await.is_ok());
    check_refused(&issuer, "16 KiB", &padded(12_400), "TooLong").await;
    check_refused(&issuer, "64 MiB", &"x".repeat(64 << 20), "TooLong").await;
}

#[tokio::test]
async fn times_are_checked_with_a_minute_of_leeway() {
    let issuer = Issuer::start().await;
    let issuers = issuers();
    let check = async |changes: Value, refused: Option<&str>| {
        let token = issuer.sign_as("ES256", &with(claims(&issuer), changes.clone()));
        let verified = issuers.verify(&token, &expected(&issuer), NOW).await;
        let reason = verified.err().map(|error| format!("{error:?}"));
        assert_eq!(reason.as_deref(), refused, "{changes}");
    };
    check(json!({"exp": NOW}), None).await;
    check(json!({"exp": NOW - 59}), None).await;
    check(json!({"exp": NOW - 60}), Some("Expired")).await;
    check(json!({"exp": 0}), Some("Expired")).await;
    check(json!({"exp": 1_900_000_000.5}), None).await;
    check(json!({"exp": null}), Some(r#"ClaimMissing("exp")"#)).await;
    for exp in [json!(-1), json!("1900000300"), json!([]), json!(1e300), json!(u64::MAX)] {
        check(json!({"exp": exp}), Some(r#"ClaimInvalid("exp")"#)).await;
    }
    check(json!({"exp": i64::MAX}), None).await;
    check(json!({"nbf": NOW + 60}), None).await;
    check(json!({"nbf": NOW + 61}), Some("NotYetValid")).await;
    check(json!({"nbf": "soon"}), Some(r#"ClaimInvalid("nbf")"#)).await;
    check(json!({"iat": NOW + 60}), None).await;
    check(json!({"iat": NOW + 61}), Some("IssuedInFuture")).await;
    check(json!({"iat": -5}), Some(r#"ClaimInvalid("iat")"#)).await;
}

#[tokio::test]
async fn a_token_for_somebody_else_is_refused() {
    let issuer = Issuer::start().await;
    let issuers = issuers();
    let check = async |audience: Value, accepted: bool| {
        let token = issuer.sign_as("ES256", &with(claims(&issuer), json!({"aud": audience})));
        let verified = issuers.verify(&token, &expected(&issuer), NOW).await;
        assert_eq!(verified.is_ok(), accepted, "{audience}: {verified:?}");
    };
    check(json!(AUDIENCE), true).await;
    check(json!(["sts.example.com", AUDIENCE]), true).await;
    check(json!(["sts.example.com"]), false).await;
    check(json!("registry.example.com.evil.example"), false).await;
    check(json!("Registry.example.com"), false).await;
    check(json!("registry.example.com "), false).await;
    check(json!([]), false).await;
    check(json!({}), false).await;
    check(json!([[AUDIENCE]]), false).await;
    check(json!([AUDIENCE, 7]), false).await;
    check(Value::Null, false).await;
}

#[tokio::test]
async fn a_token_of_another_issuer_does_not_make_us_ask() {
    let (issuer, other) = (Issuer::start().await, Issuer::start().await);
    let own = |issuer: &Issuer| issuer.sign(&claims(issuer));
    check_refused(&issuer, "another issuer", &own(&other), "WrongIssuer").await;
    for name in [format!("{}/", issuer.url()), issuer.url().to_uppercase()] {
        let token = issuer.sign(&with(claims(&issuer), json!({"iss": name})));
        check_refused(&issuer, "not exactly", &token, "WrongIssuer").await;
    }
    assert_eq!((issuer.discovery_fetches(), other.discovery_fetches()), (0, 0));
    for (claim, value, reason) in [
        ("iss", Value::Null, r#"ClaimMissing("iss")"#),
        ("iss", json!([issuer.url()]), r#"ClaimInvalid("iss")"#),
        ("sub", Value::Null, r#"ClaimMissing("sub")"#),
        ("sub", json!(""), r#"ClaimInvalid("sub")"#),
        ("jti", json!(5), r#"ClaimInvalid("jti")"#),
    ] {
        let token = issuer.sign(&with(claims(&issuer), json!({claim: value})));
        check_refused(&issuer, claim, &token, reason).await;
    }
}

#[tokio::test]
async fn an_error_names_nobody_but_those_whom_we_know() {
    let issuer = Issuer::start().await;
    let forged = with(claims(&issuer), json!({"iss": "https://evil.example/\u{1b}[31m"}));
    let error = verify(&issuer, &issuer.sign(&forged)).await.unwrap_err();
    assert_eq!(error.to_string(), format!("the token is not issued by {}", issuer.url()));
    assert!(matches!(error, TokenError::WrongIssuer { .. }));
}
