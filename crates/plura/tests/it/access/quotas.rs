//! What a project may hold: more is refused as a whole, and says why.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plura_testkit::{Answer, Image, Manifest, digest, media_type, raw};
use serde_json::{Value, json};

use super::Closed;
use super::closed::Account;

async fn with_quota(quota: Value) -> (Closed, Account) {
    let mut closed = Closed::start();
    let mut project = json!({"name": "apps"});
    project
        .as_object_mut()
        .expect("an object")
        .extend(quota.as_object().expect("an object").clone());
    closed.project_with(project).await;
    let developer = closed.member("dora", "developer", "apps").await;
    (closed, developer)
}

#[track_caller]
fn check_over(answer: Answer, quota: u64, wanted: u64) {
    let answer = answer.expect_error(403, "DENIED");
    let detail = &answer.json()["errors"][0]["detail"];
    assert_eq!(detail["rule"], "quota of project apps");
    assert_eq!((&detail["quota"], &detail["wanted"]), (&json!(quota), &json!(wanted)));
    assert!(answer.error_message().contains("apps"), "{}", answer.error_message());
}

/// The same where the length was not announced: what had come is told, when it was too much.
#[track_caller]
fn check_over_at_least(answer: Answer, quota: u64, wanted: u64) {
    let known = answer.json()["errors"][0]["detail"]["wanted"].as_u64().unwrap_or(wanted);
    assert!((quota + 1..=wanted).contains(&known), "{}", answer.describe());
    check_over(answer, quota, known);
}

async fn used(closed: &Closed) -> (u64, u64) {
    let project = closed.root.get("/api/v1/projects/apps").await.expect(200).json();
    (
        project["used_bytes"].as_u64().expect("a number"),
        project["used_tags"].as_u64().expect("a number"),
    )
}

#[tokio::test]
async fn bytes_beyond_the_quota_are_refused() {
    let (mut closed, dora) = with_quota(json!({"quota_bytes": 1000})).await;
    let repository = dora.client.repository("apps/web");
    repository.push_bytes(&closed.random.bytes(600)).await;
    let more = closed.random.bytes(500);
    for method in plura_testkit::PushMethod::ALL {
        let answer = repository.push_by(method, &more, &digest(&more)).await;
        check_over_at_least(answer, 1000, 1100);
        repository.head_blob(&digest(&more)).await.expect(404);
        assert_eq!(used(&closed).await, (600, 0));
    }
    // Up to the last byte, and the same content again costs nothing, wherever in the project.
    let rest = closed.random.bytes(400);
    repository.push_bytes(&rest).await;
    dora.client.repository("apps/api").push_bytes(&rest).await;
    dora.client.repository("apps/job").mount(&digest(&rest), Some("apps/web")).await.expect(201);
    assert_eq!(used(&closed).await, (1000, 0));
    // From elsewhere it does.
    closed.project("base").await;
    let foreign = closed.random.bytes(10);
    closed.root.repository("base/os").push_bytes(&foreign).await;
    closed.give(Some("base"), json!({"subject": "user:dora", "role": "reader"})).await;
    for from in [Some("base/os"), None] {
        check_over(repository.mount(&digest(&foreign), from).await, 1000, 1010);
        repository.head_blob(&digest(&foreign)).await.expect(404);
    }
    assert_eq!(used(&closed).await, (1000, 0));
    // More room, and less than what is used: nothing is deleted.
    let change = |quota: Value| {
        closed.root.patch("/api/v1/projects/apps").json(&json!({"quota_bytes": quota}))
    };
    change(json!(1500)).await.expect(200);
    repository.push_bytes(&more).await;
    change(json!(10)).await.expect(200);
    repository.head_blob(&digest(&more)).await.expect(200);
    check_over(
        repository.push_by(plura_testkit::PushMethod::Post, b"x", &digest(b"x")).await,
        10,
        1501,
    );
    change(Value::Null).await.expect(200);
    repository.push_bytes(b"x").await;
}

/// What cannot stay is not even taken: neither a client's time nor the disk is spent on it.
#[tokio::test]
async fn what_is_known_to_be_too_much_is_refused_before_it_comes() {
    let (mut closed, dora) = with_quota(json!({"quota_bytes": 100_000})).await;
    let repository = dora.client.repository("apps/web");
    let held = closed.random.bytes(60_000);
    repository.push_bytes(&held).await;
    let uploads = closed.server.data().join("uploads");
    let on_disk = || -> u64 {
        let entries = std::fs::read_dir(&uploads).expect("the directory of uploads");
        entries.map(|entry| entry.expect("an entry").metadata().map_or(0, |file| file.len())).sum()
    };
    let authority = closed.client.authority();
    let credentials = STANDARD.encode(format!("dora:{}", dora.secret));
    let credentials = format!("Authorization: Basic {credentials}");
    // Nothing is sent behind the head, and the answer comes all the same.
    for (method, ranged) in [("PATCH", true), ("PATCH", false), ("PUT", false)] {
        let upload = repository.start_upload().await;
        let query =
            if method == "PUT" { format!("?digest={}", digest(b"x")) } else { String::new() };
        let line = format!("{method} {}{query}", upload.location);
        let mut headers = vec![&*credentials, "Content-Length: 40001", "Expect: 100-continue"];
        headers.extend(ranged.then_some("Content-Range: 0-40000"));
        check_over(raw::ask(&authority, &line, &headers).await, 100_000, 100_001);
        assert_eq!(on_disk(), 0);
        // The session cannot lead to anything.
        upload.finish(&digest(b"")).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
    // What comes bit by bit is refused when it is too much, and not kept.
    let mut upload = repository.start_upload().await;
    upload.patch(0, closed.random.bytes(30_000)).await.expect(202);
    check_over(upload.patch(30_000, closed.random.bytes(20_000)).await, 100_000, 110_000);
    let mut upload = repository.start_upload().await;
    let streamed = upload.stream(closed.random.bytes(300_000)).await;
    check_over_at_least(streamed, 100_000, 360_000);
    assert_eq!(on_disk(), 0);
    // What is there takes no room, where its digest is told with it.
    for method in [plura_testkit::PushMethod::Post, plura_testkit::PushMethod::PostPut] {
        let again = dora.client.repository("apps/api");
        again.push_by(method, &held, &digest(&held)).await.expect(201);
    }
    assert_eq!(used(&closed).await.0, 60_000);
}

#[tokio::test]
async fn uploads_at_the_same_time_do_not_slip_in_together() {
    let (mut closed, dora) = with_quota(json!({"quota_bytes": 1000})).await;
    let repository = dora.client.repository("apps/web");
    let blobs: Vec<Vec<u8>> = (0..8).map(|_| closed.random.bytes(400)).collect();
    let pushes = blobs.iter().map(|bytes| {
        let repository = repository.clone();
        async move {
            let digest = digest(bytes);
            let method = plura_testkit::PushMethod::PostPut;
            repository.push_by(method, bytes, &digest).await.expect_one_of(&[201, 403]).status
        }
    });
    let statuses = futures_util::future::join_all(pushes).await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 2, "{statuses:?}");
    assert_eq!(used(&closed).await, (800, 0));
}

#[tokio::test]
async fn tags_beyond_the_quota_are_refused() {
    let (mut closed, dora) = with_quota(json!({"quota_tags": 2})).await;
    let repository = dora.client.repository("apps/web");
    let images: Vec<Image> = (0..3).map(|_| Image::random(&mut closed.random)).collect();
    for image in &images {
        repository.push_blobs(&image.blobs).await;
    }
    let [one, two, three] = images.as_slice() else { unreachable!("three") };
    repository.put_manifest("v1", &one.manifest).await.expect(201);
    // Both tags or none, and neither the manifest.
    let path = format!("/v2/apps/web/manifests/{}?tag=v2&tag=v3", two.digest());
    let put = dora.client.put(&path).header("content-type", media_type::IMAGE);
    check_over(put.body(two.manifest.bytes.clone()).await, 2, 3);
    repository.head_manifest(&two.digest()).await.expect(404);
    assert_eq!(repository.tags().await, ["v1"]);
    repository.put_manifest("v2", &two.manifest).await.expect(201);
    check_over(repository.put_manifest("v3", &three.manifest).await, 2, 3);
    repository.head_manifest(&three.digest()).await.expect(404);
    check_over(dora.client.repository("apps/api").put_manifest("v1", &index()).await, 2, 3);
    // Moving a tag adds none; neither does a push by digest.
    repository.put_manifest("v2", &one.manifest).await.expect(201);
    repository.put_manifest(&three.digest(), &three.manifest).await.expect(201);
    assert_eq!(used(&closed).await.1, 2);
    let tags: Vec<Value> = closed.audit("&action=tag.set").await;
    assert_eq!(tags.len(), 3, "{tags:#?}");
    closed.root.repository("apps/web").delete_manifest("v1").await.expect(202);
    repository.put_manifest("v3", &three.manifest).await.expect(201);
}

/// A manifest that needs nothing.
fn index() -> Manifest {
    Manifest::index(&[])
}
