//! The part of the demo about who may do what.

use anyhow::{Context, ensure};
use plura_access::secret::{Secret, SecretKind};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{Ask, Client};

const ADMINISTRATOR: &str = "admin";
const ROBOT: &str = "robot+apps+ci";
const REPOSITORY: &str = "apps/hello/web";
const ELSEWHERE: &str = "charts/hello";

/// The first administrator closes the server; from here on the client is that administrator.
pub(super) async fn close(client: Client<'_>) -> anyhow::Result<Client<'_>> {
    client.tell(
        "So far there was no login, on this machine only: the first administrator ends that",
    )?;
    client.same_as("plura init")?;
    // Nobody knows it, and it is gone with the demo.
    let password = format!("demo {}", Secret::generate(SecretKind::Session)?.expose());
    let new = json!({ "name": ADMINISTRATOR, "password": password, "administrator": true });
    let ask = Ask::new(Method::POST, "/api/v1/users", StatusCode::CREATED);
    client.ask(ask.secret_json(&new)).await?;
    client.ask(Ask::new(Method::GET, "/v2/", StatusCode::UNAUTHORIZED)).await?;
    client.same_as("docker login HOST")?;
    let client = client.logged_in(ADMINISTRATOR, &password);
    client.ask(Ask::new(Method::GET, "/v2/", StatusCode::OK)).await?;
    Ok(client)
}

/// A robot may push to its project and nowhere else; its secret is changed, and the old one ends.
pub(super) async fn robot(client: &Client<'_>) -> anyhow::Result<()> {
    client
        .tell("A robot for CI: it may push to the project `apps`, and its secret ends by itself")?;
    client.same_as("plura robot create ci --project apps --role developer --server http://HOST")?;
    let new = json!({ "name": "ci", "project": "apps", "grants": [{ "role": "developer" }] });
    let ask = Ask::new(Method::POST, "/api/v1/robots", StatusCode::CREATED);
    let made = answer(client, ask.json(&new)).await?;
    ensure!(made["robot"]["name"] == ROBOT, "another robot: {made}");
    let first = text(&made["secret"])?;

    client.tell(
        "It gets a token for what it asks and may; pushing elsewhere is refused, with the reason",
    )?;
    let scopes =
        format!("scope=repository:{REPOSITORY}:pull,push&scope=repository:{ELSEWHERE}:push");
    let path = format!("/auth/token?service=plura&{scopes}");
    let robot = client.as_other(ROBOT, &first);
    let token = answer(&robot, Ask::new(Method::GET, &path, StatusCode::OK)).await?;
    let bearer = client.with_token(&text(&token["token"])?);
    let uploads = |name: &str| format!("/v2/{name}/blobs/uploads/");
    bearer.ask(Ask::new(Method::POST, uploads(REPOSITORY), StatusCode::ACCEPTED)).await?;
    let ask = Ask::new(Method::POST, uploads(ELSEWHERE), StatusCode::FORBIDDEN);
    let refused = answer(&bearer, ask).await?;
    client.tell(&format!("  {}", text(&refused["errors"][0]["message"])?))?;

    client.tell("Change its secret: the old one ends at once, and tokens with it")?;
    client.same_as(&format!("plura robot rotate {ROBOT} --overlap 0s --server http://HOST"))?;
    let path = format!("/api/v1/robots/{ROBOT}/rotate");
    let ask = Ask::new(Method::POST, path, StatusCode::OK).json(&json!({ "overlap_seconds": 0 }));
    let second = text(&answer(client, ask).await?["secret"])?;
    let ping = |expected| Ask::new(Method::GET, "/v2/", expected);
    robot.ask(ping(StatusCode::UNAUTHORIZED)).await?;
    bearer.ask(ping(StatusCode::UNAUTHORIZED)).await?;
    client.as_other(ROBOT, &second).ask(ping(StatusCode::OK)).await?;
    Ok(())
}

/// Decisions explain themselves, before and after they are made.
pub(super) async fn explain(client: &Client<'_>) -> anyhow::Result<()> {
    client.tell("May the robot delete? Ask before it tries")?;
    client.same_as(&format!(
        "plura access explain --as robot:{ROBOT} --action delete --repo {REPOSITORY} --server http://HOST"
    ))?;
    let path = format!(
        "/api/v1/access/explain?as=robot:{}&action=delete&repository={REPOSITORY}",
        "robot%2Bapps%2Bci"
    );
    let decision = answer(client, Ask::new(Method::GET, path, StatusCode::OK)).await?;
    ensure!(decision["effect"] == "deny", "allowed: {decision}");
    client.tell(&format!("  {}; {}", text(&decision["reason"])?, text(&decision["fix"])?))?;

    client.tell("Who did what, and what was refused")?;
    client.same_as("plura audit --limit 5 --server http://HOST")?;
    let ask = Ask::new(Method::GET, "/api/v1/audit?limit=5", StatusCode::OK);
    let audit = answer(client, ask).await?;
    let entries = audit["entries"].as_array().context("no entries")?;
    ensure!(entries.len() == 5, "expected five entries: {audit}");
    for entry in entries {
        client.tell(&format!(
            "  {:<8} {:<16} {:<14} {}",
            text(&entry["outcome"])?,
            text(&entry["actor"]["name"])?,
            text(&entry["action"])?,
            text(&entry["target"])?,
        ))?;
    }
    Ok(())
}

async fn answer(client: &Client<'_>, ask: Ask) -> anyhow::Result<Value> {
    let bytes = client.fetch(ask, None).await?;
    serde_json::from_slice(&bytes).context("the answer is not JSON")
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(ToOwned::to_owned).context("expected text in the answer")
}
