//! What is planned, and what becomes of it.

use plura_testkit::{Image, eventually};
use serde_json::json;

use super::{Place, RULES, names};

#[tokio::test]
async fn a_run_deletes_exactly_what_was_planned() {
    let mut place = Place::governed_by(RULES).await;
    let old = place.push("v1.9.0").await;
    let signature = place.sign(&old).await;
    let (new, newer) = (place.push("v1.10.0").await, place.push("v1.11.0").await);
    let branch = place.push("branch-a").await;
    let used = place.push("branch-b").await;
    place.put_clock_forward(8);
    place.repository.get_manifest("branch-b").await.expect(200);

    let plan = place.plan().await;
    let mut expected = vec!["branch-a".to_owned(), "v1.9.0".to_owned()];
    expected.extend([branch.digest(), old.digest(), signature.digest()]);
    let mut planned = names(&plan);
    assert_eq!(planned[..2], expected[..2], "names go first");
    let place_of = |digest: &str| planned.iter().position(|name| name == digest);
    assert!(place_of(&old.digest()) < place_of(&signature.digest()), "a subject goes before");
    planned.sort();
    expected.sort();
    assert_eq!(planned, expected);
    let bytes = |image: &Image| image.blobs.iter().map(|blob| blob.bytes.len()).sum::<usize>();
    let all = [&branch, &old, &signature].map(bytes).iter().sum::<usize>();
    assert_eq!(plan["bytes"], json!(all), "{plan:#}");
    let reasons: Vec<_> = plan["items"].as_array().expect("a list").iter().collect();
    let of = |name: &str| reasons.iter().find(|item| item["tag"] == name).expect("planned");
    assert_eq!(of("v1.9.0")["rule"], "old-releases");
    assert_eq!(of("branch-a")["reason"], "it was not used for more than 7d");

    assert_eq!(place.plan().await["id"], plan["id"], "the same plan has the same name");
    let id = plan["id"].as_str().expect("a digest");
    place.run("gc --dry-run").expect(0).expect_stdout(id).expect_stdout("old-releases");

    let run = place.run(&format!("gc --plan {id}")).expect(0);
    run.expect_stdout("is done: deleted 2 tags and 3 manifests").expect_stdout("0 did not hold");
    for gone in ["v1.9.0", "branch-a", &old.digest(), &signature.digest(), &branch.digest()] {
        place.repository.head_manifest(gone).await.expect(404);
    }
    for image in [&new, &newer, &used] {
        place.repository.get_manifest(&image.digest()).await.expect(200);
    }
    let by_plan = place.audit("tag.delete").await;
    assert_eq!(by_plan.len(), 2);
    assert!(by_plan.iter().all(|entry| entry.to_string().contains(id)), "{by_plan:#?}");
    assert_eq!(place.plan().await, json!(null), "nothing is left");
    let again = place.carry_out(&plan).await;
    assert_eq!((&again["state"], &again["run"]["tags"]), (&json!("done"), &json!(2)));
    place.run("gc --history").expect(0).expect_stdout(id);
    let logged = place.client.get("/api/v1/log/entries").query("subject", id).await.expect(200);
    assert!(logged.json().to_string().contains("retention.run"));
}

#[tokio::test]
async fn what_does_not_hold_any_more_stays_and_is_told() {
    let mut place = Place::governed_by(RULES).await;
    let (again, moved) = (place.push("branch-again").await, place.push("branch-moved").await);
    let (tagged, held) = (place.push("branch-tagged").await, place.push("branch-held").await);
    let gone = place.push("branch-gone").await;
    place.push("branch-deleted").await;
    place.put_clock_forward(8);
    let plan = place.plan().await;
    assert_eq!(plan["tags"], 6);

    place.repository.put_manifest("branch-again", &again.manifest).await.expect(201);
    let other = place.push("branch-moved").await;
    place.repository.put_manifest("stable", &tagged.manifest).await.expect(201);
    let digest = held.digest();
    place.run(&format!("hold {digest} --reason RCA-12")).expect(0);
    place.repository.delete_manifest("branch-deleted").await.expect(202);
    // A plan that was made meanwhile is another one, and does not change this one.
    assert_ne!(place.plan().await["id"], plan["id"]);

    let run = place.carry_out(&plan).await;
    assert_eq!(run["state"], "done");
    let refused = names(&run);
    for name in ["branch-again", "branch-moved", "branch-tagged", "branch-held", "branch-deleted"] {
        assert!(refused.iter().any(|refused| refused == name), "{name} in {run:#}");
    }
    place.repository.head_manifest(&gone.digest()).await.expect(404);
    place.repository.head_manifest("branch-gone").await.expect(404);
    for image in [&again, &tagged, &held, &other] {
        place.repository.get_manifest(&image.digest()).await.expect(200);
    }
    place.repository.get_manifest("branch-again").await.expect(200);
    place.repository.head_manifest(&moved.digest()).await.expect(200);
}

#[tokio::test]
async fn a_run_that_is_killed_goes_on_where_it_was() {
    for fault in ["retention.retired=abort", "retention.retired=2*abort"] {
        let mut place = Place::governed_by(RULES).await;
        let mut images = Vec::new();
        for number in 0..40 {
            images.push(place.push(&format!("branch-{number}")).await);
        }
        let kept = place.push("stable").await;
        place.put_clock_forward(8);
        let plan = place.plan().await;
        assert_eq!((&plan["tags"], &plan["manifests"]), (&json!(40), &json!(40)));
        place.server.kill_hard();
        place.start_again(&[("FAULT_POINTS", fault)]);
        let _ = place
            .client
            .post("/v1/registry/gc")
            .json(&json!({ "plan": plan["id"] }))
            .attempt()
            .await;
        place.server.ended();
        place.start_again(&[]);
        let run = place.carry_out(&plan).await;
        assert_eq!(run["state"], "done", "{run:#}");
        let counts = (&run["run"]["tags"], &run["run"]["manifests"], &run["run"]["refused"]);
        assert_eq!(counts, (&json!(40), &json!(40), &json!(0)), "{run:#}");
        assert_eq!(place.repository.tags().await, ["stable"]);
        place.repository.get_manifest(&kept.digest()).await.expect(200);
        for image in images {
            place.repository.head_manifest(&image.digest()).await.expect(404);
        }
    }
}

#[tokio::test]
async fn channels_keep_their_history_within_its_window_and_what_they_would_go_back_to() {
    let document = r#"
        [[channels]]
        name = "dev:stable"
        [[retention.channels]]
        channel = "dev:stable"
        window = "14d"
        [[retention.expire]]
        name = "untagged"
        untagged = true
        idle = "7d"
    "#;
    let mut place = Place::governed_by(document).await;
    let mut images = Vec::new();
    for number in 0..3 {
        let image = place.push(&format!("v{number}")).await;
        let body = json!({ "repo": "apps/search", "to": "dev", "digest": image.digest() });
        place.client.post("/v1/registry/promote").json(&body).await.expect(200);
        images.push(image.digest());
    }
    place.put_clock_forward(10);
    assert_eq!(place.plan().await, json!(null), "all of it is within its window");
    place.put_clock_forward(15);
    let plan = place.plan().await;
    assert_eq!(names(&plan), [images[0].clone()], "{plan:#}");
    place.carry_out(&plan).await;
    let body = json!({ "repo": "apps/search", "to": "dev", "reason": "it fails" });
    place.client.post("/v1/registry/rollback").json(&body).await.expect(200);
}

#[tokio::test]
async fn plans_that_are_unknown_or_stopped_delete_nothing() {
    let mut place = Place::governed_by(RULES).await;
    place.push("branch-a").await;
    place.put_clock_forward(8);
    let none = json!({ "plan": format!("sha256:{}", "0".repeat(64)) });
    let refused = place.gc(&none).await.expect(404);
    assert!(refused.error_message().contains("--dry-run"), "{}", refused.error_message());
    for wrong in [
        json!({ "plan": "sha256:0", "dry_run": false }),
        json!({ "cancel": true }),
        json!({ "plan": none["plan"], "dry_run": true }),
        json!({ "plan": none["plan"], "repo": "apps/search" }),
    ] {
        place.gc(&wrong).await.expect(400);
    }
    let plan = place.plan().await;
    let stopped = place.gc(&json!({ "plan": plan["id"], "cancel": true })).await.expect(200).json();
    assert_eq!(stopped["state"], "cancelled");
    place.repository.get_manifest("branch-a").await.expect(200);
    // Other rules are not those that it was planned by.
    place.apply(&RULES.replace("7d", "9d")).await;
    let run = place.carry_out(&plan).await;
    assert_eq!(run["run"]["tags"], 0, "{run:#}");
    assert!(
        run["items"][0]["problem"].as_str().is_some_and(|why| why.contains("rules")),
        "{run:#}"
    );
    place.repository.get_manifest("branch-a").await.expect(200);
}

#[tokio::test]
async fn what_rules_let_go_is_deleted_every_week() {
    let mut place = Place::retaining_every("7d", RULES).await;
    place.push("branch-a").await;
    place.put_clock_forward(8);
    eventually("the plan of the week is carried out", || async {
        let runs = place.client.get("/api/v1/retention/runs").await.expect(200).json();
        let run = runs["runs"].as_array().expect("a list").first().cloned()?;
        assert_eq!(run["run"]["by"], "plura", "{run:#}");
        (run["state"] == "done").then_some(())
    })
    .await;
    assert!(place.repository.get_manifest("branch-a").await.status == 404);
    let jobs = place.client.get("/api/v1/jobs").await.expect(200).json();
    let jobs = jobs["jobs"].as_array().expect("a list");
    assert!(jobs.iter().any(|job| job["name"] == "retention"), "{jobs:#?}");
}
