//! Names that look like others, and headers that say more than one thing.

use plura_testkit::{Answer, Jwt, raw};
use serde_json::{Value, json};

use super::Closed;
use super::closed::{Account, docker_token};

async fn with_vault() -> (Closed, Account) {
    let mut closed = Closed::start();
    for project in ["apps", "apps2", "app", "apps-x", "vault"] {
        closed.project(project).await;
        closed.image(&format!("{project}/x")).await;
    }
    let dora = closed.member("dora", "developer", "apps").await;
    (closed, dora)
}

fn basic(account: &Account) -> String {
    use base64::Engine as _;
    let text = format!("{}:{}", account.name, account.secret);
    format!("Authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

#[tokio::test]
async fn a_role_in_a_project_is_none_in_one_of_a_similar_name() {
    let (mut closed, dora) = with_vault().await;
    dora.client.get("/v2/apps/x/tags/list").await.expect(200);
    for other in ["apps2/x", "app/x", "apps-x/x", "vault/x", "vault/apps/x", "x/apps"] {
        let path = format!("/v2/{other}/tags/list");
        dora.client.get(&path).await.expect_error(403, "DENIED");
    }
    let rita = closed.user("rita").await;
    for (pattern, covered, others) in [
        ("apps/web", &["apps/web"][..], &["apps/web2", "apps/web/x", "apps/we", "apps/x"][..]),
        ("apps/w*", &["apps/web", "apps/w"], &["apps/w/x", "apps/x", "apps"]),
        ("apps/**", &["apps/web", "apps/a/b"], &["apps2/x", "vault/x"]),
    ] {
        let grant = json!({"subject": "user:rita", "role": "developer", "repositories": pattern});
        let member = closed.give(Some("apps"), grant).await;
        for name in covered {
            rita.client.repository(name).start_upload().await;
        }
        for name in others {
            let path = format!("/v2/{name}/blobs/uploads/");
            rita.client.post(&path).body("").await.expect_error(403, "DENIED");
        }
        let path = format!("/api/v1/projects/apps/members/{member}");
        closed.root.delete(&path).await.expect(204);
    }
}

#[tokio::test]
async fn no_way_of_writing_a_path_leads_elsewhere() {
    let (closed, dora) = with_vault().await;
    let (authority, authorization) = (closed.client.authority(), basic(&dora));
    let own = raw::ask(&authority, "GET /v2/apps/x/tags/list", &[&authorization]).await;
    own.expect(200);
    for path in [
        "/v2/apps/../vault/x/tags/list",
        "/v2/apps/%2e%2e/vault/x/tags/list",
        "/v2/apps/%2E%2E%2Fvault/x/tags/list",
        "/v2/apps/..%2fvault/x/tags/list",
        "/v2/apps%2f..%2fvault%2fx/tags/list",
        "/v2/./vault/x/tags/list",
        "/v2//vault/x/tags/list",
        "/v2/apps//../vault/x/tags/list",
        "/v2/vault/x/tags/list/",
        "/v2/vault/x/tags/list?name=apps/x",
        "/v2/vault/x/tags/list;apps/x",
        "/v2/vault/x%00/tags/list",
        "/v2/apps/x%00vault/x/tags/list",
        "/v2/VAULT/x/tags/list",
        "/v2/Vault/x/tags/list",
        "/v2/vault%20/x/tags/list",
        "/v2/vault./x/tags/list",
        "/v2/va%75lt/x/tags/list",
        "/v2/%76ault/x/tags/list",
        "/v2/apps/x/manifests/../../../vault/x/manifests/v1",
        "/v2/apps/x/manifests/v1/../../../../vault/x/manifests/v1",
        "/v2/apps/x/manifests/%2e%2e%2f%2e%2e%2f%2e%2e%2fvault%2fx%2fmanifests%2fv1",
        "/v2/apps/x/blobs/uploads/../../../../vault/x/manifests/v1",
        "/V2/vault/x/tags/list",
        "/v2/apps/x/tags/../../../vault/x/tags/list",
        "/v2\\vault\\x\\tags\\list",
        "/v2/vault\\x/tags/list",
        "http://other/v2/vault/x/tags/list",
    ] {
        let answer = raw::ask(&authority, &format!("GET {path}"), &[&authorization]).await;
        let answer = answer.expect_one_of(&[400, 403, 404]);
        assert!(!answer.body.windows(4).any(|window| window == b"\"v1\""), "{}", answer.describe());
    }
    for target in ["http://other/v2/apps/x/tags/list", "/v2/%61pps/x/tags/list"] {
        raw::ask(&authority, &format!("GET {target}"), &[&authorization]).await.expect(200);
    }
}

#[tokio::test]
async fn no_way_of_writing_a_scope_leads_elsewhere() {
    let (_closed, dora) = with_vault().await;
    for scope in [
        "repository:apps/../vault/x:pull",
        "repository:vault/x:pull",
        "repository:vault/x:*",
        "repository:vault/x,apps/x:pull",
        "repository:apps/x:pull repository:vault/x:pull",
        "repository:*:pull",
        "repository:**:*",
        "repository:*/*:pull",
        "repository:vault/*:pull",
        "repository:apps/x:vault/x:pull",
        "repository:VAULT/x:pull",
        "repository::pull",
        "repository:/vault/x:pull",
        "registry:vault:*",
        "admin:*:*",
        "*:*:*",
    ] {
        let token = docker_token(&dora.client, &[scope]).await;
        let access = Jwt::of(&token).claims["access"].clone();
        let wrong: Vec<Value> = access
            .as_array()
            .expect("entries")
            .iter()
            .filter(|entry| entry["name"] != "apps/x" && entry["actions"] != json!([]))
            .cloned()
            .collect();
        assert!(wrong.is_empty(), "{scope}: {wrong:?}");
    }
}

#[tokio::test]
async fn two_credentials_are_none() {
    let (closed, dora) = with_vault().await;
    let authority = closed.client.authority();
    let root = closed.account("root", &closed.root_password);
    let (own, other) = (basic(&dora), basic(&root));
    let token = docker_token(&dora.client, &["repository:apps/x:pull"]).await;
    let bearer = format!("Authorization: Bearer {token}");
    let request = "GET /v2/apps/x/tags/list";
    for headers in [[&own, &other], [&other, &own], [&own, &bearer], [&bearer, &own], [&own, &own]]
    {
        let headers: Vec<&str> = headers.iter().map(|header| header.as_str()).collect();
        let answer = raw::ask(&authority, request, &headers).await;
        answer.expect_error_of(&[400, 401], &["UNAUTHORIZED", "INVALID"]);
    }
    let encoded = own.strip_prefix("Authorization: Basic ").expect("a header");
    for (value, status) in [
        (format!("basic {encoded}"), 200),
        (format!("BASIC {encoded}"), 200),
        (format!("Bearer {token}"), 200),
        (format!("Basic {encoded}, Bearer {token}"), 401),
        (format!("Basic {encoded} {encoded}"), 401),
        (format!("Basic{encoded}"), 401),
        (format!("Token {token}"), 401),
        (token.clone(), 401),
        ("Basic !!!".to_owned(), 401),
        (String::new(), 401),
        ("Basic".to_owned(), 401),
        ("Bearer".to_owned(), 401),
        (format!("Bearer {}", "a".repeat(17 * 1024)), 401),
    ] {
        let header = format!("Authorization: {value}");
        let answer = raw::ask(&authority, request, &[&header]).await;
        let shown: String = value.chars().take(20).collect();
        assert_eq!(answer.status, status, "{shown}: {}", answer.describe());
    }
    let elsewhere = format!("Proxy-{own}");
    raw::ask(&authority, request, &[&elsewhere]).await.expect(401);
    raw::ask(&authority, request, &[&format!("Cookie: {own}")]).await.expect(401);
    let folded = format!("{own}\r\n {encoded}");
    raw::ask(&authority, request, &[&folded]).await.expect_one_of(&[400, 401]);
}

#[tokio::test]
async fn headers_that_proxies_add_are_not_believed() {
    let (closed, dora) = with_vault().await;
    let client = dora
        .client
        .sending("x-forwarded-for", "203.0.113.9")
        .sending("forwarded", "for=203.0.113.9")
        .sending("x-real-ip", "203.0.113.9")
        .sending("x-remote-user", "root")
        .sending("x-forwarded-user", "root")
        .sending("x-original-url", "/v2/apps/x/tags/list")
        .sending("x-rewrite-url", "/v2/apps/x/tags/list")
        .sending("x-http-method-override", "GET");
    client.get("/v2/vault/x/tags/list").await.expect_error(403, "DENIED");
    client.delete("/v2/apps/x/manifests/v1").await.expect_error(403, "DENIED");
    let overridden = dora.client.sending("x-http-method-override", "DELETE");
    overridden.get("/v2/apps/x/manifests/v1").await.expect(200);
    overridden.get("/v2/apps/x/manifests/v1?_method=DELETE").await.expect(200);
    let denied = closed.audit("&actor=dora&outcome=denied").await;
    assert_eq!(denied.len(), 2);
    assert!(denied.iter().all(|entry| entry["address"] == "127.0.0.1"), "{denied:#?}");
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let (closed, dora) = with_vault().await;
    let authority = closed.client.authority();
    for header in [
        format!("Authorization: Basic {}", "QUFB".repeat(500_000)),
        format!("Cookie: plura_session={}", "a".repeat(2_000_000)),
        "X-Filler: a\r\n".repeat(20_000).trim_end().to_owned(),
    ] {
        let mut connection = raw::Connection::open(&authority).await;
        let head = format!("GET /v2/ HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n");
        // The server may answer and close before it has read everything.
        if connection.attempt_to_send(head.as_bytes()).await.is_ok() {
            let answer = String::from_utf8_lossy(&connection.closed().await).into_owned();
            assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
        }
    }
    dora.client.get("/v2/").await.expect(200);
}

/// Sends bytes on one connection and reads all that is answered until it closes.
async fn all_answers(authority: &str, bytes: &[u8]) -> String {
    let mut connection = raw::Connection::open(authority).await;
    connection.attempt_to_send(bytes).await.expect("the connection is open");
    String::from_utf8_lossy(&connection.closed().await).into_owned()
}

#[tokio::test]
async fn nobody_smuggles_a_request_behind_somebody_elses() {
    let (closed, dora) = with_vault().await;
    let (authority, own) = (closed.client.authority(), basic(&dora));
    let hidden = "GET /v2/apps/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let length = hidden.len();
    for head in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
        format!("Content-Length: 0\r\nContent-Length: {length}"),
        format!("Content-Length: {length}\r\nContent-Length: 0"),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: identity, chunked".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
        "Transfer-Encoding:\u{b}chunked".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity".to_owned(),
        format!("Content-Length: +{length}"),
        "Content-Length: 0x10".to_owned(),
    ] {
        let request = format!(
            "POST /v2/apps/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n{own}\r\n{head}\r\n\r\n0\r\n\r\n{hidden}"
        );
        let answers = all_answers(&authority, request.as_bytes()).await;
        // What is hidden has no credentials: were it run as dora's, a manifest would come.
        assert!(!answers.contains("schemaVersion"), "{head}: {answers}");
        let first: Option<u16> = answers.split(' ').nth(1).and_then(|code| code.parse().ok());
        let count = answers.matches("HTTP/1.1 ").count();
        assert!(count <= 1 || first.is_some_and(|status| status < 400), "{head}: {answers}");
    }
}

#[tokio::test]
async fn a_connection_remembers_nobody() {
    let (closed, dora) = with_vault().await;
    let (authority, own) = (closed.client.authority(), basic(&dora));
    let mut connection = raw::Connection::open(&authority).await;
    let request = "GET /v2/apps/x/tags/list";
    for _ in 0..3 {
        connection.send_head(request, &[&own]).await;
        connection.answer().await.expect(200);
        connection.send_head(request, &[]).await;
        connection.answer().await.expect_error(401, "UNAUTHORIZED");
        connection.send_head(request, &["Authorization: Basic Og=="]).await;
        connection.answer().await.expect_error(401, "UNAUTHORIZED");
    }
}

/// What is answered to the owner is for nobody else.
#[tokio::test]
async fn answers_are_not_kept_for_others() {
    let (_closed, dora) = with_vault().await;
    let check = |answer: Answer| {
        let cache = answer.header_if_any("cache-control").unwrap_or_default().to_owned();
        assert!(!cache.contains("public"), "{}", answer.describe());
        answer
    };
    for path in ["/api/v1/me", "/api/v1/tokens", "/auth/token"] {
        check(dora.client.get(path).await.expect(200)).expect_header("cache-control", "no-store");
    }
    check(dora.client.get("/v2/apps/x/manifests/v1").await.expect(200));
}
