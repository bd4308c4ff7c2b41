//! From a decision to its place in the tree.

use std::time::{Duration, Instant};

use plura_testkit::eventually;
use serde_json::json;

use super::Site;

/// What an answer that names an entry may promise.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_decision_is_an_entry_that_is_proven_within_two_seconds() {
    let site = Site::start();
    site.grant("CVE-2026-1").await;
    let begun = Instant::now();
    let proof = site.client.get("/api/v1/log/proof?index=0&wait=10").await.expect(200).json();
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    let entry = &proof["entry"];
    assert_eq!(entry["kind"], "exception.granted");
    assert_eq!(entry["subject"], "CVE-2026-1");
    assert_eq!(entry["document"]["exception"]["owner"], "alice");

    site.client.delete("/api/v1/exceptions/CVE-2026-1").await.expect(204);
    site.client.delete("/api/v1/exceptions/CVE-2026-1").await.expect(404);
    site.integrated(2).await;
    let listed = site.client.get("/api/v1/log/entries?subject=CVE-2026-1").await.expect(200).json();
    let kinds: Vec<_> = listed["entries"].as_array().expect("a list").iter().collect();
    assert_eq!(kinds[0]["kind"], "exception.revoked");
    assert_eq!(kinds[1]["kind"], "exception.granted");
    assert_eq!(listed["next"], json!(null));
    site.run("log verify").expect(0).expect_stdout("sound:").expect_stdout("2 entries");
}

#[tokio::test]
async fn tiles_that_are_full_take_the_place_of_partial_ones() {
    let site = Site::start();
    site.grant("CVE-0").await;
    site.integrated(1).await;
    assert!(site.path("log/tile/0/000.p/1").is_file());
    for number in 1..300 {
        site.grant(&format!("CVE-{number}")).await;
    }
    site.integrated(300).await;
    assert!(site.path("log/tile/0/000").is_file() && site.path("log/tile/entries/000").is_file());
    assert!(!site.path("log/tile/0/000.p").exists());
    assert!(!site.path("log/tile/entries/000.p").exists());
    assert!(site.path("log/tile/entries/001.p/44").is_file());
    assert!(site.path("log/tile/1/000.p/1").is_file());

    // Whoever has an older checkpoint is still answered.
    let full = site.client.get("/log/tile/0/000").await.expect(200);
    let part = site.client.get("/log/tile/0/000.p/100").await.expect(200);
    part.expect_body(&full.body[..3200]);
    let full = site.client.get("/log/tile/entries/000").await.expect(200);
    let part = site.client.get("/log/tile/entries/000.p/2").await.expect(200);
    assert!(full.body.starts_with(&part.body) && part.body.len() < full.body.len() / 100);
    site.run("log verify").expect(0).expect_stdout("sound:");
    site.check().expect(0);
    let page = site.client.get("/api/v1/log/entries?limit=2&before=299").await.expect(200).json();
    assert_eq!((&page["entries"][0]["index"], &page["next"]), (&json!(298), &json!(297)));
}

/// The process dies between any two steps; the next one goes on where it was.
#[tokio::test]
async fn a_process_that_dies_while_it_integrates_leaves_nothing_that_the_next_does_not_mend() {
    for point in
        ["records.write=2*abort", "transparency.tiles=1*abort", "transparency.head=1*abort"]
    {
        let mut site = Site::start();
        site.grant("CVE-1").await;
        site.integrated(1).await;
        site.server.stop();
        site.server.start_again_with(&[("FAULT_POINTS", point)]);
        let exceptions = json!({
            "vulnerability": "CVE-2", "scope": { "project": "apps" }, "reason": "r", "owner": "o",
            "expires_at": (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string(),
        });
        // The answer may be lost with the process.
        drop(site.client.post("/api/v1/exceptions").json(&exceptions).attempt().await);
        site.server.ended();
        site.server.start_again_with(&[]);
        site.integrated(2).await;
        site.grant("CVE-3").await;
        site.integrated(3).await;
        site.run("log verify").expect(0).expect_stdout("3 entries");
        site.check().expect(0);
        eventually("the checkpoint is beside the tiles", || async {
            let written = std::fs::read(site.path("log/checkpoint")).ok()?;
            let served = site.client.get("/log/checkpoint").await.expect(200);
            (served.body == written).then_some(())
        })
        .await;
    }
}

/// Tiles follow from what the database has.
#[tokio::test]
async fn tiles_that_were_lost_are_made_again() {
    let mut site = Site::start();
    for number in 0..3 {
        site.grant(&format!("CVE-{number}")).await;
    }
    site.integrated(3).await;
    site.server.stop();
    std::fs::remove_dir_all(site.path("log")).expect("it can be removed");
    site.server.start_again();
    site.grant("CVE-4").await;
    site.integrated(4).await;
    site.run("log verify").expect(0);
    site.check().expect(0);
}
