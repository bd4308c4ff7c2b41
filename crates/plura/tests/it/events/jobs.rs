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
