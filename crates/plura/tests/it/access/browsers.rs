//! Sessions of browsers: what other sites can have a browser do, and where a login leads.

use plura_testkit::{Answer, Client, Issuer, LoginClient};
use reqwest::Method;
use serde_json::{Value, json};

use super::Closed;
use super::closed::Account;

/// The cookie that an answer sets, as a browser sends it back.
#[track_caller]
fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default();
    cookie.to_owned()
}

async fn login(closed: &Closed, account: &Account) -> (Client, Answer) {
    let body = json!({"name": account.name, "password": account.secret});
    let answer = closed.client.post("/auth/login").json(&body).await.expect(204);
    (closed.client.sending("cookie", &cookie(&answer)), answer)
}

/// Panics if the answer begins a session; that it ends the login is as it should be.
#[track_caller]
fn check_no_session(answer: &Answer) {
    let cookies = answer.header_list("set-cookie");
    let session = cookies.iter().any(|cookie| cookie.starts_with("plura_session="));
    assert!(!session, "{}", answer.describe());
}

type Headers = Vec<(&'static str, String)>;

/// The headers by which browsers say who has them send a request, and whether that is let through.
fn origins(closed: &Closed) -> Vec<(&'static str, Headers, bool)> {
    let own = closed.server.base();
    let (_, port) = own.rsplit_once(':').expect("a port");
    let fetch = |site: &str| vec![("sec-fetch-site", site.to_owned())];
    let origin = |origin: &str| vec![("origin", origin.to_owned())];
    vec![
        ("a page of ours", fetch("same-origin"), true),
        ("the address bar", fetch("none"), true),
        ("a page of ours, in an older browser", origin(&own), true),
        ("nobody knows", Vec::new(), false),
        ("another site", fetch("cross-site"), false),
        ("another host of the site", fetch("same-site"), false),
        ("nonsense", fetch("whatever"), false),
        ("another site, in an older browser", origin("http://evil.example"), false),
        ("another port", origin("http://127.0.0.1:1"), false),
        ("a name that ends alike", origin(&format!("http://evil-127.0.0.1:{port}")), false),
        ("a name that begins alike", origin(&format!("{own}.evil.example")), false),
        ("a page without an origin", origin("null"), false),
        (
            "another site that claims to be ours",
            vec![("sec-fetch-site", "cross-site".to_owned()), ("origin", own)],
            false,
        ),
    ]
}

#[tokio::test]
async fn other_sites_change_nothing_with_a_session() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    let root = closed.account("root", &closed.root_password);
    let dora = closed.user("dora").await;
    let (browser, _) = login(&closed, &root).await;
    let (other, _) = login(&closed, &dora).await;
    other.get("/api/v1/me").await.expect(200);
    for (who, headers, allowed) in origins(&closed) {
        let browser = headers
            .iter()
            .fold(browser.clone(), |client, (name, value)| client.sending(name, value));
        for (method, path, body) in [
            (Method::PATCH, "/api/v1/projects/apps", "{}"),
            (Method::POST, "/api/v1/users", "{}"),
            (Method::PUT, "/api/v1/users/dora/password", "{}"),
            (Method::DELETE, "/api/v1/users/absent", ""),
            (Method::POST, "/v1/registry/gc", r#"{"dry_run":true}"#),
        ] {
            let request = browser.request(method, path).header("content-type", "application/json");
            let answer = request.body(body).await;
            assert_eq!(answer.status != 403, allowed, "{who}: {}", answer.describe());
        }
        if !allowed {
            let logout = headers
                .iter()
                .fold(other.clone(), |client, (name, value)| client.sending(name, value));
            logout.post("/auth/logout").body("").await.expect_error(403, "DENIED");
        }
        // Reading is not changing, and its answer is not shown to other sites.
        let read = browser.get("/api/v1/me").await.expect(200);
        assert_eq!(read.header_if_any("access-control-allow-origin"), None);
    }
    other.get("/api/v1/me").await.expect(200);
    // A form cannot say that it is JSON.
    let own = browser.sending("sec-fetch-site", "same-origin");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let request = own.patch("/api/v1/projects/apps").header("content-type", kind);
        request.body("{}").await.expect(400);
    }
}

#[tokio::test]
async fn a_session_is_for_pages_and_not_for_clients() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/x").await;
    let root = closed.account("root", &closed.root_password);
    let (browser, answer) = login(&closed, &root).await;
    let attributes = answer.header("set-cookie").to_owned();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    assert!(!attributes.contains("Domain"), "{attributes}");
    browser.get("/v2/apps/x/tags/list").await.expect_error(401, "UNAUTHORIZED");
    let secret = cookie(&answer);
    let (_, secret) = secret.split_once('=').expect("a value");
    for client in [closed.client.bearer(secret), closed.client.basic("root", secret)] {
        client.get("/v2/").await.expect_error(401, "UNAUTHORIZED");
        client.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
    }
    // Two sessions are one: the first, or none, but never somebody else's.
    let both = closed.client.sending("cookie", &format!("plura_session=x; plura_session={secret}"));
    both.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
    let out = browser.sending("sec-fetch-site", "same-origin").post("/auth/logout").body("").await;
    assert!(out.expect(204).header("set-cookie").contains("Max-Age=0"));
    browser.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let closed = Closed::with(&[("PLURA_ACCESS__SESSION_LIFE", "1s")]);
    let root = closed.account("root", &closed.root_password);
    let (browser, _) = login(&closed, &root).await;
    let ended = || async { (browser.get("/api/v1/me").await.status == 401).then_some(()) };
    plura_testkit::eventually("the session ends", ended).await;
}

/// Another site could have somebody log in as somebody else, and look at what they push there.
#[tokio::test]
async fn other_sites_do_not_log_anybody_in() {
    let closed = Closed::start();
    let body = json!({"name": "root", "password": closed.root_password}).to_string();
    for (who, headers, allowed) in origins(&closed) {
        let client = headers
            .iter()
            .fold(closed.client.clone(), |client, (name, value)| client.sending(name, value));
        let answer = client
            .post("/auth/login")
            .header("content-type", "application/json")
            .body(body.clone())
            .await;
        // Programs say nothing about it.
        let expected = if allowed || headers.is_empty() { 204 } else { 403 };
        assert_eq!(answer.status, expected, "{who}: {}", answer.describe());
    }
}

/// A server where people log in at an issuer.
async fn with_issuer() -> (Closed, Issuer) {
    let issuer = Issuer::start().await;
    let public = "https://registry.test";
    let closed = Closed::with(&[
        ("PLURA_ACCESS__OIDC__ISSUER", issuer.url()),
        ("PLURA_ACCESS__OIDC__CLIENT_ID", "plura"),
        ("PLURA_ACCESS__OIDC__ADMINISTRATOR_GROUP", "admins"),
        ("PLURA_SERVER__PUBLIC_URL", public),
    ]);
    let client = LoginClient {
        id: "plura".to_owned(),
        secret: None,
        redirect_uri: format!("{public}/auth/oidc/callback"),
    };
    let claims = json!({"sub": "248289761001", "preferred_username": "olaf", "groups": ["sre"]});
    issuer.allow_login(client, claims);
    (closed, issuer)
}

/// Begins a login and goes to the issuer: the browser with its cookie, and what it is sent back with.
async fn begin(closed: &Closed, issuer: &Issuer, next: &str) -> (Client, String, String) {
    let begun = closed.client.get("/auth/oidc/login").query("next", next).await.expect(303);
    let browser = closed.client.sending("cookie", &cookie(&begun));
    let (code, state) = issuer.browse(begun.header("location")).await;
    (browser, code, state)
}

async fn finish(browser: &Client, code: &str, state: &str) -> Answer {
    browser.get("/auth/oidc/callback").query("code", code).query("state", state).await
}

#[tokio::test]
async fn a_login_elsewhere_leads_back_and_nowhere_else() {
    let (closed, issuer) = with_issuer().await;
    for (next, expected) in [
        ("/projects/apps", "/projects/apps"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("\\\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("/\tx", "/"),
        ("", "/"),
    ] {
        let (browser, code, state) = begin(&closed, &issuer, next).await;
        let finished = finish(&browser, &code, &state).await.expect(303);
        assert_eq!(finished.header("location"), expected, "{next}");
        let session = closed.client.sending("cookie", &cookie(&finished));
        let me = session.get("/api/v1/me").await.expect(200).json();
        assert_eq!((&me["name"], &me["administrator"]), (&json!("olaf"), &json!(false)), "{me}");
        // Once.
        finish(&browser, &code, &state).await.expect(400);
    }
}

#[tokio::test]
async fn a_login_that_somebody_else_began_is_not_finished() {
    let (closed, issuer) = with_issuer().await;
    let (browser, code, state) = begin(&closed, &issuer, "/").await;
    finish(&closed.client, &code, &state).await.expect(400);
    let (other, other_code, other_state) = begin(&closed, &issuer, "/").await;
    finish(&other, &code, &state).await.expect(400);
    // The code of one with the state of the other: the issuer ties it to a verifier (PKCE).
    let mixed = finish(&other, &code, &other_state).await;
    assert!((400..500).contains(&mixed.status), "{}", mixed.describe());
    check_no_session(&mixed);
    finish(&other, &other_code, &other_state).await.expect(400);
    finish(&browser, &code, &format!("{state}x")).await.expect(400);
    let error =
        closed.client.get("/auth/oidc/callback").query("error", "<script>alert(1)</script>");
    error.await.expect(400).expect_header("content-type", "application/json");
}

#[tokio::test]
async fn somebody_elsewhere_takes_over_nobody_here() {
    let (mut closed, issuer) = with_issuer().await;
    // A name that is taken here is not given away by an issuer.
    let olaf = closed.user("olaf").await;
    let (browser, code, state) = begin(&closed, &issuer, "/").await;
    let refused = finish(&browser, &code, &state).await.expect_error(409, "CONFLICT");
    check_no_session(&refused);
    closed.root.delete("/api/v1/users/olaf").await.expect(204);
    let (browser, code, state) = begin(&closed, &issuer, "/").await;
    let session = closed
        .client
        .sending("cookie", &cookie(&finish(&browser, &code, &state).await.expect(303)));
    session.get("/api/v1/me").await.expect(200);
    // Who logs in elsewhere has no password here, and none of an earlier olaf.
    olaf.client.get("/v2/").await.expect_error(401, "UNAUTHORIZED");
    let password = json!({"new": "a rather long passphrase"});
    let set = closed.root.put("/api/v1/users/olaf/password").json(&password).await;
    set.expect_error(409, "CONFLICT");
    closed.root.patch("/api/v1/users/olaf").json(&json!({"disabled": true})).await.expect(200);
    session.get("/api/v1/me").await.expect_error(401, "UNAUTHORIZED");
    let (browser, code, state) = begin(&closed, &issuer, "/").await;
    finish(&browser, &code, &state).await.expect_error(401, "UNAUTHORIZED");
    let me: Value = closed.root.get("/api/v1/users/olaf").await.expect(200).json();
    assert_eq!((&me["source"], &me["disabled"]), (&json!("oidc"), &json!(true)));
}
