//! How much one may ask for: beyond it, who asks is told when to come again, and nobody else is.

use std::time::{Duration, Instant};

use plura_testkit::{Answer, Client};

use super::Closed;

/// Requests at once before the rate of one a second counts.
const BURST: &str = "40";
/// More than the burst and what a slow machine adds to it meanwhile.
const MANY: usize = 80;

/// Asks until it is told to slow down.
async fn exhaust(client: &Client) -> Answer {
    for _ in 0..MANY {
        let answer = client.get("/v2/").await;
        if answer.status == 429 {
            return answer;
        }
    }
    panic!("{MANY} requests were let through, one after the other");
}

fn check(answer: Answer) {
    let answer = answer.expect_error(429, "TOOMANYREQUESTS");
    let wait: u64 = answer.header("retry-after").parse().expect("a number of seconds");
    assert!((1..=60).contains(&wait), "{}", answer.describe());
}

#[tokio::test]
async fn who_asks_too_much_slows_down_and_nobody_else_does() {
    let settings = [("PLURA_LIMITS__IDENTITY_RATE", "1"), ("PLURA_LIMITS__BURST", BURST)];
    let mut closed = Closed::with(&settings);
    closed.project("apps").await;
    let (repository, image) = closed.image("apps/web").await;
    let dora = closed.member("dora", "reader", "apps").await;
    let eve = closed.member("eve", "reader", "apps").await;
    check(exhaust(&dora.client).await);
    eve.client.get("/v2/").await.expect(200);
    let path = format!("/v2/{}/referrers/{}", repository.name, image.digest());
    for _ in 0..MANY {
        dora.client.get(&path).await.expect(200);
    }
}

#[tokio::test]
async fn an_address_that_asks_too_much_slows_down_whoever_it_is() {
    let settings = [("PLURA_LIMITS__ADDRESS_RATE", "1"), ("PLURA_LIMITS__BURST", BURST)];
    let closed = Closed::with(&settings);
    check(exhaust(&closed.client).await);
    check(closed.root.get("/api/v1/me").await);
    check(closed.client.basic("nobody", "a guess of a password").get("/v2/").await);
    // It ends by itself.
    let deadline = Instant::now() + Duration::from_secs(30);
    while closed.client.get("/v2/").await.status == 429 {
        assert!(Instant::now() < deadline, "still refused");
    }
}
