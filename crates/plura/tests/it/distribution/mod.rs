//! The distribution API, endpoint by endpoint, as the OCI distribution specification states it
//! (1.1 and what the next version adds).
//!
//! Every test has a server and a repository of its own. `PLURA_TEST_REGISTRY=http://host:port` runs
//! them against another registry, to try the tests; those that restart the server then fail.

mod concurrency;
mod deletes;
mod durability;
mod isolation;
mod listings;
mod manifest_refusals;
mod manifests;
mod missing;
mod mounts;
mod names;
mod ping;
mod ranges;
mod referrers;
mod sessions;
mod sparse;
mod tag_history;
mod tag_parameters;
mod uploads;

use std::path::Path;

use plura_testkit::{Client, Random, Repository, Server, eventually};

/// A server, a client of it, and content nobody pushed before.
struct Plura {
    server: Server,
    client: Client,
    random: Random,
}

impl Plura {
    fn start() -> Self {
        Self::with(&[])
    }

    /// With settings from the environment.
    fn with(settings: &[(&str, &str)]) -> Self {
        let random = Random::printed();
        let mut builder = Server::builder(Path::new(env!("CARGO_BIN_EXE_plura")));
        for (name, value) in settings {
            builder = builder.env(name, value);
        }
        let server = builder.start();
        let client = server.client();
        Self { server, client, random }
    }

    /// A repository of that kind that nobody used before.
    fn repository(&mut self, kind: &str) -> Repository {
        let name = format!("tests/{kind}-{}", self.random.hex(8));
        self.client.repository(&name)
    }

    /// A repository that exists, because something was pushed to it.
    async fn used_repository(&mut self, kind: &str) -> Repository {
        let repository = self.repository(kind);
        repository.push_bytes(&self.random.bytes(16)).await;
        repository
    }
}
