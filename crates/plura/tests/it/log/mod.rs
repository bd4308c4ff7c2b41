//! The log of what was decided: how entries become part of it, who may read it, how it is verified, and that
//! nothing can be changed in it unnoticed.

mod integration;
mod serving;
mod tampering;
mod verifying;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plura_testkit::{Client, Outcome, Server, eventually};
use serde_json::{Value, json};
use sqlx::Connection as _;

/// A server without login.
struct Site {
    server: Server,
    client: Client,
}

impl Site {
    fn start() -> Self {
        Self::with(&[])
    }

    /// With these variables.
    fn with(environment: &[(&str, &str)]) -> Self {
        let builder = Server::builder(binary());
        let set = |all: plura_testkit::Builder, (name, value): &(&str, &str)| all.env(name, value);
        let server = environment.iter().fold(builder, set).start();
        let client = server.client();
        Self { server, client }
    }

    /// Runs the binary; what it remembers of the log is kept beside the installation.
    fn run(&self, command: &str) -> Outcome {
        let words: Vec<&str> = command.split(' ').collect();
        let text = |path: PathBuf| path.to_str().expect("temporary paths are UTF-8").to_owned();
        let mut environment = BTreeMap::from([
            ("PLURA_SERVER".to_owned(), self.server.base()),
            ("DOCKER_CONFIG".to_owned(), "none".to_owned()),
            ("XDG_CACHE_HOME".to_owned(), text(self.path("cache"))),
        ]);
        let database = self.server.database().into_iter();
        environment.extend(database.map(|(name, value)| (name.to_owned(), value)));
        Outcome::of(binary(), &words, &environment, self.server.data())
    }

    /// Runs the binary on the installation itself.
    fn check(&self) -> Outcome {
        let data = self.server.data().to_str().expect("temporary paths are UTF-8");
        self.run(&format!("check --data {data}"))
    }

    fn path(&self, below: &str) -> PathBuf {
        self.server.data().join(below)
    }

    /// Grants an exception, which is an entry.
    async fn grant(&self, name: &str) {
        grant(&self.client, name).await;
    }

    async fn status(&self) -> Value {
        self.client.get("/api/v1/log").await.expect(200).json()
    }

    /// Waits until so many entries are part of the log.
    async fn integrated(&self, count: u64) {
        integrated(&self.client, count).await;
    }

    /// Changes the database behind the server's back, as whoever owns it can.
    async fn sql(&self, text: &str) -> Result<u64, sqlx::Error> {
        let query = || sqlx::AssertSqlSafe(text.to_owned());
        let done = if let Some((_, url)) = self.server.database().first() {
            let mut connection = sqlx::PgConnection::connect(url).await?;
            sqlx::query(query()).execute(&mut connection).await?.rows_affected()
        } else {
            let url = format!("sqlite://{}", self.path("plura.db").display());
            let mut connection = sqlx::SqliteConnection::connect(&url).await?;
            sqlx::query(query()).execute(&mut connection).await?.rows_affected()
        };
        Ok(done)
    }

    /// Changes a row, without the triggers that forbid it.
    async fn tamper(&self, text: &str) {
        let triggers: &[&str] = if self.is_on_server() {
            &["drop trigger log_entry_is_not_changed on log_entry"]
        } else {
            &["drop trigger log_entry_is_not_changed", "drop trigger log_entry_is_not_deleted"]
        };
        for drop in triggers {
            self.sql(drop).await.expect("it is there");
        }
        assert_eq!(self.sql(text).await.expect("it can be changed"), 1);
    }

    fn is_on_server(&self) -> bool {
        !self.server.database().is_empty()
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_plura"))
}

/// Grants an exception by any replica.
pub(super) async fn grant(client: &Client, name: &str) {
    let expires_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let exception = json!({
        "vulnerability": name, "scope": { "repositories": "apps/**" }, "reason": "not reachable",
        "owner": "alice", "expires_at": expires_at.to_string(),
    });
    client.post("/api/v1/exceptions").json(&exception).await.expect(201);
}

/// Waits until so many entries are part of the log.
pub(super) async fn integrated(client: &Client, count: u64) {
    eventually("the entries are part of the log", || async {
        let status = client.get("/api/v1/log").await.expect(200).json();
        (status["integrated"] == count).then_some(())
    })
    .await;
}
