//! `/api/v1` as programs meet it: what it answers, what it refuses, and what it remembers of that.

mod accounts;
mod evidence;
mod forms;
mod projects;
mod records;

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use plura_testkit::{Answer, Client, Request, Server};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";

/// A server with an administrator, `root`.
struct Site {
    server: Server,
}

/// Somebody who asks.
#[derive(Clone)]
struct Person {
    client: Client,
    authorization: String,
}

impl Site {
    async fn start() -> Self {
        let server = Server::start(Path::new(env!("CARGO_BIN_EXE_plura")));
        let site = Self { server };
        // Nobody could let anybody in yet, so that everybody may.
        let root = json!({ "name": "root", "password": PASSWORD, "administrator": true });
        let made = typed(site.server.client().post("/api/v1/users"), &root).await;
        made.expect(201);
        site
    }

    fn root(&self) -> Person {
        self.named("root", PASSWORD)
    }

    fn named(&self, name: &str, secret: &str) -> Person {
        let encoded = STANDARD.encode(format!("{name}:{secret}"));
        Person { client: self.server.client(), authorization: format!("Basic {encoded}") }
    }

    fn bearer(&self, secret: &str) -> Person {
        Person { client: self.server.client(), authorization: format!("Bearer {secret}") }
    }

    /// Adds a user.
    async fn user(&self, name: &str) -> Person {
        let new = json!({ "name": name, "password": PASSWORD });
        self.root().post("/api/v1/users", &new).await.expect(201);
        self.named(name, PASSWORD)
    }

    /// Adds a private project.
    async fn project(&self, name: &str) {
        self.root().post("/api/v1/projects", &json!({ "name": name })).await.expect(201);
    }

    /// Gives a role in a project.
    async fn give(&self, project: &str, subject: &str, role: &str) {
        let path = format!("/api/v1/projects/{project}/members");
        let new = json!({ "subject": subject, "role": role });
        self.root().post(&path, &new).await.expect(201);
    }
}

impl Person {
    fn get(&self, path: &str) -> Request {
        self.with(self.client.get(path))
    }

    fn delete(&self, path: &str) -> Request {
        self.with(self.client.delete(path))
    }

    fn post(&self, path: &str, body: &Value) -> Request {
        typed(self.with(self.client.post(path)), body)
    }

    fn patch(&self, path: &str, body: &Value) -> Request {
        typed(self.with(self.client.patch(path)), body)
    }

    fn put(&self, path: &str, body: &Value) -> Request {
        typed(self.with(self.client.put(path)), body)
    }

    fn with(&self, request: Request) -> Request {
        request.header("authorization", &self.authorization)
    }
}

fn typed(request: Request, body: &Value) -> Request {
    request.header("content-type", "application/json").body(body.to_string())
}

/// The rule that a refusal names.
#[track_caller]
fn rule(answer: &Answer) -> String {
    answer.json()["errors"][0]["detail"]["rule"].as_str().expect("a rule").to_owned()
}

/// The names in a list.
#[track_caller]
fn names(answer: &Answer, list: &str) -> Vec<String> {
    let page = answer.json();
    let entries = page[list].as_array().expect("a list");
    entries.iter().map(|entry| entry["name"].as_str().expect("a name").to_owned()).collect()
}
