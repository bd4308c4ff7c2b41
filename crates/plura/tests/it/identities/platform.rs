//! Platforms whose jobs have tokens, and servers that trust them.

use plura_testkit::Issuer;
use serde_json::{Value, json};

use crate::access::ClosedServer as Closed;

/// Whom the tokens are made for.
const AUDIENCE: &str = "https://registry.example.com";

/// A platform with its issuer.
pub(super) struct Platform {
    pub(super) kind: &'static str,
    pub(super) issuer: Issuer,
}

impl Platform {
    pub(super) async fn new(kind: &'static str) -> Self {
        Self { kind, issuer: Issuer::start().await }
    }

    /// What a job of it is told to say.
    pub(super) fn claims(&self) -> Value {
        match self.kind {
            "github" => self.issuer.github_claims(AUDIENCE),
            "gitlab" => self.issuer.gitlab_claims(AUDIENCE),
            "kubernetes" => self.issuer.kubernetes_claims(AUDIENCE),
            other => panic!("{other}"),
        }
    }

    /// A token of a job, as no other.
    pub(super) fn token(&self) -> String {
        self.issuer.sign(&self.claims())
    }

    /// One that says something else; `null` leaves the claim out.
    pub(super) fn token_with(&self, claim: &str, value: Value) -> String {
        let mut claims = self.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().expect("claims").remove(claim)),
            value => claims[claim] = value,
        }
        self.issuer.sign(&claims)
    }

    /// A trust entry for that job, which may push to the project `apps`.
    pub(super) fn entry(&self) -> Value {
        let conditions = match self.kind {
            "github" => json!({
                "repository_id": ["74"],
                "repository_owner_id": ["9"],
                "ref": ["refs/heads/main", "refs/tags/v*"],
            }),
            "gitlab" => json!({
                "project_id": ["22"],
                "namespace_id": ["72"],
                "environment": ["production"],
            }),
            _ => json!({
                "kubernetes.io/serviceaccount/uid": ["14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"],
                "kubernetes.io/namespace": ["build"],
            }),
        };
        json!({
            "name": self.kind,
            "kind": self.kind,
            "issuer": self.issuer.url(),
            "audience": AUDIENCE,
            "conditions": conditions,
            "grants": [{"role": "developer", "project": "apps"}],
        })
    }
}

/// A server with two projects that trusts a platform.
pub(super) async fn trusting(platform: &Platform) -> Closed {
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.project("other").await;
    closed.image("apps/web").await;
    closed.image("other/web").await;
    closed.trust(&platform.entry()).await;
    closed
}
