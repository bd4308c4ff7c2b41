//! Starting: what is said when it works, and when it cannot.

use std::net::TcpListener;

use plura_testkit::Server;
use tempfile::TempDir;

use super::{binary, plura, plura_with, server, text};

#[tokio::test]
async fn the_address_the_data_and_how_to_push_are_printed() {
    let mut server = Server::start(binary());
    let authority = server.client().authority();
    server.client().get("/v2/").await.expect(200);
    server.terminate();
    let ended = server.ended();
    assert_eq!(ended.status.code(), Some(0));
    for expected in [
        format!("docker push {authority}/apps/hello:1.0.0"),
        format!(
            "skopeo copy --dest-tls-verify=false docker-archive:image.tar docker://{authority}/"
        ),
        format!("Data is in {}", server.data().display()),
    ] {
        assert!(ended.log.contains(&expected), "no `{expected}` in\n{}", ended.log);
    }
}

#[test]
fn a_port_that_is_taken_is_said_with_a_hint() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let outcome = plura(&["serve", "--listen", &address, "--data", "data"]).expect(2);
    assert_eq!(outcome.stdout, "");
    outcome
        .expect_stderr(&format!("error: cannot listen on {address}"))
        .expect_stderr("caused by: Address already in use")
        .expect_stderr("hint: choose another address with `--listen ADDR:PORT`");
}

#[test]
fn a_data_directory_that_is_in_use_is_said_and_left_alone() {
    let server = Server::start(binary());
    let data = text(server.data());
    let outcome = plura(&["serve", "--listen", "127.0.0.1:0", "--data", data]).expect(2);
    assert_eq!(outcome.stdout, "");
    outcome
        .expect_stderr(&format!("error: {data} is in use by another plura process"))
        .expect_stderr("hint: choose another directory with `--data DIR`");
}

#[test]
fn a_data_directory_that_cannot_be_one_is_said() {
    let directory = TempDir::new().expect("a temporary directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "mine").expect("a file is written");
    plura(&["serve", "--listen", "127.0.0.1:0", "--data", text(&file)])
        .expect(2)
        .expect_stderr(&format!("error: cannot use {}", file.display()))
        .expect_stderr("hint: choose another directory");
    assert_eq!(std::fs::read(&file).expect("the file is still there"), b"mine");
}

#[test]
fn listening_to_other_machines_has_to_be_allowed() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = text(directory.path());
    let refused = plura(&["serve", "--listen", "0.0.0.0:0", "--data", data]).expect(2);
    assert_eq!(refused.stdout, "");
    refused
        .expect_stderr("there is no administrator yet")
        .expect_stderr(&format!("hint: run `plura init --data {data}`"));
}

#[test]
fn settings_that_make_no_sense_are_all_named_before_anything_starts() {
    plura_with(&[("PLURA_SERVER__LISEN", "x"), ("PLURA_LOG__LEVEL", "loud")], &["serve"])
        .expect(2)
        .expect_stderr("PLURA_SERVER__LISEN: unknown key `server.lisen`")
        .expect_stderr("PLURA_LOG__LEVEL: `log.level`");
}

#[tokio::test]
async fn an_installation_is_taken_up_again_where_it_was_left() {
    let mut server = server(&[]).start();
    let repository = server.client().repository("apps/kept");
    let digest = repository.push_bytes(b"kept").await;
    server.restart();
    repository.get_blob(&digest).await.expect(200).expect_body(b"kept");
}
