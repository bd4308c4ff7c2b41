//! Collection: what is needed or young stays, everything else goes, and a dry run says so before.

use std::time::Duration;

use plura_meta::review::Kind;
use plura_oci::{Algorithm, Digest, Page};
use plura_registry::{
    CollectReport, CollectRequest, Decision, Error, KeepUntagged, Settings, StartedUpload,
    Timestamp,
};

use crate::support::*;

/// What was deleted: manifests, links, blobs.
fn deleted(report: &CollectReport) -> (u64, u64, u64) {
    (report.manifests, report.links, report.blobs)
}

const NOTHING: (u64, u64, u64) = (0, 0, 0);

#[tokio::test]
async fn what_is_reachable_or_young_stays() {
    let store = Store::new(settings()).await;
    let image = Image::new(&[b"layer one", b"layer two"]);
    store.push_image("app", "v1", &image).await;
    let loose = store.push("app", b"loose").await;
    let young = HOUR.saturating_sub(Duration::from_mins(1));
    assert_eq!(deleted(&store.collect_as_planned(None, young).await), NOTHING);
    assert_eq!(store.read("app", &loose).await.unwrap(), b"loose");
    let report = store.collect_as_planned(None, HOUR * 2).await;
    assert_eq!(deleted(&report), (0, 1, 1));
    assert_eq!(report.bytes, 5);
    for years in [1, 10, 100] {
        assert_eq!(deleted(&store.collect(HOUR * 24 * 365 * years).await), NOTHING);
    }
    store.pull("app", "v1").await.unwrap();
    assert_refused!(store.read("app", &loose).await, Error::BlobUnknown(_));
    store.assert_sound().await;
}

#[tokio::test]
async fn a_deleted_tag_lets_go_step_by_step() {
    let store = Store::new(settings()).await;
    let image = Image::new(&[b"one", b"two"]);
    let digest = store.push_image("app", "v1", &image).await;
    store.collect_as_planned(None, HOUR * 2).await;
    store.delete("app", "v1").await;

    assert_eq!(deleted(&store.collect_as_planned(None, HOUR * 9).await), NOTHING);
    store.pull("app", digest).await.unwrap();
    // Links fall a grace time behind their manifest, as the run's clock counts it.
    assert_eq!(deleted(&store.collect_as_planned(None, HOUR * 11).await), (1, 0, 0));
    assert_refused!(store.pull("app", digest).await, Error::ManifestUnknown(_));
    assert_eq!(store.files("blobs").len(), 3);
    let report = store.collect_as_planned(None, HOUR * 13).await;
    assert_eq!(deleted(&report), (0, 3, 3));
    assert_eq!(report.bytes, image.blobs.iter().map(|blob| blob.len() as u64).sum::<u64>());
    assert_eq!(report.waiting, 0);
    store.assert_empty().await;
    let totals = store.registry().totals().await.unwrap();
    assert_eq!(totals.collected_blobs, 3);
    assert_eq!(totals.collected_bytes, i64::try_from(report.bytes).unwrap());
}

#[tokio::test]
async fn without_grace_everything_goes_in_one_run() {
    let store = Store::new(no_grace()).await;
    let mut images = Vec::new();
    for number in 0..40 {
        let layers = [content(number, 100), content(number / 4, 200)];
        images.push(Image::new(&[&layers[0], &layers[1]]));
        store.push_image("app", "latest", images.last().unwrap()).await;
    }
    let manifests: Vec<&[u8]> = images.iter().map(|image| &image.manifest[..]).collect();
    store.put("app", "all", &index(&manifests)).await.unwrap();
    let report = store.collect_as_planned(None, HOUR).await;
    assert_eq!(deleted(&report), NOTHING);
    for image in &images {
        store.pull("app", image.digest()).await.unwrap();
    }
    store.delete("app", "all").await;
    store.collect_as_planned(None, HOUR).await;
    assert!(store.has("app", "latest").await);
    assert!(!store.has("app", images[0].digest()).await);
    store.assert_sound().await;
    store.delete("app", "latest").await;
    store.collect_as_planned(None, HOUR).await;
    store.assert_empty().await;
}

#[tokio::test]
async fn an_index_keeps_its_children() {
    let store = Store::new(settings()).await;
    let images = [Image::new(&[b"amd64"]), Image::new(&[b"arm64"])];
    for image in &images {
        store.push_image("app", image.digest(), image).await;
    }
    let all = index(&[&images[0].manifest, &images[1].manifest]);
    store.put("app", "v1", &all).await.unwrap();
    store.collect_as_planned(None, HOUR * 100).await;
    for image in &images {
        store.pull("app", image.digest()).await.unwrap();
    }
    store.delete("app", Digest::sha256(&all)).await;
    assert_eq!(deleted(&store.collect_as_planned(None, HOUR * 9).await), NOTHING);
    assert_eq!(deleted(&store.collect_as_planned(None, HOUR * 101).await), (2, 0, 0));
    assert_eq!(deleted(&store.collect_as_planned(None, HOUR * 103).await), (0, 3, 3));
    store.assert_empty().await;
}

#[tokio::test]
async fn a_subject_keeps_its_referrers() {
    let store = Store::new(settings()).await;
    let image = Image::new(&[b"layer"]);
    store.push_image("app", "v1", &image).await;
    let signature = Image::about(Some(&image.manifest), &[b"signature"]);
    let attested = Image::about(Some(&signature.manifest), &[b"of the signature"]);
    for referrer in [&signature, &attested] {
        store.push_image("app", referrer.digest(), referrer).await;
    }
    store.collect_as_planned(None, HOUR * 100).await;
    let (app, page) = (name("app"), Page::default());
    let listed = store.registry().referrers(&app, &image.digest(), None, &page).await.unwrap();
    assert_eq!(listed.descriptors[0].digest, signature.digest());
    store.pull("app", attested.digest()).await.unwrap();

    store.delete("app", "v1").await;
    assert_eq!(deleted(&store.collect_as_planned(None, HOUR * 101).await), (1, 0, 0));
    assert_eq!(deleted(&store.collect_as_planned(None, HOUR * 102).await).0, 1);
    for hours in 103..106 {
        store.collect_as_planned(None, HOUR * hours).await;
    }
    store.assert_empty().await;
}

#[tokio::test]
async fn a_referrer_may_be_there_before_its_subject() {
    let store = Store::new(settings()).await;
    let image = Image::new(&[b"layer"]);
    let signature = Image::about(Some(&image.manifest), &[b"signature"]);
    store.push_image("app", signature.digest(), &signature).await;
    store.collect_as_planned(None, HOUR * 9).await;
    store.push_image("app", "v1", &image).await;
    store.collect_as_planned(None, HOUR * 20).await;
    store.pull("app", signature.digest()).await.unwrap();
    let alone = Image::about(Some(b"never pushed"), &[b"signature"]);
    store.push_image("app", alone.digest(), &alone).await;
    assert_eq!(deleted(&store.collect_as_planned(None, HOUR * 20).await), (1, 0, 0));
}

#[tokio::test]
async fn repositories_share_blobs_and_let_go_of_them_one_by_one() {
    let store = Store::new(settings()).await;
    let digest = store.push("one", b"shared").await;
    let (one, two) = (name("one"), name("two"));
    let mounted =
        store.registry().mount(&two, &digest, mount_from(Some(one.clone()))).await.unwrap();
    assert_eq!(mounted, StartedUpload::Mounted);
    store.registry().delete_blob(&one, &digest).await.unwrap();
    assert_refused!(store.read("one", &digest).await, Error::BlobUnknown(_));
    let report = store.collect_as_planned(Some("two"), Duration::from_mins(30)).await;
    assert_eq!(deleted(&report), NOTHING);
    assert_eq!(store.read("two", &digest).await.unwrap(), b"shared");
    assert_eq!(deleted(&store.collect_as_planned(None, HOUR * 2).await), (0, 1, 1));
    store.assert_empty().await;
}

#[tokio::test]
async fn a_blob_that_another_repository_needs_is_looked_at_once_and_kept() {
    let store = Store::new(settings()).await;
    let image = Image::new(&[b"shared"]);
    store.push_image("kept", "v1", &image).await;
    store.push("loose", b"shared").await;
    let report = store.collect_as_planned(None, HOUR * 2).await;
    assert_eq!(deleted(&report), (0, 1, 0));
    let blobs = report.items.iter().filter(|item| item.kind == Kind::Blob);
    assert_eq!(blobs.map(|item| item.decision).collect::<Vec<_>>(), [Decision::Keep]);
    store.pull("kept", "v1").await.unwrap();
    let page = Page::default();
    let gone = store.registry().tags(&name("loose"), &page).await;
    assert_refused!(gone, Error::RepositoryUnknown(_));
}

/// Half an hour before the link of `digest` in `app` is reviewed, as rows tell it.
async fn age(store: &Store, hours: i64) {
    store.execute(&format!("update review set due_at = due_at - {hours} * 3600000")).await;
}

#[tokio::test]
async fn being_used_starts_the_grace_again() {
    let image = Image::new(&[b"layer"]);
    let digest = Digest::sha256(b"layer");
    for way in ["push", "mount", "session", "ask"] {
        let store = Store::new(settings()).await;
        store.push_image("source", "v1", &image).await;
        store.push("app", b"layer").await;
        age(&store, 1).await;
        let app = name("app");
        match way {
            "push" => drop(store.push("app", b"layer").await),
            "mount" => {
                let mounted =
                    store.registry().mount(&app, &digest, mount_from(Some(name("source")))).await;
                assert_eq!(mounted.unwrap(), StartedUpload::Mounted);
            }
            "session" => {
                let id = store.registry().start_upload(&app, Algorithm::Sha256).await.unwrap();
                let body = chunk(b"layer");
                store.registry().finish_upload(&app, &id, &digest, body).await.unwrap();
            }
            _ => drop(store.registry().blob(&app, &digest).await.unwrap()),
        }
        let report = store.collect_as_planned(None, Duration::from_mins(59)).await;
        assert_eq!(deleted(&report), NOTHING, "{way}");
        assert_eq!(store.read("app", &digest).await.unwrap(), b"layer", "{way}");
        assert_eq!(deleted(&store.collect_as_planned(None, HOUR * 2).await), (0, 1, 0), "{way}");
    }
}

#[tokio::test]
async fn asking_for_a_manifest_by_digest_starts_its_grace_again() {
    let settings = Settings { keep_untagged: KeepUntagged::For(HOUR), ..settings() };
    let mut store = Store::new(settings).await;
    let image = Image::new(&[b"layer"]);
    let digest = store.push_image("app", "v1", &image).await;
    store.delete("app", "v1").await;
    age(&store, 1).await;
    // The clock did not move, so a cached copy would be taken for one that needs no look.
    store.reopen().await;
    store.pull("app", digest).await.unwrap();
    store.collect_as_planned(None, Duration::from_mins(59)).await;
    store.put("app", "all", &index(&[&image.manifest])).await.unwrap();
    store.collect_as_planned(None, HOUR * 2).await;
    store.pull("app", digest).await.unwrap();
}

#[tokio::test]
async fn untagged_manifests_may_be_kept_forever() {
    let settings = Settings { keep_untagged: KeepUntagged::Forever, ..settings() };
    let mut store = Store::new(settings).await;
    let image = Image::new(&[b"layer"]);
    let digest = store.push_image("app", image.digest(), &image).await;
    let signature = Image::about(Some(&image.manifest), &[b"signature"]);
    store.push_image("app", signature.digest(), &signature).await;
    store.put("app", "v1", &image.manifest).await.unwrap();
    store.delete("app", "v1").await;
    store.collect_as_planned(None, HOUR * 1000).await;
    store.pull("app", digest).await.unwrap();
    store.delete("app", digest).await;
    store.collect_as_planned(None, HOUR * 1000).await;
    store.pull("app", signature.digest()).await.unwrap();
    store.delete("app", signature.digest()).await;
    store.collect_as_planned(None, HOUR * 1000).await;
    store.assert_empty().await;
    store.reopen().await;
}

#[tokio::test]
async fn a_run_for_one_repository_leaves_the_others() {
    let store = Store::new(no_grace()).await;
    let images = [Image::new(&[b"one", b"shared"]), Image::new(&[b"two", b"shared"])];
    for (repository, image) in ["one", "two"].into_iter().zip(&images) {
        store.push_image(repository, "v1", image).await;
        store.push(repository, b"loose").await;
        store.push(repository, repository.repeat(2).as_bytes()).await;
        store.delete(repository, "v1").await;
    }
    let report = store.collect_as_planned(Some("one"), HOUR).await;
    assert_eq!(deleted(&report), (1, 5, 2), "the blobs `one` and `oneone`");
    assert_refused!(store.pull("one", images[0].digest()).await, Error::ManifestUnknown(_));
    store.pull("two", images[1].digest()).await.unwrap();
    let request =
        CollectRequest { repository: Some(name("one")), dry_run: false, now: Timestamp::now() };
    assert_refused!(store.registry().collect(request).await, Error::RepositoryUnknown(_));
    store.collect_as_planned(None, HOUR).await;
    store.assert_empty().await;
}

#[tokio::test]
async fn a_digest_may_be_blob_and_manifest_at_once() {
    let store = Store::new(no_grace()).await;
    let child = Image::new(&[b"layer"]);
    store.push_image("app", child.digest(), &child).await;
    store.push("app", &child.manifest).await;
    let wrapper = Image::new(&[&child.manifest]);
    store.push_image("app", "wrapped", &wrapper).await;
    store.put("app", "all", &index(&[&child.manifest])).await.unwrap();
    store.collect_as_planned(None, HOUR).await;
    store.pull("app", "wrapped").await.unwrap();
    store.pull("app", child.digest()).await.unwrap();
    store.delete("app", "wrapped").await;
    store.delete("app", "all").await;
    store.collect_as_planned(None, HOUR).await;
    store.assert_empty().await;
}

#[tokio::test]
async fn many_reviews_are_decided_as_planned_with_any_grace() {
    for grace in [Duration::ZERO, HOUR] {
        let settings = Settings { grace, keep_untagged: KeepUntagged::For(grace), ..settings() };
        let store = Store::new(settings).await;
        let mut images = Vec::new();
        for number in 0..60 {
            let image = Image::new(&[&content(number, 50)]);
            store.push_image("app", image.digest(), &image).await;
            store.push("other", &image.blobs[0]).await;
            images.push(image);
        }
        for pair in images.chunks(3) {
            let all = index(&pair.iter().map(|image| &image.manifest[..]).collect::<Vec<_>>());
            store.put("app", Digest::sha256(&all), &all).await.unwrap();
            // Asked for after its manifest came, a blob is reviewed behind it.
            store.push("app", &pair[0].blobs[0]).await;
        }
        // In the middle of a run's first transactions, whatever their order.
        let seconds = store.random_below(100);
        store.execute(&format!("update review set due_at = due_at - 1000 * {seconds}")).await;
        for hours in 2..8 {
            store.collect_as_planned(None, HOUR * hours).await;
            store.assert_sound().await;
        }
        store.assert_empty().await;
    }
}

#[tokio::test]
async fn a_dry_run_foresees_expired_sessions() {
    let store = Store::new(settings()).await;
    for _ in 0..3 {
        store.registry().start_upload(&name("app"), Algorithm::Sha256).await.unwrap();
    }
    assert_eq!(store.collect_as_planned(None, HOUR * 6).await.uploads, 3);
    store.assert_empty().await;
}
