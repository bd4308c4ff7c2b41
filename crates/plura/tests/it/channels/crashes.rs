//! The server dies at each point of a promotion, as by `kill -9`, and comes to the same end.

use plura_testkit::eventually;

use super::{ORDER, Place};

#[tokio::test]
async fn a_promotion_comes_to_the_same_end_wherever_the_server_dies() {
    for fault in [
        "promotion.requested=abort",
        "promotion.stepped=abort",
        "promotion.stepped=2*abort",
        "promotion.written=abort",
        "promotion.written=2*abort",
    ] {
        dies_at(fault).await;
    }
}

async fn dies_at(fault: &str) {
    let automatic = |from: &str| format!("from = [\"{from}:stable\"]\nautomatic = true");
    let document = ORDER.replace("from = [\"dev:stable\"]", &automatic("dev"));
    let document = document.replace("from = [\"stg:stable\"]", &automatic("stg"));
    let mut place = Place::governed_by(&document).await;
    let one = place.push().await;
    place.server.kill_hard();
    place.server.start_again_with(&[("FAULT_POINTS", fault)]);
    let body = serde_json::json!({ "repo": "apps/search", "to": "dev", "digest": one });
    // It is not always answered: the server may die before that.
    let _ = place.client.post("/v1/registry/promote").json(&body).attempt().await;
    place.server.ended();
    place.server.start_again_with(&[]);
    eventually(fault, || async {
        (place.points_at("prod:stable").await.as_ref() == Some(&one)).then_some(())
    })
    .await;
    for channel in ["dev", "stg", "prod"] {
        assert_eq!(place.history(channel).await.len(), 1, "{fault}: {channel}");
    }
}
