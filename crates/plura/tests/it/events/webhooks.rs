//! What receivers get.

use plura_testkit::{Delivered, Receiver, Reception, eventually};
use serde_json::json;

use super::Site;

/// The tags that were told of, in the order in which they came.
fn tags(delivered: &[Delivered]) -> Vec<String> {
    let tag = |one: &Delivered| one.json()["data"]["tag"].as_str().expect("a tag").to_owned();
    delivered.iter().map(tag).collect()
}

#[tokio::test]
async fn a_push_is_told_as_harbor_tells_it() {
    let mut site = Site::start();
    let receiver = Receiver::start().await;
    site.project("apps").await;
    let secret = site.secret("apps", "flux", "a-secret-of-apps");
    let body = json!({
        "name": "flux", "address": receiver.url(), "form": "harbor",
        "events": ["tag.*"], "authorization_secret": secret,
    });
    site.client.post("/api/v1/projects/apps/webhooks").json(&body).await.expect(201);
    site.push("other/web", "1.0").await;
    let digest = site.push("apps/team/web", "1.0").await;
    let delivered = receiver.wait_for(1).await;
    let told = delivered[0].json();
    assert_eq!(told["type"], "PUSH_ARTIFACT");
    let host = site.server.base().replace("http://", "");
    let resource = json!({
        "digest": digest, "tag": "1.0", "resource_url": format!("{host}/apps/team/web:1.0"),
    });
    assert_eq!(told["event_data"]["resources"], json!([resource]));
    assert_eq!(told["event_data"]["repository"]["name"], "team/web");
    assert_eq!(told["event_data"]["repository"]["repo_type"], "private");
    assert_eq!(delivered[0].header("authorization"), Some("a-secret-of-apps"));
    assert_eq!(delivered[0].header("x-plura-event"), Some("tag.set"));

    let deleted = site.client.repository("apps/team/web").delete_manifest("1.0").await.expect(202);
    let delivered = receiver.wait_for(2).await;
    assert_eq!(delivered[1].json()["type"], "DELETE_ARTIFACT");
    // What the client was told to ask about is found where it led to.
    assert_eq!(delivered[1].header("x-request-id"), Some(deleted.header("x-request-id")));
}

#[tokio::test]
async fn what_fails_holds_back_what_is_behind_it_and_nothing_else() {
    let mut site = Site::start();
    let (failing, other) = (Receiver::start().await, Receiver::start().await);
    failing.answer(Reception::Answer(503, 1));
    for (name, receiver) in [("failing", &failing), ("other", &other)] {
        site.webhook(name, receiver, json!({ "events": ["tag.set"] })).await;
    }
    site.push("apps/web", "1").await;
    site.push("apps/web", "2").await;
    assert_eq!(tags(&other.wait_for(2).await), ["1", "2"]);
    assert_eq!(tags(&failing.delivered()), ["1"]);
    let waiting = site.deliveries("failing").await;
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    assert_eq!(waiting[1]["state"], "waiting");
    assert_eq!(waiting[1]["status"], 503);
    assert_eq!(waiting[1]["attempts"], 1);
    // The first comes again, as it was, before the second.
    let delivered = failing.wait_for(3).await;
    assert_eq!(tags(&delivered), ["1", "1", "2"]);
    assert_eq!(delivered[0].header("x-plura-delivery"), delivered[1].header("x-plura-delivery"));
}

#[tokio::test]
async fn nothing_is_lost_where_the_server_dies() {
    let mut site = Site::start();
    let receiver = Receiver::start().await;
    receiver.answer(Reception::Silence);
    site.webhook("ci", &receiver, json!({ "events": ["tag.set"] })).await;
    for tag in ["1", "2", "3"] {
        site.push("apps/web", tag).await;
    }
    // It was sent, and nobody knows whether it arrived.
    receiver.wait_for(1).await;
    site.server.kill_hard();
    receiver.answer(Reception::Accept);
    site.server.start_again();
    let mut told = eventually("all was sent", || async {
        let told = tags(&receiver.delivered());
        (told.last().map(String::as_str) == Some("3")).then_some(told)
    })
    .await;
    told.dedup();
    assert_eq!(told, ["1", "2", "3"]);
}

#[tokio::test]
async fn what_happened_before_or_while_nothing_is_sent_is_not_told() {
    let mut site = Site::start();
    let receiver = Receiver::start().await;
    site.push("apps/web", "before").await;
    site.webhook("ci", &receiver, json!({ "events": ["tag.*"] })).await;
    site.push("apps/web", "1").await;
    receiver.wait_for(1).await;
    site.run("webhook disable ci --everywhere").expect(0);
    site.push("apps/web", "between").await;
    site.run("webhook enable ci --everywhere").expect(0);
    site.push("apps/web", "2").await;
    assert_eq!(tags(&receiver.wait_for(2).await), ["1", "2"]);
}

#[tokio::test]
async fn secrets_are_nowhere_but_in_what_is_sent() {
    const SECRET: &str = "correct-horse-battery-staple";
    let mut site = Site::start();
    let receiver = Receiver::start().await;
    let secret = site.secret("ci", "key", SECRET);
    let more = json!({ "signing_secret": secret, "authorization_secret": secret });
    site.webhook("ci", &receiver, more).await;
    site.push("apps/web", "1").await;
    let delivered = receiver.wait_for(1).await;
    assert_eq!(delivered[0].header("authorization"), Some(SECRET));
    let signature = delivered[0].header("x-plura-signature-256").expect("a signature");
    assert!(signature.starts_with("sha256=") && signature.len() == 71, "{signature}");
    let time: i64 =
        delivered[0].header("x-plura-timestamp").expect("a time").parse().expect("a number");
    assert!(time > 1_700_000_000, "{time}");
    let shown = site.client.get("/api/v1/webhooks").await.expect(200);
    assert!(!String::from_utf8_lossy(&shown.body).contains(SECRET));
    assert!(!site.server.log().contains(SECRET));
    for file in ["plura.db", "plura.db-wal"] {
        let bytes = std::fs::read(site.server.data().join(file)).unwrap_or_default();
        let holds = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!holds, "{file} has the secret");
    }
}

// The receiver answers while the commands wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_looked_after_by_commands() {
    let site = Site::start();
    let receiver = Receiver::start().await;
    let url = receiver.url();
    site.run(&format!("webhook add chat --everywhere --address {url} --form slack")).expect(0);
    site.run(&format!("webhook add chat --everywhere --address {url}")).expect(1);
    site.run("webhook test chat --everywhere").expect(0);
    assert_eq!(receiver.delivered()[0].json()["text"], "plura can reach you");
    assert!(site.run("webhook list --everywhere").expect(0).stdout.contains("slack"));
    receiver.answer(Reception::Answer(404, 9));
    site.run("webhook test chat --everywhere").expect(1);
    site.run("webhook replay chat --everywhere").expect(1);
    site.run("webhook deliveries chat --everywhere").expect(0);
    site.run("webhook remove chat --everywhere").expect(0);
    site.run("webhook remove chat --everywhere").expect(1);
}
