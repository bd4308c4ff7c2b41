//! How much is stored, each blob counted once.

use serde_json::json;

use plura_testkit::Image;

use super::Place;

#[tokio::test]
async fn shared_bytes_are_told_apart() {
    let mut place = Place::governed_by("").await;
    let shared = place.push("v1").await;
    let own = place.push("v2").await;
    let other = place.client.repository("teams/other");
    other.push_image_as("v1", &shared).await.expect(201);
    let bytes = |image: &Image| image.blobs.iter().map(|blob| blob.bytes.len()).sum::<usize>();
    let usage = place.client.get("/api/v1/usage").await.expect(200).json();
    let expected = json!({
        "repositories": [
            { "repository": "apps/search", "tags": 2, "manifests": 2,
              "exclusive_bytes": bytes(&own), "shared_bytes": bytes(&shared) },
            { "repository": "teams/other", "tags": 1, "manifests": 1,
              "exclusive_bytes": 0, "shared_bytes": bytes(&shared) },
        ],
        "total_bytes": bytes(&own) + bytes(&shared),
        "next": null,
    });
    assert_eq!(usage, expected, "{usage:#}");
    let request = place.client.get("/api/v1/usage").query("project", "teams");
    let teams = request.await.expect(200).json();
    assert_eq!(teams["repositories"].as_array().map(Vec::len), Some(1));
    let request = place.client.get("/api/v1/usage").query("limit", "1");
    assert_eq!(request.await.expect(200).json()["next"], "apps/search");
    place.client.get("/api/v1/usage").query("project", "a/b").await.expect(400);
    let printed = place.run("usage --repository teams/other").expect(0);
    printed.expect_stdout("teams/other").expect_stderr("each blob counted once");
}
