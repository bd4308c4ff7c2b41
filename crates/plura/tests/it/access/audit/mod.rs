//! What is done and what is refused is written down: once, rightly, and for good.

mod changes;
mod content;
mod denials;
mod logins;

use plura_testkit::Answer;
use serde_json::Value;
use sqlx::Connection as _;

use super::Closed;

/// Entries that an answer left, in the order in which they were made.
struct Left<'a> {
    closed: &'a Closed,
    seen: i64,
}

impl<'a> Left<'a> {
    async fn from_now(closed: &'a Closed) -> Self {
        let seen = newest(closed).await;
        Self { closed, seen }
    }

    /// Panics unless the request left exactly these: `ACTOR METHOD OUTCOME ACTION TARGET`.
    #[track_caller]
    fn check(answer: &Answer, entries: &[Value], expected: &[&str]) {
        let request = answer.header("x-request-id");
        let said: Vec<String> = entries.iter().map(line).collect();
        assert_eq!(said, expected, "{}", answer.describe());
        for entry in entries {
            assert_eq!(entry["request_id"], request, "{entry:#}");
            assert_eq!(entry["address"], "127.0.0.1", "{entry:#}");
            assert!(entry["at"].as_str().is_some_and(|at| at.starts_with("20")), "{entry:#}");
            let denied = entry["outcome"] == "denied";
            assert_eq!(denied, entry["detail"]["reason"].is_string(), "{entry:#}");
        }
    }

    async fn read(&mut self) -> Vec<Value> {
        let mut entries = self.closed.audit("").await;
        entries.retain(|entry| id(entry) > self.seen);
        entries.reverse();
        self.seen = entries.last().map_or(self.seen, id);
        // That an image was read is no answer's doing.
        entries.retain(|entry| entry["action"] != "contents.read");
        entries
    }
}

fn id(entry: &Value) -> i64 {
    entry["id"].as_i64().expect("a number")
}

async fn newest(closed: &Closed) -> i64 {
    closed.audit("").await.first().map_or(0, id)
}

fn line(entry: &Value) -> String {
    let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let actor = entry["actor"]["name"].as_str().unwrap_or_default();
    let words =
        [actor.to_owned(), field("method"), field("outcome"), field("action"), field("target")];
    words.join(" ").trim_end().to_owned()
}

/// Compares what an answer left.
macro_rules! left {
    ($left:expr, $answer:expr, [$($expected:expr),* $(,)?]) => {{
        let answer = $answer;
        let entries = $left.read().await;
        let expected: Vec<String> = vec![$($expected.to_string()),*];
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        Left::check(&answer, &entries, &expected);
        answer
    }};
}

use left;

/// Has the database itself do something, behind the server's back.
async fn sql(closed: &Closed, statement: &'static str) -> Result<u64, sqlx::Error> {
    let path = closed.server.data().join("plura.db");
    let url = format!("sqlite://{}", path.to_str().expect("temporary paths are UTF-8"));
    let mut connection = sqlx::SqliteConnection::connect(&url).await?;
    Ok(sqlx::query(statement).execute(&mut connection).await?.rows_affected())
}

#[tokio::test]
async fn what_is_written_down_stays() {
    let closed = Closed::start();
    closed.project("apps").await;
    let before = closed.audit("").await;
    assert!(before.len() >= 2);
    for statement in [
        "update audit set actor = 'somebody'",
        "update audit set outcome = 'allowed' where id = 1",
        "delete from audit",
        "delete from audit where id = 1",
        "insert or replace into audit select * from audit where id = 1",
        "replace into audit select * from audit",
    ] {
        let refused = sql(&closed, statement).await.expect_err(statement).to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(closed.audit("").await, before);
}
