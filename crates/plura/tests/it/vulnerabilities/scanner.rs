//! The open API of pluggable scanners: plura as one, and as one that asks some.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use super::{Site, advisory};
use crate::images::layers::{image, npm};

const REPORT: &str = "application/vnd.security.vulnerability.report; version=1.1";

async fn push(site: &Site, lodash: &str) -> String {
    let pushed = image("web", &[npm("lodash", lodash)]);
    site.client.repository("apps/web").push_image_as("1", &pushed).await.expect(201);
    pushed.digest()
}

async fn opinions(site: &Site) -> Value {
    let get = site.client.get("/api/v1/images/vulnerabilities").query("repository", "apps/web");
    get.query("reference", "1").await.expect(200).json()["reports"].clone()
}

#[tokio::test]
async fn another_plura_is_a_scanner_of_what_it_has() {
    let (site, other) = (Site::start(), Site::start());
    let digest = push(&site, "4.17.20").await;
    let scan = format!("image scan apps/web:1 --adapter {}/scanner", other.server.base());
    let refused = site.run(&scan).expect(2);
    refused.expect_stderr("this scanner looks into images that it has itself");
    assert_eq!(push(&other, "4.17.20").await, digest);
    let import = other.client.post("/api/v1/advisories").query("source", "npm");
    import.json(&advisory("GHSA-1")).await.expect(200);
    // The same by a name that the server has.
    let scan = "image scan apps/web:1 --scanner other";
    site.run(scan).expect(2).expect_stderr("there is no scanner `other`");
    site.run(&format!("scanner add other {}/scanner", other.server.base())).expect(0);
    site.run(&format!("scanner add other {}", other.server.base())).expect(1);
    site.run("scanner list").expect(0).expect_stdout("other");
    site.run(scan).expect(0).expect_stderr(&format!("plura found 1 in {digest}"));
    site.run("scanner remove other").expect(0);
    site.run("scanner remove other").expect(1).expect_stderr("there is no scanner `other`");
    let opinions = opinions(&site).await;
    assert_eq!(opinions[0]["scanner"], "plura");
    assert_eq!(opinions[0]["database"], "2026-07-01T00:00:00Z");
    assert_eq!(opinions[0]["only_there"], json!(["CVE-2026-1"]));
}

#[tokio::test]
async fn the_api_is_what_others_know() {
    let site = Site::start();
    let digest = push(&site, "4.17.20").await;
    let import = site.client.post("/api/v1/advisories").query("source", "npm");
    import.json(&advisory("GHSA-1")).await.expect(200);
    let metadata = site.client.get("/scanner/api/v1/metadata").await.expect(200);
    let media_type = "application/vnd.scanner.adapter.metadata+json; version=1.0";
    assert_eq!(metadata.header("content-type"), media_type);
    let metadata = metadata.json();
    assert_eq!(metadata["scanner"]["name"], "plura");
    assert_eq!(metadata["capabilities"][0]["produces_mime_types"][0], REPORT);
    let request = json!({
        "registry": { "url": "http://harbor.example", "authorization": "Basic eDp5" },
        "artifact": { "repository": "apps/web", "digest": digest },
    });
    let media_type = "application/vnd.scanner.adapter.scan.request+json; version=1.0";
    let scan = site.client.post("/scanner/api/v1/scan").header("content-type", media_type);
    let scan = scan.body(request.to_string()).await.expect(202).json();
    let path = format!("/scanner/api/v1/scan/{}/report", scan["id"].as_str().expect("a name"));
    let report = site.client.get(&path).header("accept", REPORT).await.expect(200);
    assert_eq!(report.header("content-type"), REPORT);
    let report = report.json();
    assert_eq!(report["artifact"]["digest"], digest);
    let found = &report["vulnerabilities"][0];
    assert_eq!((&found["id"], &found["package"]), (&json!("CVE-2026-1"), &json!("lodash")));
    assert_eq!(found["fix_version"], "4.17.21");
    let sbom = "application/vnd.security.sbom.report+json; version=1.0";
    let sbom = site.client.get(&path).header("accept", sbom).await.expect(200).json();
    assert_eq!(sbom["media_type"], "application/spdx+json");
    assert_eq!(sbom["sbom"]["spdxVersion"], "SPDX-2.3");
    site.client.get("/scanner/api/v1/scan/6161/report").await.expect(404);
}

/// A scanner that answers each of some requests as it is told, and remembers what it was sent.
fn scanner(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            requests.push(received(&mut BufReader::new(&stream)));
            stream.write_all(answer.as_bytes()).expect("it is answered");
        }
        requests
    });
    (base, serving)
}

fn received(stream: &mut impl BufRead) -> String {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a line");
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    head + &String::from_utf8(body).expect("text")
}

fn answer(status: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_scanner_is_asked_until_it_is_done_and_believed_to_say_so() {
    let site = Site::start();
    let digest = push(&site, "4.17.20").await;
    let metadata = json!({
        "scanner": { "name": "Sharp", "vendor": "Acme", "version": "1" },
        "capabilities": [{ "consumes_mime_types": [], "produces_mime_types": [REPORT] }],
        "properties": { "harbor.scanner-adapter/vulnerability-database-updated-at": "yesterday" },
    });
    let report = json!({
        "generated_at": "2026-07-02T00:00:00Z", "scanner": metadata["scanner"],
        "artifact": { "repository": "apps/web", "digest": digest }, "severity": "High",
        "vulnerabilities": [{
            "id": "CVE-2026-7", "package": "lodash", "version": "4.17.20", "fix_version": "4.17.22",
            "severity": "High", "links": [],
        }],
    });
    let (base, serving) = scanner(vec![
        answer("200 OK", "", &metadata),
        answer("202 Accepted", "", &json!({ "id": "7" })),
        answer("302 Found", "Retry-After: 1\r\n", &Value::Null),
        answer("200 OK", "", &report),
    ]);
    site.write("authorization", "Bearer sesame\n");
    let scan = format!("image scan apps/web:1 --adapter {base} --authorization-file authorization");
    site.run(&scan).expect(0).expect_stderr("Sharp found 1 in sha256:");
    let requests = serving.join().expect("it served");
    assert!(requests.iter().all(|request| request.contains("Bearer sesame")), "{requests:?}");
    assert!(requests[1].contains(&digest) && requests[1].contains("\"repository\":\"apps/web\""));
    assert!(requests[3].starts_with("GET /api/v1/scan/7/report "), "{}", requests[3]);
    let opinions = opinions(&site).await;
    assert_eq!(opinions[0]["scanner"], "Sharp");
    assert_eq!(opinions[0]["database"], "yesterday");
    assert_eq!(opinions[0]["only_there"], json!(["CVE-2026-7"]));
}

#[tokio::test]
async fn a_scanner_that_refuses_says_why() {
    let site = Site::start();
    push(&site, "4.17.20").await;
    let metadata = json!({ "capabilities": [{ "produces_mime_types": [REPORT] }] });
    let (base, serving) = scanner(vec![
        answer("200 OK", "", &metadata),
        answer("422 Unprocessable", "", &json!({ "error": { "message": "no such thing" } })),
    ]);
    let refused = site.run(&format!("image scan apps/web:1 --adapter {base}")).expect(2);
    refused.expect_stderr("no such thing");
    serving.join().expect("it served");
    let none = json!({ "capabilities": [] });
    let (base, _) = scanner(vec![answer("200 OK", "", &none)]);
    let refused = site.run(&format!("image scan apps/web:1 --adapter {base}")).expect(2);
    refused.expect_stderr("makes no report that is read here");
}
