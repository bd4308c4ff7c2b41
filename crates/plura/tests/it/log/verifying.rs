//! `plura log`: nothing is believed but keys.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Site;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).expect("it can be listed") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("it can be copied");
        }
    }
}

#[tokio::test]
async fn a_log_that_went_back_is_found_by_who_remembers_it() {
    let mut site = Site::start();
    if site.is_on_server() {
        // Going back is copying a file here.
        return;
    }
    site.grant("CVE-1").await;
    site.integrated(1).await;
    let verified = site.run("log verify").expect(0);
    verified.expect_stderr("the keys that the server names are believed");
    site.server.stop();
    let folder = tempfile::TempDir::new().expect("a temporary directory");
    let before = folder.path().join("before");
    copy(site.server.data(), &before);
    site.server.start_again();
    site.grant("CVE-2").await;
    site.integrated(2).await;
    let verified = site.run("log verify").expect(0);
    verified.expect_stdout("sound, and continues the 1 that were seen before");

    site.server.stop();
    for name in ["plura.db", "plura.db-wal", "plura.db-shm"] {
        drop(fs::remove_file(site.path(name)));
    }
    fs::remove_dir_all(site.path("log")).expect("it can be removed");
    copy(&before.join("log"), &site.path("log"));
    fs::copy(before.join("plura.db"), site.path("plura.db")).expect("it can be copied");
    site.server.start_again();
    let told = site.run("log verify").expect(1);
    told.expect_stdout("WRONG  the log went back: it had 2 entries, and has 1");
    // What is decided now is not what was decided then.
    site.grant("CVE-3").await;
    site.grant("CVE-4").await;
    site.integrated(3).await;
    let told = site.run("log verify").expect(1);
    told.expect_stdout("WRONG  the log does not continue the one of 2 entries");
}

#[tokio::test]
async fn a_proof_needs_no_server() {
    let mut site = Site::start();
    for number in 0..3 {
        site.grant(&format!("CVE-{number}")).await;
    }
    let proof = site.run("log prove 1").expect(0);
    site.run("log prove 7").expect(1).expect_stderr("there is no entry 7");
    let key = site.status().await["keys"][0].as_str().expect("a key").to_owned();
    site.server.stop();
    let file = site.path("proof.json");
    fs::write(&file, &proof.stdout).expect("it can be written");
    let file = file.to_str().expect("temporary paths are UTF-8");
    let unknown = site.run(&format!("log verify --offline {file}")).expect(2);
    unknown.expect_stderr("no key of the log").expect_stderr("--key");
    let told = site.run(&format!("log verify --offline {file} --key {key}")).expect(0);
    told.expect_stdout("CVE-1").expect_stderr("entry 1 of the log");
    let told =
        site.run(&format!("log verify --offline {file} --key {key} --json")).expect(0).json();
    assert_eq!((&told["verified"], &told["index"]), (&true.into(), &1.into()));

    let other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let told = site.run(&format!("log verify --offline {file} --key {other}")).expect(1);
    told.expect_stdout("none of the keys that are trusted signed");
    let mut proof: Value = proof.json();
    proof["entry"]["subject"] = "CVE-7".into();
    fs::write(site.path("proof.json"), proof.to_string()).expect("it can be written");
    let told = site.run(&format!("log verify --offline {file} --key {key}")).expect(1);
    told.expect_stdout("WRONG  the proof does not lead from the entry to the root");
    fs::write(site.path("proof.json"), "{}").expect("it can be written");
    site.run(&format!("log verify --offline {file} --key {key}")).expect(2);
}

#[tokio::test]
async fn a_copy_of_the_log_is_verified_by_itself() {
    let mut site = Site::start();
    site.grant("CVE-1").await;
    site.integrated(1).await;
    site.run("log verify").expect(0);
    let listed = site.run("log list --kind exception.").expect(0);
    listed.expect_stdout("exception.granted").expect_stdout("CVE-1");
    site.run("log list --subject none").expect(0).expect_stderr("there are no such entries");
    site.run("log status").expect(0).expect_stdout("plura.local/");
    site.server.stop();
    let copy = site.path("log");
    let copy = copy.to_str().expect("temporary paths are UTF-8");
    // The keys are remembered.
    let told = site.run(&format!("log verify --directory {copy} --json")).expect(0).json();
    assert_eq!((&told["size"], &told["verified"]), (&1.into(), &true.into()));
    site.run(&format!("log verify --directory {copy}/tile")).expect(2);
}

#[tokio::test]
async fn a_key_that_is_not_the_log_s_is_not_believed() {
    let site = Site::start();
    site.grant("CVE-1").await;
    site.integrated(1).await;
    let origin = site.status().await["origin"].as_str().expect("a name").to_owned();
    let other = Site::with(&[("PLURA_TRANSPARENCY__ORIGIN", &origin)]);
    let key = other.status().await["keys"][0].as_str().expect("a key").to_owned();
    let told = site.run(&format!("log verify --key {key}")).expect(1);
    told.expect_stdout("WRONG  checkpoint: none of the keys that are trusted signed the note");
}
