//! A server that needs login, and what it takes to fill it: all of it through the API.

use std::path::Path;

use plura_testkit::{Answer, Client, Image, Random, Repository, Server};
use serde_json::{Value, json};

/// What the administrator goes by.
pub(crate) const ADMINISTRATOR: &str = "root";

/// A server with an administrator.
pub(crate) struct Closed {
    pub(crate) server: Server,
    /// Nobody in particular.
    pub(crate) client: Client,
    /// The administrator, by password.
    pub(crate) root: Client,
    pub(crate) root_password: String,
    pub(crate) random: Random,
}

/// Somebody with a secret.
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) secret: String,
    /// Shows name and secret with every request.
    pub(crate) client: Client,
}

impl Closed {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With settings from the environment.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let mut random = Random::printed();
        let root_password = password(&mut random);
        let mut builder = Server::builder(Path::new(env!("CARGO_BIN_EXE_plura")))
            .administrator(ADMINISTRATOR, &root_password);
        for (name, value) in settings {
            builder = builder.env(name, value);
        }
        let server = builder.start();
        let client = server.client();
        let root = client.basic(ADMINISTRATOR, &root_password);
        Self { server, client, root, root_password, random }
    }

    /// Makes a project.
    pub(crate) async fn project(&self, name: &str) -> Answer {
        self.project_with(json!({"name": name})).await
    }

    pub(crate) async fn public_project(&self, name: &str) -> Answer {
        self.project_with(json!({"name": name, "public": true})).await
    }

    pub(crate) async fn project_with(&self, body: Value) -> Answer {
        self.root.post("/api/v1/projects").json(&body).await.expect(201)
    }

    /// A person without any role.
    pub(crate) async fn user(&mut self, name: &str) -> Account {
        let secret = password(&mut self.random);
        let body = json!({"name": name, "password": secret});
        self.root.post("/api/v1/users").json(&body).await.expect(201);
        self.account(name, &secret)
    }

    /// A person with a role in a project.
    pub(crate) async fn member(&mut self, name: &str, role: &str, project: &str) -> Account {
        let account = self.user(name).await;
        self.give(Some(project), json!({"subject": format!("user:{name}"), "role": role})).await;
        account
    }

    /// Gives a role, in a project or everywhere; the id of the membership.
    pub(crate) async fn give(&self, project: Option<&str>, body: Value) -> String {
        let path = match project {
            Some(project) => format!("/api/v1/projects/{project}/members"),
            None => "/api/v1/members".to_owned(),
        };
        let answer = self.root.post(&path).json(&body).await.expect_one_of(&[200, 201]);
        text(&answer, "/id")
    }

    /// A robot: `{"name", "project", "grants"}`.
    pub(crate) async fn robot(&self, body: Value) -> Account {
        let answer = self.root.post("/api/v1/robots").json(&body).await.expect(201);
        self.account(&text(&answer, "/robot/name"), &text(&answer, "/secret"))
    }

    /// An API token of an account; its key, and the token.
    pub(crate) async fn api_token(&self, account: &Account, scopes: &[&str]) -> (String, String) {
        let body = json!({"name": "for a test", "scopes": scopes});
        let answer = account.client.post("/api/v1/tokens").json(&body).await.expect(201);
        (text(&answer, "/token/id"), text(&answer, "/secret"))
    }

    /// A trust entry.
    pub(crate) async fn trust(&self, body: &Value) -> Answer {
        self.root.post("/api/v1/trust").json(body).await.expect(201)
    }

    /// A repository with an image under the tag `v1`, pushed by the administrator.
    pub(crate) async fn image(&mut self, repository: &str) -> (Repository, Image) {
        let image = Image::random(&mut self.random);
        let repository = self.root.repository(repository);
        repository.push_image_as("v1", &image).await;
        (repository, image)
    }

    /// The entries of the audit, the newest first.
    pub(crate) async fn audit(&self, query: &str) -> Vec<Value> {
        let answer = self.root.get(&format!("/api/v1/audit?limit=1000{query}")).await.expect(200);
        answer.json()["entries"].as_array().expect("a list of entries").clone()
    }

    /// How many denials these entries stand for: those that are alike are counted, and the counts are
    /// written down at the latest when the server stops, so it is started again.
    pub(crate) async fn denials(&mut self, query: &str) -> u64 {
        self.server.restart();
        let entries = self.audit(&format!("&outcome=denied{query}")).await;
        entries.iter().map(|entry| entry["detail"]["count"].as_u64().unwrap_or(1)).sum()
    }

    pub(crate) fn account(&self, name: &str, secret: &str) -> Account {
        let (name, secret) = (name.to_owned(), secret.to_owned());
        let client = self.client.basic(&name, &secret);
        Account { name, secret, client }
    }
}

/// A token for container clients, asked for in the way that they do.
pub(crate) async fn docker_token(client: &Client, scopes: &[&str]) -> String {
    let answer = ask_for_token(client, scopes).await.expect(200);
    text(&answer, "/token")
}

pub(crate) async fn ask_for_token(client: &Client, scopes: &[&str]) -> Answer {
    let request = client.get("/auth/token").query("service", "plura");
    scopes.iter().fold(request, |request, scope| request.query("scope", scope)).await
}

/// Exchanges a token of another issuer.
pub(crate) async fn exchange(client: &Client, token: &str) -> Answer {
    client.post("/auth/exchange").json(&json!({"token": token})).await
}

/// A text in an answer, by its place (RFC 6901).
#[track_caller]
pub(crate) fn text(answer: &Answer, place: &str) -> String {
    let json = answer.json();
    let found = json.pointer(place).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {place} in {}", answer.describe())).to_owned()
}

/// A password nobody else has, good enough for anybody.
pub(crate) fn password(random: &mut Random) -> String {
    format!("{} {}", random.hex(12), random.hex(12))
}
