//! What is told of images that were released: notes, and everything that is known in one file.

use std::{collections::BTreeMap, fs};

use plura_testkit::{Outcome, eventually};
use serde_json::{Value, json};

use super::{
    Place, binary,
    layers::{debian, image, npm},
};

/// Runs `plura reg`; `NAME` is the repository.
fn reg(place: &Place, command: &str) -> Outcome {
    let command = command.replace("NAME", &place.repository.name);
    let words: Vec<&str> = ["reg"].into_iter().chain(command.split(' ')).collect();
    let variables = [("PLURA_SERVER", place.server.base()), ("DOCKER_CONFIG", "none".to_owned())];
    let environment: BTreeMap<_, _> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Outcome::of(binary(), &words, &environment, place.server.data())
}

/// Two releases, the second with a package that is no longer vulnerable.
async fn released() -> Place {
    let place = Place::start();
    let advisory = json!({
        "id": "CVE-2026-1", "modified": "2026-07-01T00:00:00Z",
        "affected": [{
            "package": { "ecosystem": "npm", "name": "left-pad" },
            "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "1.3.1" }] }],
        }],
    });
    let post = place.server.client().post("/api/v1/advisories").query("source", "npm");
    post.json(&advisory).await.expect(200);
    for (tag, version) in [("1.0.0", "1.3.0"), ("1.1.0", "1.3.1")] {
        let pushed = image(tag, &[debian(), npm("left-pad", version)]);
        place.repository.push_image_as(tag, &pushed).await.expect(201);
    }
    eventually("both are read", || async {
        for tag in ["1.0.0", "1.1.0"] {
            let answer = place.ask("/vulnerabilities", tag, None).await.expect(200).json();
            answer["images"][0]["read_at"].as_str()?;
        }
        Some(())
    })
    .await;
    place
}

#[tokio::test]
async fn notes_tell_what_is_different() {
    let place = released().await;
    let request = place.server.client().get("/api/v1/release-notes");
    let request = request.query("repository", &place.repository.name);
    let answer = request.query("from", "1.0.0").query("to", "1.1.0").await.expect(200).json();
    let notes = &answer["notes"];
    assert_eq!(notes["packages"]["added"], json!([]));
    assert_eq!(
        notes["packages"]["changed"],
        json!([{ "kind": "npm", "name": "left-pad", "from": ["1.3.0"], "to": ["1.3.1"] }])
    );
    assert_eq!(notes["fixed"][0]["id"], "CVE-2026-1");
    assert_eq!(notes["introduced"], json!([]));
    assert_eq!(notes["from"]["platform"], "linux/amd64");
    reg(&place, "notes NAME:1.1.0 --against 1.0.0")
        .expect(0)
        .expect_stdout("- `left-pad` (npm): `1.3.0` → `1.3.1`");
    reg(&place, "notes NAME:1.1.0 --against 1.0.0").expect_stdout("## Vulnerabilities fixed");
    // No channel had anything before.
    let alone = place.server.client().get("/api/v1/release-notes");
    let alone = alone.query("repository", &place.repository.name).query("to", "1.1.0");
    alone.await.expect(404);
    reg(&place, "notes NAME:1.1.0 --against absent").expect(1);
}

#[tokio::test]
async fn everything_known_of_an_image_is_one_file_that_is_checked_without_a_server() {
    let mut place = released().await;
    let key = place.server.client().get("/api/v1/keys/attestation").await.expect(200).json();
    let key = key["public_key"].as_str().expect("a key").to_owned();
    let (file, pem) = (place.server.data().join("e.tar"), place.server.data().join("key.pub"));
    fs::write(&pem, key).expect("a file");
    reg(&place, &format!("evidence NAME:1.1.0 -o {}", file.display())).expect(0);
    let whole = fs::read(&file).expect("it was written");
    place.server.stop();
    let verify = format!("evidence verify {} --key {} --json", file.display(), pem.display());
    let verified: Value = reg(&place, &verify).expect(0).json();
    assert_eq!(verified["repository"], place.repository.name.as_str());
    assert_eq!(verified["left_out"], json!([]));
    assert!(verified["files"].as_u64().is_some_and(|files| files >= 10), "{verified}");
    let text = "left-pad";
    let at = whole.windows(text.len()).position(|window| window == text.as_bytes());
    let mut changed = whole.clone();
    changed[at.expect("the SBOM names it")] = b'L';
    fs::write(&file, changed).expect("a file");
    reg(&place, &verify).expect(1).expect_stderr("it was changed");
    fs::write(&file, &whole[..whole.len() / 2]).expect("a file");
    reg(&place, &verify).expect(1);
}

#[tokio::test]
async fn the_key_stays_the_same() {
    let mut place = Place::start();
    let before = place.server.client().get("/api/v1/keys/attestation").await.expect(200).json();
    place.server.restart();
    let after = place.server.client().get("/api/v1/keys/attestation").await.expect(200).json();
    assert_eq!(before, after);
}
