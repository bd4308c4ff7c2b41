//! Identities that others vouch for: people who log in at a provider, jobs and workloads with tokens of
//! their platforms, programs with certificates; and the commands by which all of them are let in.
//!
//! Every test has a server and an issuer of its own.

mod certificates;
mod commands;
mod exchange;
mod oidc;
mod platform;

use std::future::Future;
use std::time::{Duration, Instant};

use plura_testkit::{Answer, Client};
use serde_json::Value;

/// How long something that was ended may still be good.
const AT_MOST: Duration = Duration::from_secs(5);

const TAGS: &str = "/v2/apps/web/tags/list";

/// Asks until the answer has this status, which has to be so within five seconds, and that it stays so.
async fn soon<F: Future<Output = Answer>>(status: u16, ask: impl Fn() -> F) -> Answer {
    let deadline = Instant::now() + AT_MOST;
    loop {
        let answer = ask().await;
        if answer.status == status {
            return ask().await.expect(status);
        }
        assert!(Instant::now() < deadline, "not {status} in time: {}", answer.describe());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Panics unless the client is refused soon, for want of anything that is good.
async fn refused_soon(client: &Client, path: &str) {
    soon(401, async || client.get(path).await).await;
}

/// The rule that a refusal names.
#[track_caller]
fn rule(answer: &Answer) -> String {
    answer.json()["errors"][0]["detail"]["rule"].as_str().expect("a rule").to_owned()
}

/// The fields of entries of the audit that say who did what.
fn briefly(entries: &[Value]) -> Vec<String> {
    let brief = |entry: &Value| {
        let text = |place: &str| entry.pointer(place).and_then(Value::as_str).unwrap_or("-");
        format!(
            "{} {} {} {} {}",
            text("/actor/name"),
            text("/method"),
            text("/action"),
            text("/target"),
            text("/outcome")
        )
    };
    entries.iter().map(brief).collect()
}
