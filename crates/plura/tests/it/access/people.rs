//! Somebody of each kind, by the names that the tables use.

use std::collections::BTreeMap;

use plura_testkit::{Client, Issuer};
use serde_json::json;

use super::Closed;
use super::closed::{ADMINISTRATOR, docker_token, exchange, text};
use super::table::PLACES;

/// Somebody of each kind.
pub(super) async fn everybody(
    closed: &mut Closed,
    issuer: &Issuer,
) -> BTreeMap<&'static str, Client> {
    let mut all =
        BTreeMap::from([("anonymous", closed.client.clone()), ("root", closed.root.clone())]);
    let scopes = PLACES.map(|name| format!("repository:{name}:pull,push,delete"));
    let scopes: Vec<&str> =
        scopes.iter().map(String::as_str).chain(["registry:catalog:*"]).collect();
    all.insert("nobody", closed.client.bearer(&docker_token(&closed.client, &scopes).await));
    all.insert("stranger", closed.user("sam").await.client);
    all.insert("reader", closed.member("rita", "reader", "apps").await.client);
    let developer = closed.member("dora", "developer", "apps").await;
    let token = docker_token(&developer.client, &["repository:apps/web:pull,push"]).await;
    all.insert("docker", closed.client.bearer(&token));
    all.insert("developer", developer.client);
    all.insert("promoter", closed.member("paul", "promoter", "apps").await.client);
    let maintainer = closed.member("mary", "maintainer", "apps").await;
    let (_, limited) = closed.api_token(&maintainer, &["repository:apps/web:pull"]).await;
    all.insert("limited", closed.client.bearer(&limited));
    // An API token of its own, so that these are in the table, too.
    let (_, unlimited) = closed.api_token(&maintainer, &[]).await;
    all.insert("maintainer", closed.client.bearer(&unlimited));
    for (column, name, role) in
        [("reader-all", "rolf", "reader"), ("maintainer-all", "mike", "maintainer")]
    {
        let account = closed.user(name).await;
        closed.give(None, json!({"subject": format!("user:{name}"), "role": role})).await;
        all.insert(column, account.client);
    }
    let body = json!({"name": "ci", "project": "apps", "grants": [{"role": "developer"}]});
    all.insert("robot", closed.robot(body).await.client);
    let everywhere = json!({"name": "scanner", "grants": [{"role": "reader"}]});
    let scanner = closed.robot(everywhere).await;
    all.insert("robot-all", closed.client.bearer(&scanner.secret));
    for (column, role, repositories) in
        [("workload", "developer", Some("apps/web")), ("job", "maintainer", None)]
    {
        all.insert(column, workload(closed, issuer, role, repositories).await);
    }
    all.extend(administrators(closed).await);
    all
}

/// Who may do everything, by a role; and credentials of the administrator that may not.
async fn administrators(closed: &mut Closed) -> [(&'static str, Client); 3] {
    let anna = closed.user("anna").await;
    closed.give(None, json!({"subject": "user:anna", "role": "administrator"})).await;
    let root = closed.account(ADMINISTRATOR, &closed.root_password);
    let (_, limited) = closed.api_token(&root, &["repository:apps/web:*"]).await;
    let token = docker_token(&root.client, &["repository:apps/web:pull,push"]).await;
    [
        ("admin-all", anna.client),
        ("root-limited", closed.client.bearer(&limited)),
        ("root-docker", closed.client.bearer(&token)),
    ]
}

/// A job at another issuer, with a role in the project `apps`.
async fn workload(
    closed: &Closed,
    issuer: &Issuer,
    role: &str,
    repositories: Option<&str>,
) -> Client {
    let subject = format!("job:{role}");
    let entry = json!({
        "name": format!("jobs-{role}"),
        "kind": "generic",
        "issuer": issuer.url(),
        "audience": "plura",
        "conditions": {"sub": [subject]},
        "grants": [{"role": role, "project": "apps", "repositories": repositories}],
    });
    closed.trust(&entry).await;
    let mut claims = issuer.github_claims("plura");
    claims["sub"] = json!(subject);
    let exchanged = exchange(&closed.client, &issuer.sign(&claims)).await.expect(200);
    closed.client.bearer(&text(&exchanged, "/token"))
}
