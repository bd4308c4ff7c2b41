//! What may be where: the document that governs, what people say, and what clients are refused.

mod documents;
mod policy;
mod pulls;
mod pushes;
mod said;

use std::path::Path;

use plura_testkit::{Algorithm, Answer, Blob, Image, Manifest, Repository, Server, media_type};
use serde_json::{Value, json};

/// A server with a document, and a repository of a service.
struct Place {
    server: Server,
    repository: Repository,
}

impl Place {
    fn start() -> Self {
        let server = Server::start(Path::new(env!("CARGO_BIN_EXE_plura")));
        let repository = server.client().repository("apps/search");
        Self { server, repository }
    }

    async fn governed_by(document: &str) -> Self {
        let place = Self::start();
        place.apply(document).await.expect(200);
        place
    }

    async fn apply(&self, document: &str) -> Answer {
        self.send("/api/v1/policy", document).query("reason", "a test").await
    }

    fn send(&self, path: &str, document: &str) -> plura_testkit::Request {
        let request = self.server.client().put(path).header("content-type", "application/toml");
        request.body(format!("format = 1\n{document}"))
    }

    /// Pushes an image, which may be refused once its blobs are there.
    async fn offer(&self, reference: &str, image: &Image) -> Answer {
        self.repository.push_blobs(&image.blobs).await;
        self.repository.put_manifest(reference, &image.manifest).await
    }

    /// Whether the image may be in the channel, and why.
    async fn why(&self, reference: &str, channel: &str) -> Value {
        let request =
            self.server.client().get("/api/v1/decisions").query("repository", "apps/search");
        let request = request.query("reference", reference).query("channel", channel);
        request.await.expect(200).json()
    }

    /// What the audit says of an action, the newest first.
    async fn audit(&self, action: &str) -> Vec<Value> {
        let answer =
            self.server.client().get("/api/v1/audit").query("action", action).await.expect(200);
        answer.json()["entries"].as_array().expect("a list").clone()
    }
}

/// An image of one layer that can be read, with these labels.
fn image(name: &str, labels: &Value) -> Image {
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": { "User": "1000", "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    let config = Blob { media_type: media_type::CONFIG, bytes: config.to_string().into() };
    let layer = layer(name);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::IMAGE,
        "config": config.descriptor(Algorithm::Sha256),
        "layers": [layer.descriptor(Algorithm::Sha256)],
    });
    let manifest = Manifest::of(media_type::IMAGE, &manifest);
    Image { blobs: vec![config, layer], manifest }
}

fn layer(name: &str) -> Blob {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(name.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "srv/name", name.as_bytes()).expect("a path fits");
    let bytes = archive.into_inner().expect("memory has room");
    Blob { media_type: "application/vnd.oci.image.layer.v1.tar", bytes: bytes.into() }
}

/// What the gate answers, by the end of its rule.
fn outcome<'v>(decision: &'v Value, gate: &str) -> &'v Value {
    let outcomes = decision["outcomes"].as_array().expect("outcomes");
    let found = outcomes.iter().find(|outcome| outcome["gate"] == gate);
    found.unwrap_or_else(|| panic!("no {gate} in {decision:#}"))
}
