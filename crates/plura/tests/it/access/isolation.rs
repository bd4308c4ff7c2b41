//! Content that one may not read is not to be had in any other way, and one does not learn of it.

use plura_testkit::{Client, Image, Upload, digest};
use reqwest::Method;
use serde_json::json;

use super::Closed;
use super::closed::{Account, docker_token};
use super::grid::plain;

const SECRET: &[u8] = b"the content of a private layer";

/// `vault/x` is private; `dora` is a developer in `apps`, and nobody in `vault`.
async fn with_secret() -> (Closed, Account, Image) {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.project("vault").await;
    let (repository, image) = closed.image("vault/x").await;
    repository.push_bytes(SECRET).await;
    let developer = closed.member("dora", "developer", "apps").await;
    (closed, developer, image)
}

#[tokio::test]
async fn a_digest_that_is_guessed_mounts_nothing() {
    let (closed, dora, _) = with_secret().await;
    let (target, secret) = (dora.client.repository("apps/web"), digest(SECRET));
    let unknown = digest(b"nobody has this");
    for from in [Some("vault/x"), None, Some("vault/none"), Some("none/x")] {
        let answer =
            target.mount(&secret, from).await.expect(202).expect_no_header("docker-content-digest");
        // The session is one like any other, and empty.
        let upload = Upload::opened(&dora.client, &answer);
        upload.finish(&secret).await.expect_error(400, "DIGEST_INVALID");
        target.head_blob(&secret).await.expect(404);
        // And no answer tells that the blob is somewhere.
        let other = target.mount(&unknown, from).await;
        assert_eq!(without_session(&answer), without_session(&other), "{from:?}");
    }
    let mounts = closed.audit("&actor=dora&action=blob.mount").await;
    assert!(mounts.iter().all(|entry| entry["outcome"] == "denied"), "{mounts:#?}");
    let targets: Vec<_> = mounts.iter().filter_map(|entry| entry["target"].as_str()).collect();
    assert!(targets.contains(&format!("vault/x@{secret}").as_str()), "{targets:?}");
    // With a role it works, so that the test tests something.
    closed.give(Some("vault"), json!({"subject": "user:dora", "role": "reader"})).await;
    for from in [Some("vault/x"), None] {
        target.mount(&secret, from).await.expect(201);
        target.get_blob(&secret).await.expect(200).expect_body(SECRET);
        closed.root.repository("apps/web").delete_blob(&secret).await.expect(202);
    }
}

/// An answer without what names the session.
fn without_session(answer: &plura_testkit::Answer) -> String {
    let mut answer = answer.clone();
    for header in ["location", "docker-upload-uuid"] {
        assert!(answer.headers.remove(header).is_some(), "{header}");
    }
    plain(&answer)
}

#[tokio::test]
async fn a_token_for_one_repository_mounts_from_no_other() {
    let (closed, dora, _) = with_secret().await;
    closed.give(Some("vault"), json!({"subject": "user:dora", "role": "reader"})).await;
    let token = docker_token(&dora.client, &["repository:apps/web:pull,push"]).await;
    let target = closed.client.bearer(&token).repository("apps/web");
    for from in [Some("vault/x"), None] {
        target.mount(&digest(SECRET), from).await.expect(202);
    }
    let both = ["repository:apps/web:pull,push", "repository:vault/x:pull"];
    let token = docker_token(&dora.client, &both).await;
    let target = closed.client.bearer(&token).repository("apps/web");
    target.mount(&digest(SECRET), Some("vault/x")).await.expect(201);
}

#[tokio::test]
async fn content_is_read_through_a_repository_that_one_may_read() {
    let (closed, dora, image) = with_secret().await;
    closed.root.repository("apps/web").push_bytes(b"something").await;
    let own = dora.client.repository("apps/web");
    for method in [Method::GET, Method::HEAD] {
        own.blob(method.clone(), &digest(SECRET)).await.expect_error(404, "BLOB_UNKNOWN");
        own.manifest(method, &image.digest()).await.expect_error(404, "MANIFEST_UNKNOWN");
    }
    // A manifest does not bring what it names.
    let stolen = own.put_manifest("stolen", &image.manifest).await;
    stolen.expect_error(404, "MANIFEST_BLOB_UNKNOWN");
    own.head_manifest("stolen").await.expect(404);
    // Neither does a digest without the bytes.
    let path = format!("/v2/apps/web/blobs/uploads/?digest={}", digest(SECRET));
    for body in ["", "other bytes"] {
        dora.client.post(&path).body(body).await.expect_error(400, "DIGEST_INVALID");
    }
    own.head_blob(&digest(SECRET)).await.expect(404);
    // Referrers of the same digest elsewhere stay there.
    let artifact = Image::artifact(&mut plura_testkit::Random::printed(), "application/secret");
    let artifact = artifact.about(&image.manifest);
    closed.root.repository("vault/x").push_image(&artifact).await;
    assert!(own.referrers(&image.digest()).await.is_empty());
}

/// Everything that one can do to an upload.
async fn check_unknown(client: &Client, upload: &Upload) {
    let whole = digest(b"begun");
    let path = &upload.location;
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        let answer = client.request(method, path).await;
        answer.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
    let more = client.patch(path).header("content-range", "5-8").body("more").await;
    more.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    let put = client.put(path).query("digest", &whole).body("").await;
    put.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn an_upload_is_its_owners() {
    let (mut closed, dora, _) = with_secret().await;
    let other = closed.member("dan", "developer", "apps").await;
    let robot = json!({"name": "ci", "project": "apps", "grants": [{"role": "developer"}]});
    let robot = closed.robot(robot).await;
    let mut upload = dora.client.repository("apps/web").start_upload().await;
    upload.patch(0, "begun").await.expect(202);
    for client in [&other.client, &robot.client, &closed.root] {
        check_unknown(client, &upload).await;
    }
    // Not in another repository either, not even for its owner.
    let elsewhere = upload.location.replace("apps/web", "apps/api");
    check_unknown(&dora.client, &Upload::at(&dora.client, &elsewhere)).await;
    // The owner goes on with whatever shows who that is.
    let (_, token) = closed.api_token(&dora, &["repository:apps/web:*"]).await;
    let mut again = Upload::at(&closed.client.bearer(&token), &upload.location);
    again.progress().await.expect(204).expect_header("range", "0-4");
    again.finish(&digest(b"begun")).await.expect(201);
}

#[tokio::test]
async fn listings_name_what_one_may_read() {
    let mut closed = Closed::start();
    for project in ["apps", "charts", "vault"] {
        closed.project(project).await;
    }
    closed.public_project("open").await;
    let names = ["apps/a", "apps/b", "charts/a", "charts/b", "open/a", "vault/a", "vault/b"];
    for name in names {
        closed.image(name).await;
    }
    let dora = closed.member("dora", "developer", "apps").await;
    let pattern = json!({"subject": "user:dora", "role": "reader", "repositories": "charts/b"});
    closed.give(Some("charts"), pattern).await;
    let stranger = closed.user("sam").await;
    let nobody = docker_token(&closed.client, &["registry:catalog:*"]).await;
    let nobody = closed.client.bearer(&nobody);
    let own = ["apps/a", "apps/b", "charts/b", "open/a"];
    let docker = docker_token(&dora.client, &["registry:catalog:*"]).await;
    for (who, client, expected) in [
        ("nobody", &nobody, &["open/a"][..]),
        ("stranger", &stranger.client, &["open/a"]),
        ("developer", &dora.client, &own),
        ("developer's token", &closed.client.bearer(&docker), &own),
        ("administrator", &closed.root, &names),
    ] {
        assert_eq!(client.catalog().await, expected, "{who}");
        // Page by page, and from the middle of what is not seen.
        for size in [1, 2] {
            let path = format!("/v2/_catalog?n={size}");
            let pages = client.pages(&path).await;
            let hidden: Vec<_> = names.iter().filter(|name| !expected.contains(name)).collect();
            for page in &pages {
                let text = format!("{:?} {:?}", page.headers.get("link"), page.body);
                let leak = hidden.iter().find(|name| text.contains(***name));
                assert_eq!(leak, None, "{who}: {text}");
            }
            assert_eq!(client.listing(&path, "repositories").await, expected, "{who}");
        }
        let behind = client.get("/v2/_catalog?last=vault%2Fa").await.expect(200);
        let expected = if who == "administrator" { json!(["vault/b"]) } else { json!([]) };
        assert_eq!(behind.json()["repositories"], expected, "{who}");
    }
    dora.client.get("/v2/charts/a/tags/list").await.expect_error(403, "DENIED");
    let projects = |answer: plura_testkit::Answer| {
        let projects = answer.json()["projects"].as_array().unwrap().clone();
        projects
            .iter()
            .map(|project| project["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let seen = projects(stranger.client.get("/api/v1/projects").await.expect(200));
    assert_eq!(seen, ["open"]);
    let seen = projects(dora.client.get("/api/v1/projects").await.expect(200));
    assert_eq!(seen, ["apps", "charts", "open"]);
}
