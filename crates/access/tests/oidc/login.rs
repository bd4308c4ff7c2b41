//! People who come in through a browser.

use plura_access::oidc::{Begun, ClientSecret, Identity, LoginError, LoginProvider, TokenError};
use plura_testkit::{Issuer, LoginClient, Mishap};
use serde_json::{Value, json};

use crate::issuers;

const HERE: &str = "https://registry.example.com/auth/oidc/callback";
/// What a form and a header must not mangle.
const SECRET: &str = "s3cret:with%20 +&/=ü";

fn provider(issuer: &Issuer) -> LoginProvider {
    LoginProvider {
        issuer: issuer.url().to_owned(),
        client_id: "plura registry".to_owned(),
        client_secret: Some(ClientSecret::new(SECRET.to_owned())),
        redirect_uri: HERE.to_owned(),
        scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
        groups_claim: Some("realm_access/roles".to_owned()),
    }
}

fn person() -> Value {
    json!({
        "sub": "248289761001",
        "preferred_username": "alice",
        "email": "alice@example.com",
        "email_verified": true,
        "realm_access": {"roles": ["sre", 7, "developers"]},
    })
}

/// The provider's clock is the real one, since it makes the tokens of a login itself.
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("it is after 1970").as_secs()).expect("and before the end of time")
}

async fn knowing(claims: Value) -> (Issuer, LoginProvider) {
    let issuer = Issuer::start().await;
    let provider = provider(&issuer);
    let (id, redirect_uri) = (provider.client_id.clone(), HERE.to_owned());
    issuer.allow_login(LoginClient { id, secret: Some(SECRET.to_owned()), redirect_uri }, claims);
    (issuer, provider)
}

/// A whole login; `change` comes between what was begun and what the browser brings back.
async fn login(
    issuer: &Issuer,
    provider: &LoginProvider,
    change: impl FnOnce(&mut Begun, &mut String, &mut String),
) -> Result<Identity, LoginError> {
    let issuers = issuers();
    let mut begun = provider.begin(&issuers, now()).await?;
    let (mut code, mut state) = issuer.browse(&begun.authorization_url).await;
    change(&mut begun, &mut code, &mut state);
    provider.finish(&issuers, &code, &state, begun, now()).await
}

/// A login of somebody about whom the provider says this.
async fn login_as(claims: Value) -> Result<Identity, LoginError> {
    let (issuer, provider) = knowing(claims).await;
    login(&issuer, &provider, |_, _, _| {}).await
}

fn changed(changes: Value) -> Value {
    crate::with(person(), changes)
}

#[tokio::test]
async fn a_person_logs_in() {
    let (issuer, provider) = knowing(person()).await;
    let identity = login(&issuer, &provider, |_, _, _| {}).await.unwrap();
    assert_eq!(
        identity,
        Identity {
            issuer: issuer.url().to_owned(),
            subject: "248289761001".to_owned(),
            name: Some("alice".to_owned()),
            email: Some("alice@example.com".to_owned()),
            groups: vec!["sre".to_owned(), "developers".to_owned()],
        }
    );
}

#[tokio::test]
async fn a_public_client_logs_in_without_a_secret() {
    let (issuer, _) = knowing(person()).await;
    let (id, redirect_uri) = ("command-line".to_owned(), HERE.to_owned());
    issuer.allow_login(LoginClient { id: id.clone(), secret: None, redirect_uri }, person());
    let provider = LoginProvider { client_id: id, client_secret: None, ..provider(&issuer) };
    assert!(login(&issuer, &provider, |_, _, _| {}).await.is_ok());
}

#[tokio::test]
async fn the_browser_is_sent_with_all_that_protects_the_login() {
    let (issuer, provider) = knowing(person()).await;
    let issuers = issuers();
    let begun = provider.begin(&issuers, 5).await.unwrap();
    let other = provider.begin(&issuers, 5).await.unwrap();
    for (one, another) in [
        (&begun.state, &other.state),
        (&begun.nonce, &other.nonce),
        (&begun.verifier, &other.verifier),
        (&begun.state, &begun.nonce),
        (&begun.nonce, &begun.verifier),
    ] {
        assert_ne!(one, another);
        assert_eq!(one.len(), 43, "32 random bytes");
    }
    let url = &begun.authorization_url;
    assert!(url.starts_with(&format!("{}/authorize?tenant=a&response_type=code", issuer.url())));
    assert!(url.contains("scope=openid+profile+email&"), "{url}");
    assert!(url.contains("code_challenge_method=S256"), "{url}");
    assert!(!url.contains(&begun.verifier), "{url}");
    let shown = format!("{begun:?} {provider:?}");
    for secret in [SECRET, &begun.state, &begun.nonce, &begun.verifier] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn a_state_that_was_not_given_out_is_refused() {
    let (issuer, provider) = knowing(person()).await;
    for wrong in ["", "state"] {
        let failed = login(&issuer, &provider, |_, _, state| wrong.clone_into(state)).await;
        assert!(matches!(failed, Err(LoginError::State)), "{failed:?}");
    }
}

#[tokio::test]
async fn a_nonce_of_another_login_is_refused() {
    let (issuer, provider) = knowing(person()).await;
    let failed = login(&issuer, &provider, |begun, _, _| begun.nonce = "other".to_owned()).await;
    assert!(matches!(failed, Err(LoginError::Nonce)), "{failed:?}");
}

#[tokio::test]
async fn a_verifier_of_another_login_is_refused() {
    let (issuer, provider) = knowing(person()).await;
    let failed = login(&issuer, &provider, |begun, _, _| begun.verifier.push('x')).await;
    let Err(LoginError::Refused(reason)) = failed else { panic!("{failed:?}") };
    assert_eq!(reason, "invalid_grant");
}

#[tokio::test]
async fn a_code_is_good_once_and_bounded() {
    let (issuer, provider) = knowing(person()).await;
    let issuers = issuers();
    let begun = provider.begin(&issuers, now()).await.unwrap();
    let (code, state) = issuer.browse(&begun.authorization_url).await;
    let finish =
        async |code: &str| provider.finish(&issuers, code, &state, begun.clone(), now()).await;
    assert!(matches!(finish("").await, Err(LoginError::Code)));
    assert!(matches!(finish(&"c".repeat(5000)).await, Err(LoginError::Code)));
    assert!(finish(&code).await.is_ok());
    assert!(matches!(finish(&code).await, Err(LoginError::Refused(_))));
}

#[tokio::test]
async fn a_login_lasts_ten_minutes() {
    let (issuer, provider) = knowing(person()).await;
    let late = login(&issuer, &provider, |begun, _, _| begun.started_at -= 630).await;
    assert!(matches!(late, Err(LoginError::TooLate)), "{late:?}");
    assert!(login(&issuer, &provider, |begun, _, _| begun.started_at -= 570).await.is_ok());
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let (issuer, provider) = knowing(person()).await;
    for secret in [None, Some(ClientSecret::new("wrong".to_owned()))] {
        let provider = LoginProvider { client_secret: secret, ..provider.clone() };
        let failed = login(&issuer, &provider, |_, _, _| {}).await;
        assert!(matches!(failed, Err(LoginError::Refused(_))), "{failed:?}");
    }
}

#[tokio::test]
async fn an_address_that_nobody_verified_is_not_used() {
    for unverified in [json!(null), json!(false), json!("false"), json!(1)] {
        let identity = login_as(changed(json!({"email_verified": unverified}))).await.unwrap();
        assert_eq!((identity.email, identity.name.as_deref()), (None, Some("alice")));
        let nameless = json!({"email_verified": unverified, "preferred_username": null});
        assert_eq!(login_as(changed(nameless)).await.unwrap().name, None);
    }
    let nameless = json!({"email_verified": "true", "preferred_username": ""});
    let identity = login_as(changed(nameless)).await.unwrap();
    assert_eq!(identity.name.as_deref(), Some("alice@example.com"));
}

#[tokio::test]
async fn groups_are_texts_or_nothing() {
    for (claim, expected) in [
        (json!({"roles": "sre"}), vec!["sre"]),
        (json!({"roles": []}), vec![]),
        (json!({"roles": {"sre": true}}), vec![]),
        (json!(null), vec![]),
    ] {
        let identity = login_as(changed(json!({"realm_access": claim.clone()}))).await.unwrap();
        assert_eq!(identity.groups, expected, "{claim}");
    }
}

#[tokio::test]
async fn a_token_for_another_client_is_refused() {
    let ours = "plura registry";
    for (changes, accepted) in [
        (json!({"aud": [ours]}), true),
        (json!({"aud": [ours, "other"], "azp": ours}), true),
        (json!({"aud": [ours, "other"]}), false),
        (json!({"aud": [ours, "other"], "azp": "other"}), false),
        (json!({"aud": ours, "azp": "other"}), false),
    ] {
        let found = login_as(changed(changes.clone())).await;
        assert_eq!(found.is_ok(), accepted, "{changes}: {found:?}");
    }
    let failed = login_as(changed(json!({"aud": "other"}))).await;
    assert!(
        matches!(failed, Err(LoginError::Token(TokenError::WrongAudience { .. }))),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_provider_that_is_away_or_wrong_is_reported() {
    let (issuer, provider) = knowing(person()).await;
    issuer.misbehave(Mishap::Unavailable);
    let failed = provider.begin(&issuers(), now()).await;
    assert!(matches!(failed, Err(LoginError::Provider(_))), "{failed:?}");
    issuer.misbehave(None);
    let failed = login(&issuer, &provider, |_, _, _| {
        issuer.misbehave(Mishap::Unavailable);
    })
    .await;
    let Err(LoginError::Refused(reason)) = failed else { panic!("{failed:?}") };
    assert_eq!(reason, "status 503");
}

#[tokio::test]
async fn a_token_signed_by_somebody_else_is_refused() {
    let (issuer, provider) = knowing(person()).await;
    // The keys that we know are replaced after the provider was asked for them.
    let failed = login(&issuer, &provider, |_, _, _| issuer.rotate()).await;
    assert!(matches!(failed, Err(LoginError::Token(TokenError::UnknownKey))), "{failed:?}");
}
