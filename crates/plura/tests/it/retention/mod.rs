//! Plans of what rules let go, carried out or refused; holds; how much is stored. By the API and the command
//! line, with a clock that is put forward.

mod holds;
mod model;
mod plans;
mod usage;

use std::{collections::BTreeMap, path::Path, time::Duration};

use plura_testkit::{Answer, Client, Image, Outcome, Random, Repository, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Releases by version, branches by use, images without tags.
const RULES: &str = r#"
[[retention.keep]]
name = "releases"
tags = ["v*"]
newest = 2
order = "version"

[[retention.expire]]
name = "old-releases"
tags = ["v*"]
older_than = "1d"

[[retention.expire]]
name = "branches"
tags = ["branch-*"]
idle = "7d"

[[retention.expire]]
name = "untagged"
untagged = true
idle = "7d"
"#;

/// A server with a document in force, whose clock can be put forward, and a repository of a service.
struct Place {
    server: Server,
    client: Client,
    repository: Repository,
    random: Random,
    clock: TempDir,
}

impl Place {
    async fn governed_by(document: &str) -> Self {
        // What is done by itself is not to come between.
        Self::retaining_every("3650d", document).await
    }

    async fn retaining_every(interval: &str, document: &str) -> Self {
        let clock = TempDir::new().expect("a temporary directory");
        let file = clock.path().join("clock");
        let file = file.to_str().expect("temporary paths are UTF-8");
        let server = Server::builder(binary()).env("FAULT_CLOCK", file);
        let server = server.env("PLURA_COLLECTION__RETENTION_INTERVAL", interval).start();
        let client = server.client();
        let repository = client.repository("apps/search");
        let random = Random::printed();
        let place = Self { server, client, repository, random, clock };
        place.apply(document).await;
        place
    }

    /// Starts the server again, with the same clock.
    fn start_again(&mut self, environment: &[(&str, &str)]) {
        let file = self.clock.path().join("clock");
        let file = file.to_str().expect("temporary paths are UTF-8");
        let own = [("FAULT_CLOCK", file), ("PLURA_COLLECTION__RETENTION_INTERVAL", "3650d")];
        self.server.start_again_with(&[&own[..], environment].concat());
    }

    async fn apply(&self, document: &str) {
        let request = self.client.put("/api/v1/policy").query("reason", "a test");
        let request = request.header("content-type", "application/toml");
        request.body(format!("format = 1\n{document}")).await.expect(200);
    }

    /// Puts the server's clock this far before that of everybody else.
    fn put_clock_forward(&self, days: u64) {
        let ahead = Duration::from_hours(24 * days).as_millis().to_string();
        std::fs::write(self.clock.path().join("clock"), ahead).expect("the clock is written");
    }

    async fn push(&mut self, tag: &str) -> Image {
        let image = Image::random(&mut self.random);
        self.repository.push_image_as(tag, &image).await.expect(201);
        image
    }

    /// Something about an image, in the same repository.
    async fn sign(&mut self, image: &Image) -> Image {
        let signature = Image::artifact(&mut self.random, "application/vnd.example.signature.v1");
        let signature = signature.about(&image.manifest);
        self.repository.push_image(&signature).await;
        signature
    }

    async fn gc(&self, request: &Value) -> Answer {
        self.client.post("/v1/registry/gc").json(request).await
    }

    /// What a dry run plans; null where rules let nothing go.
    async fn plan(&self) -> Value {
        self.gc(&json!({ "dry_run": true })).await.expect(200).json()["plan"].clone()
    }

    async fn carry_out(&self, plan: &Value) -> Value {
        self.gc(&json!({ "plan": plan["id"] })).await.expect(200).json()
    }

    /// What the audit says of an action.
    async fn audit(&self, action: &str) -> Vec<Value> {
        let request = self.client.get("/api/v1/audit").query("action", action);
        let answer = request.query("limit", "1000").await.expect(200).json();
        answer["entries"].as_array().expect("a list").clone()
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

/// What a plan deletes: tags by their names, manifests by their digests, in its order.
fn names(plan: &Value) -> Vec<String> {
    let items = plan["items"].as_array().expect("a list");
    let name = |item: &Value| item["tag"].as_str().or(item["digest"].as_str()).map(str::to_owned);
    items.iter().map(|item| name(item).expect("a tag or a digest")).collect()
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_plura"))
}
