//! What happens, told to others: webhooks, and the stream of events.

mod follow;
mod jobs;
mod targets;
mod webhooks;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use plura_testkit::{Client, Image, Outcome, Random, Receiver, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Webhooks on loopback, which is where receivers of tests are.
const LOOPBACK: &str = r#"["127.0.0.0/8"]"#;

/// A server without login, whose webhooks may be on this machine.
struct Site {
    server: Server,
    client: Client,
    random: Random,
    secrets: TempDir,
}

impl Site {
    fn start() -> Self {
        Self::with(&[("PLURA_EVENTS__ALLOW_PRIVATE_TARGETS", LOOPBACK)])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let secrets = TempDir::new().expect("a temporary directory");
        let path = secrets.path().to_str().expect("temporary paths are UTF-8");
        let builder = Server::builder(binary()).env("PLURA_EVENTS__SECRETS", path);
        let server =
            settings.iter().fold(builder, |builder, (name, value)| builder.env(name, value));
        let server = server.start();
        let client = server.client();
        Self { server, client, random: Random::printed(), secrets }
    }

    /// A secret of a project, as its webhooks name it.
    fn secret(&self, project: &str, name: &str, secret: &str) -> String {
        let directory = self.secrets.path().join(project);
        fs::create_dir_all(&directory).expect("it can be made");
        fs::write(directory.join(name), format!("{secret}\n")).expect("it can be written");
        format!("file:{project}/{name}")
    }

    /// Makes a project, which is there with its first repository otherwise.
    async fn project(&self, name: &str) {
        self.client.post("/api/v1/projects").json(&json!({ "name": name })).await.expect(201);
    }

    /// Makes a webhook of everything.
    async fn webhook(&self, name: &str, receiver: &Receiver, more: Value) {
        let mut body = json!({ "name": name, "address": receiver.url() });
        let more = more.as_object().expect("an object").clone();
        body.as_object_mut().expect("an object").extend(more);
        self.client.post("/api/v1/webhooks").json(&body).await.expect(201);
    }

    /// Pushes an image; its digest.
    async fn push(&mut self, repository: &str, tag: &str) -> String {
        let image = Image::random(&mut self.random);
        self.client.repository(repository).push_image_as(tag, &image).await.expect(201);
        image.digest()
    }

    async fn deliveries(&self, webhook: &str) -> Vec<Value> {
        let path = format!("/api/v1/webhooks/{webhook}/deliveries");
        let answer = self.client.get(&path).await.expect(200).json();
        answer["deliveries"].as_array().expect("a list").clone()
    }

    /// Runs the binary; words are separated by spaces.
    fn run(&self, command: &str) -> Outcome {
        let words: Vec<&str> = command.split(' ').collect();
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
