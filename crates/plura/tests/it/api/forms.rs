//! Requests that are not of the expected form, or that somebody else has a browser send.

use plura_testkit::Server;
use serde_json::json;

use super::{PASSWORD, Site, typed};

#[tokio::test]
async fn what_is_not_understood_is_refused_with_what_was_expected() {
    let site = Site::start().await;
    let root = site.root();
    for (path, expected) in [
        ("/api/v1/users?limit=0", "1 to 1000"),
        ("/api/v1/users?limit=1001", "1 to 1000"),
        ("/api/v1/users?limit=ten", "limit"),
        ("/api/v1/users?page=2", "unknown query parameter `page`; expected after, limit"),
        ("/api/v1/users?limit=2&limit=3", "twice"),
        ("/api/v1/me?x=1", "unknown query parameter `x`; expected none"),
        ("/api/v1/users/NOT%20A%20NAME", "user: expected lower case"),
        ("/api/v1/users/%FF", "UTF-8"),
        ("/api/v1/projects/a%2Fb", "project: expected the first segment"),
        ("/api/v1/robots?project=A", "project"),
        ("/api/v1/audit?outcome=maybe", "allowed or denied"),
        ("/api/v1/audit?since=yesterday", "since"),
        ("/api/v1/access/explain?as=alice", "action"),
    ] {
        let refused = root.get(path).await.expect_error(400, "INVALID");
        let message = refused.error_message();
        assert!(message.contains(expected), "{path}: {message}");
    }
    for path in ["/api/v1/tokens/1", "/api/v1/members/x", "/api/v1/trust/UPPER"] {
        root.delete(path).await.expect_error(400, "INVALID");
    }
}

#[tokio::test]
async fn bodies_are_objects_of_known_fields() {
    let site = Site::start().await;
    let root = site.root();
    for body in [
        "",
        "{",
        "[]",
        r#"["x", null, null, null, true]"#,
        "null",
        "5",
        r#"{"password": "correct horse battery"}"#,
        r#"{"name": "Upper"}"#,
        r#"{"name": "robot+x"}"#,
        r#"{"name": "x", "role": "administrator"}"#,
        r#"{"name": "x", "name": "y"}"#,
        r#"{"name": "x", "administrator": "yes"}"#,
        r#"{"name": "x", "password": "short"}"#,
        "{\"name\": \"x\", \"display_name\": \"a\\u0000b\"}",
        r#"{"name": "x"} trailing"#,
    ] {
        let request = root.with(root.client.post("/api/v1/users"));
        let request = request.header("content-type", "application/json").body(body);
        let refused = request.await.expect_error(400, "INVALID");
        assert!(!refused.error_message().contains(PASSWORD), "{body}");
    }
    let untyped = root.with(root.client.post("/api/v1/users")).body(r#"{"name": "x"}"#);
    let untyped = untyped.await.expect_error(400, "INVALID");
    assert!(untyped.error_message().contains("application/json"), "{}", untyped.error_message());
    let large = json!({ "name": "x", "display_name": "x".repeat(70_000) });
    root.post("/api/v1/users", &large).await.expect_error(413, "SIZE_INVALID");
    let streamed = root.with(root.client.post("/api/v1/users"));
    let streamed = streamed.header("content-type", "application/json");
    let streamed = streamed.streamed(large.to_string()).await;
    streamed.expect_error(413, "SIZE_INVALID");
    let left = root.get("/api/v1/users").await.expect(200);
    assert_eq!(super::names(&left, "users"), ["root"]);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_use_a_session() {
    let site = Site::start().await;
    let client = site.server.client();
    let login = json!({ "name": "root", "password": PASSWORD });
    let begun = typed(client.post("/auth/login"), &login).await.expect(204);
    let cookie = begun.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    client.get("/api/v1/me").header("cookie", &cookie).await.expect(200);
    let new = |name: &str| {
        let body = json!({ "name": name });
        typed(client.post("/api/v1/users").header("cookie", &cookie), &body)
    };
    new("x").await.expect_error(403, "DENIED");
    let elsewhere = new("x").header("sec-fetch-site", "cross-site").await;
    elsewhere.expect_error(403, "DENIED");
    new("x").header("origin", "https://evil.example").await.expect_error(403, "DENIED");
    new("x").header("sec-fetch-site", "same-origin").await.expect(201);
    new("y").header("origin", &client.base()).await.expect(201);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_use_an_open_server() {
    let server = Server::start(std::path::Path::new(env!("CARGO_BIN_EXE_plura")));
    let client = server.client();
    let body = json!({ "name": "x", "administrator": true });
    let new = || typed(client.post("/api/v1/users"), &body);
    new().header("sec-fetch-site", "cross-site").await.expect_error(403, "DENIED");
    new().header("origin", "https://evil.example").await.expect_error(403, "DENIED");
    // What browsers send without asking has another type.
    let simple = client.post("/api/v1/users").header("content-type", "text/plain");
    simple.body(body.to_string()).await.expect_error(400, "INVALID");
    new().await.expect(201);
}

/// Where nobody logs in, whatever a browser on the same machine sends would be done: of a page of another
/// site (CSRF), and of one whose name was made to lead here (DNS rebinding), for which this is the same
/// origin.
#[tokio::test]
async fn a_page_of_another_site_neither_pushes_nor_deletes() {
    let server = Server::start(std::path::Path::new(env!("CARGO_BIN_EXE_plura")));
    let client = server.client();
    let repository = client.repository("apps/web");
    let digest = repository.push_bytes(b"precious").await;
    let (_, port) =
        client.base().rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a port");
    let rebound = format!("evil.example:{port}");
    let pages: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("host", &rebound), ("origin", &format!("http://{rebound}"))],
        &[
            ("host", &rebound),
            ("origin", &format!("http://{rebound}")),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("host", "127.0.0.1.evil.example"), ("sec-fetch-site", "same-origin")],
    ];
    for headers in pages {
        let page = headers
            .iter()
            .fold(client.clone(), |client, (name, value)| client.sending(name, value));
        for (method, target) in [
            (reqwest::Method::POST, "/v2/apps/web/blobs/uploads/".to_owned()),
            (reqwest::Method::PUT, "/v2/apps/web/manifests/v1".to_owned()),
            (reqwest::Method::DELETE, format!("/v2/apps/web/blobs/{digest}")),
            (reqwest::Method::DELETE, "/api/v1/projects/apps".to_owned()),
        ] {
            let refused = page.request(method, &target).body("").await.expect_error(403, "DENIED");
            let message = refused.error_message();
            assert!(message.contains("no login") && message.contains("plura init"), "{message}");
        }
        // What a page reads it is not shown, unless it is ours.
        let read = page.get("/v2/apps/web/tags/list").await.expect_one_of(&[200, 404]);
        assert_eq!(read.header_if_any("access-control-allow-origin"), None);
    }
    repository.head_blob(&digest).await.expect(200);
    // Programs say nothing about pages, whatever they call the server; and pages of ours may.
    let start =
        |client: &plura_testkit::Client| client.post("/v2/apps/web/blobs/uploads/").body("");
    start(&client).await.expect(202);
    start(&client.sending("host", "registry.internal:5000")).await.expect(202);
    start(&client.sending("sec-fetch-site", "same-origin")).await.expect(202);
    start(&client.sending("origin", &client.base())).await.expect(202);
    let localhost = format!("localhost:{port}");
    let own = client.sending("host", &localhost).sending("origin", &format!("http://{localhost}"));
    start(&own).await.expect(202);
}

#[tokio::test]
async fn numbers_are_whole_however_they_are_written() {
    let site = Site::start().await;
    let root = site.root();
    let post = |path: &str, body: &'static str| {
        let request = root.with(root.client.post(path));
        request.header("content-type", "application/json").body(body)
    };
    let made =
        post("/api/v1/projects", r#"{"name": "apps", "quota_bytes": 5.0, "quota_tags": 1e3}"#);
    let made = made.await.expect(201).json();
    assert_eq!((&made["quota_bytes"], &made["quota_tags"]), (&json!(5), &json!(1000)));
    let new = r#"{"name": "ci", "project": "apps", "expires_in_days": 30.0}"#;
    post("/api/v1/robots", new).await.expect(201);
    let rotate = post("/api/v1/robots/robot+apps+ci/rotate", r#"{"overlap_seconds": 60.0}"#);
    rotate.await.expect(200);
    for wrong in ["5.5", "-1", "-1.0", "1e300", "\"5\""] {
        let body = format!(r#"{{"quota_tags": {wrong}}}"#);
        let request = root.with(root.client.patch("/api/v1/projects/apps"));
        let request = request.header("content-type", "application/json").body(body);
        request.await.expect_error(400, "INVALID");
    }
}

#[tokio::test]
async fn the_description_is_served_to_everybody() {
    let site = Site::start().await;
    let document = site.server.client().get("/api/v1/openapi.json").await.expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/v1/users/{user}"]["patch"].is_object());
}

#[tokio::test]
async fn figures_and_collection_are_the_operators() {
    let site = Site::start().await;
    let anonymous = site.server.client();
    for path in ["/", "/healthz", "/readyz", "/auth/keys"] {
        anonymous.get(path).await.expect(200);
    }
    anonymous.get("/metrics").await.expect_error(401, "UNAUTHORIZED");
    let alice = site.user("alice").await;
    alice.get("/metrics").await.expect_error(403, "DENIED");
    let collect = json!({ "dry_run": true });
    alice.post("/v1/registry/gc", &collect).await.expect_error(403, "DENIED");
    let root = site.root();
    root.get("/metrics").await.expect(200);
    root.post("/v1/registry/gc", &collect).await.expect(200);
}
