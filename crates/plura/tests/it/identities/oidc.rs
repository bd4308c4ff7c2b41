//! People who log in at a provider: from the redirect to the session, and what may go wrong between.

use plura_testkit::{Answer, Client, Issuer, LoginClient, Mishap, Request, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{refused_soon, soon};
use crate::access::{Account, ClosedServer as Closed, ask_for_token, text};

const SECRET: &str = "the secret of the client, with / and +";
/// As behind a proxy: what browsers know is not where the server listens.
const PUBLIC: &str = "https://registry.example.com";
const ME: &str = "/api/v1/me";

/// A server whose people log in at an issuer.
struct Site {
    closed: Closed,
    issuer: Issuer,
    _folder: TempDir,
}

/// A login that somebody began: where the browser is sent, and the cookie that it got.
struct Begun {
    authorization_url: String,
    cookie: String,
}

impl Site {
    async fn start() -> Self {
        let issuer = Issuer::start().await;
        let folder = TempDir::new().expect("a temporary directory");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).expect("the secret is written");
        let secret = secret.to_str().expect("temporary paths are UTF-8");
        let closed = Closed::with(&[
            ("PLURA_SERVER__PUBLIC_URL", PUBLIC),
            ("PLURA_ACCESS__OIDC__ISSUER", issuer.url()),
            ("PLURA_ACCESS__OIDC__CLIENT_ID", "plura"),
            ("PLURA_ACCESS__OIDC__CLIENT_SECRET_FILE", secret),
            ("PLURA_ACCESS__OIDC__ADMINISTRATOR_GROUP", "admins"),
        ]);
        let site = Self { closed, issuer, _folder: folder };
        site.person("alice", &[]);
        site
    }

    /// Who sits in front of the browser, with the groups that the issuer puts them in now.
    fn person(&self, name: &str, groups: &[&str]) {
        self.claims(json!({
            "sub": format!("id-of-{name}"),
            "preferred_username": name,
            "email": format!("{name}@example.com"),
            "email_verified": true,
            "groups": groups,
        }));
    }

    fn claims(&self, claims: Value) {
        let client = LoginClient {
            id: "plura".to_owned(),
            secret: Some(SECRET.to_owned()),
            redirect_uri: format!("{PUBLIC}/auth/oidc/callback"),
        };
        self.issuer.allow_login(client, claims);
    }

    async fn begin(&self, next: &str) -> Begun {
        let request = self.closed.client.get("/auth/oidc/login").query("next", next);
        let answer = request.await.expect_one_of(&[302, 303]);
        let authorization_url = answer.header("location").to_owned();
        Begun { authorization_url, cookie: set_cookie(&answer, "plura_login") }
    }

    fn callback(&self, cookie: Option<&str>, code: &str, state: &str) -> Request {
        let request = self.closed.client.get("/auth/oidc/callback");
        let request = request.query("code", code).query("state", state);
        match cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// All that a browser does; the answer to the callback.
    async fn log_in(&self, next: &str) -> Answer {
        let begun = self.begin(next).await;
        let (code, state) = self.issuer.browse(&begun.authorization_url).await;
        self.callback(Some(&begun.cookie), &code, &state).await
    }

    /// A browser in which that person is logged in.
    async fn browser(&self) -> Client {
        let answer = self.log_in("/").await.expect_one_of(&[302, 303]);
        self.with_session(&set_cookie(&answer, "plura_session"))
    }

    fn with_session(&self, cookie: &str) -> Client {
        self.closed.client.sending("cookie", cookie).sending("sec-fetch-site", "same-origin")
    }
}

/// `NAME=VALUE` of the cookie that an answer sets; there may be others.
#[track_caller]
fn set_cookie(answer: &Answer, name: &str) -> String {
    let found = cookies(answer).into_iter().find(|cookie| cookie.starts_with(&format!("{name}=")));
    let cookie = found.unwrap_or_else(|| panic!("no cookie {name} in {}", answer.describe()));
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(attribute), "no `{attribute}` in {cookie}");
    }
    cookie.split(';').next().expect("a part").to_owned()
}

fn cookies(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all("set-cookie").iter();
    values.map(|value| value.to_str().expect("text").to_owned()).collect()
}

/// Panics unless the browser is told to forget the login that it began.
#[track_caller]
fn check_login_cleared(answer: &Answer) {
    let cookies = cookies(answer);
    let cleared = cookies
        .iter()
        .any(|cookie| cookie.starts_with("plura_login=;") && cookie.contains("; Max-Age=0"));
    assert!(cleared, "{cookies:?} in {}", answer.describe());
}

/// Panics if the answer lets anybody in.
#[track_caller]
fn check_no_session(answer: &Answer) {
    let cookies = cookies(answer);
    let session = cookies.iter().find(|cookie| cookie.starts_with("plura_session="));
    assert_eq!(session, None, "{}", answer.describe());
}

fn parameter(url: &str, name: &str) -> String {
    let (_, query) = url.split_once('?').expect("an address with parameters");
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned());
    found.unwrap_or_else(|| panic!("no {name} in {url}"))
}

#[tokio::test]
async fn a_person_logs_in_and_out() {
    let site = Site::start().await;
    site.person("alice", &["sre", "dev"]);
    let begun = site.begin("/projects/apps?tab=tags").await;
    let url = &begun.authorization_url;
    assert!(url.starts_with(&format!("{}/authorize?", site.issuer.url())), "{url}");
    assert_eq!(parameter(url, "code_challenge_method"), "S256");
    assert_eq!(parameter(url, "code_challenge").len(), 43);
    assert_eq!(parameter(url, "response_type"), "code");
    let sent = parameter(url, "state");
    let (code, state) = site.issuer.browse(url).await;
    assert_eq!(state, sent);
    let answer = site.callback(Some(&begun.cookie), &code, &state).await;
    let answer = answer.expect_one_of(&[302, 303]);
    let answer = answer.expect_header("location", "/projects/apps?tab=tags");
    let secure = cookies(&answer).iter().all(|cookie| cookie.contains("; Secure"));
    assert!(secure, "people come over TLS: {:?}", cookies(&answer));
    check_login_cleared(&answer);

    let alice = site.with_session(&set_cookie(&answer, "plura_session"));
    let me = alice.get(ME).await.expect(200).json();
    assert_eq!((&me["kind"], &me["name"]), (&json!("user"), &json!("alice")));
    assert_eq!(me["administrator"], false);
    assert_eq!(me["groups"], json!(["sre", "dev"]));
    let account = site.closed.root.get("/api/v1/users/alice").await.expect(200).json();
    assert_eq!(account["source"], "oidc");
    assert_eq!(account["email"], "alice@example.com");
    let actors: Vec<Value> = site.closed.audit("&actor=alice&action=login").await;
    assert_eq!(actors.len(), 1, "{actors:?}");
    // A session is for pages: container clients do not know cookies, and nobody sends them for others.
    alice.get("/v2/").await.expect_error(401, "UNAUTHORIZED");

    let gone = alice.post("/auth/logout").body("").await.expect(204);
    assert_eq!(set_cookie(&gone, "plura_session"), "plura_session=");
    refused_soon(&alice, ME).await;
}

/// The browser may come back to another process than the one that it began with.
#[tokio::test]
async fn a_login_outlives_the_process_that_it_was_begun_with() {
    let mut site = Site::start().await;
    site.person("alice", &[]);
    let begun = site.begin("/projects/apps").await;
    let (code, state) = site.issuer.browse(&begun.authorization_url).await;
    site.closed.server.restart();
    let answer = site.callback(Some(&begun.cookie), &code, &state).await.expect(303);
    assert_eq!(answer.header("location"), "/projects/apps");
    let alice = site.with_session(&set_cookie(&answer, "plura_session"));
    assert_eq!(alice.get(ME).await.expect(200).json()["name"], "alice");
    // Once, whichever process it comes to.
    site.closed.server.restart();
    let again = site.callback(Some(&begun.cookie), &code, &state).await.expect(400);
    check_no_session(&again);
    assert!(again.error_message().contains("finished before"), "{}", again.error_message());
}

#[tokio::test]
async fn what_a_browser_keeps_of_a_login_is_not_forged() {
    let site = Site::start().await;
    site.person("alice", &[]);
    let begun = site.begin("/").await;
    let (code, state) = site.issuer.browse(&begun.authorization_url).await;
    let (_, kept) = begun.cookie.split_once('=').expect("a value");
    let (signed, signature) = kept.rsplit_once('.').expect("a signature");
    // A login that is kept is no token, and a token no login.
    for client in [site.closed.client.bearer(kept), site.closed.client.basic("alice", kept)] {
        client.get(ME).await.expect_error(401, "UNAUTHORIZED");
    }
    let token = ask_for_token(&site.closed.root, &[]).await;
    let token = text(&token, "/token");
    for forged in [
        state.as_str(),
        signed,
        &format!("{signed}.{}", signature.chars().rev().collect::<String>()),
        &token,
        "",
    ] {
        let cookie = format!("plura_login={forged}");
        let refused = site.callback(Some(&cookie), &code, &state).await.expect(400);
        check_no_session(&refused);
        check_login_cleared(&refused);
    }
    site.callback(Some(&begun.cookie), &code, &state).await.expect(303);
}

#[tokio::test]
async fn a_session_that_has_ended_is_left_like_any_other() {
    let site = Site::start().await;
    site.person("alice", &[]);
    let browser = site.browser().await;
    site.closed.root.delete("/api/v1/users/alice/sessions").await.expect(200);
    refused_soon(&browser, ME).await;
    for _ in 0..2 {
        let out = browser.post("/auth/logout").body("").await.expect(204);
        assert_eq!(set_cookie(&out, "plura_session"), "plura_session=");
        assert!(cookies(&out)[0].contains("; Max-Age=0"), "{:?}", cookies(&out));
    }
    let elsewhere = site.closed.client.sending("cookie", "plura_session=nonsense");
    elsewhere.post("/auth/logout").body("").await.expect(204);
    let evil = elsewhere.sending("sec-fetch-site", "cross-site");
    evil.post("/auth/logout").body("").await.expect_error(403, "DENIED");
}

#[tokio::test]
async fn pages_of_other_sites_do_nothing_with_a_session() {
    let site = Site::start().await;
    let answer = site.log_in("/").await;
    let cookie = set_cookie(&answer, "plura_session");
    let with = |name: &str, value: &str| {
        let request = site.closed.client.post("/auth/logout").header("cookie", &cookie);
        request.header(name, value).body("")
    };
    with("sec-fetch-site", "cross-site").await.expect_error(403, "DENIED");
    with("sec-fetch-site", "same-site").await.expect_error(403, "DENIED");
    with("origin", "https://evil.example").await.expect_error(403, "DENIED");
    with("origin", "null").await.expect_error(403, "DENIED");
    with("x-nothing", "x").await.expect_error(403, "DENIED");
    site.with_session(&cookie).get(ME).await.expect(200);
    with("sec-fetch-site", "same-origin").await.expect(204);
}

#[tokio::test]
async fn groups_lead_to_roles_until_the_next_login_without_them() {
    let site = Site::start().await;
    site.closed.project("apps").await;
    let role = json!({"subject": "group:sre", "role": "developer"});
    site.closed.give(Some("apps"), role).await;
    let outside = site.browser().await;
    outside.get("/api/v1/projects/apps").await.expect_error(404, "NOT_FOUND");
    site.person("alice", &["sre"]);
    let inside = site.browser().await;
    inside.get("/api/v1/projects/apps").await.expect(200);
    let grants = inside.get(ME).await.expect(200).json()["grants"].clone();
    assert_eq!((&grants[0]["role"], &grants[0]["project"]), (&json!("developer"), &json!("apps")));
    // What she makes for her programs may do what she may.
    let token = inside.post("/api/v1/tokens").json(&json!({"name": "laptop"})).await.expect(201);
    let program = site.closed.client.basic("alice", &text(&token, "/secret"));
    let push = async || program.post("/v2/apps/web/blobs/uploads/").body("").await;
    push().await.expect(202);
    program.get("/v2/other/web/tags/list").await.expect_error(403, "DENIED");

    site.person("alice", &["another"]);
    let outside = site.browser().await;
    outside.get("/api/v1/projects/apps").await.expect_error(404, "NOT_FOUND");
    soon(403, push).await;
    soon(404, async || inside.get("/api/v1/projects/apps").await).await;
}

#[tokio::test]
async fn a_group_makes_administrators_and_leaving_it_ends_that() {
    let site = Site::start().await;
    site.person("alice", &["admins"]);
    let browser = site.browser().await;
    assert_eq!(browser.get(ME).await.expect(200).json()["administrator"], true);
    browser.get("/api/v1/users").await.expect(200);
    for groups in [&["Admins", "admins2"][..], &[]] {
        site.person("alice", groups);
        let later = site.browser().await;
        assert_eq!(later.get(ME).await.expect(200).json()["administrator"], false);
        later.get("/api/v1/users").await.expect_error(403, "DENIED");
        soon(403, async || browser.get("/api/v1/users").await).await;
    }
}

#[tokio::test]
async fn a_callback_that_was_not_begun_in_this_browser_lets_nobody_in() {
    let site = Site::start().await;
    let mine = site.begin("/").await;
    let (code, state) = site.issuer.browse(&mine.authorization_url).await;
    let other = site.begin("/").await;
    let invented = format!("plura_login={}", "x".repeat(43));
    for (cookie, state) in [
        (None, state.as_str()),
        (Some(other.cookie.as_str()), &state),
        (Some(mine.cookie.as_str()), "wrong"),
        (Some(mine.cookie.as_str()), ""),
        (Some(&invented), invented.trim_start_matches("plura_login=")),
        (Some("plura_login="), ""),
        (Some("other=1"), &state),
    ] {
        let answer = site.callback(cookie, &code, state).await.expect_error(400, "INVALID");
        check_no_session(&answer);
    }
    for query in ["", "?code=x", "?state=x", "?error=access_denied%0d%0aset-cookie:x=y"] {
        let request = site.closed.client.get(&format!("/auth/oidc/callback{query}"));
        let answer = request.header("cookie", &mine.cookie).await.expect_error(400, "INVALID");
        check_no_session(&answer);
    }
    // None of that was in the way of who did begin it.
    site.callback(Some(&mine.cookie), &code, &state).await.expect_one_of(&[302, 303]);
    let again = site.callback(Some(&mine.cookie), &code, &state).await;
    check_no_session(&again.expect_error(400, "INVALID"));
    // The code of one login is none for another.
    let (_, other_state) = site.issuer.browse(&other.authorization_url).await;
    let mixed = site.callback(Some(&other.cookie), &code, &other_state).await;
    check_no_session(&mixed.expect_error(400, "INVALID"));
}

/// What one person has the issuer sign for them is of no use in the login of another: the nonce and the
/// proof key belong to the login.
#[tokio::test]
async fn a_code_of_another_login_is_refused() {
    let site = Site::start().await;
    let (victim, attacker) = (site.begin("/").await, site.begin("/").await);
    let (stolen, _) = site.issuer.browse(&victim.authorization_url).await;
    let (_, state) = site.issuer.browse(&attacker.authorization_url).await;
    let answer = site.callback(Some(&attacker.cookie), &stolen, &state).await;
    check_no_session(&answer.expect_error(400, "INVALID"));
}

#[tokio::test]
async fn nobody_is_sent_to_another_host_afterwards() {
    let site = Site::start().await;
    for (next, expected) in [
        ("/projects", "/projects"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nset-cookie: x=y", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("", "/"),
    ] {
        let answer = site.log_in(next).await.expect_one_of(&[302, 303]);
        assert_eq!(answer.header("location"), expected, "{next:?}");
    }
    let begun = site.closed.client.get("/auth/oidc/login").await;
    begun.expect_one_of(&[302, 303]);
}

#[tokio::test]
async fn sessions_are_ended_by_administrators_and_accounts_disabled() {
    let site = Site::start().await;
    let (one, two) = (site.browser().await, site.browser().await);
    let (root, path) = (&site.closed.root, "/api/v1/users/alice");
    let ended = root.delete(&format!("{path}/sessions")).await.expect(200).json();
    assert_eq!(ended["ended"], 2);
    for browser in [&one, &two] {
        refused_soon(browser, ME).await;
    }
    let three = site.browser().await;
    root.patch(path).json(&json!({"disabled": true})).await.expect(200);
    refused_soon(&three, ME).await;
    check_no_session(&site.log_in("/").await.expect_error(401, "UNAUTHORIZED"));
    let denied = site.closed.audit("&action=login&outcome=denied").await;
    assert!(!denied.is_empty(), "a login that was refused is in the audit");
    root.patch(path).json(&json!({"disabled": false})).await.expect(200);
    site.browser().await.get(ME).await.expect(200);
    // The session that was ended stays so.
    three.get(ME).await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn an_account_that_is_here_already_is_not_taken_over() {
    let mut site = Site::start().await;
    let Account { client, .. } = site.closed.user("bob").await;
    for name in ["bob", "BOB", "root"] {
        site.claims(json!({
            "sub": format!("id-of-{name}"),
            "preferred_username": name,
            "email": "bob@example.com",
            "email_verified": true,
            "groups": ["admins"],
        }));
        check_no_session(&site.log_in("/").await.expect_error(409, "CONFLICT"));
    }
    let me = client.get(ME).await.expect(200).json();
    assert_eq!((&me["groups"], &me["administrator"]), (&json!([]), &json!(false)));
    let account = site.closed.root.get("/api/v1/users/bob").await.expect(200).json();
    assert_eq!(account["source"], "local");
    for name in ["robot+apps+ci", "robot+ci", "a b", "../x", ""] {
        site.claims(json!({"sub": format!("id-of-{name}"), "preferred_username": name}));
        let answer = site.log_in("/").await;
        assert!((400..500).contains(&answer.status) || name.is_empty(), "{}", answer.describe());
        if !name.is_empty() {
            check_no_session(&answer);
        }
    }
}

/// The issuer's key is the person; names are given away and taken again.
#[tokio::test]
async fn a_name_that_the_issuer_gave_to_somebody_else_is_somebody_else() {
    let site = Site::start().await;
    let first = site.browser().await;
    let renamed = json!({"sub": "id-of-alice", "preferred_username": "alice.smith"});
    site.claims(renamed);
    assert_eq!(site.browser().await.get(ME).await.expect(200).json()["name"], "alice");
    site.claims(
        json!({"sub": "id-of-another", "preferred_username": "alice", "groups": ["admins"]}),
    );
    check_no_session(&site.log_in("/").await.expect_error(409, "CONFLICT"));
    assert_eq!(first.get(ME).await.expect(200).json()["administrator"], false);
}

#[tokio::test]
async fn while_the_issuer_is_away_people_are_told_to_try_again() {
    let site = Site::start().await;
    site.issuer.misbehave(Mishap::Unavailable);
    let login = async || site.closed.client.get("/auth/oidc/login").await;
    let answer = login().await.expect_error(503, "UNAVAILABLE");
    answer.header("retry-after").parse::<u32>().expect("seconds");
    site.issuer.misbehave(None);
    let again = async || Some(login().await).filter(|answer| answer.status < 400);
    eventually("the issuer is asked again", again).await;
    // It may be away when the browser comes back, too.
    let begun = site.begin("/").await;
    let (code, state) = site.issuer.browse(&begun.authorization_url).await;
    site.issuer.misbehave(Mishap::Unavailable);
    let answer = site.callback(Some(&begun.cookie), &code, &state).await;
    check_no_session(&answer);
    assert!(answer.status >= 400, "{}", answer.describe());
}

#[tokio::test]
async fn without_an_issuer_there_is_no_such_login() {
    let closed = Closed::start();
    closed.client.get("/auth/oidc/login").await.expect_error(404, "NOT_FOUND");
    let callback = closed.client.get("/auth/oidc/callback?code=x&state=y");
    callback.header("cookie", "plura_login=y").await.expect_error(404, "NOT_FOUND");
}
