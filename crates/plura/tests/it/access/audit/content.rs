//! What is pushed, deleted, and refused.

use plura_testkit::{Algorithm, Image};
use serde_json::json;

use super::super::Closed;
use super::{Left, left};

#[tokio::test]
async fn every_push_and_deletion_is_written_down_once() {
    let mut closed = Closed::start();
    closed.project("apps").await;
    let dora = closed.member("dora", "developer", "apps").await;
    let image = Image::random(&mut closed.random);
    let (repository, digest) = (dora.client.repository("apps/web"), image.digest());
    let mut left = Left::from_now(&closed).await;
    for blob in &image.blobs {
        let digest = blob.digest();
        let mut upload = repository.start_upload().await;
        let patched = upload.patch(0, blob.bytes.clone()).await.expect(202);
        left!(left, patched, []);
        let done = upload.finish(&digest).await.expect(201);
        left!(left, done, [format!("dora password allowed blob.push apps/web@{digest}")]);
    }
    let put = repository.put_manifest("v1", &image.manifest).await.expect(201);
    left!(
        left,
        put,
        [
            format!("dora password allowed manifest.push apps/web@{digest}"),
            "dora password allowed tag.set apps/web:v1",
        ]
    );
    let blob = image.blobs[0].digest();
    let other = dora.client.repository("apps/api");
    left!(
        left,
        other.mount(&blob, Some("apps/web")).await.expect(201),
        [format!("dora password allowed blob.mount apps/api@{blob}")]
    );
    left!(left, repository.get_manifest("v1").await.expect(200), []);

    let root = closed.root.repository("apps/web");
    left!(
        left,
        root.delete_manifest("v1").await.expect(202),
        ["root password allowed tag.delete apps/web:v1"]
    );
    left!(
        left,
        root.delete_manifest(&digest).await.expect(202),
        [format!("root password allowed manifest.delete apps/web@{digest}")]
    );
    let sha512 = Algorithm::Sha512.digest(b"x");
    left!(left, root.delete_blob(&sha512).await.expect(404), []);
}

#[tokio::test]
async fn every_refusal_is_written_down_once() {
    let mut closed = Closed::start();
    closed.project_with(json!({"name": "apps", "quota_tags": 2})).await;
    closed.project("base").await;
    let dora = closed.member("dora", "developer", "apps").await;
    let rita = closed.member("rita", "reader", "apps").await;
    let image = Image::random(&mut closed.random);
    let (repository, digest) = (dora.client.repository("apps/web"), image.digest());
    repository.push_image_as("v1", &image).await;
    let (blob, other) = (image.blobs[0].digest(), dora.client.repository("apps/api"));
    let mut left = Left::from_now(&closed).await;
    // What is refused has the name of what it would have been.
    let by_rita = |what: &str| format!("rita password denied {what}");
    let read = rita.client.repository("apps/web");
    left!(
        left,
        read.put_manifest("v2", &image.manifest).await.expect(403),
        [by_rita("manifest.push apps/web:v2")]
    );
    left!(
        left,
        read.put_manifest(&digest, &image.manifest).await.expect(403),
        [by_rita(&format!("manifest.push apps/web@{digest}"))]
    );
    left!(left, read.delete_manifest("v1").await.expect(403), [by_rita("tag.delete apps/web:v1")]);
    left!(
        left,
        read.delete_manifest(&digest).await.expect(403),
        [by_rita(&format!("manifest.delete apps/web@{digest}"))]
    );
    left!(
        left,
        read.delete_blob(&blob).await.expect(403),
        [by_rita(&format!("blob.delete apps/web@{blob}"))]
    );
    left!(
        left,
        rita.client.post("/v2/apps/web/blobs/uploads/").body("").await.expect(403),
        [by_rita("blob.push apps/web")]
    );
    left!(
        left,
        read.mount(&blob, Some("apps/web")).await.expect(403),
        [by_rita(&format!("blob.mount apps/web@{blob}"))]
    );
    left!(
        left,
        rita.client.repository("base/os").get_manifest("v1").await.expect(403),
        [by_rita("manifest.pull base/os:v1")]
    );
    left!(
        left,
        rita.client.repository("base/os").head_blob(&blob).await.expect(403),
        [by_rita(&format!("blob.pull base/os@{blob}"))]
    );
    left!(
        left,
        rita.client.get("/v2/base/os/tags/list").await.expect(403),
        [by_rita("tag.list base/os")]
    );
    left!(
        left,
        other.mount(&blob, Some("base/os")).await.expect(202),
        [format!("dora password denied blob.mount base/os@{blob}")]
    );
    left!(
        left,
        dora.client.repository("none/x").put_manifest("v1", &image.manifest).await.expect(403),
        ["dora password denied manifest.push none/x:v1"]
    );

    // The quota is a rule like others.
    repository.put_manifest("v2", &image.manifest).await.expect(201);
    let mut left = Left::from_now(&closed).await;
    let over = repository.put_manifest("v3", &image.manifest).await.expect(403);
    let entries = left.read().await;
    Left::check(&over, &entries, &["dora password denied manifest.push apps/web:v3"]);
    assert_eq!(entries[0]["rule"], "quota of project apps");
    assert_eq!(
        entries[0]["detail"]["reason"].as_str().map(|reason| reason.contains("quota")),
        Some(true)
    );
}
