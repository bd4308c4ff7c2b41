use std::path::Path;

use plura_testkit::S3;
use tempfile::TempDir;

use super::*;
use crate::{AccessKeys, BucketOptions, Storage};

fn name(text: &str) -> RecordName {
    text.parse().unwrap()
}

fn bucket(store: &S3) -> Storage {
    Storage::Bucket(Box::new(BucketOptions {
        endpoint: Some(store.endpoint()),
        region: "us-east-1".to_owned(),
        bucket: S3::BUCKET.to_owned(),
        prefix: "some/where".to_owned(),
        keys: Some(AccessKeys { id: S3::ACCESS_KEY.to_owned(), secret: S3::SECRET_KEY.to_owned() }),
        path_style: true,
        allow_http: true,
        ..BucketOptions::default()
    }))
}

/// What holds in both stores.
async fn check(blobs: &Blobs) {
    let records = blobs.records();
    let (one, two) = (name("tile/0/x001/000.p/1"), name("tile/0/x001/000"));
    assert_eq!(records.read(&one, 100).await.unwrap(), None);
    records.delete_below(&name("tile/0/x001/000.p")).await.unwrap();
    records.write(&one, b"one".to_vec()).await.unwrap();
    records.write(&two, b"two".to_vec()).await.unwrap();
    records.write(&two, b"another".to_vec()).await.unwrap();
    assert_eq!(records.read(&one, 3).await.unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(records.read(&two, 7).await.unwrap().as_deref(), Some(&b"another"[..]));
    let error = records.read(&two, 6).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");

    records.delete_below(&name("tile/0/x001/000.p")).await.unwrap();
    assert_eq!(records.read(&one, 100).await.unwrap(), None);
    assert!(records.read(&two, 100).await.unwrap().is_some());
    // Where everything was deleted, something can be written again.
    records.write(&one, Vec::new()).await.unwrap();
    assert_eq!(records.read(&one, 0).await.unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(blobs.walk().await.unwrap(), [], "records are no blobs");
}

#[tokio::test]
async fn records_in_a_directory_are_read_as_they_were_written() {
    let folder = TempDir::new().unwrap();
    let blobs = Blobs::open(folder.path(), &Storage::Directory).unwrap();
    check(&blobs).await;
    assert!(folder.path().join("log/tile/0/x001/000").is_file());
    let unfinished = folder.path().join("log/.unfinished");
    assert_eq!(std::fs::read_dir(unfinished).unwrap().count(), 0);
}

#[tokio::test]
async fn records_in_a_bucket_are_read_as_they_were_written() {
    let folder = TempDir::new().unwrap();
    let store = S3::start_in(folder.path());
    let blobs = Blobs::open(Path::new("/nowhere"), &bucket(&store)).unwrap();
    check(&blobs).await;
}

#[test]
fn a_name_leads_nowhere_else() {
    for text in ["checkpoint", "tile/0/x001/000.p/12", "tile/entries/000", "a-b_C.9"] {
        assert_eq!(name(text).as_str(), text);
    }
    let long = "a".repeat(LONGEST + 1);
    for text in
        ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".a", "a\0", "ä", "a b"]
    {
        assert_eq!(text.parse::<RecordName>(), Err(ParseRecordNameError), "{text:?}");
    }
    assert_eq!(long.parse::<RecordName>(), Err(ParseRecordNameError));
}
