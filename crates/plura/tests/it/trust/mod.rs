//! Signing and verifying with the command line, against the server that it is meant for.

mod attesting;
mod keyless;
mod keys;
mod logins;
mod policies;
mod signing;
mod update;

use std::collections::BTreeMap;
use std::path::Path;

use plura_testkit::{Image, Manifest, Outcome, Random, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

const REPOSITORY: &str = "apps/web";

/// A server, and a directory with keys from which it is asked.
struct Workbench {
    server: Server,
    folder: TempDir,
    /// An API token, or nothing.
    token: String,
}

impl Workbench {
    /// With the keys `alice` and `bob`.
    fn start() -> Self {
        Self::at(Server::start(Path::new(env!("CARGO_BIN_EXE_plura"))))
    }

    fn at(server: Server) -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        let bench = Self { server, folder, token: String::new() };
        for name in ["alice", "bob"] {
            bench.run(&format!("trust key {name}")).expect(0);
        }
        bench
    }

    /// Runs `plura`; words are separated by spaces.
    fn run(&self, command: &str) -> Outcome {
        self.run_with(command, "")
    }

    fn run_with(&self, command: &str, input: &str) -> Outcome {
        let words: Vec<&str> = command.split(' ').collect();
        let docker = self.folder.path().join("docker");
        let cache = self.folder.path().join("cache");
        let server = self.server.base();
        let variables = [
            ("PLURA_SERVER", server.as_str()),
            ("DOCKER_CONFIG", docker.to_str().expect("temporary paths are UTF-8")),
            ("REGISTRY_AUTH_FILE", ""),
            ("XDG_RUNTIME_DIR", ""),
            ("XDG_CACHE_HOME", cache.to_str().expect("temporary paths are UTF-8")),
            ("COSIGN_PASSWORD", "plura"),
            ("PLURA_TOKEN", self.token.as_str()),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let environment: BTreeMap<_, _> = variables.into_iter().map(own).collect();
        let binary = Path::new(env!("CARGO_BIN_EXE_plura"));
        Outcome::with_input(binary, &words, &environment, self.folder.path(), input)
    }

    #[track_caller]
    fn json(&self, command: &str, status: i32) -> Value {
        self.run(&format!("{command} --json")).expect(status).json()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("the file is written");
    }

    /// Pushes an image; its digest.
    async fn push(&self, tag: &str) -> String {
        let image = Image::random(&mut Random::printed());
        let repository = self.server.client().repository(REPOSITORY);
        repository.push_image_as(tag, &image).await;
        image.digest()
    }

    /// Pushes an index of two images; its digest and theirs.
    async fn push_index(&self, tag: &str) -> (String, [String; 2]) {
        let repository = self.server.client().repository(REPOSITORY);
        let mut random = Random::printed();
        let images = [Image::random(&mut random), Image::random(&mut random)];
        for image in &images {
            repository.push_image(image).await;
        }
        let children = images.each_ref().map(|image| image.manifest.descriptor());
        let index = Manifest::index(&children);
        repository.put_manifest(tag, &index).await.expect(201);
        (index.digest(), images.map(|image| image.digest()))
    }

    /// Puts a policy in force that trusts these keys.
    #[track_caller]
    fn trust(&self, policy: &str, keys: &[&str]) {
        let keys: Vec<String> = keys.iter().map(|key| format!("--key {key}.pub")).collect();
        let keys = keys.join(" ");
        self.run(&format!("trust policy set {policy} --repositories apps/** {keys}")).expect(0);
    }
}

/// The signers of the first policy's verdict.
fn signers(evidence: &Value) -> Value {
    json!(evidence["verdicts"][0]["signers"])
}
