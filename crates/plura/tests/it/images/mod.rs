//! Looking at images: what the API tells about them, and how commands show it.

mod api;
mod commands;
mod content;
mod contents;
pub(crate) mod layers;
mod released;
mod vulnerable;

use std::collections::BTreeMap;
use std::path::Path;

use plura_testkit::{Answer, Outcome, Repository, S3, Server};
use serde_json::Value;

/// A server without login, and a repository on it.
struct Place {
    server: Server,
    repository: Repository,
}

impl Place {
    fn start() -> Self {
        Self::on(Server::start(binary()))
    }

    /// The same with the bytes in an object store.
    fn start_on(store: &S3) -> Self {
        let settings = [
            ("PLURA_STORAGE__BACKEND", "s3"),
            ("PLURA_STORAGE__S3__ENDPOINT", &store.endpoint()),
            ("PLURA_STORAGE__S3__BUCKET", S3::BUCKET),
            ("PLURA_STORAGE__S3__ACCESS_KEY", S3::ACCESS_KEY),
            ("PLURA_STORAGE__S3__SECRET_KEY", S3::SECRET_KEY),
            ("PLURA_COLLECTION__ENABLED", "false"),
            // Requests are counted, and what the server reads by itself is none of an answer's.
            ("PLURA_EVIDENCE__GATHER", "false"),
            ("PLURA_CONTENTS__READ", "false"),
            ("PLURA_EVIDENCE__GATHER", "false"),
        ];
        let builder = Server::builder(binary());
        Self::on(
            settings
                .iter()
                .fold(builder, |builder, (name, value)| builder.env(name, value))
                .start(),
        )
    }

    fn on(server: Server) -> Self {
        let repository = server.client().repository("apps/search/web");
        Self { server, repository }
    }

    /// Asks about an image of the repository; `part` follows `/api/v1/images`.
    async fn ask(&self, part: &str, reference: &str, platform: Option<&str>) -> Answer {
        let request = self.server.client().get(&format!("/api/v1/images{part}"));
        let request = request.query("repository", &self.repository.name);
        let request = request.query("reference", reference);
        match platform {
            Some(platform) => request.query("platform", platform).await,
            None => request.await,
        }
    }

    async fn inspect(&self, reference: &str) -> Value {
        self.ask("", reference, None).await.expect(200).json()
    }

    /// Runs `plura image`; words are separated by spaces, and `NAME` is the repository.
    fn run(&self, command: &str) -> Outcome {
        let command = command.replace("NAME", &self.repository.name);
        let words: Vec<&str> = ["image"].into_iter().chain(command.split(' ')).collect();
        let directory = self.server.data();
        let variables =
            [("PLURA_SERVER", self.server.base()), ("DOCKER_CONFIG", "none".to_owned())];
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        let environment: BTreeMap<_, _> = variables.into_iter().map(own).collect();
        Outcome::of(binary(), &words, &environment, directory)
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_plura"))
}
