//! A running plura as its operator meets it: starting and stopping, TLS, health, metrics, the log,
//! collection, checks and backups, crashes, slow clients.
//!
//! Every test has a server and a directory of its own, and waits for conditions, not for time.

mod adoption;
mod adoption_in_bucket;
mod collection;
mod connections;
mod crashes;
mod database;
mod demo;
mod drain;
mod health;
mod installation;
mod logging;
mod metrics;
mod object_store;
mod serve;
mod tls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plura_testkit::{Builder, Client, Outcome, Server, eventually};
use tempfile::TempDir;

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_plura"))
}

/// A server to be started with these variables.
fn server(environment: &[(&str, &str)]) -> Builder {
    let with = |builder: Builder, (name, value): &(&str, &str)| builder.env(name, value);
    environment.iter().fold(Server::builder(binary()), with)
}

/// Runs `plura` in an empty directory.
fn plura(arguments: &[&str]) -> Outcome {
    plura_with(&[], arguments)
}

/// Runs `plura` in an empty directory, with these variables.
fn plura_with(environment: &[(&str, &str)], arguments: &[&str]) -> Outcome {
    let directory = TempDir::new().expect("a temporary directory");
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment: BTreeMap<_, _> = environment.iter().map(own).collect();
    Outcome::of(binary(), arguments, &environment, directory.path())
}

/// Runs `plura` on the installation of a server that was started without variables.
fn plura_on(server: &Server, arguments: &[&str]) -> Outcome {
    let database = server.database();
    let database: Vec<_> = database.iter().map(|(name, value)| (*name, value.as_str())).collect();
    plura_with(&database, &[arguments, &["--data", text(server.data())]].concat())
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

/// The value of a sample of `/metrics` that is a whole number, by its name with its labels.
async fn metric(client: &Client, sample: &str) -> Option<u64> {
    let answer = client.get("/metrics").await.expect(200);
    let text = String::from_utf8(answer.body.to_vec()).expect("metrics are text");
    let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    value.map(|value| value.parse().expect("a whole number"))
}

/// Waits until the server has logged this: its log comes through a pipe, a little later than its
/// answers.
async fn logged(server: &Server, text: &str) {
    let is_there = || async { server.log().contains(text).then_some(()) };
    eventually(&format!("`{text}` is in the log"), is_there).await;
}

/// The file that holds a blob.
fn blob_file(data: &Path, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').expect("a digest");
    let shard = data.join("blobs").join(algorithm).join(&hex[..2]);
    let files = std::fs::read_dir(&shard).expect("the shard of a blob that was pushed");
    let mut paths = files.map(|entry| entry.expect("a directory entry").path());
    let is_it =
        |path: &PathBuf| path.file_name().is_some_and(|name| text(name.as_ref()).starts_with(hex));
    paths.find(is_it).unwrap_or_else(|| panic!("no file of {digest} in {}", shard.display()))
}
