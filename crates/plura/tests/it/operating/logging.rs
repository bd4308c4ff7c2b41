//! The log: one object a line for machines, the request's id where something failed, no secrets.

use plura_testkit::{Image, PushMethod, Random, Server, digest};
use serde_json::Value;

use super::server;

const SECRET: &str = "c2VjcmV0LXRoYXQtbXVzdC1ub3QtYmUtbG9nZ2Vk";

/// Every line of a JSON log. Panics on one that is not an object.
#[track_caller]
fn lines(log: &str) -> Vec<Value> {
    let parse = |line: &str| match serde_json::from_str(line) {
        Ok(value @ Value::Object(_)) => value,
        other => panic!("not an object ({other:?}): {line}"),
    };
    log.lines().map(parse).collect()
}

fn ended(mut server: Server) -> String {
    server.terminate();
    let ended = server.ended();
    assert!(ended.status.success(), "{}", ended.log);
    ended.log
}

#[tokio::test]
async fn every_line_of_a_json_log_is_an_object_with_time_level_and_message() {
    let server = server(&[("PLURA_LOG__FORMAT", "json"), ("PLURA_LOG__LEVEL", "debug")]).start();
    let client = server.client();
    let repository = client.repository("apps/logged");
    repository.push_image_as("v1", &Image::random(&mut Random::printed())).await;
    repository.get_manifest("v1").await.expect(200);
    // What would break a line, if it were logged as it is.
    client.get("/v2/a%0A%22b/tags/list").await.expect_one_of(&[400, 404]);
    client.get("/x%0D%0A%7B%7D").await.expect(404);
    let lines = lines(&ended(server));
    assert!(lines.len() > 5);
    for line in &lines {
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "no {field} in {line}");
        }
        // Some libraries log statements without words.
        let ours = line["target"].as_str().is_some_and(|target| target.starts_with("plura"));
        assert!(!ours || line["message"].is_string(), "no message in {line}");
    }
    let pushed = lines.iter().find(|line| line["method"] == "PUT" && line["status"] == 201);
    let pushed = pushed.expect("a line for the push");
    assert_eq!(pushed["message"], "answered");
    assert!(pushed["path"].as_str().is_some_and(|path| path.starts_with("/v2/apps/logged/")));
}

#[tokio::test]
async fn an_error_is_logged_under_the_id_the_client_got() {
    let environment = [("PLURA_LOG__FORMAT", "json"), ("FAULT_POINTS", "blob.seal.sync=error")];
    let server = server(&environment).start();
    let repository = server.client().repository("apps/failing");
    let refused = repository.push_by(PushMethod::Post, b"x", &digest(b"x")).await.expect(503);
    let id = refused.header("x-request-id").to_owned();
    let lines = lines(&ended(server));
    let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0]["request"], id.as_str());
    let cause = errors[0]["cause"].to_string();
    assert!(cause.contains("fault point blob.seal.sync"), "{cause}");
    let answered = lines.iter().find(|line| line["message"] == "answered" && line["status"] == 503);
    assert_eq!(answered.expect("a line for the answer")["request"], id.as_str());
}

#[tokio::test]
async fn neither_secrets_nor_content_are_logged_at_any_level() {
    let server = server(&[("PLURA_LOG__LEVEL", "trace")]).start();
    let clients =
        [server.client(), server.client().with(reqwest::ClientBuilder::http2_prior_knowledge)];
    let content = "content-that-must-not-be-logged";
    for (place, client) in clients.into_iter().enumerate() {
        let bytes = format!("{content} {place}");
        let target = format!("/v2/apps/secret/blobs/uploads/?digest={}", digest(bytes.as_bytes()));
        for (name, value) in [
            ("authorization", format!("Bearer {SECRET}")),
            ("proxy-authorization", format!("Basic {SECRET}")),
            ("cookie", format!("session={SECRET}")),
            ("x-api-key", SECRET.to_owned()),
        ] {
            let request = client.post(&target).header(name, &value);
            request.body(bytes.clone()).await.expect(201);
        }
        let pulled = format!("/v2/apps/secret/blobs/{}", digest(bytes.as_bytes()));
        client.get(&pulled).header("authorization", SECRET).await.expect(200);
        let asked = client.get("/v2/?token=").query("access_token", SECRET);
        asked.await.expect(200);
    }
    let log = ended(server);
    assert!(log.contains("TRACE"), "the log says everything it can");
    for secret in [SECRET, content] {
        let leaked = log.lines().find(|line| line.contains(secret));
        assert_eq!(leaked, None, "{secret} is in the log");
    }
}
