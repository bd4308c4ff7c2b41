//! What the log has about an image is part of its evidence, and is proved where no server is.

use std::fs;

use serde_json::{Value, json};

use super::{ORDER, Place};

/// A file with the evidence of an image about which all sorts of things were decided.
async fn exported(place: &mut Place) -> (String, String) {
    let (one, two) = (place.push().await, place.push().await);
    place.promoted(&one, "dev").await;
    place.promoted(&two, "dev").await;
    place.roll_back("dev").await.expect(200);
    place.run(&format!("approve apps/search@{one} --to prod:stable --reason good")).expect(0);
    place.run(&format!("block apps/search@{one} --reason bad")).expect(0);
    let file = place.server.data().join("evidence.tar");
    let file = file.to_str().expect("temporary paths are UTF-8").to_owned();
    place.run(&format!("evidence apps/search@{one} -o {file}")).expect(0);
    (one, file)
}

#[tokio::test]
async fn what_the_log_has_is_proved_without_a_server() {
    let mut place = Place::governed_by(ORDER).await;
    let (digest, file) = exported(&mut place).await;
    let log = place.client.get("/api/v1/log").await.expect(200).json();
    let key = log["keys"][0].as_str().expect("a key").to_owned();
    place.server.stop();
    let verify = format!("evidence verify {file} --log-key {key}");
    let verified: Value = place.run(&format!("{verify} --json")).expect(0).json();
    assert_eq!(verified["digest"], digest.as_str());
    let proved = &verified["log"];
    assert_eq!((&proved["origin"], &proved["pending"]), (&log["origin"], &json!([])), "{proved}");
    let entries = proved["entries"].as_array().expect("a list");
    let kinds: Vec<&str> = entries.iter().filter_map(|one| one["kind"].as_str()).collect();
    let expected = [
        "policy.applied",
        "promotion.finished",
        // Another one took its place.
        "promotion.finished",
        "channel.rolled_back",
        "approval.given",
        "block.created",
    ];
    assert_eq!(kinds[..6], expected, "{entries:?}");
    let told = place.run(&verify).expect(0);
    told.expect_stdout("logged: ")
        .expect_stdout("channel.rolled_back dev:stable/search, entry 3 of");
    let other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let told = place.run(&format!("evidence verify {file} --log-key {other}")).expect(1);
    told.expect_stderr("none of the keys that are trusted signed");
}

#[tokio::test]
async fn an_entry_or_proof_that_was_tampered_with_is_found() {
    let mut place = Place::governed_by(ORDER).await;
    let (_, file) = exported(&mut place).await;
    place.server.stop();
    let whole = fs::read(&file).expect("it was written");
    for (text, other) in [
        ("\"kind\": \"block.created\"", "\"kind\": \"block.lifted!\""),
        ("\"path\": [", "\"path\": {"),
    ] {
        let is_it = |window: &[u8]| window == text.as_bytes();
        let at = whole.windows(text.len()).position(is_it).expect("a proof has it");
        let mut changed = whole.clone();
        changed[at..at + text.len()].copy_from_slice(&other.as_bytes()[..text.len()]);
        fs::write(&file, changed).expect("it can be written");
        let told = place.run(&format!("evidence verify {file}")).expect(1);
        told.expect_stderr("log/").expect_stderr("it was changed");
    }
}
