//! Taking over from a real registry:2 that keeps its files in the bucket that plura has.

use std::fs;
use std::path::Path;

use plura_testkit::{Image, Outcome, Random, S3, S3Request, Server};
use serde_json::json;
use tempfile::TempDir;

use super::adoption::{AT_ONCE, INDEXED, Other, Pushed, check_image};
use super::object_store::{follow, variables};
use super::{plura_with, server, text};

const PREFIX: &str = "old/place";

/// docker-registry with its s3 driver.
async fn start(store: &S3) -> Other {
    let directory = TempDir::new().expect("a temporary directory");
    let storage = format!(
        "s3:\n    accesskey: {}\n    secretkey: {}\n    region: us-east-1\n    regionendpoint: {}\n    \
         bucket: {}\n    rootdirectory: /{PREFIX}\n    secure: false",
        S3::ACCESS_KEY,
        S3::SECRET_KEY,
        store.endpoint(),
        S3::BUCKET,
    );
    Other::storing(directory, &storage).await
}

/// Every object that the other registry wrote, with its content and the time it was written.
fn objects(store: &S3) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let keys = store.objects().into_iter().filter(|key| key.starts_with(PREFIX));
    keys.map(|key| {
        let written = fs::metadata(store.object_path(&key)).and_then(|file| file.modified());
        let content = store.object(&key);
        (key, content, written.expect("the time of a file"))
    })
    .collect()
}

/// The settings of an installation whose bucket this is.
fn settings(store: &S3, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut all = variables(store);
    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
    all.extend(more);
    all
}

fn borrowed<'v>(variables: &'v [(&'static str, String)]) -> Vec<(&'v str, &'v str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn adopt(store: &S3, source: &str, data: &Path, options: &[&str]) -> Outcome {
    let arguments = [&["adopt", "--from", source, "--data", text(data)], options].concat();
    plura_with(&borrowed(&settings(store, &AT_ONCE)), &arguments)
}

fn source() -> String {
    format!("registry:s3://{}/{PREFIX}", S3::BUCKET)
}

const STREAMED: [(&str, &str); 1] = [("PLURA_STORAGE__REDIRECT__ENABLED", "false")];

fn serve(store: &S3, data: &Path, more: &[(&'static str, &str)]) -> Server {
    server(&borrowed(&settings(store, more))).data(data).start()
}

#[tokio::test]
async fn every_tag_of_a_real_registry_in_a_bucket_pulls_byte_for_byte() {
    let store = S3::start();
    let other = start(&store).await;
    let random = &mut Random::printed();
    let pushed = Pushed::to(&other.client, random).await;
    let repository = other.client.repository("moved");
    let images = [Image::random(random), Image::random(random), Image::random(random)];
    let [old, new, gone] = &images;
    // A tag that moved, one after a digest, and a manifest that was deleted. Longer tags are too much for
    // `s3s-fs`, which makes names of files out of keys.
    repository.push_image_as("latest", old).await;
    repository.push_image_as("latest", new).await;
    let about = format!("sha-{}", &new.digest()["sha256:".len()..][..8]);
    repository.push_image_as(&about, old).await;
    repository.push_image_as("gone", gone).await;
    repository.delete_manifest(&gone.digest()).await.expect(202);
    // Larger than the parts of the other registry's driver, which copies it on finish.
    let large = Random::seeded(1).bytes(40 << 20);
    let large = repository.push_bytes(&large).await;
    let data = other.directory.path().join("data");
    let directory = other.stop();

    let before = objects(&store);
    store.take_requests();
    let dry = adopt(&store, &source(), &data, &["--dry-run", "--json"]).expect(0).json();
    assert!(!data.exists(), "a dry run leaves nothing");
    let report = adopt(&store, &source(), &data, &["--verify", "--json"]).expect(0).json();
    let reads = [S3Request::List, S3Request::Get, S3Request::Head];
    assert!(store.take_requests().iter().all(|request| reads.contains(request)));
    assert_eq!((&dry["added"], &dry["lost"]), (&report["added"], &report["lost"]));
    assert_eq!((&report["added"]["tags"], &report["lost"]), (&json!(8), &json!(0)));
    assert_eq!(report["added"]["manifests"], json!(11));

    let streaming = serve(&store, &data, &STREAMED);
    pushed.check(&streaming.client()).await;
    let adopted = streaming.client().repository("moved");
    check_image(&adopted, "latest", new).await;
    check_image(&adopted, &about, old).await;
    adopted.get_manifest("gone").await.expect(404);
    adopted.get_manifest(&gone.digest()).await.expect(404);
    adopted.head_blob(&large).await.expect(200);
    assert_eq!(
        streaming.client().catalog().await,
        ["apps/docker", INDEXED, "apps/web", "apps/web/below", "moved", "web"]
    );
    drop(streaming);

    // Clients are sent to where the object is.
    let redirecting = serve(&store, &data, &[]);
    let blob = &new.blobs[0];
    let adopted = redirecting.client().repository("moved");
    let answer = adopted.get_blob(&blob.digest()).await.expect(307);
    assert!(answer.header("location").contains(&format!("/{PREFIX}/docker/registry/v2/blobs/")));
    assert_eq!(follow(&store, answer.header("location")).await, blob.bytes);
    drop(redirecting);
    let check = ["check", "--rehash", "--data", text(&data)];
    plura_with(&borrowed(&variables(&store)), &check).expect(0).expect_stdout("sound");
    assert_eq!(objects(&store), before);
    assert!(store.objects().iter().all(|key| key.starts_with(PREFIX)), "no blob was copied");
    drop(directory);
}

#[tokio::test]
async fn a_tree_in_a_bucket_is_collected_when_it_was_handed_over() {
    let store = S3::start();
    let other = start(&store).await;
    let random = &mut Random::printed();
    let (gone, kept) = (Image::random(random), Image::random(random));
    let repository = other.client.repository("apps/web");
    repository.push_image_as("gone", &gone).await;
    repository.push_image_as("kept", &kept).await;
    let data = other.directory.path().join("data");
    let configuration =
        format!("registry-config:{}", text(&other.directory.path().join("config.yml")));
    let before = objects(&store);
    for finalise in [false, true] {
        if finalise {
            adopt(&store, &source(), &data, &["--finalise"])
                .expect(1)
                .expect_stderr("the tree was not handed over: it was written to");
            adopt(&store, &configuration, &data, &["--finalise", "--force"]).expect(0);
            adopt(&store, &source(), &data, &[]).expect(1).expect_stderr("was handed over");
        } else {
            adopt(&store, &configuration, &data, &[]).expect(0);
        }
        let mut server = serve(&store, &data, &[AT_ONCE[0], AT_ONCE[1], AT_ONCE[2], STREAMED[0]]);
        let client = server.client();
        client.repository("apps/web").delete_manifest(&gone.digest()).await.expect(202);
        let body = json!({"dry_run": false}).to_string();
        let request = client.post("/v1/registry/gc").header("content-type", "application/json");
        let collected = request.body(body).await.expect(200).json();
        assert_eq!(collected["blobs"], json!(gone.blobs.len()), "{collected}");
        check_image(&client.repository("apps/web"), "kept", &kept).await;
        assert!(server.stop().success());
        let left = objects(&store);
        if finalise {
            assert_eq!(left.len(), before.len() - gone.blobs.len());
            assert!(left.iter().all(|object| before.contains(object)));
        } else {
            assert_eq!(left, before);
        }
    }
    let check = ["check", "--rehash", "--data", text(&data)];
    plura_with(&borrowed(&variables(&store)), &check).expect(0).expect_stdout("sound");
}

#[test]
fn trees_in_other_places_say_what_to_do() {
    let store = S3::start();
    let directory = TempDir::new().expect("a temporary directory");
    let data = directory.path().join("data");
    let refuse = |source: &str, expected: &str| {
        adopt(&store, source, &data, &[]).expect(2).expect_stderr(expected);
    };
    refuse("registry:s3://images/old", "hint: for a new installation, set `storage.s3.bucket");
    refuse(&format!("registry:s3://{}/none", S3::BUCKET), "is no storage tree of registry:2");
    refuse(&format!("registry:{}", text(directory.path())), "keeps its blobs in a bucket");
    let configuration = directory.path().join("config.yml");
    let source = format!("registry-config:{}", text(&configuration));
    for (endpoint, region, expected) in [
        (
            "https://s3.example.com",
            "us-east-1",
            "`storage.s3.endpoint` is `https://s3.example.com`",
        ),
        (&store.endpoint(), "eu-north-1", "`storage.s3.region` is `eu-north-1` there"),
        (&store.endpoint(), "us-east-1", "is no storage tree of registry:2"),
    ] {
        let yaml = format!(
            "version: 0.1\nstorage:\n  s3:\n    region: {region}\n    regionendpoint: {endpoint}\n    \
             bucket: {}\n    rootdirectory: /none\n    secure: false\n",
            S3::BUCKET
        );
        fs::write(&configuration, yaml).expect("it is written");
        refuse(&source, expected);
    }
}
