//! Putting documents in force.

use serde_json::json;

use super::{Place, image};

const STRICT: &str =
    "[[tags]]\nname = \"releases\"\nrepositories = [\"apps/**\"]\nimmutable = [\"*\"]\n";

#[tokio::test]
async fn a_document_is_in_force_at_once_and_its_history_stays() {
    let place = Place::start();
    let none = place.server.client().get("/api/v1/policy").await.expect(200).json();
    assert_eq!(none["version"], 0);
    place.offer("latest", &image("a", &json!({}))).await.expect(201);
    let applied = place.apply(STRICT).await.expect(200).json();
    assert_eq!(applied["version"], 1);
    assert_eq!(applied["leaf"], 0);
    assert_eq!(applied["changes"]["changes"][0]["direction"], "stricter");
    place.offer("latest", &image("b", &json!({}))).await.expect(403);
    // The same again is no version of its own, however it is written.
    let again = place.apply(&format!("# a comment\n{STRICT}")).await.expect(200).json();
    assert_eq!((&again["version"], &again["leaf"]), (&json!(1), &json!(null)));
    place.apply("").await.expect(200);
    place.offer("latest", &image("b", &json!({}))).await.expect(201);
    let history = place.server.client().get("/api/v1/policy/versions").await.expect(200).json();
    let versions = history["versions"].as_array().expect("a list");
    assert_eq!(versions.iter().map(|one| &one["version"]).collect::<Vec<_>>(), [2, 1]);
    let first = place.server.client().get("/api/v1/policy/versions/1").await.expect(200).json();
    assert!(first["document"].as_str().is_some_and(|text| text.ends_with(STRICT)), "{first}");
    assert_eq!(place.audit("policy.applied").await.len(), 2);
}

#[tokio::test]
async fn of_two_who_change_it_at_once_one_is_told() {
    let place = Place::start();
    let seen = place.server.client().get("/api/v1/policy").await.expect(200).json();
    let seen = seen["digest"].as_str().expect("a digest").to_owned();
    let apply = async |document: &str| {
        place.send("/api/v1/policy", document).query("reason", "r").query("expect", &seen).await
    };
    let (first, second) = tokio::join!(apply(STRICT), apply("description = \"mine\"\n"));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_document_is_told_with_its_place() {
    let place = Place::start();
    let wrong = "[[tags]]\nname = \"\"\nrepositories = []\n[[pulls]]\nname = \"p\"\nrepositories = [\"**\"]\ngates = [\"none\"]\n";
    let refused = place.apply(wrong).await.expect(400);
    let problems = refused.json()["errors"][0]["detail"]["problems"].clone();
    let problems = problems.as_array().expect("problems");
    assert!(problems.len() >= 3, "{problems:?}");
    assert!(problems.iter().all(|problem| problem["path"].as_str() != Some("")), "{problems:?}");
    place
        .server
        .client()
        .put("/api/v1/policy")
        .query("reason", "r")
        .json(&json!({}))
        .await
        .expect(400);
    assert_eq!(place.server.client().get("/api/v1/policy").await.expect(200).json()["version"], 0);
}

#[tokio::test]
async fn a_document_is_compared_and_tried_without_being_in_force() {
    let place = Place::start();
    let post = |path: &str| {
        let request = place.server.client().post(path).header("content-type", "application/toml");
        request.body(format!("format = 1\n{STRICT}"))
    };
    let diff = post("/api/v1/policy/diff").await.expect(200).json();
    assert_eq!(diff["changes"][0]["path"], "tags.releases");
    let simulated = post("/api/v1/policy/simulate").query("days", "90").await.expect(200).json();
    assert_eq!((&simulated["decisions"], &simulated["different"]), (&json!(0), &json!(0)));
    assert_eq!(place.server.client().get("/api/v1/policy").await.expect(200).json()["version"], 0);
}

#[tokio::test]
async fn a_document_is_checked_without_being_applied() {
    let place = Place::governed_by(STRICT).await;
    let before = place.server.client().get("/api/v1/policy").await.expect(200).json();
    let check = async |document: &str| {
        let request = place.server.client().post("/api/v1/policy/check");
        request.header("content-type", "application/toml").body(document.to_owned()).await
    };
    let good = check("format = 1\ndescription = \"mine\"\n").await.expect(200).json();
    assert_eq!((&good["valid"], &good["problems"]), (&json!(true), &json!([])), "{good}");
    // It is the digest that it would have if it were applied.
    let applied = place.apply("description = \"mine\"\n").await.expect(200).json();
    assert_eq!(good["digest"], applied["digest"], "{applied}");
    place.apply(STRICT).await.expect(200);
    let wrong =
        check("format = 1\n[[tags]]\nname = \"\"\nrepositories = []\n").await.expect(200).json();
    assert_eq!((&wrong["valid"], &wrong["digest"]), (&json!(false), &json!(null)), "{wrong}");
    let problems = wrong["problems"].as_array().expect("a list");
    assert!(problems.iter().any(|one| one["path"] == "tags[0].repositories"), "{problems:?}");
    let told = |one: &serde_json::Value| one["fix"].as_str().is_some_and(|fix| !fix.is_empty());
    assert!(problems.iter().all(told), "{problems:?}");
    // What is no TOML at all is told like anything else, with its line.
    let unread = check("format = \n").await.expect(200).json();
    assert!(unread["problems"][0]["path"].as_str().is_some_and(|at| at.contains('1')), "{unread}");
    check(&"#".repeat((512 << 10) + 1)).await.expect(413);
    let plain = place.server.client().post("/api/v1/policy/check");
    plain.header("content-type", "text/plain").body("format = 1\n".to_owned()).await.expect(400);
    let after = place.server.client().get("/api/v1/policy").await.expect(200).json();
    assert_eq!(before["digest"], after["digest"]);
    assert_eq!(place.audit("policy.applied").await.len(), 3);
}
