use std::time::Duration;

use plura_governance::{Error, PromoteRequest, Refusal, State};

use crate::support::{PLAIN, Place, digest_of, name, request, somebody};

const SOAK: &str = r#"
    format = 1
    [[channels]]
    name = "stg:stable"
    [[channels]]
    name = "prod:stable"
    from = ["stg:stable"]
    soak = "15m"
"#;

#[tokio::test]
async fn an_image_goes_from_channel_to_channel_and_can_be_pulled_from_each() {
    let place = Place::start(PLAIN).await;
    let digest = place.push("one").await;
    let about = place.attach(digest, "a signature").await;
    for (channel, repository) in [
        ("dev:stable", "channels/dev/search"),
        ("stg:stable", "channels/stg/search"),
        ("prod:stable", "channels/prod/search"),
    ] {
        place.promoted(digest, channel).await;
        assert_eq!(place.pull(repository, "stable").await, Some(digest));
        assert_eq!(place.pull(repository, &digest.to_string()).await, Some(digest));
        assert_eq!(place.pull(repository, &about.to_string()).await, Some(about));
    }
    let moves = place.moves("prod:stable").await;
    assert_eq!(moves.len(), 1);
    assert_eq!((moves[0].number, &*moves[0].by), (1, "user:alice"));
}

#[tokio::test]
async fn an_image_that_may_not_be_there_changes_nothing() {
    let place = Place::start(PLAIN).await;
    let digest = place.push("one").await;
    let promoted = place.promote(digest, "prod:stable").await.unwrap();
    assert_eq!(place.promotion(&promoted).await.state, State::Denied);
    assert!(promoted.rollback_key.is_none());
    assert_eq!(place.points_at("prod:stable").await, None);
    assert_eq!(place.pull("channels/prod/search", "stable").await, None);
}

#[tokio::test]
async fn a_dry_run_decides_as_the_real_thing_and_changes_nothing() {
    let place = Place::start(PLAIN).await;
    let digest = place.push("one").await;
    let dry = PromoteRequest { dry_run: true, ..request(digest, "dev") };
    let dry = place.governance.promote(&somebody("alice"), &dry).await.unwrap();
    assert!(dry.promotion.is_none() && dry.decision.is_allowed());
    assert_eq!(place.points_at("dev:stable").await, None);
    let real = place.promoted(digest, "dev").await;
    assert_eq!(real.decision.outcomes, dry.decision.outcomes);
}

#[tokio::test]
async fn what_soaks_waits_and_goes_on_by_itself() {
    let place = Place::start(SOAK).await;
    let digest = place.push("one").await;
    place.promoted(digest, "stg").await;
    let promoted = place.promote(digest, "prod").await.unwrap();
    assert_eq!(place.promotion(&promoted).await.state, State::Waiting);
    place.go_on().await;
    assert_eq!(place.points_at("prod:stable").await, None);
    plura_fault::put_clock_forward(Duration::from_mins(16));
    place.go_on().await;
    assert_eq!(place.promotion(&promoted).await.state, State::Finished);
    assert_eq!(place.points_at("prod:stable").await, Some(digest));
}

#[tokio::test]
async fn what_waits_for_too_long_expires() {
    let document = SOAK.replace("15m", "10d");
    let place = Place::start(&document).await;
    let digest = place.push("one").await;
    place.promoted(digest, "stg").await;
    let promoted = place.promote(digest, "prod").await.unwrap();
    plura_fault::put_clock_forward(Duration::from_hours(25));
    place.go_on().await;
    assert_eq!(place.promotion(&promoted).await.state, State::Expired);
}

#[tokio::test]
async fn a_newer_promotion_takes_the_place_of_one_that_waits() {
    let place = Place::start(SOAK).await;
    let (one, two) = (place.push("one").await, place.push("two").await);
    place.promoted(one, "stg").await;
    let first = place.promote(one, "prod").await.unwrap();
    place.promoted(two, "stg").await;
    let second = place.promote(two, "prod").await.unwrap();
    assert_eq!(place.promotion(&first).await.state, State::Superseded);
    assert_eq!(place.promotion(&second).await.state, State::Waiting);
}

#[tokio::test]
async fn an_automatic_channel_follows_the_one_that_it_comes_from() {
    let document = format!("{SOAK}\n automatic = true\n");
    let place = Place::start(&document).await;
    let digest = place.push("one").await;
    let first = place.promoted(digest, "stg").await;
    place.go_on().await;
    assert_eq!(place.points_at("prod:stable").await, None);
    plura_fault::put_clock_forward(Duration::from_mins(16));
    place.go_on().await;
    assert_eq!(place.points_at("prod:stable").await, Some(digest));
    let chain = place.promotion(&first).await.id;
    let moves = place.moves("prod:stable").await;
    let second = place.governance.promotion(moves[0].promotion.as_deref().unwrap()).await.unwrap();
    assert_eq!(second.chain, chain);
}

#[tokio::test]
async fn a_request_that_is_sent_twice_is_carried_out_once() {
    let place = Place::start(PLAIN).await;
    let (one, two) = (place.push("one").await, place.push("two").await);
    let named =
        |digest| PromoteRequest { idempotency: Some("build-7".into()), ..request(digest, "dev") };
    let alice = somebody("alice");
    let first = place.governance.promote(&alice, &named(one)).await.unwrap();
    let again = place.governance.promote(&alice, &named(one)).await.unwrap();
    assert!(again.replayed && again.rollback_key.is_none() && first.rollback_key.is_some());
    assert_eq!(place.promotion(&first).await.id, place.promotion(&again).await.id);
    let other = place.governance.promote(&alice, &named(two)).await;
    assert!(matches!(other, Err(Error::Refused(Refusal::KeyReused))), "{other:?}");
    // Another person's request may have the same name.
    place.governance.promote(&somebody("bob"), &named(two)).await.unwrap();
    assert_eq!(place.moves("dev:stable").await.len(), 2);
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let place = Place::start(PLAIN).await;
    let digest = place.push("one").await;
    let promote = async |request: PromoteRequest| {
        let refused = place.governance.promote(&somebody("alice"), &request).await;
        refused.unwrap_err().to_string()
    };
    let dev = request(digest, "dev");
    for (request, expected) in [
        (
            PromoteRequest { to: "qa".parse().unwrap(), ..dev.clone() },
            "there is no channel qa:stable",
        ),
        (PromoteRequest { repository: name("charts/x"), ..dev.clone() }, "belongs to no service"),
        (PromoteRequest { digest: digest_of("none"), ..dev.clone() }, "has no sha256:"),
        (
            PromoteRequest { from: Some("prod".parse().unwrap()), ..request(digest, "stg") },
            "does not come from prod:stable; the document in force says dev:stable",
        ),
    ] {
        let said = promote(request).await;
        assert!(said.contains(expected), "{said}");
    }
    place.promoted(digest, "dev").await;
    assert!(promote(dev.clone()).await.contains("already"));
    let other = PromoteRequest { repository: name("apps/search/api"), ..dev };
    assert!(promote(other).await.contains("layout.services"));
}
