use std::time::Duration;

use plura_governance::State;

use crate::support::{Place, somebody};

const CANARY: &str = r#"
    format = 1
    [canaries.careful]
    steps = [
        { weight = "5%", hold = "10m" },
        { weight = "25%", hold = "10m" },
        { weight = "100%", hold = "5m" },
    ]
    [[channels]]
    name = "prod:stable"
    canary = "careful"
"#;

#[tokio::test]
async fn a_canary_gets_more_and_more_of_the_traffic_before_the_channel_moves() {
    let place = Place::start(CANARY).await;
    let digest = place.push("one").await;
    let promoted = place.promote(digest, "prod").await.unwrap();
    for (weight, hold) in [(5, 10), (25, 10), (100, 5)] {
        place.go_on().await;
        let promotion = place.promotion(&promoted).await;
        assert_eq!((promotion.state, promotion.weight), (State::Canary, weight), "{promotion:?}");
        assert_eq!(place.points_at("prod:stable").await, None);
        let pulled = place.pull("channels/prod/search", "canary.stable").await;
        assert_eq!(pulled, Some(digest));
        plura_fault::put_clock_forward(Duration::from_mins(hold) + Duration::from_secs(1));
    }
    place.go_on().await;
    assert_eq!(place.promotion(&promoted).await.state, State::Finished);
    assert_eq!(place.pull("channels/prod/search", "stable").await, Some(digest));
    assert_eq!(place.pull("channels/prod/search", "canary.stable").await, None);
    assert_eq!(place.hook.weights(), [5, 25, 100]);
}

#[tokio::test]
async fn what_is_not_acknowledged_is_asked_for_again_and_then_goes_back() {
    let place = Place::start(CANARY).await;
    let digest = place.push("one").await;
    place.hook.answer(503);
    let promoted = place.promote(digest, "prod").await.unwrap();
    place.go_on().await;
    let promotion = place.promotion(&promoted).await;
    assert_eq!((promotion.state, promotion.weight), (State::Canary, 0));
    plura_fault::put_clock_forward(Duration::from_mins(11));
    place.go_on().await;
    assert_eq!(place.promotion(&promoted).await.state, State::Returning);
    place.hook.answer(200);
    plura_fault::put_clock_forward(Duration::from_mins(2));
    place.go_on().await;
    assert_eq!(place.promotion(&promoted).await.state, State::RolledBack);
    assert_eq!(place.hook.weights().last(), Some(&0));
    assert_eq!(place.points_at("prod:stable").await, None);
}

#[tokio::test]
async fn a_canary_of_what_is_blocked_goes_back() {
    let place = Place::start(CANARY).await;
    let digest = place.push("one").await;
    let promoted = place.promote(digest, "prod").await.unwrap();
    place.go_on().await;
    let place = place.block(digest).await;
    plura_fault::put_clock_forward(Duration::from_mins(11));
    place.go_on().await;
    assert_eq!(place.promotion(&promoted).await.state, State::RolledBack);
    assert_eq!(place.hook.weights(), [5, 0]);
}

#[tokio::test]
async fn a_newer_image_where_it_came_from_does_not_take_a_canary_back() {
    let document =
        format!("{CANARY}\n from = [\"stg:stable\"]\n[[channels]]\nname = \"stg:stable\"\n");
    let place = Place::start(&document).await;
    let (one, two) = (place.push("one").await, place.push("two").await);
    place.promoted(one, "stg").await;
    let promoted = place.promote(one, "prod").await.unwrap();
    place.go_on().await;
    place.promoted(two, "stg").await;
    for hold in [10, 10, 5] {
        plura_fault::put_clock_forward(Duration::from_mins(hold) + Duration::from_secs(1));
        place.go_on().await;
    }
    assert_eq!(place.promotion(&promoted).await.state, State::Finished);
    assert_eq!(place.points_at("prod:stable").await, Some(one));
}

#[tokio::test]
async fn a_canary_that_is_cancelled_gives_its_traffic_back() {
    let place = Place::start(CANARY).await;
    let (one, two) = (place.push("one").await, place.push("two").await);
    let promoted = place.promote(one, "prod").await.unwrap();
    place.go_on().await;
    // A newer one waits for a canary that has some of the traffic.
    let newer = place.promote(two, "prod").await.unwrap();
    place.go_on().await;
    assert_eq!(place.promotion(&newer).await.state, State::Waiting);
    let id = place.promotion(&promoted).await.id;
    place.governance.cancel(&somebody("alice"), &id, "the wrong one").await.unwrap();
    place.go_on().await;
    assert_eq!(place.promotion(&promoted).await.state, State::Cancelled);
    plura_fault::put_clock_forward(Duration::from_secs(10));
    place.go_on().await;
    assert_eq!(place.promotion(&newer).await.state, State::Canary);
    assert_eq!(place.hook.weights(), [5, 0, 5]);
}
