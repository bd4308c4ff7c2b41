//! `/v2/` and methods that are not allowed.

use plura_testkit::raw;
use reqwest::Method;

use super::Plura;

#[tokio::test]
async fn the_base_endpoint_says_which_api_this_is() {
    let plura = Plura::start();
    for method in [Method::GET, Method::HEAD] {
        let answer = plura.client.request(method, "/v2/").await.expect(200);
        answer.expect_header("docker-distribution-api-version", "registry/2.0");
    }
}

#[tokio::test]
async fn the_base_endpoint_ignores_parameters_and_headers_it_does_not_know() {
    let plura = Plura::start();
    plura.client.get("/v2/?ns=docker.io").header("x-unknown", "1").await.expect(200);
    // Clients that talk to a proxy name the registry they mean in a header.
    plura.client.get("/v2/").header("oci-namespace", "docker.io").await.expect(200);
}

#[tokio::test]
async fn a_method_that_is_not_allowed_is_refused_with_those_that_are() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("methods").await;
    let digest = repository.push_bytes(b"methods").await;
    let upload = repository.start_upload().await;
    let cases = [
        (Method::DELETE, "/v2/".to_owned(), "GET"),
        (Method::POST, "/v2/_catalog".to_owned(), "GET"),
        (Method::DELETE, repository.path("tags/list"), "GET"),
        (Method::POST, repository.path("manifests/latest"), "PUT"),
        (Method::PATCH, repository.path(&format!("manifests/{digest}")), "DELETE"),
        (Method::PUT, repository.path(&format!("blobs/{digest}")), "DELETE"),
        (Method::POST, repository.path(&format!("blobs/{digest}")), "GET"),
        (Method::GET, repository.path("blobs/uploads/"), "POST"),
        (Method::PUT, repository.path("blobs/uploads/"), "POST"),
        (Method::POST, upload.location.clone(), "PATCH"),
        (Method::PUT, repository.path(&format!("referrers/{digest}")), "GET"),
    ];
    for (method, path, allowed) in cases {
        let answer = plura.client.request(method, &path).await.expect_error(405, "UNSUPPORTED");
        let allow = answer.header_list("allow");
        assert!(allow.iter().any(|method| method == allowed), "{path}: Allow: {allow:?}");
    }
}

#[tokio::test]
async fn unknown_methods_and_paths_are_refused_as_errors_of_the_client() {
    let mut plura = Plura::start();
    let repository = plura.used_repository("paths").await;
    let authority = plura.client.authority();
    let cases = [
        ("BREW /v2/".to_owned(), [405, 501]),
        (format!("LINK {}", repository.path("manifests/latest")), [405, 501]),
        (format!("GET {}", repository.path("nothing/here")), [404, 404]),
        (format!("GET {}", repository.path("blobs")), [404, 404]),
        (format!("GET {}", repository.path("tags")), [404, 404]),
        ("GET /v3/".to_owned(), [404, 404]),
        ("GET /v2/manifests/latest".to_owned(), [404, 400]),
    ];
    for (request, statuses) in cases {
        raw::ask(&authority, &request, &[]).await.expect_one_of(&statuses);
    }
}
