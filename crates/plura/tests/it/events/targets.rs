//! Addresses that nothing is sent to.

use plura_testkit::{Receiver, Reception};
use serde_json::{Value, json};

use super::Site;

async fn test(site: &Site, name: &str) -> Value {
    let path = format!("/api/v1/webhooks/{name}/test");
    site.client.post(&path).body("").await.expect(200).json()
}

#[tokio::test]
async fn what_only_this_machine_can_reach_is_not_asked() {
    let site = Site::with(&[]);
    let receiver = Receiver::start().await;
    let port = receiver.url().rsplit(':').next().expect("a port").to_owned();
    let hosts = ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"];
    for (index, host) in hosts.iter().enumerate() {
        for scheme in ["http", "https"] {
            let name = format!("{scheme}{index}");
            let address = format!("{scheme}://{host}:{port}");
            let body = json!({ "name": name, "address": address });
            site.client.post("/api/v1/webhooks").json(&body).await.expect(201);
            let answer = test(&site, &name).await;
            assert_eq!(answer["accepted"], false, "{address}");
            assert_eq!(answer["status"], Value::Null, "{address}");
            let error = answer["error"].as_str().expect("a reason");
            assert!(error.contains("allow_private_targets"), "{address}: {error}");
        }
    }
    assert_eq!(receiver.delivered(), []);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let site = Site::start();
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    receiver.answer(Reception::RedirectTo(elsewhere.url()));
    site.webhook("ci", &receiver, json!({})).await;
    let answer = test(&site, "ci").await;
    assert_eq!((&answer["accepted"], &answer["status"]), (&json!(false), &json!(302)));
    assert_eq!(receiver.delivered().len(), 1);
    assert_eq!(elsewhere.delivered(), []);
}

#[tokio::test]
async fn long_answers_and_missing_secrets_end() {
    let site = Site::start();
    let receiver = Receiver::start().await;
    receiver.answer(Reception::Talk(64 << 20));
    site.webhook("talkative", &receiver, json!({})).await;
    assert_eq!(test(&site, "talkative").await["accepted"], true);
    site.webhook("unsigned", &receiver, json!({ "signing_secret": "file:none" })).await;
    let answer = test(&site, "unsigned").await;
    assert_eq!(answer["error"], "the file of the secret cannot be read");
    // Nothing goes out without the signature that was asked for.
    assert_eq!(receiver.delivered().len(), 1);
}

#[tokio::test]
async fn what_is_no_webhook_is_refused() {
    let site = Site::start();
    site.project("apps").await;
    for (project, body) in [
        (None, json!({ "name": "A", "address": "https://x.example.com" })),
        (None, json!({ "name": "a", "address": "ftp://x.example.com" })),
        (None, json!({ "name": "a", "address": "https://u:p@x.example.com" })),
        (None, json!({ "name": "a", "address": "https://x.example.com", "events": ["login"] })),
        (None, json!({ "name": "a", "address": "https://x.example.com", "form": "xml" })),
        (None, json!({ "name": "a", "address": "env:PATH" })),
        (Some("apps"), json!({ "name": "a", "address": "env:WEBHOOK_SECRET_A" })),
        (Some("apps"), json!({ "name": "a", "address": "file:other/a" })),
        (
            Some("apps"),
            json!({ "name": "a", "address": "https://x.example.com", "signing_secret": "file:other/a" }),
        ),
    ] {
        let realm = project.map(|name| format!("/projects/{name}")).unwrap_or_default();
        let path = format!("/api/v1{realm}/webhooks");
        site.client.post(&path).json(&body).await.expect(400);
        let there = site.client.get(&path).await.expect(200).json();
        assert_eq!(there["webhooks"], json!([]), "{body}");
    }
}
