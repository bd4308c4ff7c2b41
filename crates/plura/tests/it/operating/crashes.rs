//! The process dies at every point of a push, and of a collection, as by `kill -9`. What was
//! acknowledged is there after the next start, the push succeeds then, and nothing is left over.

use bytes::Bytes;
use plura_testkit::{Client, Image, Random, Repository, Server, Upload, digest};
use serde_json::json;

use super::{plura_on, server};

/// How often a push passes a point at the most; one that passes more often is a test gone wrong.
const PASSES: u32 = 20;

/// What the server said yes to.
#[derive(Default)]
struct Acknowledged {
    blobs: Vec<Bytes>,
    manifests: Vec<(String, Bytes)>,
}

/// Pushes an image, each blob in another way, until the server dies; until then nothing else may go
/// wrong. Notes what was acknowledged.
async fn push(
    repository: &Repository,
    image: &Image,
    tag: &str,
    acknowledged: &mut Acknowledged,
) -> Result<(), String> {
    let started =
        |client: &Client| client.post(&repository.path("blobs/uploads/")).body(Bytes::new());
    let client = &repository.client;
    let [config, first, second] = image.blobs.as_slice() else {
        panic!("an image has three blobs")
    };

    let target = repository.path(&format!("blobs/uploads/?digest={}", config.digest()));
    client.post(&target).body(config.bytes.clone()).attempt().await?.expect(201);
    acknowledged.blobs.push(config.bytes.clone());

    let upload = Upload::opened(client, &started(client).attempt().await?.expect(202));
    upload.put(&first.digest()).body(first.bytes.clone()).attempt().await?.expect(201);
    acknowledged.blobs.push(first.bytes.clone());

    let upload = Upload::opened(client, &started(client).attempt().await?.expect(202));
    for half in [second.bytes.slice(..100), second.bytes.slice(100..)] {
        client.patch(&upload.location).body(half).attempt().await?.expect(202);
    }
    upload.put(&second.digest()).body(Bytes::new()).attempt().await?.expect(201);
    acknowledged.blobs.push(second.bytes.clone());

    let request = repository.manifest(reqwest::Method::PUT, tag);
    let request = request.header("content-type", &image.manifest.media_type);
    request.body(image.manifest.bytes.clone()).attempt().await?.expect(201);
    acknowledged.manifests.push((tag.to_owned(), image.manifest.bytes.clone()));
    Ok(())
}

async fn check_there(repository: &Repository, acknowledged: &Acknowledged) {
    for bytes in &acknowledged.blobs {
        repository.get_blob(&digest(bytes)).await.expect(200).expect_body(bytes);
    }
    for (tag, bytes) in &acknowledged.manifests {
        repository.get_manifest(tag).await.expect(200).expect_body(bytes);
    }
}

fn check_sound(server: &Server) {
    plura_on(server, &["check", "--rehash"]).expect(0).expect_stdout("sound:");
}

/// Dies at the first pass of the point, at the second, and so on, until a push passes it no more.
async fn check_push_survives(point: &str) {
    let mut random = Random::printed();
    let mut server = server(&[]).start();
    let repository = server.client().repository("apps/crashing");
    let mut acknowledged = Acknowledged::default();
    repository.push_image_as("before", &Image::random(&mut random)).await;
    server.stop();
    for pass in 1..=PASSES {
        server.start_again_with(&[("FAULT_POINTS", &format!("{point}={pass}*abort"))]);
        let (image, tag) = (Image::random(&mut random), format!("v{pass}"));
        if push(&repository, &image, &tag, &mut acknowledged).await.is_ok() {
            assert!(pass > 1, "a push does not pass {point}");
            return;
        }
        let ended = server.ended();
        assert!(!ended.status.success() && ended.status.code().is_none(), "{point}: {ended:?}");

        server.start_again_with(&[]);
        check_there(&repository, &acknowledged).await;
        push(&repository, &image, &tag, &mut acknowledged).await.expect("the push succeeds now");
        check_there(&repository, &acknowledged).await;
        check_sound(&server);
        assert!(server.stop().success());
        check_sound(&server);
    }
    panic!("{point} is passed more than {PASSES} times");
}

macro_rules! survives {
    ($($name:ident: $point:literal),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                check_push_survives($point).await;
            }
        )+
    };
}

survives! {
    a_push_survives_dying_while_an_upload_is_opened: "blob.upload.open",
    a_push_survives_dying_while_bytes_are_written: "blob.append",
    a_push_survives_dying_when_a_chunk_is_written: "upload.appended",
    a_push_survives_dying_before_the_bytes_are_durable: "blob.seal.sync",
    a_push_survives_dying_when_the_bytes_have_their_name: "blob.seal.linked",
    a_push_survives_dying_before_a_commit: "meta.commit",
    a_push_survives_dying_after_a_commit: "meta.committed",
    a_push_survives_dying_before_it_is_cleared_up: "upload.committed",
}

/// Dies in a collection; the next one does what is left.
async fn check_collection_survives(point: &str) {
    let at_once = [
        ("PLURA_COLLECTION__ENABLED", "false"),
        ("PLURA_COLLECTION__GRACE", "0s"),
        ("PLURA_COLLECTION__KEEP_UNTAGGED", "0s"),
    ];
    let mut random = Random::printed();
    let mut server = server(&at_once).start();
    let client = server.client();
    let repository = client.repository("apps/collected");
    let mut kept = Acknowledged::default();
    push(&repository, &Image::random(&mut random), "kept", &mut kept).await.expect("a push");
    let untagged = repository.push_image(&Image::random(&mut random)).await;
    let abandoned = repository.push_bytes(&random.bytes(500)).await;
    server.stop();

    let fault = format!("{point}=abort");
    let mut armed = at_once.to_vec();
    armed.push(("FAULT_POINTS", &fault));
    server.start_again_with(&armed);
    let collect = || {
        let request = client.post("/v1/registry/gc").header("content-type", "application/json");
        request.body(json!({}).to_string()).attempt()
    };
    collect().await.expect_err("the server dies");
    assert_eq!(server.ended().status.code(), None);

    server.start_again_with(&at_once);
    check_there(&repository, &kept).await;
    check_sound(&server);
    collect().await.expect("a collection").expect(200);
    repository.head_blob(&abandoned).await.expect(404);
    repository.head_manifest(&untagged).await.expect(404);
    check_there(&repository, &kept).await;
    assert!(server.stop().success());
    plura_on(&server, &["check", "--rehash"]).expect(0).expect_stdout("sound: 3 blobs");
}

#[tokio::test]
async fn a_collection_survives_dying_after_it_decided() {
    check_collection_survives("collect.decided").await;
}

#[tokio::test]
async fn a_collection_survives_dying_before_it_deletes_a_file() {
    check_collection_survives("blob.delete").await;
}

#[tokio::test]
async fn a_collection_survives_dying_after_it_deleted_files() {
    check_collection_survives("collect.deleted").await;
}
