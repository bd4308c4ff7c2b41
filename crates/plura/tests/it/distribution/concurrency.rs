//! Many clients at once: one of them wins, the others are told, nothing breaks.

use futures_util::future::join_all;
use plura_testkit::{Algorithm, Image, Manifest, PushMethod, digest};

use super::Plura;
use super::uploads::check_readable;

const MULTIPLE: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_blob_can_be_pushed_by_many_at_once() {
    let mut plura = Plura::start();
    let repositories = [plura.repository("one"), plura.repository("two")];
    for _ in 0..3 {
        let bytes = plura.random.bytes(200_000);
        for algorithm in Algorithm::ALL {
            let digest = algorithm.digest(&bytes);
            let pushes = (0..MULTIPLE).map(|place| {
                let method = PushMethod::ALL[place % PushMethod::ALL.len()];
                repositories[place % 2].push_by(method, &bytes, &digest)
            });
            for answer in join_all(pushes).await {
                answer.expect(201);
            }
            for repository in &repositories {
                check_readable(repository, &digest, &bytes).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_manifest_can_be_pushed_by_many_at_once() {
    let mut plura = Plura::start();
    let repository = plura.repository("manifest");
    for _ in 0..3 {
        let image = Image::random(&mut plura.random);
        repository.push_blobs(&image.blobs).await;
        let digest = image.digest();
        let pushes = (0..MULTIPLE).map(|place| {
            let reference = if place % 2 == 0 { "latest" } else { digest.as_str() };
            repository.put_manifest(reference, &image.manifest)
        });
        for answer in join_all(pushes).await {
            answer.expect(201);
        }
        for reference in ["latest", &digest] {
            let get = repository.get_manifest(reference).await.expect(200);
            get.expect_body(&image.manifest.bytes);
        }
    }
    assert_eq!(repository.tags().await, ["latest"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_pushed_by_many_at_once_is_one_of_them() {
    let mut plura = Plura::start();
    let repository = plura.repository("tag");
    let manifests: Vec<Manifest> = (0..MULTIPLE)
        .map(|place| {
            Manifest::index(&[]).with("annotations", serde_json::json!({"n": place.to_string()}))
        })
        .collect();
    let pushes = manifests.iter().map(|manifest| repository.put_manifest("latest", manifest));
    for answer in join_all(pushes).await {
        answer.expect(201);
    }
    let get = repository.get_manifest("latest").await.expect(200);
    let winner = manifests.iter().find(|manifest| manifest.bytes == get.body);
    get.expect_header("docker-content-digest", &winner.expect("one of the pushed").digest());
    for manifest in &manifests {
        let get = repository.get_manifest(&manifest.digest()).await.expect(200);
        get.expect_body(&manifest.bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tag_and_no_referrer_pushed_at_once_is_lost() {
    let mut plura = Plura::start();
    let repository = plura.repository("many");
    let subject = Image::random(&mut plura.random);
    repository.push_image(&subject).await;
    let artifacts: Vec<Image> = (0..MULTIPLE)
        .map(|_| Image::artifact(&mut plura.random, "application/vnd.example.signature"))
        .map(|artifact| artifact.about(&subject.manifest))
        .collect();
    let tags: Vec<String> = (0..MULTIPLE).map(|place| format!("t{place:02}")).collect();
    let pushes =
        artifacts.iter().zip(&tags).map(|(image, tag)| repository.push_image_as(tag, image));
    join_all(pushes).await;
    assert_eq!(repository.tags().await, tags);
    assert_eq!(repository.referrers(&subject.digest()).await.len(), MULTIPLE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_clients_on_one_upload_one_wins_and_the_other_is_told() {
    let mut plura = Plura::start();
    let repository = plura.repository("two");
    for _ in 0..12 {
        let contents = [plura.random.bytes(600_000), plura.random.bytes(600_000)];
        let mut upload = repository.start_upload().await;
        let (mut first, mut second) = (upload.clone(), upload.clone());
        let answers =
            tokio::join!(first.patch(0, contents[0].clone()), second.patch(0, contents[1].clone()));
        let statuses = [answers.0.status, answers.1.status];
        let winner = statuses.iter().position(|status| *status == 202);
        let winner = winner.unwrap_or_else(|| panic!("nobody won: {statuses:?}"));
        let loser = [answers.0, answers.1][1 - winner].clone();
        assert!((400..500).contains(&loser.status), "{}", loser.describe());
        assert!(!loser.error_message().is_empty());

        upload.progress().await.expect(204).expect_header("range", "0-599999");
        let digests = [digest(&contents[0]), digest(&contents[1])];
        upload.finish(&digests[winner]).await.expect(201);
        check_readable(&repository, &digests[winner], &contents[winner]).await;
        repository.head_blob(&digests[1 - winner]).await.expect(404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_finished_twice_at_once_gives_one_blob() {
    let mut plura = Plura::start();
    let repository = plura.repository("finish");
    for _ in 0..12 {
        let bytes = plura.random.bytes(100_000);
        let mut upload = repository.start_upload().await;
        upload.patch(0, bytes.clone()).await.expect(202);
        let digest = digest(&bytes);
        let answers = join_all((0..4).map(|_| upload.finish(&digest))).await;
        let done = answers.iter().filter(|answer| answer.status == 201).count();
        assert!(done >= 1, "{answers:?}");
        for answer in answers {
            assert!(answer.status == 201 || (400..500).contains(&answer.status), "{answer:?}");
        }
        check_readable(&repository, &digest, &bytes).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushing_and_deleting_at_once_breaks_nothing() {
    let mut plura = Plura::start();
    let repository = plura.repository("fight");
    let image = Image::random(&mut plura.random);
    let (blob, digest) = (&image.blobs[1], image.digest());
    repository.push_image_as("latest", &image).await;
    for _ in 0..10 {
        let blob_digest = blob.digest();
        let (pushes, deletes, tags, gone) = tokio::join!(
            join_all((0..4).map(|_| repository.push_bytes(&blob.bytes))),
            join_all((0..4).map(|_| repository.delete_blob(&blob_digest))),
            join_all((0..4).map(|_| repository.put_manifest("latest", &image.manifest))),
            join_all((0..4).map(|_| repository.delete_manifest(&digest))),
        );
        assert_eq!(pushes.len(), 4);
        for answer in deletes.into_iter().chain(gone) {
            answer.expect_one_of(&[202, 404]);
        }
        for answer in tags {
            // Its layer may be gone just then.
            answer.expect_one_of(&[201, 404, 400]);
        }
        // Whatever came last, the two ways to ask agree, and pushing again makes it whole.
        let by_tag = repository.get_manifest("latest").await.expect_one_of(&[200, 404]);
        let by_digest = repository.get_manifest(&digest).await.expect_one_of(&[200, 404]);
        assert_eq!(by_tag.status, by_digest.status);
        repository.push_image_as("latest", &image).await;
        repository.get_manifest("latest").await.expect(200).expect_body(&image.manifest.bytes);
        check_readable(&repository, &blob_digest, &blob.bytes).await;
    }
}
