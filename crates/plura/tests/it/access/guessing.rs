//! Passwords that are guessed.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use plura_testkit::{Answer, Client, eventually};
use serde_json::json;

use super::Closed;
use super::closed::Account;

const WRONG: &str = "not the password of anybody";

/// The ways to show a password.
async fn try_password(client: &Client, way: usize, name: &str, password: &str) -> Answer {
    let basic = client.basic(name, password);
    match way % 5 {
        0 => basic.get("/v2/").await,
        1 => basic.get("/auth/token").await,
        2 => {
            let form = [("grant_type", "password"), ("username", name), ("password", password)];
            client.post("/auth/token").form(&form).await
        }
        3 => basic.get("/api/v1/me").await,
        _ => {
            let body = json!({"name": name, "password": password});
            client.post("/auth/login").json(&body).await
        }
    }
}

/// Guesses until it is locked; how many guesses were looked at.
async fn guess_until_locked(client: &Client, name: &str) -> (u32, Answer) {
    for guesses in 0..20 {
        let way = usize::try_from(guesses).expect("a few");
        let answer = try_password(client, way, name, WRONG).await;
        if answer.status == 429 {
            return (guesses, answer);
        }
        answer.expect_error(401, "UNAUTHORIZED");
    }
    panic!("twenty guesses at {name} were looked at");
}

fn retry_after(answer: &Answer) -> Duration {
    let seconds = answer.header("retry-after").parse().expect("a number of seconds");
    assert!((1..=900).contains(&seconds), "{}", answer.describe());
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn who_guesses_is_locked_out_and_nobody_else_is() {
    let mut closed = Closed::start();
    let (dora, rita) = (closed.user("dora").await, closed.user("rita").await);
    let (_, token) = closed.api_token(&dora, &[]).await;
    let begun = Instant::now();
    let (guesses, locked) = guess_until_locked(&closed.client, "dora").await;
    assert!(guesses <= 5, "{guesses} guesses");
    let locked = locked.expect_error(429, "TOOMANYREQUESTS");
    let wait = retry_after(&locked);
    // All ways are one, and the right password is not looked at either: not even though it was used a
    // moment ago and is remembered, since letting it in would tell it from the wrong ones.
    for way in 0..5 {
        let answer = try_password(&closed.client, way, "dora", &dora.secret).await;
        assert!(begun.elapsed() > wait || answer.status == 429, "{}", answer.describe());
    }
    // From the same machine, and with what cannot be guessed.
    for way in 0..5 {
        try_password(&closed.client, way, "rita", &rita.secret).await.expect_one_of(&[200, 204]);
    }
    closed.client.bearer(&token).get("/v2/").await.expect(200);
    let let_in = || async { (dora.client.get("/v2/").await.status == 200).then_some(()) };
    eventually("the lock ends", let_in).await;
    assert!(begun.elapsed() + Duration::from_secs(1) >= wait, "ended early");
}

#[tokio::test]
async fn another_address_in_a_header_is_the_same_address() {
    let closed = Closed::start();
    let mut looked_at = 0;
    for guess in 0..20 {
        let client = closed.client.sending("x-forwarded-for", &format!("203.0.113.{guess}"));
        let client = client.sending("forwarded", &format!("for=203.0.113.{guess}"));
        if try_password(&client, guess, "root", WRONG).await.status == 401 {
            looked_at += 1;
        }
    }
    assert!(looked_at <= 6, "{looked_at} guesses were looked at");
}

/// Each would be within what is tolerated if they were counted one after the other.
#[tokio::test]
async fn guesses_at_the_same_time_are_counted_like_others() {
    let mut closed = Closed::start();
    closed.user("dora").await;
    let guesses = (0..60).map(|guess| {
        let client = closed.client.basic("dora", &format!("{WRONG} {guess}"));
        async move { client.get("/v2/").await.status }
    });
    let statuses = join_all(guesses).await;
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert!(looked_at <= 10, "{looked_at} guesses were looked at: {statuses:?}");
}

#[tokio::test]
async fn names_that_nobody_has_are_locked_like_others() {
    let mut closed = Closed::start();
    closed.user("dora").await;
    let robot = json!({"name": "ci", "grants": []});
    closed.robot(robot).await;
    let (known, answer) = guess_until_locked(&closed.client, "dora").await;
    let known = (known, answer.status, answer.error_codes());
    for name in ["nobody", "robot+ci", "robot+none"] {
        let (guesses, answer) = guess_until_locked(&closed.client, name).await;
        assert_eq!((guesses, answer.status, answer.error_codes()), known, "{name}");
    }
}

async fn took(client: &Client, name: &str) -> Duration {
    let begun = Instant::now();
    client.basic(name, WRONG).get("/v2/").await.expect(401);
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test]
async fn the_time_does_not_tell_who_exists() {
    let mut closed = Closed::start();
    for name in ["dora", "rita", "mary"] {
        closed.user(name).await;
    }
    // Somebody who has no password takes as long, too.
    closed.root.post("/api/v1/users").json(&json!({"name": "olaf"})).await.expect(201);
    closed.root.patch("/api/v1/users/mary").json(&json!({"disabled": true})).await.expect(200);
    let (mut known, mut unknown, mut special) = (Vec::new(), Vec::new(), Vec::new());
    // Fewer than lock anybody, one after the other, so that a busy machine is busy for all.
    for _ in 0..4 {
        for name in ["dora", "rita"] {
            known.push(took(&closed.client, name).await);
        }
        for name in ["nemo", "nobody"] {
            unknown.push(took(&closed.client, name).await);
        }
        for name in ["olaf", "mary"] {
            special.push(took(&closed.client, name).await);
        }
    }
    let (known, unknown, special) = (median(known), median(unknown), median(special));
    for (what, other) in [("unknown", unknown), ("without password or disabled", special)] {
        assert!(other < known * 2 && known < other * 2, "known: {known:?}, {what}: {other:?}");
    }
}

#[tokio::test]
async fn ones_own_password_is_not_guessed_with_a_token_either() {
    let mut closed = Closed::start();
    let dora: Account = closed.user("dora").await;
    let (_, token) = closed.api_token(&dora, &[]).await;
    let thief = closed.client.bearer(&token);
    let mut locked = false;
    for guess in 0..10 {
        let body = json!({"current": format!("{WRONG} {guess}"), "new": "a password of the thief"});
        let answer = thief.put("/api/v1/users/dora/password").json(&body).await;
        locked |= answer.expect_one_of(&[403, 429]).status == 429;
    }
    assert!(locked);
}
