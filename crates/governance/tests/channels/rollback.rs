use std::time::Duration;

use plura_governance::{Error, KeyProblem, Refusal, RollbackRequest, State};
use plura_oci::Digest;

use crate::support::{PLAIN, Place, name, rollback, somebody};

async fn three(place: &Place) -> [Digest; 3] {
    let mut digests = Vec::new();
    for text in ["one", "two", "three"] {
        let digest = place.push(text).await;
        place.promoted(digest, "dev").await;
        digests.push(digest);
    }
    digests.try_into().expect("as many digests")
}

#[tokio::test]
async fn a_channel_goes_back_step_by_step_and_is_held() {
    let place = Place::start(PLAIN).await;
    let [one, two, three] = three(&place).await;
    let back = place.roll_back("dev", None, None).await.unwrap();
    assert_eq!((back.digest, back.previous, back.number), (two, three, 4));
    assert_eq!(place.pull("channels/dev/search", "stable").await, Some(two));
    // What was rolled back from is nothing to go back to.
    assert_eq!(place.roll_back("dev", None, None).await.unwrap().digest, one);
    let nothing = place.roll_back("dev", None, None).await;
    assert!(matches!(nothing, Err(Error::Refused(Refusal::NoTarget(_)))), "{nothing:?}");

    let held = place.promote(three, "dev").await.unwrap();
    let state = place.promotion(&held).await;
    assert_eq!(state.state, State::Waiting);
    assert!(state.problem.unwrap().contains("held by bob"));
    let channel = "dev".parse().unwrap();
    place.governance.release(&somebody("bob"), &name("apps/search"), &channel).await.unwrap();
    place.go_on().await;
    assert_eq!(place.points_at("dev:stable").await, Some(three));
    // It was promoted again, so that it is something to go back to again.
    let fourth = place.push("four").await;
    place.promoted(fourth, "dev").await;
    assert_eq!(place.roll_back("dev", None, None).await.unwrap().digest, three);
}

#[tokio::test]
async fn a_named_target_must_have_been_there() {
    let place = Place::start(PLAIN).await;
    let [one, ..] = three(&place).await;
    let never = place.push("never").await;
    let refused = place.roll_back("dev", Some(never), None).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::NeverThere { .. }))), "{refused:?}");
    let glass = RollbackRequest {
        digest: Some(never),
        break_glass: Some("production is down".into()),
        ..rollback("dev")
    };
    let done = place.governance.roll_back(&somebody("root"), &glass).await.unwrap();
    assert_eq!(done.digest, never);
    assert_eq!(place.roll_back("dev", Some(one), None).await.unwrap().digest, one);
}

#[tokio::test]
async fn a_blocked_target_is_refused_and_passed_over() {
    let place = Place::start(PLAIN).await;
    let [one, two, _] = three(&place).await;
    let place = place.block(two).await;
    let refused = place.roll_back("dev", Some(two), None).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::Denied(_)))), "{refused:?}");
    assert_eq!(place.roll_back("dev", None, None).await.unwrap().digest, one);
}

#[tokio::test]
async fn a_key_undoes_its_move_once_and_no_other() {
    let place = Place::start(PLAIN).await;
    let one = place.push("one").await;
    let two = place.push("two").await;
    place.promoted(one, "dev").await;
    let key = place.promoted(two, "dev").await.rollback_key.unwrap();
    let problem = |result: Result<_, Error>| match result {
        Err(Error::Refused(Refusal::Key(problem))) => Some(problem),
        _ => None,
    };
    let back = place.roll_back("dev", None, Some(key.clone())).await.unwrap();
    assert_eq!(back.digest, one);
    let again = place.roll_back("dev", None, Some(key)).await.map(|_| ());
    assert_eq!(problem(again), Some(KeyProblem::Used));

    let channel = "dev".parse().unwrap();
    place.governance.release(&somebody("bob"), &name("apps/search"), &channel).await.unwrap();
    let three = place.push("three").await;
    let old = place.promoted(two, "dev").await.rollback_key.unwrap();
    let new = place.promoted(three, "dev").await.rollback_key.unwrap();
    let moved = place.roll_back("dev", None, Some(old)).await.map(|_| ());
    assert_eq!(problem(moved), Some(KeyProblem::MovedSince));
    plura_fault::put_clock_forward(Duration::from_hours(24 * 8));
    let expired = place.roll_back("dev", None, Some(new)).await.map(|_| ());
    assert_eq!(problem(expired), Some(KeyProblem::Expired));
}

#[tokio::test]
async fn what_may_not_be_there_any_more_goes_back_by_itself() {
    let document = format!("{PLAIN}\n[blocks]\nroll_back = [\"dev:*\"]\n");
    let place = Place::start(&document).await;
    let [_, two, three] = three(&place).await;
    place.governance.decide_again().await.unwrap();
    let standing = place.head("dev:stable").await.unwrap().standing.unwrap();
    assert!(standing.decision.is_allowed());
    let place = place.block(three).await;
    assert_eq!(place.governance.decide_again().await.unwrap(), 1);
    assert_eq!(place.points_at("dev:stable").await, Some(two));
    assert_eq!(place.head("dev:stable").await.unwrap().held.unwrap().by, "plura");
}

#[tokio::test]
async fn deleting_where_it_came_from_takes_nothing_from_a_channel() {
    let place = Place::start(PLAIN).await;
    let [one, two, three] = three(&place).await;
    for digest in [one, two, three] {
        place.delete(digest).await;
    }
    place.collect().await;
    assert_eq!(place.pull("channels/dev/search", "stable").await, Some(three));
    assert_eq!(place.roll_back("dev", None, None).await.unwrap().digest, two);
    let place = place.block(one).await;
    let refused = place.roll_back("dev", Some(one), None).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::Blocked { .. }))), "{refused:?}");
    place.governance.decide_again().await.unwrap();
}
