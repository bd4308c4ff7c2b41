//! What one replica does, the others know.

use std::time::{Duration, Instant};

use bytes::Bytes;
use plura_testkit::{Client, Image, Random, digest, eventually};
use reqwest::Method;
use serde_json::json;

use super::cluster::{Cluster, path_of};

const ADMINISTRATOR: (&str, &str) = ("root", "a long password for replicas 71");

#[tokio::test]
async fn an_upload_goes_on_at_another_replica_with_every_chunk() {
    let mut cluster = Cluster::start(3, &[]);
    let clients = cluster.clients();
    let mut random = Random::printed();
    let content: Bytes = random.bytes(300_000).into();
    let at = |step: usize| &clients[step % clients.len()];

    let started = at(0).post("/v2/apps/web/blobs/uploads/").body(Bytes::new()).await.expect(202);
    let location = path_of(started.header("location"));
    for (step, start) in (0..content.len()).step_by(50_000).enumerate() {
        let chunk = content.slice(start..start + 50_000);
        let range = format!("{start}-{}", start + chunk.len() - 1);
        let request = at(step + 1).patch(&location).header("content-range", &range);
        request.body(chunk).await.expect(202);
        let progress = at(step + 2).get(&location).await.expect(204);
        progress.expect_header("range", &format!("0-{}", start + 49_999));
    }
    let digest = digest(&content);
    let finish = at(2).put(&location).query("digest", &digest).body(Bytes::new());
    finish.await.expect(201);
    for client in &clients {
        client.repository("apps/web").get_blob(&digest).await.expect(200).expect_body(&content);
        client.get(&location).await.expect(404);
    }
    cluster.stop();
    cluster.check_sound();
}

#[tokio::test]
async fn repair_is_refused_while_a_replica_runs_anywhere() {
    let mut cluster = Cluster::start(2, &[]);
    let repository = cluster.clients()[1].repository("apps/web");
    repository.push_image_as("v1", &Image::random(&mut Random::printed())).await;
    let refused = cluster.check("--repair").expect(2);
    assert_eq!(refused.stdout, "");
    refused
        .expect_stderr("other plura processes have it open")
        .expect_stderr("repairing needs every server stopped");
    cluster.check_sound();
    cluster.stop();
    cluster.check("--repair").expect(0).expect_stdout("sound: ");
}

#[tokio::test]
async fn guesses_at_several_replicas_are_counted_together() {
    const WRONG: &str = "not the password of anybody";
    let (name, password) = ADMINISTRATOR;
    let cluster = Cluster::start_closed(2, ADMINISTRATOR);
    let clients = cluster.clients();
    let at = |step: usize, password: &str| {
        let client = clients[step % clients.len()].basic(name, password);
        async move { client.get("/v2/").await }
    };
    for step in 0..clients.len() {
        // Who is remembered everywhere is locked out everywhere.
        at(step, password).await.expect(200);
    }
    let begun = Instant::now();
    let mut guesses = 0;
    let locked = loop {
        let answer = at(guesses, WRONG).await;
        if answer.status == 429 {
            break answer;
        }
        guesses += 1;
        assert!(guesses <= 5, "{guesses} guesses were looked at");
    };
    let wait = Duration::from_secs(locked.header("retry-after").parse().expect("seconds"));
    at(guesses + 1, WRONG).await;
    for step in 0..clients.len() {
        let answer = at(step, password).await;
        assert!(begun.elapsed() > wait || answer.status == 429, "{}", answer.describe());
    }
    for step in 0..clients.len() {
        let let_in = || async { (at(step, password).await.status == 200).then_some(()) };
        eventually("the lock ends", let_in).await;
    }
    // Who logs in begins anew, everywhere.
    let login = json!({ "name": name, "password": password });
    clients[0].post("/auth/login").json(&login).await.expect_one_of(&[200, 204]);
    for guess in 0..4 {
        at(guess, WRONG).await.expect(401);
    }
}

#[tokio::test]
async fn a_tag_that_moved_and_a_manifest_that_is_gone_are_seen_at_once() {
    let cluster = Cluster::start(2, &[]);
    let clients = cluster.clients();
    let [here, there] = clients.as_slice() else { panic!("there are two replicas") };
    let (here, there) = (here.repository("apps/web"), there.repository("apps/web"));
    let mut random = Random::printed();
    for round in 0..20 {
        let image = Image::random(&mut random);
        here.push_image_as("latest", &image).await;
        let seen = there.get_manifest("latest").await.expect(200);
        seen.expect_body(&image.manifest.bytes);
        if round % 2 == 0 {
            here.manifest(Method::DELETE, &image.digest()).await.expect(202);
            there.get_manifest(&image.digest()).await.expect(404);
            there.get_manifest("latest").await.expect(404);
        }
    }
}

#[tokio::test]
async fn tokens_and_sessions_of_one_replica_hold_at_the_others_and_end_there_within_seconds() {
    let cluster = Cluster::start_closed(2, ADMINISTRATOR);
    let clients = cluster.clients();
    let [here, there] = clients.as_slice() else { panic!("there are two replicas") };
    let root = here.basic(ADMINISTRATOR.0, ADMINISTRATOR.1);
    let password = "another password, long enough 33";
    let user = json!({"name": "dora", "password": password});
    root.post("/api/v1/users").json(&user).await.expect(201);
    root.post("/api/v1/projects").json(&json!({"name": "apps"})).await.expect(201);
    let member = json!({"subject": "user:dora", "role": "developer"});
    root.post("/api/v1/projects/apps/members").json(&member).await.expect(201);

    let asked = here.basic("dora", password).get("/auth/token?scope=repository:apps/web:pull,push");
    let token = asked.await.expect(200).json()["token"].as_str().expect("a token").to_owned();
    let login = json!({"name": "dora", "password": password});
    let login = here.post("/auth/login").json(&login).await.expect(204);
    let cookie = login.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let by_token = there.bearer(&token);
    let by_session = there.sending("cookie", &cookie);
    by_token.repository("apps/web").push_bytes(b"pushed with a token of another replica").await;
    by_session.get("/api/v1/me").await.expect(200);

    let disabled = json!({"disabled": true});
    root.request(Method::PATCH, "/api/v1/users/dora").json(&disabled).await.expect(200);
    let since = Instant::now();
    for (client, path) in [(&by_token, "/v2/apps/web/tags/list"), (&by_session, "/api/v1/me")] {
        refused(client, path).await;
    }
    assert!(since.elapsed() < Duration::from_secs(5), "it took {:?}", since.elapsed());
}

async fn refused(client: &Client, path: &str) {
    eventually("who was disabled elsewhere is refused here", || async {
        (client.get(path).await.status == 401).then_some(())
    })
    .await;
}
