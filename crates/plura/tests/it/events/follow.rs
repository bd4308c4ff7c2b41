//! Events as they happen.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use super::Site;

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who follows.
struct Following {
    response: Response,
    text: String,
    /// The id of the last block.
    last: String,
}

impl Following {
    async fn start(site: &Site, query: &str, last: Option<&str>) -> Self {
        let url = format!("{}/api/v1/events{query}", site.server.base());
        let mut request = reqwest::Client::new().get(url).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut following = Self { response, text: String::new(), last: String::new() };
        // Where it begins, which is no event.
        assert!(following.block().await.expect("a block").contains("retry:"));
        following
    }

    /// What is told next; nothing where the stream ends.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let id = block.lines().find_map(|line| line.strip_prefix("id: "));
                self.last = id.map_or_else(|| self.last.clone(), str::to_owned);
                return Some(block);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("an event in time").ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// The next event.
    async fn event(&mut self) -> Value {
        loop {
            let block = self.block().await.expect("the stream goes on");
            let data = block.lines().find_map(|line| line.strip_prefix("data: "));
            if let Some(data) = data {
                return serde_json::from_str(data).expect("JSON");
            }
        }
    }

    async fn subjects(&mut self, count: usize) -> Vec<String> {
        let mut subjects = Vec::new();
        while subjects.len() < count {
            subjects.push(self.event().await["subject"].as_str().expect("a text").to_owned());
        }
        subjects
    }
}

#[tokio::test]
async fn who_comes_back_misses_nothing() {
    let mut site = Site::start();
    let mut following = Following::start(&site, "?type=tag.set", None).await;
    site.push("apps/web", "1").await;
    assert_eq!(following.subjects(1).await, ["apps/web:1"]);
    let last = following.last.clone();
    site.server.kill_hard();
    assert_eq!(following.block().await, None);
    site.server.start_again();
    site.push("apps/web", "2").await;
    let mut following = Following::start(&site, "?type=tag.set", Some(&last)).await;
    site.push("apps/web", "3").await;
    assert_eq!(following.subjects(2).await, ["apps/web:2", "apps/web:3"]);
}

#[tokio::test]
async fn a_project_is_told_of_what_happens_in_it() {
    let mut site = Site::start();
    let mut following = Following::start(&site, "?project=apps&type=tag.*", None).await;
    site.push("other/web", "1").await;
    site.push("apps/web", "1").await;
    assert_eq!(following.subjects(1).await, ["apps/web:1"]);
}

#[tokio::test]
async fn who_follows_does_not_keep_a_server_from_stopping() {
    let mut site = Site::start();
    let mut following = Following::start(&site, "", None).await;
    assert!(site.server.stop().success());
    while following.block().await.is_some() {}
    assert!(!site.server.log().contains("cut=1"), "{}", site.server.log());
}

#[tokio::test]
async fn what_happened_is_listed_the_oldest_first() {
    let mut site = Site::start();
    for tag in ["1", "2", "3"] {
        site.push("apps/web", tag).await;
    }
    let listed = site.run("events --type tag.set --jsonl").expect(0).stdout;
    let events: Vec<Value> =
        listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let subjects: Vec<&str> = events.iter().filter_map(|event| event["subject"].as_str()).collect();
    assert_eq!(subjects, ["apps/web:1", "apps/web:2", "apps/web:3"]);
    let page = site.client.get("/api/v1/events").query("type", "tag.set").query("limit", "2");
    let page = page.await.expect(200).json();
    assert_eq!(page["events"].as_array().expect("a list").len(), 2);
    let next = page["next"].as_i64().expect("there is more").to_string();
    let rest = site.client.get("/api/v1/events").query("after", &next).query("type", "tag.*");
    let rest = rest.await.expect(200).json();
    assert_eq!(rest["events"][0]["tag"], "3");
    site.client.get("/api/v1/events").query("type", "login").await.expect(400);
    site.client.get("/api/v1/events").query("since", "soon").await.expect(400);
}
