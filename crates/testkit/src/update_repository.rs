//! A repository of The Update Framework (TUF), in a directory and over HTTP.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::digest::digest;
use crate::http::{self, Reply};

const VALID: &str = "2199-01-01T00:00:00Z";

/// A repository whose roles all have the same key.
#[derive(Debug)]
pub struct UpdateRepository {
    directory: TempDir,
    key: Ed25519KeyPair,
    root_version: u64,
}

/// What is published, and how.
#[derive(Debug, Clone)]
pub struct Publication<'a> {
    /// The version of all metadata.
    pub version: u64,
    /// Until when it may be believed, as RFC 3339 has it.
    pub expires: &'a str,
    /// The name of the target.
    pub name: &'a str,
    /// Its bytes.
    pub target: &'a str,
}

impl<'a> Publication<'a> {
    /// A `trusted_root.json` that is valid for long.
    pub fn of(version: u64, target: &'a str) -> Self {
        Self { version, expires: VALID, name: "trusted_root.json", target }
    }
}

impl UpdateRepository {
    /// A repository with a root and nothing in it.
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let repository = Self { directory, key: generate(), root_version: 1 };
        repository.write("1.root.json", &signed(&repository.root(), &[&repository.key]));
        repository
    }

    /// Where its files are.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Its first root: what everything is verified from.
    pub fn first_root(&self) -> String {
        fs::read_to_string(self.path().join("1.root.json")).expect("it has a first root")
    }

    /// Publishes a target in the place of what was there.
    pub fn publish(&self, publication: &Publication<'_>) {
        let &Publication { version, expires, name, target } = publication;
        let role = |kind: &str, key: &str, value: Value| {
            let signed = json!({
                "_type": kind, "spec_version": "1.0.31", "version": version,
                "expires": expires, key: value,
            });
            self.signed(&signed)
        };
        let hash = digest(target.as_bytes());
        let hash = hash.trim_start_matches("sha256:");
        self.write(&format!("targets/{hash}.{name}"), target);
        let described = json!({ "length": target.len(), "hashes": { "sha256": hash } });
        let targets = role("targets", "targets", json!({ name: described }));
        self.write(&format!("{version}.targets.json"), &targets);
        let snapshot = role("snapshot", "meta", json!({ "targets.json": { "version": version } }));
        self.write(&format!("{version}.snapshot.json"), &snapshot);
        let meta = json!({ "snapshot.json": { "version": version } });
        self.write("timestamp.json", &role("timestamp", "meta", meta));
    }

    /// Goes on with another key, which the one before vouches for.
    pub fn rotate(&mut self) {
        let before = std::mem::replace(&mut self.key, generate());
        self.root_version += 1;
        let root = signed(&self.root(), &[&before, &self.key]);
        self.write(&format!("{}.root.json", self.root_version), &root);
    }

    /// Goes on with another key, which nobody vouches for.
    pub fn usurp(&mut self) {
        self.key = generate();
        self.root_version += 1;
        let root = self.signed(&self.root());
        self.write(&format!("{}.root.json", self.root_version), &root);
    }

    /// Changes bytes of whatever has a name that ends so.
    #[track_caller]
    pub fn tamper(&self, ending: &str, from: &str, to: &str) {
        let folders = [self.path().to_owned(), self.path().join("targets")];
        let files = folders.iter().flat_map(|path| fs::read_dir(path).expect("a directory"));
        let files = files.map(|file| file.expect("it can be listed").path());
        let mut found = files.filter(|path| path.to_string_lossy().ends_with(ending));
        let path = found.next().expect("there is such a file");
        let text = fs::read_to_string(&path).expect("it can be read");
        assert!(text.contains(from), "there is no {from} in {text}");
        fs::write(path, text.replace(from, to)).expect("it can be written");
    }

    /// Serves it until what is returned is dropped.
    pub async fn serve(&self) -> UpdateMirror {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let url = format!("http://{}/tuf", listener.local_addr().expect("a bound socket"));
        let path = self.path().to_owned();
        let answer = move |received: http::Received| {
            let name = received.path.strip_prefix("/tuf/")?;
            let text = fs::read_to_string(path.join(name));
            Some(text.map_or_else(|_| Reply::status(404), |text| Reply::text(&text)))
        };
        UpdateMirror { url, task: tokio::spawn(http::serve(listener, answer)) }
    }

    fn root(&self) -> Value {
        let (public, id) = (public(&self.key), id(&self.key));
        let role = json!({ "keyids": [id], "threshold": 1 });
        json!({
            "_type": "root", "spec_version": "1.0.31", "version": self.root_version,
            "expires": VALID, "consistent_snapshot": true,
            "keys": { &id: {
                "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": public },
            } },
            "roles": {
                "root": role, "timestamp": role, "snapshot": role, "targets": role,
            },
        })
    }

    fn signed(&self, metadata: &Value) -> String {
        signed(metadata, &[&self.key])
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in a directory")).expect("a directory");
        fs::write(path, text).expect("it can be written");
    }
}

impl Default for UpdateRepository {
    fn default() -> Self {
        Self::new()
    }
}

/// A repository that is served.
#[derive(Debug)]
pub struct UpdateMirror {
    url: String,
    task: JoinHandle<()>,
}

impl UpdateMirror {
    /// Where.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for UpdateMirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Signed as TUF does: over JSON with sorted keys and without spaces, which is what `serde_json` writes
/// of values that have only plain text and whole numbers.
fn signed(metadata: &Value, keys: &[&Ed25519KeyPair]) -> String {
    let message = metadata.to_string();
    let signatures: Vec<Value> = keys
        .iter()
        .map(|key| json!({ "keyid": id(key), "sig": hex(key.sign(message.as_bytes()).as_ref()) }))
        .collect();
    json!({ "signatures": signatures, "signed": metadata }).to_string()
}

fn generate() -> Ed25519KeyPair {
    Ed25519KeyPair::generate().expect("an Ed25519 key")
}

fn public(key: &Ed25519KeyPair) -> String {
    hex(key.public_key().as_ref())
}

fn id(key: &Ed25519KeyPair) -> String {
    let id = digest(key.public_key().as_ref());
    id.trim_start_matches("sha256:").to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
