//! What is pulled, and what is never refused.

use plura_testkit::{Image, Manifest, Random, eventually};
use serde_json::json;

use super::{Place, image};

const SIGNED: &str = r#"
[gates.signed.signature]

[[pulls]]
name = "only what is signed"
repositories = ["apps/**"]
gates = ["signed"]
"#;

#[tokio::test]
async fn what_is_not_signed_cannot_be_pulled_but_can_be_signed() {
    let place = Place::start();
    let web = image("a", &json!({}));
    place.repository.push_image_as("1.0.0", &web).await.expect(201);
    place.repository.get_manifest("1.0.0").await.expect(200);
    place.apply(SIGNED).await.expect(200);
    for reference in ["1.0.0", &web.digest()] {
        let refused = place.repository.get_manifest(reference).await;
        let refused = refused.expect_error(403, "DENIED");
        let words = refused.error_message();
        assert!(words.contains("gates.signed.signature: no trust policy covers"), "{words}");
        let decision = &refused.json()["errors"][0]["detail"]["decision"];
        assert_eq!(decision["effect"], "deny");
    }
    assert_eq!(place.audit("manifest.pull").await[0]["rule"], "gates.signed.signature");
    // Who signs looks for the manifest, pushes what is about it, and reads what is there.
    place.repository.head_manifest("1.0.0").await.expect(200);
    let about = Image::artifact(&mut Random::printed(), "a/b").about(&web.manifest);
    let digest = about.digest();
    place.repository.push_image_as(&digest, &about).await.expect(201);
    place.repository.get_manifest(&digest).await.expect(200);
    assert_eq!(place.repository.referrers(&web.digest()).await.len(), 1);
    // An image with a subject is still an image, and so is one under a tag for signatures.
    let disguised = image("b", &json!({})).about(&web.manifest);
    let digest = disguised.digest();
    place.repository.push_image_as(&digest, &disguised).await.expect(201);
    place.repository.get_manifest(&digest).await.expect_error(403, "DENIED");
    let tag = web.digest().replace("sha256:", "sha256-");
    let index = Manifest::index(&[web.manifest.descriptor()]);
    place.repository.put_manifest(&tag, &index).await.expect(201);
    place.repository.get_manifest(&tag).await.expect_error(403, "DENIED");
}

#[tokio::test]
async fn what_is_blocked_is_neither_pulled_nor_listed_until_it_is_lifted() {
    let place = Place::start();
    let web = image("a", &json!({}));
    place.repository.push_image_as("1.0.0", &web).await.expect(201);
    place.repository.push_image_as("1.0.1", &image("b", &json!({}))).await.expect(201);
    let other = place.server.client().repository("apps/other");
    other.push_image_as("1.0.0", &web).await.expect(201);
    let digest = web.digest();
    let block = json!({ "digest": digest, "repository": "apps/search", "reason": "leaks a key" });
    let blocked =
        place.server.client().post("/api/v1/blocks").json(&block).await.expect(200).json();
    assert_eq!(blocked["kind"], "manual");
    place.server.client().post("/api/v1/blocks").json(&block).await.expect(409);

    let refused = place.repository.get_manifest("1.0.0").await.expect_error(403, "DENIED");
    assert!(refused.error_message().contains("leaks a key"), "{}", refused.error_message());
    place.repository.get_manifest(&digest).await.expect_error(403, "DENIED");
    assert_eq!(place.repository.tags().await, ["1.0.1"]);
    // It is blocked there alone.
    other.get_manifest("1.0.0").await.expect(200);
    let everywhere = json!({ "digest": digest, "reason": "leaks a key" });
    place.server.client().post("/api/v1/blocks").json(&everywhere).await.expect(200);
    other.get_manifest("1.0.0").await.expect_error(403, "DENIED");

    for repository in [Some("apps/search"), None] {
        let lift = place.server.client().delete("/api/v1/blocks").query("digest", &digest);
        let lift = lift.query("reason", "it was a test key");
        let lift = match repository {
            Some(name) => lift.query("repository", name),
            None => lift,
        };
        lift.await.expect(204);
    }
    place.repository.get_manifest("1.0.0").await.expect(200);
    assert_eq!(place.repository.tags().await, ["1.0.0", "1.0.1"]);
    assert_eq!(place.audit("block.").await.len(), 4);
}

#[tokio::test]
async fn what_is_being_read_is_waited_for_unless_the_rule_lets_it() {
    let place = Place::governed_by(
        r#"
[gates.modest.non_root]
[[pulls]]
name = "modest"
repositories = ["apps/**"]
gates = ["modest"]
"#,
    )
    .await;
    let web = image("a", &json!({}));
    place.repository.push_image_as("1.0.0", &web).await.expect(201);
    eventually("the image is read", || async {
        (place.repository.get_manifest("1.0.0").await.status == 200).then_some(())
    })
    .await;
}
