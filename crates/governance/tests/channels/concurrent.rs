use std::collections::HashSet;

use crate::support::{PLAIN, Place, request, somebody};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_promoters_at_one_channel_give_one_history() {
    let place = Place::start(PLAIN).await;
    let mut digests = Vec::new();
    for number in 0..50 {
        digests.push(place.push(&format!("image-{number}")).await);
    }
    let promoting = digests.iter().map(|digest| {
        let (governance, request) = (place.governance.clone(), request(*digest, "dev"));
        tokio::spawn(async move { governance.promote(&somebody("alice"), &request).await })
    });
    for promoting in promoting.collect::<Vec<_>>() {
        promoting.await.unwrap().unwrap();
    }
    let mut moves = place.moves("dev:stable").await;
    moves.reverse();
    assert_eq!(moves.len(), 50);
    let mut before = None;
    for (at, made) in moves.iter().enumerate() {
        assert_eq!(made.number, i64::try_from(at).unwrap() + 1);
        assert_eq!(made.previous, before, "move {}", made.number);
        before = Some(made.digest);
    }
    let seen: HashSet<_> = moves.iter().map(|made| made.digest).collect();
    assert_eq!(seen, digests.iter().copied().collect());
    assert_eq!(place.points_at("dev:stable").await, before);
    assert_eq!(place.pull("channels/dev/search", "stable").await, before);
}
