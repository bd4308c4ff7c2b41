use std::time::Duration;

use jiff::SignedDuration;
use plura_policy::analysis::{Measured, Samples};
use plura_rollout::{Rollout, Settings};
use plura_testkit::{WebReply, WebServer};

use crate::given::{Secret, about, measuring, metric, now};

const LONG: Duration = Duration::from_secs(20);

fn ok(body: &str) -> WebReply {
    WebReply::Status(200, body.to_owned())
}

fn vector(value: &str) -> WebReply {
    ok(&format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"{value}"]}}]}}}}"#
    ))
}

fn matrix(values: &str) -> WebReply {
    ok(&format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{values}]}}]}}}}"#
    ))
}

async fn value(reply: WebReply, timeout: Duration) -> Measured {
    let server = WebServer::start([reply]).await;
    let rollout = measuring(server.url(), None, timeout);
    rollout.measure(&metric("up", None), &about(), now(), now()).await.value
}

fn reason(value: Measured) -> String {
    match value {
        Measured::Missing(reason) => reason,
        other => panic!("{other:?} is known"),
    }
}

#[tokio::test]
async fn a_number_is_asked_for_with_the_names_of_the_image() {
    let server = WebServer::start([vector("0.25")]).await;
    let token = Secret::of("the-token\n");
    let rollout = measuring(&format!("{}/prometheus/", server.url()), Some(&token), LONG);
    let metric = metric("errors{s=\"{{service}}\",e='{{environment}}',d=\"{{digest}}\"}", None);
    let measured = rollout.measure(&metric, &about(), now(), now()).await;
    assert_eq!(measured.value, Measured::Number(0.25));
    assert_eq!((measured.metric.as_str(), measured.at), ("errors", now()));
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/prometheus/api/v1/query")
    );
    assert_eq!(request.header("authorization"), Some("Bearer the-token"));
    let query = format!("errors{{s=\"search\",e='prod',d=\"{}\"}}", about().digest);
    assert_eq!(request.parameter("query"), Some(query.as_str()));
    assert_eq!(request.parameter("time"), Some("2026-11-20T03:00:00Z"));
}

#[tokio::test]
async fn figures_of_both_are_asked_for_where_they_are_compared() {
    let server =
        WebServer::start([matrix(r#"[1,"1"],[2,"NaN"],[3,"3"]"#), matrix(r#"[1,"0"]"#)]).await;
    let rollout = measuring(server.url(), None, LONG);
    let compared = metric("errors{d=\"{{digest}}\"}", Some("errors{d=\"{{previous}}\"}"));
    let since = now() - SignedDuration::from_mins(10);
    let measured = rollout.measure(&compared, &about(), since, now()).await;
    let samples = Samples { canary: vec![1.0, 3.0], baseline: vec![0.0] };
    assert_eq!(measured.value, Measured::Samples(samples));
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!(request.path, "/api/v1/query_range");
        // Nothing before the stage is looked at.
        assert_eq!(request.parameter("start"), Some("2026-11-20T02:51:00Z"));
        assert_eq!(request.parameter("end"), Some("2026-11-20T03:00:00Z"));
        assert_eq!(request.parameter("step"), Some("60"));
    }
    let queries: Vec<_> = requests.iter().filter_map(|one| one.parameter("query")).collect();
    assert!(queries[0].contains(&about().digest.to_string()));
    assert!(queries[1].contains(&about().previous.unwrap().to_string()));
}

#[tokio::test]
async fn where_nothing_was_before_a_number_is_enough() {
    let server = WebServer::start([vector("1")]).await;
    let rollout = measuring(server.url(), None, LONG);
    let mut about = about();
    about.previous = None;
    let compared = metric("a", Some("b{d=\"{{previous}}\"}"));
    let measured = rollout.measure(&compared, &about, now(), now()).await;
    assert_eq!(measured.value, Measured::Number(1.0));
}

#[tokio::test]
async fn what_cannot_be_known_is_missing_with_the_reason() {
    for (reply, expected) in [
        (vector("NaN"), "gives NaN"),
        (ok(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#), "gives nothing"),
        (matrix(r#"[1,"1"]"#), "gives a range"),
        (
            WebReply::Status(400, r#"{"status":"error","error":"parse error: bad"}"#.to_owned()),
            "400: parse error: bad",
        ),
        (WebReply::Status(401, "no".to_owned()), "status 401"),
        (WebReply::Status(302, String::new()), "status 302"),
        (ok("<html>"), "not understood"),
        (ok(&" ".repeat(5 << 20)), "larger than"),
    ] {
        let reason = reason(value(reply, LONG).await);
        assert!(reason.contains(expected), "{reason}");
    }
    let silent = reason(value(WebReply::Silence, Duration::from_millis(200)).await);
    assert!(silent.contains("no answer within"), "{silent}");
    let nobody = Rollout::new(Settings::default());
    let measured = nobody.measure(&metric("up", None), &about(), now(), now()).await;
    assert!(reason(measured.value).contains("rollout.prometheus.url"));
    let absent = measuring("http://127.0.0.1:1", None, LONG);
    reason(absent.measure(&metric("up", None), &about(), now(), now()).await.value);
}
