use plura_testkit::{Image, eventually};
use serde_json::json;

use super::{ORDER, Place};

#[tokio::test]
async fn an_image_is_pulled_from_each_channel_that_it_came_through() {
    let mut place = Place::governed_by(ORDER).await;
    let image = Image::random(&mut place.random);
    let digest = place.repository.push_image(&image).await;
    let signature = Image::artifact(&mut place.random, "application/vnd.example.signature");
    let signature = signature.about(&image.manifest);
    let about = place.repository.push_image(&signature).await;
    let denied = place.promote(&digest, "prod").await.expect(200).json();
    assert_eq!(denied["promotion"]["state"], "denied");
    assert_eq!(denied["decision"]["effect"], "deny");
    assert!(denied.get("rollback_key").is_none(), "{denied:#}");
    for environment in ["dev", "stg", "prod"] {
        place.promoted(&digest, environment).await;
        let channel = place.client.repository(&format!("channels/{environment}/search"));
        for reference in ["stable", &digest] {
            let pulled = channel.get_manifest(reference).await.expect(200);
            pulled.expect_body(&image.manifest.bytes);
        }
        for blob in &image.blobs {
            channel.get_blob(&blob.digest()).await.expect(200).expect_body(&blob.bytes);
        }
        // Beside what was pushed, decisions about it may be there already.
        let referrers = channel.referrers(&digest).await;
        let found = referrers.iter().filter(|one| one["digest"] == about).count();
        assert_eq!(found, 1, "{referrers:#?}");
    }
    // Deleting the image where it came from takes nothing from a channel.
    place.repository.delete_manifest(&digest).await.expect(202);
    let channel = place.client.repository("channels/prod/search");
    channel.get_manifest("stable").await.expect(200).expect_body(&image.manifest.bytes);
}

#[tokio::test]
async fn a_channel_goes_back_by_role_and_by_key() {
    let mut place = Place::governed_by(ORDER).await;
    let (one, two) = (place.push().await, place.push().await);
    place.promoted(&one, "dev").await;
    let promoted = place.promoted(&two, "dev").await;
    let key = promoted["rollback_key"].as_str().expect("a key");
    let body = json!({ "repo": "apps/search", "to": "dev:stable", "key": key });
    let post = || place.client.post("/v1/registry/rollback").json(&body);
    let back = post().await.expect(200).json();
    assert_eq!((&back["digest"], &back["previous"]), (&json!(one), &json!(two)));
    post().await.expect_error(403, "DENIED");

    let waits = place.promote(&two, "dev").await.expect(200).json();
    assert_eq!(waits["promotion"]["state"], "waiting", "{waits:#}");
    let release = json!({ "repo": "apps/search", "channel": "dev" });
    place.client.post("/api/v1/channels/release").json(&release).await.expect(200);
    eventually("it goes on", || async {
        (place.points_at("dev:stable").await.as_ref() == Some(&two)).then_some(())
    })
    .await;
    let named = place.roll_back(&format!("dev:stable@{one}")).await.expect(200).json();
    assert_eq!(named["digest"], json!(one));
    let kinds: Vec<_> =
        place.history("dev").await.iter().map(|made| made["kind"].clone()).collect();
    assert_eq!(kinds, ["rollback", "promotion", "rollback", "promotion", "promotion"]);
}

#[tokio::test]
async fn figures_are_of_what_was_done() {
    let mut place = Place::governed_by(ORDER).await;
    let (one, two) = (place.push().await, place.push().await);
    place.promoted(&one, "dev").await;
    place.promoted(&two, "dev").await;
    place.roll_back("dev").await.expect(200);
    for target in ["/v1/registry/metrics", "/v1/registry/metrics?repo=apps/search"] {
        let figures = place.client.get(target).await.expect(200).json();
        assert_eq!(figures["image_count_by_env"], json!({ "dev": 1 }), "{figures:#}");
        assert_eq!(figures["digest_unique"], 2, "{figures:#}");
        assert!(figures["rollback_time_p95"].is_number(), "{figures:#}");
        assert!(figures["registry_storage_bytes"].as_i64() > Some(0), "{figures:#}");
    }
}

#[tokio::test]
async fn an_automatic_channel_follows() {
    let document =
        ORDER.replace("from = [\"dev:stable\"]", "from = [\"dev:stable\"]\nautomatic = true");
    let mut place = Place::governed_by(&document).await;
    let one = place.push().await;
    place.promoted(&one, "dev").await;
    eventually("it follows", || async {
        (place.points_at("stg:stable").await.as_ref() == Some(&one)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_channel_has_a_history_that_any_client_reads() {
    let mut place = Place::governed_by(ORDER).await;
    let (one, two) = (place.push().await, place.push().await);
    place.promoted(&one, "dev").await;
    place.promoted(&two, "dev").await;
    place.roll_back("dev").await.expect(200);
    let path = "/v2/channels/dev/search/_oci/tag-history/stable";
    let history = place.client.get(path).await.expect(200).json();
    let entries = history["manifests"].as_array().expect("a list");
    let digests: Vec<_> = entries.iter().map(|entry| entry["digest"].as_str()).collect();
    assert_eq!(digests, [Some(&*one), Some(&*two), Some(&*one)]);
}
