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

/// The value of a sample of `/metrics`.
fn sample<'text>(text: &'text str, name: &str) -> &'text str {
    let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let found = lines.find(|(found, _)| *found == name);
    found.unwrap_or_else(|| panic!("there is no {name} in {text}")).1
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
        for name in ["signed_artifacts", "cve_block_events", "cve_blocks_missed"] {
            assert_eq!(figures[name], 0, "{figures:#}");
        }
        let objectives = figures["objectives"].as_array().expect("a list");
        let of = |name: &str| {
            let found = objectives.iter().find(|objective| objective["figure"] == name);
            found.unwrap_or_else(|| panic!("nothing of {name} in {figures:#}"))
        };
        for (name, target) in [("promotion_latency_p95", 1800.0), ("rollback_time_p95", 300.0)] {
            assert_eq!(of(name)["target"], target, "{figures:#}");
            assert_eq!(of(name)["value"], figures[name], "{figures:#}");
            assert_eq!(of(name)["met"], true, "{figures:#}");
        }
        assert_eq!(of("cve_blocks_missed")["met"], true, "{figures:#}");
    }
    let listed = place.run("metrics").expect(0).stdout;
    assert!(listed.contains("image_count_by_env.dev  1"), "{listed}");
    assert!(listed.contains("at most 1800 s"), "{listed}");

    let text = place.client.get("/metrics").await.expect(200);
    let text = String::from_utf8(text.body.to_vec()).expect("metrics are text");
    for (name, expected) in [
        (r#"plura_image_count_by_env{environment="dev"}"#, "1"),
        ("plura_digest_unique", "2"),
        ("plura_signed_artifacts", "0"),
        ("plura_cve_block_events", "0"),
        ("plura_cve_blocks_missed", "0"),
        (r#"plura_objective_target{figure="promotion_latency_p95"}"#, "1800.0"),
        (r#"plura_objective_met{figure="promotion_latency_p95"}"#, "1"),
        (r#"plura_objective_met{figure="rollback_time_p95"}"#, "1"),
        (r#"plura_objective_met{figure="cve_blocks_missed"}"#, "1"),
    ] {
        assert_eq!(sample(&text, name), expected, "{name}");
    }
    for name in ["plura_rollback_time_p95_seconds", "plura_promotion_latency_p95_seconds"] {
        assert!(sample(&text, name).parse::<f64>().is_ok_and(|value| value >= 0.0), "{name}");
    }
    // Counted once a minute, however many look.
    place.push().await;
    let again = place.client.get("/metrics").await.expect(200);
    let again = String::from_utf8(again.body.to_vec()).expect("metrics are text");
    assert_eq!(sample(&again, "plura_digest_unique"), "2");
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
