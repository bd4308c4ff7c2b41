//! What goes on in the background.

use plura_testkit::{Receiver, eventually};
use serde_json::{Value, json};

use super::Site;

async fn job(site: &Site, name: &str) -> Value {
    let answer = site.client.get("/api/v1/jobs").await.expect(200).json();
    let jobs = answer["jobs"].as_array().expect("a list").clone();
    jobs.into_iter().find(|job| job["name"] == name).expect("there is such a job")
}

#[tokio::test]
async fn a_job_that_is_paused_stands_still_until_it_goes_on() {
    let mut site = Site::start();
    let receiver = Receiver::start().await;
    site.webhook("ci", &receiver, json!({ "events": ["tag.set"] })).await;
    site.run("jobs pause webhooks").expect(0);
    assert_eq!(job(&site, "webhooks").await["state"], "paused");
    // A restart does not let it go on.
    site.server.kill_hard();
    site.server.start_again();
    site.push("apps/web", "1").await;
    // What else goes on sees the push.
    eventually("the image was read", || async {
        (job(&site, "contents").await["waiting"] == 0).then_some(())
    })
    .await;
    assert_eq!(receiver.delivered(), []);
    assert_eq!(job(&site, "webhooks").await["state"], "paused");
    site.run("jobs resume webhooks").expect(0);
    receiver.wait_for(1).await;
    site.run("jobs retry webhooks").expect(0);
    site.run("jobs pause nothing").expect(1);
    let listed = site.run("jobs list").expect(0).stdout;
    for name in ["collection", "contents", "evidence", "vulnerabilities", "webhooks"] {
        assert!(listed.contains(name), "{listed}");
    }
}

#[tokio::test]
async fn a_job_does_as_much_as_it_was_told_wherever_and_whenever_it_runs() {
    let mut site = Site::start();
    assert_eq!(job(&site, "webhooks").await["at_a_time"], 16);
    site.run("jobs tune webhooks --at-a-time 3 --per-minute 600").expect(0);
    let tuned = job(&site, "webhooks").await;
    assert_eq!((&tuned["at_a_time"], &tuned["per_minute"]), (&json!(3), &json!(600)), "{tuned:#}");
    assert!(tuned["changed_by"].is_string(), "{tuned:#}");
    let receiver = Receiver::start().await;
    site.webhook("ci", &receiver, json!({ "events": ["tag.set"] })).await;
    site.push("apps/web", "1").await;
    site.push("apps/web", "2").await;
    receiver.wait_for(2).await;
    // A restart forgets nothing.
    site.server.kill_hard();
    site.server.start_again();
    assert_eq!(job(&site, "webhooks").await["per_minute"], 600);
    site.run("jobs tune webhooks").expect(0);
    let untuned = job(&site, "webhooks").await;
    assert_eq!((&untuned["at_a_time"], &untuned["per_minute"]), (&json!(16), &Value::Null));

    // What does one thing after the other cannot do several, and what must go on goes on.
    let refused = site.run("jobs tune contents --at-a-time 2").expect(2).stderr;
    assert!(refused.contains("one thing after the other"), "{refused}");
    for name in ["denials", "credentials"] {
        let refused = site.run(&format!("jobs pause {name}")).expect(1).stderr;
        assert!(refused.contains("always"), "{refused}");
    }
    for (body, status) in [
        (json!({ "at_a_time": 0 }), 400),
        (json!({ "at_a_time": 65 }), 400),
        (json!({ "per_minute": 1_000_001 }), 400),
        (json!({ "speed": 1 }), 400),
    ] {
        site.client.put("/api/v1/jobs/webhooks/tuning").json(&body).await.expect(status);
    }
}

#[tokio::test]
async fn jobs_say_how_far_they_are() {
    let mut site = Site::start();
    site.run("jobs pause contents").expect(0);
    site.push("apps/web", "1").await;
    site.push("apps/web", "2").await;
    let paused = job(&site, "contents").await;
    assert_eq!(paused["progress"], json!({ "done": 0, "total": 2 }), "{paused:#}");
    assert!(site.run("jobs list").expect(0).stdout.contains("0/2"));
    site.run("jobs resume contents").expect(0);
    eventually("nothing is left to do", || async {
        (job(&site, "contents").await["progress"] == Value::Null).then_some(())
    })
    .await;
    let text = site.client.get("/metrics").await.expect(200);
    let text = String::from_utf8_lossy(&text.body).into_owned();
    for line in [
        "plura_job_failing{name=\"webhooks\"} 0",
        "plura_job_paused{name=\"contents\"} 0",
        "plura_job_waiting{name=\"log\"} 0",
        "plura_promotions_running 0",
        "plura_webhook_deliveries_dead 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
}
