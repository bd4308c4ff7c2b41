//! What is pushed under which tags.

use futures_util::future::join_all;
use plura_testkit::{Blob, Image, Manifest, Random};
use serde_json::json;

use super::{Place, image};

const RULES: &str = r#"
[[tags]]
name = "releases"
repositories = ["apps/**"]
except = ["apps/sandbox/**"]
immutable = ["*"]
shapes = ["{semver}+{gitsha}", "{semver}"]
labels = ["org.opencontainers.image.revision"]
"#;

fn labelled(name: &str) -> Image {
    image(name, &json!({ "org.opencontainers.image.revision": "c0ffee" }))
}

#[tokio::test]
async fn a_refusal_names_rule_observed_required_and_fix_where_docker_prints_it() {
    let place = Place::governed_by(RULES).await;
    let refused = place.offer("latest", &labelled("a")).await;
    let refused = refused.expect_error(403, "DENIED");
    let words = refused.error_message();
    assert!(
        words.starts_with("releases.forbidden: the tag `latest`; required: another tag"),
        "{words}"
    );
    assert!(words.contains("releases.shapes: "), "{words}");
    let refusals = &refused.json()["errors"][0]["detail"]["refusals"];
    assert_eq!(refusals[0]["rule"], "releases.forbidden");
    assert!(refusals[0]["fix"].as_str().is_some_and(|fix| fix.contains("1.4.2")), "{refusals}");
    assert_eq!(place.repository.get_manifest("latest").await.status, 404);
    let denied = place.audit("manifest.push").await;
    assert_eq!(denied[0]["outcome"], "denied");
    assert_eq!(denied[0]["rule"], "releases.forbidden, releases.shapes");
}

#[tokio::test]
async fn labels_are_read_from_the_configuration() {
    let place = Place::governed_by(RULES).await;
    let without = place.offer("1.0.0", &image("a", &json!({}))).await;
    let words = without.expect_error(403, "DENIED").error_message();
    assert!(words.contains("without the labels org.opencontainers.image.revision"), "{words}");
    place.offer("1.0.0", &labelled("a")).await.expect(201);
    // By digest, nobody is misled by a name.
    let other = image("b", &json!({}));
    place.offer(&other.digest(), &other).await.expect(201);
    // What is exempted is not asked.
    let sandbox = place.server.client().repository("apps/sandbox/x");
    sandbox.push_image_as("latest", &other).await.expect(201);
}

#[tokio::test]
async fn an_immutable_tag_is_one_image_whoever_pushes_at_the_same_time() {
    let place = Place::governed_by(RULES).await;
    let images: Vec<Image> = (0..8).map(|number| labelled(&number.to_string())).collect();
    let pushes = images.iter().map(|image| place.offer("1.0.0", image));
    let answers = join_all(pushes).await;
    let taken: Vec<usize> =
        (0..answers.len()).filter(|place| answers[*place].status == 201).collect();
    let [taken] = taken[..] else { panic!("{taken:?}") };
    let found = place.repository.get_manifest("1.0.0").await.expect(200);
    assert_eq!(found.header("docker-content-digest"), images[taken].digest());
    // The same again is no change; deleting it would make room for another.
    place.offer("1.0.0", &images[taken]).await.expect(201);
    place.repository.delete_manifest("1.0.0").await.expect_error(403, "DENIED");
    let digest = images[taken].digest();
    place.repository.delete_manifest(&digest).await.expect_error(403, "DENIED");
}

#[tokio::test]
async fn what_only_warns_is_a_warning_of_the_answer_and_in_the_audit() {
    let place =
        Place::governed_by(&RULES.replace("repositories", "mode = \"warn\"\nrepositories")).await;
    let pushed = place.offer("latest", &labelled("a")).await.expect(201);
    let warning = pushed.header("warning");
    assert!(warning.starts_with("299 - \"releases.forbidden: the tag `latest`"), "{warning}");
    let set = place.audit("tag.set").await;
    let detail = set[0]["detail"].to_string();
    assert!(detail.contains("releases.forbidden"), "{detail}");
}

#[tokio::test]
async fn channels_are_moved_by_nobody_who_pushes() {
    let place = Place::start();
    let channel = place.server.client().repository("channels/prod/search");
    let blob = Blob::random(&mut Random::printed(), 10);
    let started = channel.client.post(&channel.path("blobs/uploads/")).await;
    let words = started.expect_error(403, "DENIED").error_message();
    assert!(words.contains("plura reg promote"), "{words}");
    channel.mount(&blob.digest(), Some("apps/search")).await.expect_error(403, "DENIED");
    let manifest = Manifest::index(&[]);
    channel.put_manifest("stable", &manifest).await.expect_error(403, "DENIED");
    channel.delete_manifest("stable").await.expect_one_of(&[403, 404]);
    assert_eq!(place.audit("manifest.push").await[0]["rule"], "layout.channels");
}

#[tokio::test]
async fn a_tag_for_signatures_is_no_way_around_the_rules() {
    let place = Place::governed_by(RULES).await;
    let signed = labelled("a");
    place.offer("1.0.0", &signed).await.expect(201);
    let hex = signed.digest().replace("sha256:", "sha256-");
    for tag in [format!("{hex}.sig"), format!("{hex}.att"), hex.clone()] {
        let disguised = place.offer(&tag, &image("b", &json!({}))).await;
        let words = disguised.expect_one_of(&[400, 403]).error_message();
        assert!(!words.is_empty(), "{tag}");
    }
    // The list of referrers that clients keep by themselves.
    let about = Image::artifact(&mut Random::printed(), "a/b").about(&signed.manifest);
    let digest = about.digest();
    place.offer(&digest, &about).await.expect(201);
    let list = Manifest::index(&[about.manifest.descriptor()]);
    place.repository.put_manifest(&hex, &list).await.expect(201);
    let images = Manifest::index(&[signed.manifest.descriptor()]);
    place.repository.put_manifest(&hex, &images).await.expect_error(403, "DENIED");
}
