//! What tags pointed at, by the draft of the distribution specification.

use plura_testkit::{Image, Random};
use serde_json::Value;

use super::Plura;

const EVENT: &str = "org.opencontainers.distribution.tag.event";
const TIMESTAMP: &str = "org.opencontainers.distribution.tag.timestamp";

/// Digest and event of each entry.
fn told(history: &Value) -> Vec<(&str, &str)> {
    let entries = history["manifests"].as_array().expect("a list");
    entries
        .iter()
        .map(|entry| {
            let digest = entry["digest"].as_str().expect("a digest");
            (digest, entry["annotations"][EVENT].as_str().expect("an event"))
        })
        .collect()
}

#[tokio::test]
async fn what_a_tag_pointed_at_is_told_the_newest_first() {
    let plura = Plura::start();
    let client = &plura.client;
    let repository = client.repository("apps/web");
    let mut random = Random::printed();
    let (one, two) = (Image::random(&mut random), Image::random(&mut random));
    repository.push_image_as("v1", &one).await.expect(201);
    repository.push_image_as("v1", &two).await.expect(201);
    // The same again is no event.
    repository.push_image_as("v1", &two).await.expect(201);
    repository.delete_manifest("v1").await.expect(202);
    repository.push_image_as("v1", &one).await.expect(201);
    repository.push_image_as("v2", &two).await.expect(201);
    let path = "/v2/apps/web/_oci/tag-history/v1";
    let answer = client.get(path).await.expect(200);
    let index = "application/vnd.oci.image.index.v1+json";
    assert_eq!(answer.header("content-type"), index);
    assert_eq!(answer.header_if_any("link"), None);
    let history = answer.json();
    assert_eq!((&history["schemaVersion"], &history["mediaType"]), (&2.into(), &index.into()));
    let (first, second) = (one.digest(), two.digest());
    let all =
        [(&*first, "created"), (&*second, "deleted"), (&*second, "created"), (&*first, "created")];
    assert_eq!(told(&history), all);
    let entry = &history["manifests"][0];
    assert_eq!(entry["mediaType"], one.manifest.media_type);
    assert_eq!(entry["size"], one.manifest.bytes.len());
    let times: Vec<&str> = history["manifests"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["annotations"][TIMESTAMP].as_str().expect("a time"))
        .collect();
    let parsed: Vec<jiff::Timestamp> =
        times.iter().map(|time| time.parse().expect("a time")).collect();
    assert!(parsed.windows(2).all(|pair| pair[0] > pair[1]), "{times:?}");

    // Page by page, as `Link` says.
    let (mut found, mut next) = (Vec::new(), Some(format!("{path}?n=3")));
    let mut pages = 0;
    while let Some(target) = next {
        let answer = client.get(&target).await.expect(200);
        let page = answer.json();
        found.extend(told(&page).into_iter().map(|(digest, _)| digest.to_owned()));
        let link = answer.header_if_any("link").map(ToOwned::to_owned);
        next = link.map(|link| {
            let target = link.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            target.expect("an address").0.to_owned()
        });
        pages += 1;
    }
    assert_eq!((pages, found.len()), (2, 4));

    let ask = async |query: &str| {
        let history = client.get(&format!("{path}?{query}")).await.expect(200).json();
        told(&history).len()
    };
    assert_eq!(ask("n=0").await, 0);
    assert_eq!(ask(&format!("before={}", times[1])).await, 2);
    assert_eq!(ask(&format!("since={}", times[1])).await, 1);
    assert_eq!(ask(&format!("before={}&since={}", times[0], times[3])).await, 2);
    assert_eq!(ask(&format!("digest={second}")).await, 2);
    assert_eq!(ask(&format!("digest=sha256:{}", "0".repeat(64))).await, 0);
    for wrong in ["n=-1", "before=yesterday", "since=1", "digest=md5:1"] {
        client.get(&format!("{path}?{wrong}")).await.expect(400);
    }
    client.put(path).body("").await.expect(405);
}

#[tokio::test]
async fn what_is_not_there_has_no_history_and_what_was_deleted_keeps_it() {
    let plura = Plura::start();
    let client = &plura.client;
    let repository = client.repository("apps/web");
    let image = Image::random(&mut Random::printed());
    let ask = async |name: &str, tag: &str| {
        let path = format!("/v2/{name}/_oci/tag-history/{tag}");
        client.get(&path).await.expect(200).json()["manifests"].as_array().expect("a list").len()
    };
    assert_eq!(ask("apps/web", "v1").await, 0);
    let digest = repository.push_image(&image).await;
    repository.push_image_as("v1", &image).await.expect(201);
    assert_eq!(ask("apps/web", "other").await, 0);
    // All tags go with what they point at.
    repository.delete_manifest(&digest).await.expect(202);
    assert_eq!(ask("apps/web", "v1").await, 2);
    client.get("/v2/apps/web/_oci/tag-history/.").await.expect(400);
}
