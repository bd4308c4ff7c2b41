//! Jobs and workloads: tokens of GitHub, GitLab and Kubernetes, shown here for what they may do.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use plura_testkit::{Answer, Client, Image, Manifest, Mishap, Random, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::platform::{Platform, trusting};
use super::{TAGS, briefly, refused_soon, rule, soon};
use crate::access::{ClosedServer as Closed, ask_for_token, docker_token, exchange, text};

/// A client with what a token is exchanged for.
async fn exchanged(closed: &Closed, token: &str) -> Client {
    let answer = exchange(&closed.client, token).await.expect(200);
    closed.client.bearer(&text(&answer, "/token"))
}

#[track_caller]
fn check_refused(answer: Answer, what: &str, reason: &str) {
    let refused = answer.expect_error(401, "UNAUTHORIZED");
    let message = refused.error_message();
    assert!(message.contains(reason), "{what}: expected `{reason}` in `{message}`");
}

/// It pushes and pulls in `apps`, and does nothing else anywhere.
async fn check_developer_of_apps(client: &Client) {
    let image = Image::random(&mut Random::printed());
    let web = client.repository("apps/job");
    web.push_image_as("v2", &image).await;
    web.get_manifest("v2").await.expect(200);
    let refusals = [
        web.delete_manifest("v2").await,
        client.get("/v2/other/web/manifests/v1").await,
        client.post("/v2/other/web/blobs/uploads/").body(Bytes::new()).await,
        client.post("/v2/new/web/blobs/uploads/").body(Bytes::new()).await,
    ];
    for refusal in refusals {
        let refusal = refusal.expect_error(403, "DENIED");
        assert_eq!(rule(&refusal), "no role");
    }
    let (other, digest) = (client.repository("other/web"), image.blobs[0].digest());
    other.mount(&digest, Some("apps/job")).await.expect(403);
    for path in ["/api/v1/users", "/api/v1/trust", "/api/v1/audit"] {
        client.get(path).await.expect_error(403, "DENIED");
    }
    let token = json!({"name": "to stay"});
    client.post("/api/v1/tokens").json(&token).await.expect_one_of(&[403, 409]);
    let again = client.get("/auth/token").query("offline_token", "true").await.expect(200);
    assert_eq!(again.json()["refresh_token"], Value::Null, "a job does not outlive its token");
}

#[tokio::test]
async fn jobs_push_to_their_project_and_nowhere_else() {
    for kind in ["github", "gitlab", "kubernetes"] {
        let platform = Platform::new(kind).await;
        let closed = trusting(&platform).await;
        let claims = platform.claims();
        let answer = exchange(&closed.client, &platform.issuer.sign(&claims)).await.expect(200);
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.json();
        assert_eq!((&body["expires_in"], &body["trust"]), (&json!(900), &json!(kind)));
        let client = closed.client.bearer(&text(&answer, "/token"));
        check_developer_of_apps(&client).await;
        // A container client asks for tokens in its own way.
        let scope = ["repository:apps/web:pull,push,delete", "repository:other/web:pull"];
        let docker = closed.client.bearer(&docker_token(&client, &scope).await);
        docker.get(TAGS).await.expect(200);
        docker.get("/v2/other/web/tags/list").await.expect_one_of(&[401, 403]);

        let me = client.get("/api/v1/me").await.expect(200).json();
        assert_eq!((&me["kind"], &me["administrator"]), (&json!("workload"), &json!(false)));
        let actor = text(&answer, "/identity");
        assert_eq!(actor, claims["sub"].as_str().expect("a subject"));
        let pushed = briefly(&closed.audit("&action=tag.set&target=apps/job:v2").await);
        assert_eq!(pushed, [format!("{actor} bearer tag.set apps/job:v2 allowed")]);
        let exchanges = closed.audit("&action=token.exchange").await;
        assert_eq!(
            briefly(&exchanges),
            [format!("{actor} oidc token.exchange trust:{kind} allowed")]
        );
        assert_eq!(exchanges[0]["actor"]["kind"], "workload");
        assert_eq!(exchanges[0]["detail"]["subject"], claims["sub"]);
    }
}

#[tokio::test]
async fn a_token_is_exchanged_once() {
    for kind in ["github", "gitlab"] {
        let platform = Platform::new(kind).await;
        let mut closed = trusting(&platform).await;
        let token = platform.token();
        let racing = join_all((0..8).map(|_| exchange(&closed.client, &token))).await;
        let mut won = racing.iter().filter(|answer| answer.status == 200);
        let client = closed.client.bearer(&text(won.next().expect("one is the first"), "/token"));
        assert!(won.next().is_none(), "{kind}: a token was exchanged twice");
        for answer in racing.into_iter().filter(|answer| answer.status != 200) {
            check_refused(answer, kind, "used before");
        }
        client.get(TAGS).await.expect(200);
        closed.server.restart();
        check_refused(exchange(&closed.client, &token).await, kind, "used before");
        exchange(&closed.client, &platform.token()).await.expect(200);
    }
}

#[tokio::test]
async fn what_a_token_of_github_must_say_is_checked() {
    let platform = Platform::new("github").await;
    let mut closed = trusting(&platform).await;
    let now = platform.claims()["iat"].as_i64().expect("a time");
    for (claim, value, reason) in [
        ("aud", json!("https://other.example.com"), "aud"),
        ("aud", Value::Null, "aud"),
        ("repository_id", json!("75"), "`repository_id` is `75`"),
        ("repository_id", json!(["74", "75"]), "repository_id"),
        ("repository_id", json!("74*"), "repository_id"),
        ("repository_id", Value::Null, "`repository_id` is missing"),
        ("repository_owner_id", json!("10"), "`repository_owner_id` is `10`"),
        ("ref", json!("refs/heads/dev"), "`ref` is `refs/heads/dev`"),
        ("ref", json!("refs/heads/main2"), "`ref`"),
        ("ref", json!("refs/pull/1/merge"), "`ref`"),
        ("event_name", json!("pull_request_target"), "`event_name` is `pull_request_target`"),
        ("event_name", json!("workflow_run"), "`event_name` is `workflow_run`"),
        ("event_name", Value::Null, "`event_name`"),
        ("jti", Value::Null, "jti"),
        ("exp", json!(now - 3600), "expired"),
        ("nbf", json!(now + 3600), "not valid"),
        ("exp", Value::Null, "exp"),
    ] {
        let what = format!("{claim}: {value}");
        let answer = exchange(&closed.client, &platform.token_with(claim, value)).await;
        check_refused(answer, &what, reason);
    }
    for git_ref in ["refs/heads/main", "refs/tags/v1.0"] {
        let token = platform.token_with("ref", json!(git_ref));
        exchange(&closed.client, &token).await.expect(200);
    }
    assert_eq!(closed.denials("&action=token.exchange").await, 17);
}

/// The name that a token says is written down where its issuer vouches for it, and nowhere else: anybody
/// can write a name.
#[tokio::test]
async fn whoever_is_refused_is_named_where_that_is_known() {
    let platform = Platform::new("github").await;
    let closed = trusting(&platform).await;
    let with = |subject: &str, claim: &str, value: Value| {
        let mut claims = platform.claims();
        claims["sub"] = json!(subject);
        claims[claim] = value;
        claims
    };
    let sign = |claims: Value| platform.issuer.sign(&claims);
    let used = sign(with("used", "ref", json!("refs/heads/main")));
    exchange(&closed.client, &used).await.expect(200);
    let stranger = Platform::new("github").await;
    for (token, target) in [
        (used, "subject:used"),
        (sign(with("other-repository", "repository_id", json!("75"))), "subject:other-repository"),
        (sign(with("too-late", "exp", json!(1))), "subject:too-late"),
        (sign(with("other-audience", "aud", json!("x"))), "subject:other-audience"),
        (sign(with("a\nb\u{1b}[31m\u{85}c", "aud", json!("x"))), "subject:ab[31mc"),
        (sign(with(&"é".repeat(2000), "aud", json!("x"))), &format!("subject:{}", "é".repeat(256))),
        (platform.issuer.forge_unsigned("none", &with("forged", "aud", json!("x"))), ""),
        (platform.issuer.forge_with_public_key(&with("forged", "aud", json!("x"))), ""),
        (stranger.issuer.sign(&with("stranger", "iss", json!(stranger.issuer.url()))), ""),
    ] {
        exchange(&closed.client, &token).await.expect_error(401, "UNAUTHORIZED");
        if target.is_empty() {
            continue;
        }
        let denied = closed.audit("&action=token.exchange&outcome=denied").await;
        assert_eq!(denied[0]["target"], target);
        assert_eq!(denied[0]["actor"]["name"], "anonymous");
    }
    let entries = closed.audit("&action=token.exchange&outcome=denied").await;
    let nameless = entries.iter().filter(|entry| entry["target"] == "").count();
    assert_eq!((entries.len(), nameless), (7, 1), "{entries:#?}");
    let text = serde_json::to_string(&entries).expect("JSON");
    assert!(!text.contains("forged") && !text.contains("stranger"), "{text}");
}

#[tokio::test]
async fn what_tokens_of_gitlab_and_kubernetes_must_say_is_checked() {
    let nested = |name: &str, value: &str| json!({"namespace": "build", "serviceaccount": {"name": "ci", "uid": value}, "more": name});
    let other = "00000000-0000-0000-0000-000000000000";
    let elsewhere = json!({
        "namespace": "default",
        "serviceaccount": {"name": "ci", "uid": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"},
    });
    for (kind, claim, value, reason) in [
        ("gitlab", "project_id", json!("23"), "`project_id` is `23`"),
        ("gitlab", "namespace_id", json!("7"), "`namespace_id` is `7`"),
        ("gitlab", "environment", json!("staging"), "`environment` is `staging`"),
        ("gitlab", "environment", Value::Null, "`environment` is missing"),
        ("kubernetes", "aud", json!(["https://kubernetes.default.svc"]), "aud"),
        ("kubernetes", "kubernetes.io", nested("x", other), other),
        ("kubernetes", "kubernetes.io", elsewhere, "`default`"),
        ("kubernetes", "kubernetes.io", Value::Null, "is missing"),
    ] {
        let platform = Platform::new(kind).await;
        let closed = trusting(&platform).await;
        let what = format!("{kind}, {claim}: {value}");
        let token = platform.token_with(claim, value);
        check_refused(exchange(&closed.client, &token).await, &what, reason);
        let basic = closed.client.basic("job", &token);
        basic.get(TAGS).await.expect_error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn jobs_for_pull_requests_from_elsewhere_are_accepted_when_that_is_wanted() {
    let platform = Platform::new("github").await;
    let closed = trusting(&platform).await;
    let token = || platform.token_with("event_name", json!("pull_request_target"));
    exchange(&closed.client, &token()).await.expect_error(401, "UNAUTHORIZED");
    let mut entry = platform.entry();
    entry["allow_pull_request_target"] = json!(true);
    closed.root.put("/api/v1/trust/github").json(&entry).await.expect(200);
    exchanged(&closed, &token()).await.get(TAGS).await.expect(200);
}

#[tokio::test]
async fn an_issuer_that_nobody_trusts_is_not_even_asked() {
    let platform = Platform::new("github").await;
    let closed = trusting(&platform).await;
    let stranger = Platform::new("github").await;
    let token = stranger.token();
    check_refused(exchange(&closed.client, &token).await, "a stranger", "none is for its issuer");
    closed.client.basic("job", &token).get(TAGS).await.expect_error(401, "UNAUTHORIZED");
    // Nor is it when it says that it is another.
    let mut claims = stranger.claims();
    claims["iss"] = json!(platform.issuer.url());
    exchange(&closed.client, &stranger.issuer.sign(&claims))
        .await
        .expect_error(401, "UNAUTHORIZED");
    assert_eq!(stranger.issuer.discovery_fetches() + stranger.issuer.key_fetches(), 0);
    for forged in [
        platform.issuer.forge_unsigned("none", &platform.claims()),
        platform.issuer.forge_with_public_key(&platform.claims()),
        format!("{}x", platform.token()),
        String::new(),
        "e30.e30.".to_owned(),
    ] {
        exchange(&closed.client, &forged).await.expect_error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn an_entry_can_be_named() {
    let platform = Platform::new("github").await;
    let closed = trusting(&platform).await;
    let mut narrow = platform.entry();
    narrow["name"] = json!("other");
    narrow["grants"] = json!([{"role": "reader", "project": "other"}]);
    narrow["token_seconds"] = json!(60);
    closed.trust(&narrow).await;
    let ask = |name: &str| {
        let body = json!({"token": platform.token(), "trust": name});
        closed.client.post("/auth/exchange").json(&body)
    };
    for (name, seconds, pulls) in [("other", 60, "other"), ("github", 900, "apps")] {
        let answer = ask(name).await.expect(200);
        assert_eq!(
            (&answer.json()["expires_in"], text(&answer, "/trust")),
            (&json!(seconds), name.to_owned())
        );
        let client = closed.client.bearer(&text(&answer, "/token"));
        for project in ["apps", "other"] {
            let status = if project == pulls { 200 } else { 403 };
            client.get(&format!("/v2/{project}/web/tags/list")).await.expect(status);
        }
    }
    check_refused(ask("missing").await, "missing", "no entry `missing`");
    for body in ["", "[]", "{}", r#"{"token": 1}"#, r#"{"token": "x", "more": 1}"#] {
        closed.client.post("/auth/exchange").body(body).await.expect_error(400, "INVALID");
    }
}

#[tokio::test]
async fn while_an_issuer_cannot_be_asked_nobody_is_wrong() {
    let platform = Platform::new("github").await;
    let closed = trusting(&platform).await;
    platform.issuer.misbehave(Mishap::Unavailable);
    let token = platform.token();
    for _ in 0..3 {
        let answer = exchange(&closed.client, &token).await.expect_error(503, "UNAVAILABLE");
        answer.header("retry-after").parse::<u32>().expect("seconds");
    }
    platform.issuer.misbehave(None);
    let again = async || Some(exchange(&closed.client, &token).await).filter(|a| a.status == 200);
    eventually("the issuer is asked again", again).await;
    // Its keys are known now, and are good without it.
    platform.issuer.misbehave(Mishap::Unavailable);
    exchange(&closed.client, &platform.token()).await.expect(200);
}

/// A pod shows its token again and again; that the cluster is away for a while must not look like
/// somebody who guesses.
#[tokio::test]
async fn a_cluster_that_was_away_locks_nobody_out() {
    let platform = Platform::new("kubernetes").await;
    let closed = trusting(&platform).await;
    platform.issuer.misbehave(Mishap::Unavailable);
    let pod = closed.client.basic("ci", &platform.token());
    for _ in 0..60 {
        pod.get(TAGS).await.expect_error(503, "UNAVAILABLE");
    }
    platform.issuer.misbehave(None);
    let again = async || {
        let answer = pod.get(TAGS).await.expect_one_of(&[200, 503]);
        Some(answer).filter(|answer| answer.status == 200)
    };
    eventually("the cluster is asked again", again).await;
}

#[tokio::test]
async fn new_keys_of_an_issuer_are_found_and_old_ones_forgotten() {
    let platform = Platform::new("github").await;
    let closed = trusting(&platform).await;
    let before = platform.token();
    exchange(&closed.client, &platform.token()).await.expect(200);
    platform.issuer.rotate();
    // An issuer is asked at most twice a minute, whatever tokens name.
    let deadline = Instant::now() + Duration::from_secs(45);
    let after = platform.token();
    while exchange(&closed.client, &after).await.status != 200 {
        assert!(Instant::now() < deadline, "the new key is not known");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    exchange(&closed.client, &before).await.expect_error(401, "UNAUTHORIZED");
    assert_eq!(platform.issuer.key_fetches(), 2);
}

#[tokio::test]
async fn keys_in_a_file_are_read_again_when_it_changes() {
    let platform = Platform::new("kubernetes").await;
    let mut closed = Closed::start();
    closed.project("apps").await;
    closed.image("apps/web").await;
    let folder = TempDir::new().expect("a temporary directory");
    let file = folder.path().join("jwks.json");
    let write = || {
        // As a cluster does it: whoever reads sees the old file or the new one.
        let new = folder.path().join("new");
        std::fs::write(&new, platform.issuer.jwks().to_string()).expect("a file");
        std::fs::rename(&new, &file).expect("a file");
    };
    write();
    let mut entry = platform.entry();
    entry["jwks_file"] = json!(file);
    closed.trust(&entry).await;
    let before = platform.token();
    exchange(&closed.client, &before).await.expect(200);
    platform.issuer.rotate();
    let after = platform.token();
    exchange(&closed.client, &after).await.expect_error(401, "UNAUTHORIZED");
    write();
    exchange(&closed.client, &after).await.expect(200);
    exchange(&closed.client, &before).await.expect_error(401, "UNAUTHORIZED");
    assert_eq!(platform.issuer.key_fetches() + platform.issuer.discovery_fetches(), 0);
}

#[tokio::test]
async fn changing_or_removing_an_entry_ends_its_tokens() {
    for kind in ["github", "kubernetes"] {
        let platform = Platform::new(kind).await;
        let closed = trusting(&platform).await;
        let path = format!("/api/v1/trust/{kind}");
        let everything = async || {
            let client = exchanged(&closed, &platform.token()).await;
            let docker = docker_token(&client, &["repository:apps/web:pull"]).await;
            let mut all = vec![closed.client.bearer(&docker), client];
            if kind == "kubernetes" {
                all.push(closed.client.basic("ci", &platform.token()));
            }
            for client in &all {
                client.get(TAGS).await.expect(200);
            }
            all
        };
        let tokens = everything().await;
        let mut entry = platform.entry();
        entry["conditions"]["sub"] = json!(["somebody else"]);
        closed.root.put(&path).json(&entry).await.expect(200);
        for client in &tokens {
            refused_soon(client, TAGS).await;
        }
        // Taking the change back brings nothing back, and a change that is none ends nothing.
        closed.root.put(&path).json(&platform.entry()).await.expect(200);
        for client in &tokens[..2] {
            client.get(TAGS).await.expect_error(401, "UNAUTHORIZED");
        }
        let tokens = everything().await;
        closed.root.put(&path).json(&platform.entry()).await.expect(200);
        for client in &tokens {
            client.get(TAGS).await.expect(200);
        }
        closed.root.delete(&path).await.expect(204);
        for client in &tokens {
            refused_soon(client, TAGS).await;
        }
        // One of the same name and with the same terms is another.
        closed.trust(&platform.entry()).await;
        for client in &tokens[..2] {
            client.get(TAGS).await.expect_error(401, "UNAUTHORIZED");
        }
        everything().await;
    }
}

#[tokio::test]
async fn roles_that_a_trust_entry_gets_or_loses_count_for_its_tokens() {
    let platform = Platform::new("github").await;
    let closed = trusting(&platform).await;
    let client = exchanged(&closed, &platform.token()).await;
    let elsewhere = async || client.get("/v2/other/web/tags/list").await;
    elsewhere().await.expect(403);
    let role = json!({"subject": "trust:github", "role": "reader"});
    let id = closed.give(Some("other"), role).await;
    soon(200, elsewhere).await;
    closed.root.delete(&format!("/api/v1/projects/other/members/{id}")).await.expect(204);
    soon(403, elsewhere).await;
}

#[tokio::test]
async fn a_pod_shows_its_token_as_a_password_as_often_as_it_likes() {
    let platform = Platform::new("kubernetes").await;
    let closed = trusting(&platform).await;
    let token = platform.token();
    for name in ["ci", "anything", ""] {
        let pod = closed.client.basic(name, &token);
        for _ in 0..2 {
            pod.get(TAGS).await.expect(200);
            let scope = ["repository:apps/web:pull,push"];
            let docker = closed.client.bearer(&docker_token(&pod, &scope).await);
            docker.get(TAGS).await.expect(200);
        }
        check_developer_of_apps(&pod).await;
    }
    exchange(&closed.client, &token).await.expect(200);
    exchange(&closed.client, &token).await.expect(200);
}

#[tokio::test]
async fn a_token_that_is_good_once_is_no_password() {
    for kind in ["github", "gitlab"] {
        let platform = Platform::new(kind).await;
        let closed = trusting(&platform).await;
        let token = platform.token();
        let basic = closed.client.basic("job", &token);
        check_refused(basic.get(TAGS).await, kind, "/auth/exchange");
        check_refused(ask_for_token(&basic, &[]).await, kind, "/auth/exchange");
        closed.client.bearer(&token).get(TAGS).await.expect_error(401, "UNAUTHORIZED");
        // It was not used up by that.
        exchange(&closed.client, &token).await.expect(200);
    }
}

/// What is known of an image whose provenance names the run of [`Platform::claims`], pushed by a job
/// whose token says something else.
async fn known_of_a_push(claim: &str, value: Value) -> Value {
    let platform = Platform::new("github").await;
    let closed = trusting(&platform).await;
    let client = exchanged(&closed, &platform.token_with(claim, value)).await;
    // Container clients ask for tokens of their own with it, which are still the job's.
    let scope = ["repository:apps/job:pull,push"];
    let docker = closed.client.bearer(&docker_token(&client, &scope).await);
    let web = docker.repository("apps/job");
    let image = Image::random(&mut Random::printed());
    web.push_image(&image).await;
    let statement = provenance(&image.digest(), &platform.claims()).to_string();
    let (layer, config) = (web.push_bytes(statement.as_bytes()).await, web.push_bytes(b"{}").await);
    let about = Manifest::of(
        "application/vnd.oci.image.manifest.v1+json",
        &json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": IN_TOTO,
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2 },
            "layers": [{ "mediaType": IN_TOTO, "digest": layer, "size": statement.len() }],
            "subject": image.manifest.descriptor(),
        }),
    );
    web.put_manifest(&about.digest(), &about).await.expect(201);
    let asked = client.get("/api/v1/evidence").query("repository", "apps/job");
    asked.query("reference", &image.digest()).await.expect(200).json()
}

const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Provenance of an image that a run of GitHub's built.
fn provenance(digest: &str, claims: &Value) -> Value {
    let text = |claim: &str| claims[claim].as_str().expect("a claim");
    let repository = format!("https://github.com/{}", text("repository"));
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "job", "digest": { "sha256": digest.trim_start_matches("sha256:") } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                "externalParameters": {},
                "resolvedDependencies": [{
                    "uri": format!("git+{repository}@refs/heads/main"),
                    "digest": { "gitCommit": text("sha") },
                }],
            },
            "runDetails": {
                "builder": { "id": "https://github.com/actions/runner/github-hosted" },
                "metadata": {
                    "invocationId":
                        format!("{repository}/actions/runs/{}/attempts/1", text("run_id")),
                },
            },
        },
    })
}

#[tokio::test]
async fn provenance_that_names_another_build_than_the_one_that_pushed_is_found_out() {
    for (claim, value, contradictions) in [
        ("actor", json!("octocat"), 0),
        ("sha", json!("0000000000000000000000000000000000000000"), 1),
        ("run_id", json!("1"), 1),
        ("repository", json!("mallory/web"), 1),
    ] {
        let known = known_of_a_push(claim, value).await;
        let found = known["statements"][0]["contradictions"].as_array();
        let found = found.map_or(&[][..], Vec::as_slice);
        assert_eq!(found.len(), contradictions, "{claim}: {known}");
        assert!(found.iter().all(|one| one["reason"] == "other-pusher"), "{claim}: {found:?}");
    }
}
