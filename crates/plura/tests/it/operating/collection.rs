//! Collection, asked for over HTTP and by the command, and in the background.

use std::net::TcpListener;

use plura_testkit::{Answer, Client, Image, Random, Repository, Server, eventually};
use serde_json::{Value, json};

use super::{binary, logged, metric, plura, server};

const AT_ONCE: [(&str, &str); 3] = [
    ("PLURA_COLLECTION__ENABLED", "false"),
    ("PLURA_COLLECTION__GRACE", "0s"),
    ("PLURA_COLLECTION__KEEP_UNTAGGED", "0s"),
];

async fn collect(client: &Client, body: impl Into<bytes::Bytes>) -> Answer {
    client.post("/v1/registry/gc").header("content-type", "application/json").body(body).await
}

async fn collected(client: &Client, request: &Value) -> Value {
    collect(client, request.to_string()).await.expect(200).json()
}

/// An image with a tag, an image without, and a blob that nothing references.
struct Pushed {
    repository: Repository,
    tagged: Image,
    untagged: Image,
    abandoned: String,
}

impl Pushed {
    async fn to(client: &Client, name: &str, random: &mut Random) -> Self {
        let repository = client.repository(name);
        let (tagged, untagged) = (Image::random(random), Image::random(random));
        repository.push_image_as("v1", &tagged).await;
        repository.push_image(&untagged).await;
        let abandoned = repository.push_bytes(&random.bytes(777)).await;
        Self { repository, tagged, untagged, abandoned }
    }

    async fn check_kept(&self) {
        self.repository.get_manifest("v1").await.expect(200);
        for blob in &self.tagged.blobs {
            self.repository.get_blob(&blob.digest()).await.expect(200).expect_body(&blob.bytes);
        }
    }

    async fn check_collected(&self) {
        self.repository.head_blob(&self.abandoned).await.expect(404);
        self.repository.head_manifest(&self.untagged.digest()).await.expect(404);
        for blob in &self.untagged.blobs {
            self.repository.head_blob(&blob.digest()).await.expect(404);
        }
    }
}

#[tokio::test]
async fn a_plan_gives_reasons_changes_nothing_and_is_what_a_run_does() {
    let server = server(&AT_ONCE).start();
    let client = server.client();
    let pushed = Pushed::to(&client, "apps/planned", &mut Random::printed()).await;

    let plan = collected(&client, &json!({"dry_run": true})).await;
    assert_eq!(plan["dry_run"], json!(true));
    let items = plan["items"].as_array().expect("a list of decisions");
    let decision = |kind: &str, digest: &str| {
        let found = items.iter().find(|item| item["kind"] == kind && item["digest"] == digest);
        found.unwrap_or_else(|| panic!("no {kind} {digest} in {plan:#}"))
    };
    let abandoned = decision("link", &pushed.abandoned);
    assert_eq!(abandoned["decision"], "delete");
    assert_eq!(abandoned["repository"], "apps/planned");
    assert!(abandoned["reason"].as_str().is_some_and(|why| why.contains("no manifest")));
    assert_eq!(decision("blob", &pushed.abandoned)["bytes"], json!(777));
    let manifest = decision("manifest", &pushed.untagged.digest());
    assert_eq!(manifest["decision"], "delete");
    assert!(manifest["reason"].as_str().is_some_and(|why| why.contains("no tag")));
    pushed.repository.get_manifest(&pushed.untagged.digest()).await.expect(200);
    pushed.repository.get_blob(&pushed.abandoned).await.expect(200);

    let plan = collected(&client, &json!({"dry_run": true})).await;
    let mut run = collected(&client, &json!({})).await;
    assert_eq!(run["dry_run"], json!(false));
    run["dry_run"] = json!(true);
    plura_testkit::assert_json(&run, &plan);
    pushed.check_kept().await;
    pushed.check_collected().await;
    let again = collected(&client, &json!({})).await;
    assert_eq!((&again["blobs"], &again["manifests"]), (&json!(0), &json!(0)), "{again:#}");
}

#[tokio::test]
async fn one_repository_can_be_collected_alone() {
    let server = server(&AT_ONCE).start();
    let client = server.client();
    let mut random = Random::printed();
    let one = Pushed::to(&client, "apps/one", &mut random).await;
    let two = Pushed::to(&client, "apps/two", &mut random).await;
    collected(&client, &json!({"repo": "apps/one"})).await;
    one.check_kept().await;
    one.check_collected().await;
    two.repository.get_blob(&two.abandoned).await.expect(200);
    two.repository.get_manifest(&two.untagged.digest()).await.expect(200);
}

#[tokio::test]
async fn requests_that_are_wrong_are_refused_with_what_was_expected() {
    let server = Server::start(binary());
    let client = server.client();
    let unknown = collect(&client, r#"{"repo": "apps/none"}"#).await;
    let unknown = unknown.expect_error(404, "NAME_UNKNOWN");
    assert!(unknown.error_message().contains("apps/none"), "{}", unknown.error_message());
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"repo": 5}"#,
        r#"{"repo": "NOT/a name"}"#,
        r#"{"dry-run": true}"#,
        r#"{"dry_run": "yes"}"#,
        r#"{"repository": "apps/one"}"#,
    ] {
        let refused = collect(&client, body).await.expect_error(400, "INVALID");
        let message = refused.error_message();
        assert!(
            message.contains(r#"expected {"repo": "apps/search", "dry_run": true}"#),
            "{message}"
        );
    }
    let untyped = client.post("/v1/registry/gc").body("{}").await.expect_error(400, "INVALID");
    assert!(untyped.error_message().contains("application/json"), "{}", untyped.error_message());
}

#[tokio::test]
async fn the_command_plans_and_collects() {
    let server = server(&AT_ONCE).start();
    let base = server.base();
    let pushed = Pushed::to(&server.client(), "apps/asked", &mut Random::printed()).await;
    let plan = plura(&["reg", "gc", "--dry-run", "--server", &base]).expect(0);
    assert_eq!(plan.stderr, "");
    plan.expect_stdout(&format!("delete  link      {}", pushed.abandoned))
        .expect_stdout("no manifest of the repository references it")
        .expect_stdout("would delete 1 manifests");
    pushed.repository.get_blob(&pushed.abandoned).await.expect(200);

    let none = plura(&["reg", "gc", "--repo", "apps/none", "--server", &base]).expect(1);
    assert_eq!(none.stdout, "");
    none.expect_stderr("repository apps/none does not exist");
    plura(&["reg", "gc", "--repo", "NOT a name", "--server", &base]).expect(1);

    let outcome = plura(&["reg", "gc", "--repo", "apps/asked", "--json", "--server", &base]);
    let report = outcome.expect(0).json();
    assert_eq!((&report["manifests"], &report["dry_run"]), (&json!(1), &json!(false)));
    pushed.check_kept().await;
    pushed.check_collected().await;
    plura(&["reg", "gc", "--server", &base]).expect(0).expect_stdout("deleted 0 manifests");
}

#[test]
fn the_command_says_that_no_server_runs() {
    // Bound and let go: most probably nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr();
    let address = format!("http://{}", free.expect("an address"));
    let outcome = plura(&["reg", "gc", "--server", &address]).expect(2);
    assert_eq!(outcome.stdout, "");
    outcome.expect_stderr("hint: is the server running?").expect_stderr("Connection refused");
}

#[tokio::test]
async fn the_background_collector_collects_what_was_abandoned() {
    let server = server(&[
        ("PLURA_COLLECTION__INTERVAL", "100ms"),
        ("PLURA_COLLECTION__GRACE", "0s"),
        ("PLURA_COLLECTION__KEEP_UNTAGGED", "0s"),
    ])
    .start();
    let client = server.client();
    let repository = client.repository("apps/abandoned");
    let digest = repository.push_bytes(&Random::printed().bytes(1000)).await;
    // `HEAD` would count as a use, and so would keep it.
    let reclaimed = || async {
        metric(&client, "plura_gc_reclaim_bytes").await.filter(|reclaimed| *reclaimed == 1000)
    };
    eventually("the blob is collected", reclaimed).await;
    repository.head_blob(&digest).await.expect(404);
    let removed = || async { walk(&server.data().join("blobs")).is_empty().then_some(()) };
    eventually("the file is gone", removed).await;
    logged(&server, "collected manifests=0 links=1").await;
}

#[tokio::test]
async fn an_upload_nobody_goes_on_with_is_ended_and_its_bytes_are_given_back() {
    let server =
        server(&[("PLURA_COLLECTION__INTERVAL", "50ms"), ("PLURA_REGISTRY__UPLOAD_EXPIRY", "1ms")])
            .start();
    let repository = server.client().repository("apps/forgotten");
    let uploads = server.data().join("uploads");
    let mut upload = repository.start_upload().await;
    upload.stream(vec![7; 100_000]).await.expect_one_of(&[202, 404]);
    // The probe of the health check comes and goes.
    let empty = || async {
        let left = walk(&uploads);
        left.iter().all(|path| path.ends_with(".probe")).then_some(())
    };
    eventually("the file of the upload is gone", empty).await;
    let gone = || async {
        let answer = upload.clone().progress().await;
        (answer.status == 404).then_some(answer)
    };
    eventually("the session is gone", gone).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
}

/// All files below a directory.
fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("a directory entry").path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
