//! Names and references at their limits, and everything that only looks like one.

use std::path::Path;

use plura_testkit::{Image, digest, raw};

use super::Plura;

/// A repository name of exactly that many characters, in components of a realistic length.
fn name_of(length: usize) -> String {
    let mut name = "tests/".to_owned();
    while name.len() < length {
        name.push_str(if name.len() % 40 == 39 { "/" } else { "n" });
    }
    if name.ends_with('/') {
        name.pop();
        name.push('n');
    }
    name
}

async fn check_works(plura: &mut Plura, name: &str) {
    let repository = plura.client.repository(name);
    let image = Image::random(&mut plura.random);
    repository.push_image_as("latest", &image).await;
    let get = repository.get_manifest("latest").await.expect(200);
    get.expect_body(&image.manifest.bytes);
    repository.get_blob(&image.blobs[0].digest()).await.expect(200);
    assert_eq!(repository.tags().await, ["latest"], "{name}");
    assert!(repository.referrers(&image.digest()).await.is_empty());
    assert!(plura.client.catalog().await.contains(&name.to_owned()), "{name}");
}

#[tokio::test]
async fn names_of_every_allowed_form_work() {
    let mut plura = Plura::start();
    let longest = name_of(255);
    assert_eq!(longest.len(), 255);
    let flat = "x".repeat(255);
    let deep = vec!["d"; 128].join("/");
    let names = ["a", "0", "a/b", "a/b/c/d/e/f/g/h/i/j", "a.b", "a_b", "a__b", "a-b", "a---b"];
    for name in names.into_iter().chain([longest.as_str(), &flat, &deep]) {
        check_works(&mut plura, name).await;
    }
}

#[tokio::test]
async fn the_words_of_the_api_may_be_names() {
    let mut plura = Plura::start();
    for name in [
        "v2",
        "manifests",
        "blobs",
        "tags",
        "list",
        "uploads",
        "referrers",
        "tags/list",
        "blobs/uploads",
        "manifests/latest",
        "a/blobs/uploads/b",
        "a/manifests/b",
        "v2/v2",
        "a/referrers/b",
        "tags/list/tags/list",
    ] {
        check_works(&mut plura, name).await;
    }
}

#[tokio::test]
async fn names_beyond_the_limit_are_refused() {
    let mut plura = Plura::start();
    let image = Image::random(&mut plura.random);
    for length in [256, 257, 1000, 5000] {
        let repository = plura.client.repository(&name_of(length));
        for answer in [
            repository.get_manifest("latest").await,
            repository.put_manifest("latest", &image.manifest).await,
            repository.get_blob(&image.digest()).await,
            plura.client.post(&repository.path("blobs/uploads/")).body("").await,
            plura.client.get(&repository.path("tags/list")).await,
            plura.client.get(&repository.path(&format!("referrers/{}", image.digest()))).await,
        ] {
            answer.expect_error_of(&[400, 404], &["NAME_INVALID"]);
        }
    }
}

#[tokio::test]
async fn tags_at_the_limit_work_and_beyond_it_are_refused() {
    let mut plura = Plura::start();
    let repository = plura.repository("tags");
    let image = Image::random(&mut plura.random);
    repository.push_image(&image).await;
    let longest = "t".repeat(128);
    for tag in [&longest, "_", "0", "A", "_.-", "a..b", "a--", "sha256", "latest-", "list"] {
        repository.put_manifest(tag, &image.manifest).await.expect(201);
        let get = repository.get_manifest(tag).await.expect(200);
        get.expect_body(&image.manifest.bytes);
    }
    let too_long = "t".repeat(129);
    for tag in [&too_long, ".a", "-a", "a%20b", "a+b", "%C3%A9", "a%00", "a%0Ab", "a@b", "a%2Fb"] {
        let put = repository.put_manifest(tag, &image.manifest).await;
        put.expect_error_of(&[400, 404], &["TAG_INVALID", "NAME_INVALID"]);
        let get = repository.get_manifest(tag).await;
        get.expect_error_of(&[400, 404], &["TAG_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID"]);
    }
    assert_eq!(repository.tags().await.len(), 10);
}

/// What must not work as a repository name, as it stands in a request line.
const ZOO: &[&str] = &[
    "..",
    ".",
    "../up",
    "a/..",
    "a/../b",
    "a/./b",
    "../../../../../../etc",
    "a/../../../../../../tmp/plura-was-here",
    "%2e%2e",
    "%2E%2E/%2e%2e/etc",
    "a/%2e%2e/b",
    ".%2e",
    "%252e%252e",
    "a//b",
    "/a",
    "//",
    "a/",
    "a%2fb",
    "a%2Fb",
    "%2fetc%2fpasswd",
    "a%5cb",
    "..%5c..%5cwindows",
    "a\\b",
    "A",
    "a/B",
    "Tests",
    "a-",
    "-a",
    "a.",
    ".a",
    "a_",
    "_a",
    "a..b",
    "a___b",
    "a._b",
    "a.-b",
    "a%00",
    "%00",
    "a%00b/../c",
    "a%0ab",
    "a%0d%0aSet-Cookie:x",
    "a%20b",
    "a+b",
    "a:b",
    "a@b",
    "a~b",
    "a%ff",
    "%c0%ae%c0%ae",
    "%e0%80%ae",
    "%ef%bc%8e%ef%bc%8e",
    "%c3%a9",
    "%",
    "%2",
    "%zz",
    "a;b",
    "a*",
    "a'b",
    "$HOME",
    "con%3a",
    "_catalog/x",
];

#[tokio::test]
async fn nothing_that_is_no_name_gets_anywhere() {
    let plura = Plura::start();
    let authority = plura.client.authority();
    let digest = digest(b"zoo");
    for name in ZOO {
        for (method, rest) in [
            ("GET", "manifests/latest"),
            ("HEAD", "manifests/latest"),
            ("PUT", "manifests/latest"),
            ("DELETE", "manifests/latest"),
            ("POST", "blobs/uploads/"),
            ("GET", "tags/list"),
            ("PATCH", "blobs/uploads/0198c5a1-0000-7000-8000-000000000000"),
            ("GET", &format!("blobs/{digest}")),
            ("POST", &format!("blobs/uploads/?digest={digest}")),
        ] {
            let line = format!("{method} /v2/{name}/{rest}");
            let headers = ["Content-Length: 0", "Content-Type: application/json"];
            let answer = raw::ask(&authority, &line, &headers).await;
            answer.expect_one_of(&[400, 404]);
        }
    }
    assert!(plura.client.catalog().await.is_empty(), "nothing was created");
    check_only_data(plura.server.data());
    assert!(!Path::new("/tmp/plura-was-here").exists());
}

#[tokio::test]
async fn nothing_that_is_no_reference_gets_anywhere() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("references").await;
    let authority = plura.client.authority();
    for reference in ZOO.iter().filter(|name| {
        !["A", "Tests", "a-", "a.", "a_", "_a", "a..b", "a___b", "a._b", "a.-b"].contains(name)
    }) {
        for kind in ["manifests", "blobs", "blobs/uploads", "referrers"] {
            for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
                let line = format!("{method} {}", repository.path(&format!("{kind}/{reference}")));
                let headers = ["Content-Length: 0", "Content-Type: application/json"];
                let answer = raw::ask(&authority, &line, &headers).await;
                answer.expect_one_of(&[400, 404, 405]);
            }
        }
    }
    check_only_data(plura.server.data());
    assert_eq!(plura.client.catalog().await, [repository.name.as_str()]);
}

/// The temporary directory around the data holds nothing but the data.
fn check_only_data(data: &Path) {
    let around = data.parent().expect("the data is in a temporary directory");
    let Ok(entries) = std::fs::read_dir(around) else { return };
    let names: Vec<_> = entries.map(|entry| entry.expect("readable").file_name()).collect();
    assert!(names.iter().all(|name| name == "data"), "{names:?}");
}

#[tokio::test]
async fn malformed_requests_are_refused_and_the_server_lives_on() {
    let plura = Plura::start();
    let authority = plura.client.authority();
    let requests: &[&[u8]] = &[
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"GET /v2/\xff\xfe/tags/list HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v2/é/tags/list HTTP/1.1\r\nHost: x\r\n\r\n".as_bytes(),
        b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
    ];
    for request in requests {
        let mut connection = raw::Connection::open(&authority).await;
        connection.send(request).await;
        let answer = connection.answer().await;
        // An HTTP version nobody speaks has a status of its own (RFC 9110, section 15.6.6).
        let refused = (400..500).contains(&answer.status) || answer.status == 505;
        assert!(refused, "{}", answer.describe());
    }
    plura.client.get("/v2/").await.expect(200);
    assert!(plura.client.catalog().await.is_empty());
}

#[tokio::test]
async fn a_path_or_header_without_end_is_refused() {
    let plura = Plura::start();
    let authority = plura.client.authority();
    let endless = "a/".repeat(500_000);
    for request in [
        format!("GET /v2/{endless}tags/list HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nHost: x\r\nX: {endless}\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(50_000)),
    ] {
        let mut connection = raw::Connection::open(&authority).await;
        // The server may answer and close before it has read everything.
        if connection.attempt_to_send(request.as_bytes()).await.is_ok() {
            connection.closed().await;
        }
    }
    plura.client.get("/v2/").await.expect(200);
}

#[tokio::test]
async fn requests_left_half_sent_hold_up_nobody() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("half").await;
    let upload = repository.start_upload().await;
    let mut open = Vec::new();
    for place in 0..60 {
        let mut connection = raw::Connection::open(&plura.client.authority()).await;
        match place % 3 {
            0 => connection.send(b"GET /v2/ HT").await,
            1 => connection.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Half").await,
            _ => {
                let line = format!("PUT {}", repository.path("manifests/latest"));
                connection.send_head(&line, &["Content-Length: 1000"]).await;
                connection.send(b"{\"schema").await;
            }
        }
        open.push(connection);
    }
    // All of them still wait for their rest.
    plura.client.get("/v2/").await.expect(200);
    upload.finish_with(0, "done", &digest(b"done")).await.expect(201);
    drop(open);
    repository.get_blob(&digest(b"done")).await.expect(200).expect_body(b"done");
    repository.head_manifest("latest").await.expect(404);
}
