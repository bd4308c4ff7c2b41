//! When issuers are asked, and what is believed of their answers.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use plura_access::oidc::{Claims, Expected, FetchError, Issuers, Options, TokenError};
use plura_testkit::{Issuer, Mishap, eventually};
use serde_json::json;

use crate::{AUDIENCE, NOW, claims, expected, issuers, with};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// A token that is valid at all times of these tests.
fn lasting(issuer: &Issuer) -> String {
    issuer.sign(&with(claims(issuer), json!({"exp": NOW + 30 * DAY})))
}

/// Why the keys could not be had.
fn reason(verified: Result<Claims, TokenError>) -> FetchError {
    match verified {
        Err(TokenError::NoKeys { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn many_tokens_at_once_are_one_question() {
    let issuer = Issuer::start().await;
    let issuers = issuers();
    let token = lasting(&issuer);
    let expected = expected(&issuer);
    let verified = join_all((0..100).map(|_| issuers.verify(&token, &expected, NOW))).await;
    assert!(verified.iter().all(Result::is_ok));
    assert_eq!((issuer.discovery_fetches(), issuer.key_fetches()), (1, 1));
    let clone = issuers.clone();
    clone.verify(&token, &expected, NOW).await.unwrap();
    assert_eq!(issuer.key_fetches(), 1, "clones share the keys");
}

#[tokio::test]
async fn many_tokens_at_once_are_one_question_that_fails_too() {
    let issuer = Issuer::start().await;
    issuer.misbehave(Mishap::Unavailable);
    let issuers = issuers();
    let (token, expected) = (lasting(&issuer), expected(&issuer));
    let verified = join_all((0..100).map(|_| issuers.verify(&token, &expected, NOW))).await;
    for verified in verified {
        assert!(matches!(reason(verified), FetchError::Status { status: 503, .. }));
    }
    assert_eq!(issuer.discovery_fetches(), 1);
}

#[tokio::test]
async fn a_question_goes_on_when_the_one_who_caused_it_gives_up() {
    let issuer = Issuer::start().await;
    issuer.misbehave(Mishap::Silent);
    let patience = Duration::from_secs(1);
    let issuers = Issuers::new(Options { patience, ..Options::default() });
    let (token, expected) = (lasting(&issuer), expected(&issuer));
    let asked =
        eventually("the issuer is asked", async || (issuer.discovery_fetches() == 1).then_some(()));
    tokio::select! {
        verified = issuers.verify(&token, &expected, NOW) => panic!("{verified:?}"),
        () = asked => {}
    }
    // The first one has gone; the second one waits for the same answer, which does not come.
    let error = reason(issuers.verify(&token, &expected, NOW).await);
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    assert_eq!(issuer.discovery_fetches(), 1);
}

#[tokio::test]
async fn keys_are_fetched_again_after_an_hour() {
    let issuer = Issuer::start().await;
    let issuers = issuers();
    let (token, expected) = (lasting(&issuer), expected(&issuer));
    for (now, fetches) in [
        (NOW, 1),
        (NOW + HOUR - 1, 1),
        (NOW + HOUR, 2),
        (NOW + 2 * HOUR - 1, 2),
        // A clock that was set back by days.
        (NOW - DAY, 3),
    ] {
        issuers.verify(&token, &expected, now).await.unwrap();
        assert_eq!(issuer.key_fetches(), fetches, "at {now}");
    }
}

#[tokio::test]
async fn a_new_key_is_found_but_not_before_the_interval_is_over() {
    let issuer = Issuer::start().await;
    let issuers = issuers();
    let (old, expected) = (lasting(&issuer), expected(&issuer));
    issuers.verify(&old, &expected, NOW).await.unwrap();
    issuer.rotate();
    let new = lasting(&issuer);
    let verify = async |token: &str, now: i64| issuers.verify(token, &expected, now).await;
    assert!(matches!(verify(&new, NOW + 29).await, Err(TokenError::UnknownKey)));
    assert_eq!(issuer.key_fetches(), 1);
    assert!(verify(&new, NOW + 30).await.is_ok());
    assert_eq!(issuer.key_fetches(), 2);
    // What is published no more is valid no more.
    assert!(matches!(verify(&old, NOW + 31).await, Err(TokenError::UnknownKey)));
    assert_eq!(issuer.key_fetches(), 2);
}

#[tokio::test]
async fn invented_keys_do_not_make_us_ask_more_often() {
    let issuer = Issuer::start().await;
    let issuers = issuers();
    let expected = expected(&issuer);
    for attempt in 0..200 {
        let header = json!({"alg": "ES256", "kid": format!("invented-{attempt}")});
        let token = issuer.sign_with(&header, &claims(&issuer));
        let verified = issuers.verify(&token, &expected, NOW + attempt / 10).await;
        assert!(matches!(verified, Err(TokenError::UnknownKey)), "{verified:?}");
    }
    assert_eq!((issuer.discovery_fetches(), issuer.key_fetches()), (1, 1));
}

#[tokio::test]
async fn old_keys_are_used_for_a_day_while_the_issuer_is_away() {
    let mut issuer = Issuer::start().await;
    let issuers = issuers();
    let (token, expected) = (lasting(&issuer), expected(&issuer));
    issuers.verify(&token, &expected, NOW).await.unwrap();
    issuer.misbehave(Mishap::Unavailable);
    issuers.verify(&token, &expected, NOW + HOUR).await.unwrap();
    issuers.verify(&token, &expected, NOW + HOUR + 29).await.unwrap();
    assert_eq!(issuer.discovery_fetches(), 2, "asked once in the interval, not for every token");
    issuer.stop().await;
    issuers.verify(&token, &expected, NOW + DAY - 1).await.unwrap();
    let error = reason(issuers.verify(&token, &expected, NOW + DAY + HOUR).await);
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn an_issuer_that_comes_back_is_asked_soon() {
    let issuer = Issuer::start().await;
    let issuers = issuers();
    let (token, expected) = (lasting(&issuer), expected(&issuer));
    issuer.misbehave(Mishap::Unavailable);
    assert!(issuers.verify(&token, &expected, NOW).await.is_err());
    issuer.misbehave(None);
    assert!(issuers.verify(&token, &expected, NOW + 4).await.is_err());
    assert_eq!(issuer.discovery_fetches(), 1);
    issuers.verify(&token, &expected, NOW + 5).await.unwrap();
}

#[tokio::test]
async fn an_issuer_speaks_for_itself_only() {
    let issuer = Issuer::start().await;
    for found in
        ["https://token.actions.githubusercontent.com".to_owned(), format!("{}/", issuer.url())]
    {
        issuer.misbehave(Mishap::OtherIssuer(found.clone()));
        let error = reason(issuers().verify(&lasting(&issuer), &expected(&issuer), NOW).await);
        let address = format!("{}/.well-known/openid-configuration", issuer.url());
        assert_eq!(error, FetchError::WrongIssuer { address, found });
    }
    assert_eq!(issuer.key_fetches(), 0);
}

#[tokio::test]
async fn an_issuer_does_not_lead_us_elsewhere() {
    let (issuer, other) = (Issuer::start().await, Issuer::start().await);
    let discovery = "/.well-known/openid-configuration";
    issuer.misbehave(Mishap::RedirectTo(format!("{}{discovery}", other.url())));
    let error = reason(issuers().verify(&lasting(&issuer), &expected(&issuer), NOW).await);
    assert!(error.to_string().contains("redirects to another host"), "{error}");
    assert_eq!(other.discovery_fetches(), 0);
    // To itself, for ever.
    issuer.misbehave(Mishap::RedirectTo(format!("{}{discovery}", issuer.url())));
    let error = reason(issuers().verify(&lasting(&issuer), &expected(&issuer), NOW).await);
    assert!(error.to_string().contains("again and again"), "{error}");
    for address in ["http://keys.example.com/", "file:///etc/passwd", "/keys", "gopher://a/"] {
        issuer.misbehave(Mishap::KeysAt(address.to_owned()));
        let error = reason(issuers().verify(&lasting(&issuer), &expected(&issuer), NOW).await);
        assert_eq!(error, FetchError::Address(address.to_owned()));
    }
}

#[tokio::test]
async fn an_issuer_without_tls_is_not_asked() {
    let issuer = Issuer::start().await;
    let name = "http://issuer.example.com";
    let token = issuer.sign(&with(claims(&issuer), json!({"iss": name})));
    let expected = Expected { issuer: name.to_owned(), ..expected(&issuer) };
    let error = reason(issuers().verify(&token, &expected, NOW).await);
    assert_eq!(error, FetchError::Address(name.to_owned()));
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let issuer = Issuer::start().await;
    issuer.misbehave(Mishap::Oversize(200 << 10));
    issuers().verify(&lasting(&issuer), &expected(&issuer), NOW).await.unwrap();
    issuer.misbehave(Mishap::Oversize(300 << 10));
    let error = reason(issuers().verify(&lasting(&issuer), &expected(&issuer), NOW).await);
    assert!(matches!(error, FetchError::TooLarge { limit: 262_144, .. }), "{error}");
    issuer.misbehave(Mishap::Garbage);
    let error = reason(issuers().verify(&lasting(&issuer), &expected(&issuer), NOW).await);
    assert!(matches!(error, FetchError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn an_issuer_that_says_nothing_is_left() {
    let issuer = Issuer::start().await;
    issuer.misbehave(Mishap::Silent);
    let issuers =
        Issuers::new(Options { patience: Duration::from_millis(50), ..Options::default() });
    let error = reason(issuers.verify(&lasting(&issuer), &expected(&issuer), NOW).await);
    assert!(error.to_string().contains("nothing within 50ms"), "{error}");
}

#[tokio::test]
async fn the_caller_is_not_told_what_we_asked() {
    let issuer = Issuer::start().await;
    issuer.misbehave(Mishap::Unavailable);
    let error = issuers().verify(&lasting(&issuer), &expected(&issuer), NOW).await.unwrap_err();
    let expected = format!("the keys of {} are not available; try again later", issuer.url());
    assert_eq!(error.to_string(), expected);
}

const CLUSTER: &str = "https://kubernetes.default.svc.cluster.local";

fn from_file(path: &Path) -> Expected {
    let (issuer, audience) = (CLUSTER.to_owned(), AUDIENCE.to_owned());
    Expected { issuer, audience, jwks_file: Some(path.to_owned()) }
}

fn cluster_token(issuer: &Issuer) -> String {
    issuer.sign(&with(claims(issuer), json!({"iss": CLUSTER, "exp": NOW + 30 * DAY})))
}

#[tokio::test]
async fn keys_from_a_file_need_no_network_and_follow_the_file() {
    let issuer = Issuer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let issuers = issuers();
    let verify = async |token: &str, now: i64| issuers.verify(token, &from_file(&path), now).await;

    let old = cluster_token(&issuer);
    let error = reason(verify(&old, NOW).await);
    assert!(matches!(error, FetchError::File { .. }), "{error}");
    std::fs::write(&path, issuer.jwks().to_string()).unwrap();
    verify(&old, NOW).await.unwrap();
    verify(&old, NOW + 5 * DAY).await.unwrap();

    issuer.rotate();
    let new = cluster_token(&issuer);
    assert!(matches!(verify(&new, NOW + 5 * DAY).await, Err(TokenError::UnknownKey)));
    // As Kubernetes replaces a file: another one is moved to its place.
    let next = directory.path().join("next.json");
    std::fs::write(&next, issuer.jwks().to_string()).unwrap();
    std::fs::rename(&next, &path).unwrap();
    verify(&new, NOW + 5 * DAY).await.unwrap();
    assert!(matches!(verify(&old, NOW + 5 * DAY).await, Err(TokenError::UnknownKey)));

    std::fs::remove_file(&path).unwrap();
    verify(&new, NOW + 6 * DAY - 1).await.unwrap();
    assert!(matches!(reason(verify(&new, NOW + 6 * DAY).await), FetchError::File { .. }));
    assert_eq!(issuer.discovery_fetches(), 0);
}

#[tokio::test]
async fn a_file_with_keys_is_bounded_and_a_file() {
    let issuer = Issuer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let token = cluster_token(&issuer);
    let path = directory.path().join("large.json");
    std::fs::write(&path, "x".repeat(300 << 10)).unwrap();
    let error = reason(issuers().verify(&token, &from_file(&path), NOW).await);
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
    let path = directory.path().join("other.json");
    std::fs::write(&path, r#""what nobody should read""#).unwrap();
    let error = reason(issuers().verify(&token, &from_file(&path), NOW).await);
    assert!(matches!(error, FetchError::Malformed { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("nobody"), "{error}");
    for path in [directory.path(), Path::new("/dev/zero")] {
        let error = reason(issuers().verify(&token, &from_file(path), NOW).await);
        assert!(matches!(error, FetchError::File { .. }), "{error}");
    }
}
