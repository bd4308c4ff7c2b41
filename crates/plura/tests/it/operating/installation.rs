//! `check`, `backup` and `restore`, with the server stopped, running, and being written to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use plura_testkit::{Image, Outcome, Random, Repository, Server, eventually};
use serde_json::json;
use tempfile::TempDir;

use super::{binary, blob_file, plura, plura_on, text};

fn check(server: &Server, options: &[&str]) -> Outcome {
    plura_on(server, &[&["check"], options].concat())
}

fn check_at(data: &Path, options: &[&str]) -> Outcome {
    plura(&[&["check", "--data", text(data)], options].concat())
}

async fn check_whole(repository: &Repository, tag: &str, image: &Image) {
    repository.get_manifest(tag).await.expect(200).expect_body(&image.manifest.bytes);
    for blob in &image.blobs {
        repository.get_blob(&blob.digest()).await.expect(200).expect_body(&blob.bytes);
    }
}

#[tokio::test]
async fn a_sound_installation_is_sound_running_or_stopped() {
    let mut server = Server::start(binary());
    let repository = server.client().repository("apps/sound");
    repository.push_image_as("v1", &Image::random(&mut Random::printed())).await;
    let mut upload = repository.start_upload().await;
    upload.stream("begun").await.expect(202);
    for options in [&[][..], &["--rehash"]] {
        check(&server, options).expect(0).expect_stdout("sound: 3 blobs of ");
    }
    let report = check(&server, &["--rehash", "--json"]).expect(0).json();
    assert_eq!((&report["blobs"], &report["findings"]), (&json!(3), &json!([])));
    assert!(server.stop().success());
    check(&server, &["--rehash", "--repair"]).expect(0).expect_stdout("sound: 3 blobs of ");
}

#[test]
fn what_is_no_installation_cannot_be_checked_or_backed_up_and_stays_as_it_was() {
    let directory = TempDir::new().expect("a temporary directory");
    let nowhere = directory.path().join("nowhere");
    check_at(&nowhere, &[])
        .expect(2)
        .expect_stderr("hint: name the installation with `--data DIR`");
    let target = directory.path().join("backup.db");
    plura(&["backup", text(&target), "--data", text(&nowhere)])
        .expect(2)
        .expect_stderr("hint: name a file that does not exist");
    assert!(!nowhere.exists() && !target.exists());
    let empty = directory.path().join("empty");
    std::fs::create_dir(&empty).expect("a directory is made");
    check_at(&empty, &["--repair"]).expect(2);
    assert_eq!(std::fs::read_dir(&empty).expect("the directory").count(), 0);
}

#[tokio::test]
async fn a_lost_blob_is_named_mended_only_when_stopped_and_healed_by_a_push() {
    let mut server = Server::start(binary());
    let repository = server.client().repository("apps/lost");
    let image = Image::random(&mut Random::printed());
    repository.push_image_as("v1", &image).await;
    let lost = image.blobs[1].digest();
    std::fs::remove_file(blob_file(server.data(), &lost)).expect("the file is removed");

    check(&server, &[])
        .expect(1)
        .expect_stdout(&format!("WRONG  missing_bytes  {lost}: "))
        .expect_stderr("hint: stop the server and run `plura check --repair`");
    let refused = check(&server, &["--repair"]).expect(2);
    assert_eq!(refused.stdout, "");
    refused.expect_stderr("is in use by another plura process");

    assert!(server.stop().success());
    // The blob is forgotten, but an image still lacks it: that no repair can mend, only a push.
    check(&server, &["--repair"])
        .expect(1)
        .expect_stdout(&format!("mended  missing_bytes  {lost}: "))
        .expect_stdout(&format!("WRONG  missing_reference  {}: ", image.digest()));
    check(&server, &[]).expect(1).expect_stdout("push the image again");

    server.start_again();
    repository.get_blob(&lost).await.expect(404);
    repository.push_image_as("v1", &image).await;
    check_whole(&repository, "v1", &image).await;
    check(&server, &["--rehash"]).expect(0);
}

#[tokio::test]
async fn a_lost_blob_that_no_image_needs_is_mended_by_forgetting_it() {
    let mut server = Server::start(binary());
    let repository = server.client().repository("apps/lost");
    let lost = repository.push_bytes(b"lost").await;
    assert!(server.stop().success());
    std::fs::remove_file(blob_file(server.data(), &lost)).expect("the file is removed");
    let report = check(&server, &["--repair", "--json"]).expect(0).json();
    assert_eq!(report["findings"][0]["subject"], json!(lost), "{report:#}");
    assert_eq!(report["findings"][0]["repaired"], json!(true), "{report:#}");
    check(&server, &[]).expect(0).expect_stdout("sound: 0 blobs");
    server.start_again();
    repository.push_bytes(b"lost").await;
    repository.get_blob(&lost).await.expect(200).expect_body(b"lost");
}

#[tokio::test]
async fn damage_that_keeps_the_length_is_found_by_reading_and_set_aside() {
    let mut server = Server::start(binary());
    let repository = server.client().repository("apps/damaged");
    let bytes = Random::printed().bytes(5000);
    let damaged = repository.push_bytes(&bytes).await;
    assert!(server.stop().success());
    let file = blob_file(server.data(), &damaged);
    let mut other = bytes.clone();
    other[2500] ^= 1;
    std::fs::write(&file, &other).expect("the file is damaged");

    check(&server, &[]).expect(0);
    check(&server, &["--rehash"])
        .expect(1)
        .expect_stdout(&format!("WRONG  wrong_digest  {damaged}: "));
    check(&server, &["--rehash", "--repair"]).expect(0).expect_stdout("mended  wrong_digest");
    assert!(!file.exists());
    let kept = file.strip_prefix(server.data().join("blobs")).expect("it is below blobs");
    let kept = std::fs::read(server.data().join("damaged").join(kept));
    assert_eq!(kept.expect("the damaged bytes are kept"), other);

    server.start_again();
    repository.get_blob(&damaged).await.expect(404);
    repository.push_bytes(&bytes).await;
    repository.get_blob(&damaged).await.expect(200).expect_body(&bytes);
}

#[tokio::test]
async fn a_file_that_is_nobodys_is_found_and_removed() {
    let mut server = Server::start(binary());
    let digest = server.client().repository("apps/own").push_bytes(b"own").await;
    assert!(server.stop().success());
    let file = blob_file(server.data(), &digest);
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    let (hex, upload) = name.split_once('.').expect("a digest and an upload");
    let other: String =
        upload.chars().map(|digit| if digit == '0' { '1' } else { digit }).collect();
    assert_ne!(other, upload, "the name has a digit to change");
    let orphan = file.with_file_name(format!("{hex}.{other}"));
    std::fs::write(&orphan, "nobody's").expect("a file is written");
    check(&server, &[]).expect(1).expect_stdout("WRONG  orphan_file");
    check(&server, &["--repair"]).expect(0).expect_stdout("mended  orphan_file");
    assert!(file.exists() && !orphan.exists());
    check(&server, &[]).expect(0).expect_stdout("sound: 1 blobs");
}

#[tokio::test]
async fn a_backup_names_what_it_wrote_and_overwrites_nothing() {
    let server = Server::start(binary());
    server.client().repository("apps/saved").push_bytes(b"saved").await;
    let directory = TempDir::new().expect("a temporary directory");
    let target = directory.path().join("monday.db");
    let neighbour = directory.path().join("monday.partial");
    std::fs::write(&neighbour, "somebody's").expect("a file is written");
    let backup = || plura_on(&server, &["backup", text(&target), "--json"]);
    let report = backup().expect(0).json();
    let written = std::fs::read(&target).expect("the backup is there");
    assert_eq!(report, json!({"file": target, "bytes": written.len()}));
    backup().expect(2).expect_stderr("hint: name a file that does not exist");
    assert_eq!(std::fs::read(&target).expect("the backup is there"), written);
    assert_eq!(std::fs::read(&neighbour).expect("the neighbour is there"), b"somebody's");
    assert_eq!(std::fs::read_dir(directory.path()).expect("the directory").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_while_it_is_written_to_is_restored_elsewhere_and_serves() {
    let mut server = Server::start(binary());
    let client = server.client();
    let mut random = Random::printed();
    let before = Image::random(&mut random);
    client.repository("apps/before").push_image_as("v1", &before).await;

    let (stop, pushed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let pushing = tokio::spawn({
        let (stop, pushed, repository) =
            (Arc::clone(&stop), Arc::clone(&pushed), client.repository("apps/meanwhile"));
        async move {
            while !stop.load(Ordering::Relaxed) {
                let tag = format!("v{}", pushed.load(Ordering::Relaxed));
                repository.push_image_as(&tag, &Image::random(&mut random)).await;
                pushed.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let count = || async { (pushed.load(Ordering::Relaxed) >= 3).then_some(()) };
    eventually("some images are pushed", count).await;
    let elsewhere = TempDir::new().expect("a temporary directory");
    let backup = elsewhere.path().join("backup.db");
    let acknowledged = pushed.load(Ordering::Relaxed);
    tokio::task::block_in_place(|| {
        plura_on(&server, &["backup", text(&backup)]).expect(0);
    });
    let then = pushed.load(Ordering::Relaxed);
    let more = || async { (pushed.load(Ordering::Relaxed) > then).then_some(()) };
    eventually("more images are pushed", more).await;
    stop.store(true, Ordering::Relaxed);
    pushing.await.expect("pushing goes on during a backup");

    // As the help says: the blobs are copied after the backup.
    let data = elsewhere.path().join("data");
    copy(&server.data().join("blobs"), &data.join("blobs"));
    assert!(server.stop().success());
    // Blobs that came after the backup are in the copy and nobody's there, which is no damage to
    // what was restored, but is said.
    let restored = plura(&["restore", text(&backup), "--data", text(&data)]);
    assert!(matches!(restored.status, Some(0 | 1)), "{restored}");
    assert!(!restored.stdout.contains("missing"), "{restored}");
    check_at(&data, &["--repair", "--rehash"]).expect(0);

    let restored = Server::builder(binary()).data(&data).start();
    let client = restored.client();
    check_whole(&client.repository("apps/before"), "v1", &before).await;
    let meanwhile = client.repository("apps/meanwhile");
    let tags = meanwhile.tags().await;
    assert!(tags.len() >= acknowledged, "{} of {acknowledged}", tags.len());
    for tag in &tags {
        let manifest = meanwhile.get_manifest(tag).await.expect(200).json();
        let layers = manifest["layers"].as_array().expect("layers").iter();
        for descriptor in layers.chain([&manifest["config"]]) {
            let digest = descriptor["digest"].as_str().expect("a digest");
            let bytes = meanwhile.get_blob(digest).await.expect(200).body;
            assert_eq!(plura_testkit::digest(&bytes), digest);
        }
    }
    client.repository("apps/after").push_bytes(b"pushed to what was restored").await;
}

#[tokio::test]
async fn a_restore_needs_the_server_stopped_and_keeps_what_was_there() {
    let mut server = Server::start(binary());
    let repository = server.client().repository("apps/restored");
    let mut random = Random::printed();
    let (old, new) = (Image::random(&mut random), Image::random(&mut random));
    repository.push_image_as("v1", &old).await;
    let elsewhere = TempDir::new().expect("a temporary directory");
    let backup = elsewhere.path().join("backup.db");
    plura_on(&server, &["backup", text(&backup)]).expect(0);
    repository.push_image_as("v2", &new).await;

    let restore = |source: &Path| plura_on(&server, &["restore", text(source)]);
    restore(&backup).expect(2).expect_stderr("is in use by another plura process");
    repository.get_manifest("v2").await.expect(200);

    server.stop();
    let garbage = elsewhere.path().join("garbage.db");
    std::fs::write(&garbage, "this is no backup").expect("a file is written");
    let restore = |source: &Path| plura_on(&server, &["restore", text(source)]);
    restore(&garbage).expect(2).expect_stderr("nothing was replaced");
    restore(&elsewhere.path().join("missing.db")).expect(2);
    server.start_again();
    repository.get_manifest("v2").await.expect(200);
    server.stop();

    let restored = plura_on(&server, &["restore", text(&backup)]);
    // The blobs of the second image are nobody's now.
    let restored = restored.expect(1).expect_stdout("orphan_file");
    let aside =
        restored.stderr.lines().find_map(|line| line.strip_prefix("what was there is now "));
    assert!(Path::new(aside.expect("the name of what was there")).is_file(), "{restored}");
    server.start_again();
    check_whole(&repository, "v1", &old).await;
    repository.get_manifest("v2").await.expect(404);
    repository.push_image_as("v2", &new).await;
    check_whole(&repository, "v2", &new).await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory is made");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let path = entry.expect("a directory entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file is copied");
        }
    }
}
