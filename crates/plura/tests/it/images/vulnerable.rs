//! From the layers of an image to its vulnerabilities.

use plura_testkit::eventually;
use serde_json::{Value, json};

use super::{
    Place,
    layers::{debian, image, npm},
};

fn advisory(id: &str, ecosystem: &str, package: &str, fixed: &str) -> Value {
    json!({
        "id": id, "modified": "2026-07-01T00:00:00Z",
        "affected": [{
            "package": { "ecosystem": ecosystem, "name": package },
            "ranges": [{ "type": "ECOSYSTEM", "events": [
                { "introduced": "0" }, { "fixed": fixed },
            ] }],
        }],
    })
}

async fn import(place: &Place, source: &str, advisory: &Value) {
    let post = place.server.client().post("/api/v1/advisories").query("source", source);
    post.json(advisory).await.expect(200);
}

/// What an image is said to have, each as `id package version`.
async fn found(place: &Place, reference: &str) -> Vec<String> {
    let answer = place.ask("/vulnerabilities", reference, None).await.expect(200).json();
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    let words = |found: &Value| {
        let package = &found["package"];
        [&found["id"], &package["name"], &package["version"]].map(word).join(" ")
    };
    let mut found: Vec<String> =
        answer["vulnerabilities"].as_array().expect("a list").iter().map(words).collect();
    found.sort();
    found
}

#[tokio::test]
async fn an_image_has_the_vulnerabilities_of_what_its_layers_hold() {
    let place = Place::start();
    import(&place, "npm", &advisory("CVE-2026-1", "npm", "left-pad", "1.3.1")).await;
    for (tag, version) in [("old", "1.3.0"), ("new", "1.3.1")] {
        let pushed = image(tag, &[debian(), npm("left-pad", version)]);
        place.repository.push_image_as(tag, &pushed).await.expect(201);
    }
    for tag in ["old", "new"] {
        // An image that was not read yet is not said to be clean: its answer says so.
        eventually("the image is read", || async {
            let answer = place.ask("/vulnerabilities", tag, None).await.expect(200).json();
            answer["images"][0]["read_at"].as_str().map(|_| ())
        })
        .await;
    }
    assert_eq!(found(&place, "old").await, ["CVE-2026-1 left-pad 1.3.0"]);
    assert_eq!(found(&place, "new").await, Vec::<String>::new());

    // A new advisory about what is stored: no layer is read for it, and nobody has to ask.
    import(&place, "debian", &advisory("CVE-2026-2", "Debian:12", "glibc", "2.36-9+deb12u5")).await;
    eventually("both images are told of", || async {
        let search =
            place.server.client().get("/api/v1/vulnerabilities").query("cve", "CVE-2026-2");
        let images = search.await.expect(200).json();
        (images["found"].as_array().map(Vec::len) == Some(2)).then_some(())
    })
    .await;
    let both = ["CVE-2026-1 left-pad 1.3.0", "CVE-2026-2 libc6 2.36-9+deb12u4"];
    assert_eq!(found(&place, "old").await, both);
    assert_eq!(found(&place, "new").await, both[1..]);
}
