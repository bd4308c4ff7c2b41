//! Whoever owns the database or the tiles can change them, and is found out.

use std::fs;

use plura_testkit::eventually;
use serde_json::{Value, json};

use super::Site;

/// A log of five entries.
async fn five() -> Site {
    let site = Site::start();
    for number in 0..5 {
        site.grant(&format!("CVE-{number}")).await;
    }
    site.integrated(5).await;
    site.run("log verify").expect(0);
    site
}

/// What the server finds when it compares.
async fn findings(site: &Site) -> Vec<Value> {
    let check = site.client.get("/api/v1/log/check").await.expect(200).json();
    assert_eq!(check["integrated"], 5);
    check["findings"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_row_that_was_changed_is_found() {
    for change in ["document", "subject = 'CVE-7'", "kind = 'exception.revoked'", "at = at + 1"] {
        let site = five().await;
        let change = match change {
            "document" if site.is_on_server() => {
                "document = convert_to(replace(convert_from(document, 'UTF8'), 'alice', 'mallo'), 'UTF8')"
            }
            "document" => {
                "document = cast(replace(cast(document as text), 'alice', 'mallo') as blob)"
            }
            other => other,
        };
        site.tamper(&format!("update log_entry set {change} where position = 3")).await;
        let found = findings(&site).await;
        assert_eq!(found.len(), 1, "{change}: {found:?}");
        assert_eq!((&found[0]["index"], &found[0]["subject"]), (&json!(3), &json!("entry 3")));
        let told = site.check().expect(1);
        told.expect_stdout("wrong_log  entry 3: is another one in the database than was logged");
        let verified = site.run("log verify").expect(1);
        verified.expect_stdout("WRONG  database: entry 3 is another one in the database");
    }
}

#[tokio::test]
async fn a_row_that_was_removed_is_found() {
    let site = five().await;
    site.tamper("delete from log_entry where position = 1").await;
    let found = findings(&site).await;
    assert_eq!((found.len(), &found[0]["index"]), (1, &json!(1)), "{found:?}");
    site.check().expect(1).expect_stdout("entry 1: is not in the database any more");
}

#[tokio::test]
async fn rows_are_only_added_while_the_triggers_are_there() {
    let site = five().await;
    for change in ["update log_entry set at = 1", "delete from log_entry"] {
        let refused = site.sql(change).await.expect_err(change);
        assert!(refused.to_string().contains("the log is append-only"), "{refused}");
    }
    assert_eq!(findings(&site).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_tile_that_was_changed_is_found() {
    for tile in ["log/tile/entries/000.p/5", "log/tile/0/000.p/5"] {
        let site = five().await;
        let path = site.path(tile);
        let mut bytes = fs::read(&path).expect("it is there");
        let last = bytes.len() - 40;
        bytes[last] ^= 1;
        fs::write(&path, bytes).expect("it can be written");
        assert_ne!(findings(&site).await, Vec::<Value>::new(), "{tile}");
        site.check().expect(1).expect_stdout("wrong_log");
        site.run("log verify").expect(1).expect_stdout("WRONG  tile/");
        let copy = site.path("log");
        let copy = copy.to_str().expect("temporary paths are UTF-8");
        site.run(&format!("log verify --directory {copy}")).expect(1);
    }
}

/// Where tiles and rows were changed together, the signature shows it, and nothing more is signed.
#[tokio::test]
async fn nothing_is_signed_that_does_not_continue_what_was_signed() {
    let mut site = five().await;
    site.server.stop();
    site.tamper("update log_entry set subject = 'CVE-7' where position = 2").await;
    fs::remove_dir_all(site.path("log")).expect("it can be removed");
    site.server.start_again();
    site.grant("CVE-9").await;
    eventually("the server says so", || async {
        site.server.log().contains("do not lead to the root that was signed").then_some(())
    })
    .await;
    assert_eq!(site.status().await["integrated"], 5);
    site.client.get("/api/v1/log/proof?index=5").await.expect(409);
    site.check().expect(1);
}
