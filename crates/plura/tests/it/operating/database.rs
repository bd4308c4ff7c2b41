//! The metadata with a PostgreSQL server: settings, outages, and moving there.

use std::fs;
use std::path::Path;

use plura_testkit::postgres::{Database, PASSWORD, Postgres};
use plura_testkit::{Image, Passage, Proxy, Random, Repository, Server, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{binary, plura_with, server, text};

fn empty() -> Database {
    Postgres::shared().empty_database()
}

async fn assert_pulls(repository: &Repository, tag: &str, image: &Image) {
    repository.get_manifest(tag).await.expect(200).expect_body(&image.manifest.bytes);
    for blob in &image.blobs {
        repository.get_blob(&blob.digest()).await.expect(200);
    }
}

fn checked(environment: &[(&str, &str)], data: &Path) {
    let arguments = ["check", "--rehash", "--data", text(data)];
    plura_with(environment, &arguments).expect(0).expect_stdout("sound: ");
}

#[tokio::test]
async fn an_installation_on_a_server_is_kept_checked_and_backed_up() {
    let database = empty();
    let url = database.tcp_url(database.server().port());
    let secrets = TempDir::new().expect("a temporary directory");
    let (password, address) = (secrets.path().join("password"), secrets.path().join("url"));
    fs::write(&password, format!("{PASSWORD}\n")).expect("the password is written");
    fs::write(&address, format!("{url}\n")).expect("the URL is written");
    let environment = [
        ("PLURA_DATABASE__URL_FILE", text(&address)),
        ("PLURA_DATABASE__PASSWORD_FILE", text(&password)),
    ];
    let status = plura_with(&environment, &["db", "status", "--json"]).expect(1).json();
    let steps = status["migrations"].as_array().expect("a list").clone();
    assert!(steps.len() >= 4 && steps.iter().all(|step| step["applied"] == json!(false)));
    plura_with(&environment, &["db", "migrate"]).expect(0).expect_stdout("0001  registry\n");
    plura_with(&environment, &["db", "status"]).expect(0).expect_stdout("0001  registry  applied");

    let mut server = server(&environment).start();
    assert!(!server.data().join("plura.db").exists(), "no file of SQLite is made");
    let repository = server.client().repository("apps/x");
    let image = Image::random(&mut Random::printed());
    repository.push_image_as("v1", &image).await;
    assert_pulls(&repository, "v1", &image).await;
    server.kill_hard();
    server.start_again();
    assert_pulls(&repository, "v1", &image).await;
    checked(&environment, server.data());

    let backup = secrets.path().join("monday.db");
    let arguments = ["backup", text(&backup), "--data", text(server.data())];
    plura_with(&environment, &arguments).expect(0);
    assert!(server.stop().success());
    let arguments = ["restore", text(&backup), "--data", text(server.data())];
    plura_with(&environment, &arguments).expect(2).expect_stderr("plura db copy");
    // The same files with the backup are the same installation.
    plura_with(&[], &arguments).expect(0);
    server.start_again_with(&[]);
    assert_pulls(&server.client().repository("apps/x"), "v1", &image).await;
}

#[tokio::test]
async fn an_installation_is_moved_to_a_server() {
    let mut server = Server::start(binary());
    let repository = server.client().repository("apps/x");
    let image = Image::random(&mut Random::printed());
    repository.push_image_as("v1", &image).await;
    let database = empty();
    let url = database.url();
    let file = format!("sqlite:{}", text(&server.data().join("plura.db")));
    let copy = ["db", "copy", "--from", &file, "--to", &url, "--json"];
    plura_with(&[], &copy).expect(2).expect_stderr("is in use by another plura process");
    assert!(server.stop().success());

    let report = plura_with(&[], &copy).expect(0).json();
    let rows = |name: &str| {
        let tables = report["tables"].as_array().expect("a list");
        let table = tables.iter().find(|table| table["table"] == json!(name));
        table.map_or(Value::Null, |table| table["rows"].clone())
    };
    assert_eq!(rows("tag"), json!(1), "{report:#}");
    assert_eq!(rows("manifest"), json!(1), "{report:#}");
    plura_with(&[], &copy).expect(2).expect_stderr("it is not empty");
    let environment = [("PLURA_DATABASE__URL", url.as_str())];
    checked(&[], server.data());
    checked(&environment, server.data());

    server.start_again_with(&environment);
    let repository = server.client().repository("apps/x");
    assert_pulls(&repository, "v1", &image).await;
    let next = Image::random(&mut Random::printed());
    repository.push_image_as("v2", &next).await;
    assert_pulls(&repository, "v2", &next).await;
    assert!(server.stop().success());
    checked(&environment, server.data());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_answered_with_later_and_ends_without_a_restart() {
    let database = empty();
    let proxy = Proxy::start(database.server().port()).await;
    let secrets = TempDir::new().expect("a temporary directory");
    let password = secrets.path().join("password");
    fs::write(&password, PASSWORD).expect("the password is written");
    let url = database.tcp_url(proxy.port());
    let environment = [
        ("PLURA_DATABASE__URL", url.as_str()),
        ("PLURA_DATABASE__PASSWORD_FILE", text(&password)),
        ("PLURA_ACCESS__CREATE_PROJECTS", "true"),
    ];
    let builder = server(&environment).administrator("root", "correct horse battery");
    let server = tokio::task::spawn_blocking(move || builder.start()).await.expect("it starts");
    let client = server.client().basic("root", "correct horse battery");
    let repository = client.repository("apps/x");
    let image = Image::random(&mut Random::printed());
    repository.push_image_as("v1", &image).await;
    let blob = image.blobs[0].digest();
    for how in [Passage::Cut, Passage::Reset] {
        // Who asks, and what is asked for, are in memory.
        assert_pulls(&repository, "v1", &image).await;
        proxy.set(how);
        let answers = [
            repository.get_manifest("v1").await,
            repository.head_manifest("v1").await,
            repository.get_manifest(&image.digest()).await,
            repository.get_blob(&blob).await,
            repository.put_manifest("v2", &image.manifest).await,
            repository.delete_manifest("v1").await,
            client.post(&repository.path("blobs/uploads/")).await,
            client.get("/v2/_catalog").await,
        ];
        for answer in answers {
            let answer = answer.expect(503);
            assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{}", answer.describe());
        }
        proxy.set(Passage::Open);
        eventually("the service goes on", || async {
            let answer = repository.get_manifest("v1").await;
            (answer.status == 200).then_some(())
        })
        .await;
        repository.get_manifest("v2").await.expect(404);
        repository.push_image_as("v1", &image).await;
    }
}

#[tokio::test]
async fn settings_of_the_database_are_explained_and_never_show_the_password() {
    let url = ("PLURA_DATABASE__URL", "postgres://plura:hunter2@db.example/plura?password=hunter3");
    let shown = plura_with(&[url], &["config", "show"]).expect(0);
    shown.expect_stdout("url = \"postgres://plura:***@db.example/plura?***\"");
    for (environment, expected) in [
        (vec![("PLURA_DATABASE__URL", "mysql://plura:hunter2@db/x")], "postgres://plura@db"),
        (vec![url, ("PLURA_DATABASE__URL_FILE", "/x")], "`database.url_file`: set beside"),
        (vec![("PLURA_DATABASE__PASSWORD_FILE", "/x")], "`database.password_file`: set without"),
        (vec![("PLURA_DATABASE__CA_FILE", "/x")], "`database.ca_file`: set without"),
    ] {
        let refused = plura_with(&environment, &["config", "check"]).expect(1);
        let all = format!("{}{}", refused.stdout, refused.stderr);
        assert!(all.contains(expected), "{all}");
        assert!(!all.contains("hunter"), "{all}");
    }
    let missing = [("PLURA_DATABASE__URL_FILE", "/nowhere/url")];
    plura_with(&missing, &["db", "status"]).expect(2).expect_stderr("/nowhere/url");
    let place = ["db", "copy", "--to", "mysql://plura:hunter2@db/x"];
    let refused = plura_with(&[], &place).expect(2);
    assert!(refused.stderr.contains("postgres://"), "{}", refused.stderr);
}
