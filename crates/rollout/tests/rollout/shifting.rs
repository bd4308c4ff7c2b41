use std::time::Duration;

use plura_oci::Digest;
use plura_rollout::{Rollout, Settings, Shift, ShiftError};
use plura_testkit::{WebReply, WebServer};

use crate::given::{Secret, shifting};

const LONG: Duration = Duration::from_secs(20);

fn shift(weight: u8) -> Shift {
    Shift {
        promotion: "0198-promotion".to_owned(),
        channel: "prod:stable".parse().expect("a channel"),
        service: "search".to_owned(),
        repository: "channels/prod/search".parse().expect("a name"),
        digest: Digest::sha256(b"new"),
        previous: Some(Digest::sha256(b"old")),
        weight,
    }
}

fn status(status: u16) -> WebReply {
    WebReply::Status(status, "because".to_owned())
}

async fn shifted(replies: Vec<WebReply>, timeout: Duration) -> (Result<(), ShiftError>, WebServer) {
    let server = WebServer::start(replies).await;
    let secret = Secret::of("correct horse");
    let rollout = shifting(&format!("{}/hook", server.url()), &secret, timeout);
    (rollout.shift(&shift(25)).await, server)
}

#[tokio::test]
async fn a_success_is_the_acknowledgement_and_messages_are_signed() {
    for code in [200, 201, 202, 204] {
        let (result, server) = shifted(vec![status(code)], LONG).await;
        assert_eq!(result, Ok(()), "{code}");
        let [request] = &server.requests()[..] else { panic!("one request") };
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hook"));
        assert_eq!(request.header("idempotency-key"), Some("0198-promotion-25"));
        assert_eq!(request.header("webhook-id"), Some("0198-promotion-25"));
        let seconds = request.header("webhook-timestamp").expect("a time");
        let signed = [b"0198-promotion-25.", seconds.as_bytes(), b".", &request.body].concat();
        assert_eq!(request.header("webhook-signature"), Some(signature(&signed).as_str()));
        let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
        assert_eq!(body["type"], "traffic.shift");
        assert_eq!(body["weight"], 25);
        assert_eq!(body["environment"], "prod");
        assert_eq!(body["digest"], Digest::sha256(b"new").to_string());
        assert_eq!(body["previous"], Digest::sha256(b"old").to_string());
    }
}

/// As a receiver computes it.
fn signature(signed: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"correct horse");
    format!("v1,{}", STANDARD.encode(aws_lc_rs::hmac::sign(&key, signed)))
}

#[tokio::test]
async fn what_takes_longer_is_asked_for_where_the_answer_says() {
    let accepted = || WebReply::Accepted("/shifts/7".to_owned());
    let (result, server) = shifted(vec![accepted(), accepted(), status(200)], LONG).await;
    assert_eq!(result, Ok(()));
    let asked: Vec<_> =
        server.requests().iter().map(|one| format!("{} {}", one.method, one.path)).collect();
    assert_eq!(asked, ["POST /hook", "GET /shifts/7", "GET /shifts/7"]);
    let (result, _server) = shifted(vec![accepted(), status(410)], LONG).await;
    assert!(matches!(result, Err(ShiftError::Refused { status: 410, .. })), "{result:?}");
    let elsewhere = WebReply::Accepted("http://127.0.0.1:1/steal".to_owned());
    let (result, server) = shifted(vec![elsewhere], LONG).await;
    assert!(!result.unwrap_err().is_final());
    assert_eq!(server.requests().len(), 1);
    let (result, _server) = shifted(vec![accepted()], Duration::from_millis(500)).await;
    assert!(!result.unwrap_err().is_final());
}

#[tokio::test]
async fn a_refusal_is_final_and_everything_else_is_asked_for_again() {
    for (reply, is_final) in [
        (status(400), true),
        (status(404), true),
        (status(302), false),
        (status(409), false),
        (status(429), false),
        (status(500), false),
        (status(503), false),
        (WebReply::Silence, false),
    ] {
        let what = format!("{reply:?}");
        let (result, _server) = shifted(vec![reply], Duration::from_millis(500)).await;
        assert_eq!(result.unwrap_err().is_final(), is_final, "{what}");
    }
    let nobody = Rollout::new(Settings::default());
    assert!(!nobody.moves_traffic());
    assert_eq!(nobody.shift(&shift(5)).await, Err(ShiftError::NotConfigured));
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_told_without_them() {
    let server = WebServer::start([status(200)]).await;
    for (text, expected) in [("", "is empty"), ("whsec_%%%secret", "not base64")] {
        let secret = Secret::of(text);
        let error = shifting(server.url(), &secret, LONG).shift(&shift(5)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("%%%"), "{error}");
    }
    assert!(server.requests().is_empty());
}
