//! Channels from outside: promotion and rollback by the API and the command line, pulled by any client, and
//! a server that dies in between.

mod commands;
mod crashes;
mod evidence;
mod moves;
mod summaries;

use std::{collections::BTreeMap, path::Path};

use plura_testkit::{Answer, Client, Image, Outcome, Random, Repository, Server};
use serde_json::{Value, json};

/// Channels one after the other.
const ORDER: &str = r#"
format = 1
[[channels]]
name = "dev:stable"
[[channels]]
name = "stg:stable"
from = ["dev:stable"]
[[channels]]
name = "prod:stable"
from = ["stg:stable"]
"#;

/// A server with a document in force, and a repository of a service.
struct Place {
    server: Server,
    client: Client,
    repository: Repository,
    random: Random,
}

impl Place {
    async fn governed_by(document: &str) -> Self {
        let server = Server::start(binary());
        let client = server.client();
        let repository = client.repository("apps/search");
        let place = Self { server, client, repository, random: Random::printed() };
        place.apply(document).await.expect(200);
        place
    }

    async fn apply(&self, document: &str) -> Answer {
        let request = self.client.put("/api/v1/policy").query("reason", "a test");
        request.header("content-type", "application/toml").body(document.to_owned()).await
    }

    /// Pushes an image that nobody pushed before; its digest.
    async fn push(&mut self) -> String {
        let image = Image::random(&mut self.random);
        self.repository.push_image(&image).await
    }

    async fn promote(&self, digest: &str, to: &str) -> Answer {
        let body = json!({ "repo": self.repository.name, "to": to, "digest": digest });
        self.client.post("/v1/registry/promote").json(&body).await
    }

    /// The image is in the channel at once.
    async fn promoted(&self, digest: &str, to: &str) -> Value {
        let answer = self.promote(digest, to).await.expect(200).json();
        assert_eq!(answer["promotion"]["state"], "finished", "{answer:#}");
        answer
    }

    async fn roll_back(&self, to: &str) -> Answer {
        let body = json!({ "repo": self.repository.name, "to": to, "reason": "it fails" });
        self.client.post("/v1/registry/rollback").json(&body).await
    }

    /// What a channel points at.
    async fn points_at(&self, channel: &str) -> Option<String> {
        let answer = self.client.get("/api/v1/channels").await.expect(200).json();
        let channels = answer["channels"].as_array().expect("a list").clone();
        let found = channels.into_iter().find(|found| found["channel"] == channel)?;
        Some(found["digest"].as_str().expect("a digest").to_owned())
    }

    async fn history(&self, channel: &str) -> Vec<Value> {
        let request = self.client.get("/api/v1/channels/history").query("channel", channel);
        let answer = request.query("service", "search").await;
        if answer.status == 404 {
            return Vec::new();
        }
        answer.expect(200).json()["moves"].as_array().expect("a list").clone()
    }

    /// Runs `plura reg`; words are separated by spaces.
    fn run(&self, command: &str) -> Outcome {
        let words: Vec<&str> = ["reg"].into_iter().chain(command.split(' ')).collect();
        let variables =
            [("PLURA_SERVER", self.server.base()), ("DOCKER_CONFIG", "none".to_owned())];
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        let environment: BTreeMap<_, _> = variables.into_iter().map(own).collect();
        Outcome::of(binary(), &words, &environment, self.server.data())
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_plura"))
}
