//! What is held stays, with everything that belongs to it.

use plura_testkit::{Image, Manifest};
use serde_json::{Value, json};

use super::{Place, RULES, names};

#[tokio::test]
async fn nothing_deletes_what_is_held_nor_what_belongs_to_it() {
    let mut place = Place::governed_by(RULES).await;
    let child = Image::random(&mut place.random);
    place.repository.push_image(&child).await;
    let index = Manifest::index(&[child.manifest.descriptor()]);
    place.repository.put_manifest("branch-index", &index).await.expect(201);
    let signature = place.sign(&child).await;
    let other = place.push("branch-other").await;
    let body = json!({
        "digest": index.digest(), "repository": "apps/search", "reason": "RCA-12",
    });
    let hold = place.client.post("/api/v1/holds").json(&body).await.expect(200).json();

    for held in [index.digest(), child.digest(), signature.digest()] {
        let denied = place.repository.delete_manifest(&held).await.expect_error(403, "DENIED");
        assert!(denied.error_message().contains("RCA-12"), "{}", denied.error_message());
        assert!(denied.error_message().contains("release-hold"), "{}", denied.error_message());
    }
    let layer = child.blobs[0].digest();
    place.repository.delete_blob(&layer).await.expect_error(403, "DENIED");
    place.put_clock_forward(8);
    let plan = place.plan().await;
    assert_eq!(names(&plan), ["branch-other".to_owned(), other.digest()], "{plan:#}");

    let id = hold["id"].as_str().expect("a name");
    place.run("holds").expect(0).expect_stdout(id).expect_stdout("RCA-12");
    place.run(&format!("release-hold {id} --reason closed")).expect(0);
    place.run(&format!("release-hold {id} --reason closed")).expect(1).expect_stderr("no hold");
    place.run("holds").expect(0).expect_stderr("there are no holds");
    assert_eq!(place.plan().await["manifests"], 4);
    place.repository.delete_manifest(&index.digest()).await.expect(202);
    for action in ["hold.placed", "hold.released"] {
        assert_eq!(place.audit(action).await.len(), 1, "{action}");
    }
    let subject = index.digest();
    let logged = place.client.get("/api/v1/log/entries").query("subject", &subject).await;
    assert_eq!(logged.expect(200).json()["entries"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_hold_is_where_it_says_and_as_long_as_it_says() {
    let mut place = Place::governed_by(RULES).await;
    let image = place.push("branch-a").await;
    let digest = image.digest();
    let elsewhere = place.client.repository("apps/elsewhere");
    elsewhere.push_image_as("v1", &image).await.expect(201);
    place.run(&format!("hold {digest} --reason everywhere --until 20d")).expect(0);
    elsewhere.delete_manifest(&digest).await.expect_error(403, "DENIED");
    let listed = |page: &Value| page["holds"][0]["ends_soon"].clone();
    let holds = place.client.get("/api/v1/holds").await.expect(200).json();
    assert_eq!(listed(&holds), json!(false), "{holds:#}");
    place.put_clock_forward(8);
    let holds = place.client.get("/api/v1/holds").await.expect(200).json();
    assert_eq!(listed(&holds), json!(true), "{holds:#}");
    place.put_clock_forward(21);
    let holds = place.client.get("/api/v1/holds").await.expect(200).json();
    assert_eq!(holds["holds"], json!([]));
    elsewhere.delete_manifest(&digest).await.expect(202);

    for (wrong, why) in [
        (json!({ "digest": "sha256:0", "reason": "r" }), "digest"),
        (json!({ "digest": digest }), "reason"),
        (json!({ "digest": digest, "reason": "r", "until": "2001-01-01T00:00:00Z" }), "future"),
        (json!({ "digest": digest, "reason": "r", "for": "7d" }), "for"),
    ] {
        let refused = place.client.post("/api/v1/holds").json(&wrong).await.expect(400);
        assert!(refused.error_message().contains(why), "{}", refused.error_message());
    }
}
