//! Every kind of damage that `check` knows: found, named, mended, and nothing else touched.

use std::fs;

use plura_oci::{Algorithm, Digest};
use plura_registry::{CheckOptions, FindingKind};

use crate::support::*;

/// An installation with something of everything, closed.
struct Prepared {
    store: Store,
    image: Image,
    /// A manifest that nothing needs yet.
    untagged: Image,
    signature: Image,
    loose: Digest,
}

const LOOSE: &[u8] = b"nothing references it yet";

async fn prepared() -> Prepared {
    let mut store = Store::new(settings()).await;
    let image = Image::new(&[b"layer one", b"layer two"]);
    store.push_image("app", "v1", &image).await;
    store.push_image("other", "v1", &image).await;
    let untagged = Image::new(&[b"untagged"]);
    store.push_image("app", untagged.digest(), &untagged).await;
    let signature = Image::about(Some(&image.manifest), &[b"signature"]);
    store.push_image("app", signature.digest(), &signature).await;
    let child = Image::new(&[b"child"]);
    store.push_image("app", child.digest(), &child).await;
    store.put("app", "all", &index(&[&child.manifest, &image.manifest])).await.unwrap();
    let loose = store.push("app", LOOSE).await;
    let unlinked = store.push("app", b"no repository has it any more").await;
    store.registry().delete_blob(&name("app"), &unlinked).await.unwrap();
    let id = store.registry().start_upload(&name("app"), Algorithm::Sha256).await.unwrap();
    store.registry().append_upload(&name("app"), &id, chunk(b"half of a blob")).await.unwrap();
    store.close().await;
    Prepared { store, image, untagged, signature, loose }
}

/// What is expected of one kind of damage.
#[derive(Default)]
struct Expected<'e> {
    rehash: bool,
    /// Without repair.
    found: &'e [FindingKind],
    /// By repair; as without, if empty.
    by_repair: &'e [FindingKind],
    /// What is left for the next check.
    left: &'e [FindingKind],
    /// Tables and files that mending may change, and does.
    changed: &'e [&'e str],
}

async fn check_damage(damage: &str, store: &Store, expected: Expected<'_>) {
    let rehash = expected.rehash;
    let damaged = store.snapshot().await;
    let look = CheckOptions { rehash, repair: false };
    let report = store.check(look).await;
    assert_eq!(kinds(&report), expected.found, "{damage}: {:?}", report.findings);
    assert!(report.findings.iter().all(|finding| !finding.repaired), "{damage}");
    assert_eq!(damaged.differences(&store.snapshot().await), [""; 0], "{damage}: looking changed");

    let report = store.check(CheckOptions { rehash, repair: true }).await;
    let by_repair = if expected.by_repair.is_empty() { expected.found } else { expected.by_repair };
    assert_eq!(kinds(&report), by_repair, "{damage}, repair: {:?}", report.findings);
    for finding in &report.findings {
        assert_eq!(finding.repaired, !expected.left.contains(&finding.kind), "{finding:?}");
    }
    assert_eq!(report.is_sound(), expected.left.is_empty(), "{damage}");
    let changed = damaged.differences(&store.snapshot().await);
    assert_eq!(changed, expected.changed, "{damage}: repair changed");

    for again in [look, CheckOptions { rehash, repair: true }] {
        let report = store.check(again).await;
        assert_eq!(kinds(&report), expected.left, "{damage}, again: {:?}", report.findings);
    }
}

#[tokio::test]
async fn what_is_sound_is_found_sound_and_left_alone() {
    let prepared = prepared().await;
    let store = &prepared.store;
    let expected = Expected { rehash: true, ..Expected::default() };
    check_damage("nothing", store, expected).await;
}

#[tokio::test]
async fn bytes_that_are_gone() {
    use FindingKind::{MissingBytes, MissingReference};
    let Prepared { mut store, image, loose, .. } = prepared().await;
    fs::remove_file(store.blob_file(&loose).await).unwrap();
    let expected = Expected {
        found: &[MissingBytes],
        changed: &["blob", "blob_link", "project", "project_blob", "total"],
        ..Expected::default()
    };
    check_damage("a file of a blob is gone", &store, expected).await;

    fs::remove_file(store.blob_file(&Digest::sha256(b"layer one")).await).unwrap();
    let expected = Expected {
        found: &[MissingBytes],
        by_repair: &[MissingBytes, MissingReference, MissingReference],
        left: &[MissingReference, MissingReference],
        changed: &["blob", "blob_link", "project", "project_blob", "total"],
        ..Expected::default()
    };
    check_damage("a file of an image is gone", &store, expected).await;
    store.reopen().await;
    for repository in ["app", "other"] {
        store.push_image(repository, "v1", &image).await;
    }
    store.assert_sound().await;
}

#[tokio::test]
async fn bytes_that_are_wrong() {
    let Prepared { store, loose, .. } = prepared().await;
    let file = store.blob_file(&loose).await;
    let relative = file.strip_prefix(store.path()).unwrap().to_str().unwrap().to_owned();
    let aside = relative.replacen("blobs", "damaged", 1);
    let mut bytes = fs::read(&file).unwrap();
    bytes[3] ^= 1;
    fs::write(&file, &bytes).unwrap();
    assert_eq!(kinds(&store.check(CheckOptions::default()).await), [], "without reading it");
    let changed = ["blob", "blob_link", "project", "project_blob", "total", &relative, &aside];
    let expected = Expected {
        rehash: true,
        found: &[FindingKind::WrongDigest],
        changed: &changed,
        ..Expected::default()
    };
    check_damage("a bit is flipped", &store, expected).await;
    assert_eq!(fs::read(store.path().join(&aside)).unwrap(), bytes);

    let Prepared { mut store, loose, .. } = prepared().await;
    let file = store.blob_file(&loose).await;
    let relative = file.strip_prefix(store.path()).unwrap().to_str().unwrap().to_owned();
    let aside = relative.replacen("blobs", "damaged", 1);
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(7).unwrap();
    let changed = ["blob", "blob_link", "project", "project_blob", "total", &relative, &aside];
    let expected =
        Expected { found: &[FindingKind::WrongSize], changed: &changed, ..Expected::default() };
    check_damage("a file is cut short", &store, expected).await;
    store.reopen().await;
    store.push("app", LOOSE).await;
    assert_eq!(store.read("app", &loose).await.unwrap(), LOOSE);
}

#[tokio::test]
async fn files_that_nothing_knows() {
    let Prepared { store, .. } = prepared().await;
    let digest = Digest::sha256(b"orphan");
    let orphan = format!("sha256/{}/{}.0123abc", &digest.hex()[..2], digest.hex());
    let orphan = store.blobs_path().join(orphan);
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, b"orphan").unwrap();
    let orphan = orphan.strip_prefix(store.path()).unwrap().to_str().unwrap();
    // Not plura's, and so not plura's to delete.
    fs::write(store.blobs_path().join("README"), b"put here by hand").unwrap();
    let expected =
        Expected { found: &[FindingKind::OrphanFile], changed: &[orphan], ..Expected::default() };
    check_damage("an orphan", &store, expected).await;

    if crate::IN_BUCKET {
        // Writing in parts that no session knows: see `faults`.
        return;
    }
    fs::write(store.path().join("uploads/0123abc"), b"half").unwrap();
    let expected = Expected {
        by_repair: &[FindingKind::OrphanUpload],
        changed: &["uploads/0123abc"],
        ..Expected::default()
    };
    check_damage("an upload without session", &store, expected).await;
}

#[tokio::test]
async fn sessions_whose_bytes_are_gone() {
    for length in [None, Some(5)] {
        let Prepared { store, .. } = prepared().await;
        let file = store.session_file().await;
        let relative = file.strip_prefix(store.path()).unwrap().to_str().unwrap().to_owned();
        let mut changed = vec!["upload"];
        match length {
            None => fs::remove_file(&file).unwrap(),
            Some(length) => {
                fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length).unwrap();
                changed.push(&relative);
            }
        }
        let expected = Expected {
            found: &[FindingKind::BrokenUpload],
            changed: &changed,
            ..Expected::default()
        };
        check_damage("a session is cut short", &store, expected).await;
    }
}

#[tokio::test]
async fn manifests_that_are_damaged() {
    let Prepared { store, image, .. } = prepared().await;
    let (bytes, digest) = (store.bytes(b"{}"), image.digest());
    let damage = format!("update manifest set bytes = {bytes} where digest = '{digest}'");
    assert_eq!(store.execute(&damage).await, 2);
    let expected = Expected {
        found: &[FindingKind::DamagedManifest; 2],
        changed: &["manifest", "manifest_reference", "project", "review", "tag"],
        ..Expected::default()
    };
    check_damage("the bytes of a manifest", &store, expected).await;

    let Prepared { mut store, untagged, .. } = prepared().await;
    let digest = untagged.digest();
    store.execute(&format!("update manifest set digest = 'x' where digest = '{digest}'")).await;
    let expected = Expected {
        found: &[FindingKind::DamagedManifest],
        changed: &["manifest", "manifest_reference"],
        ..Expected::default()
    };
    check_damage("the digest of a manifest", &store, expected).await;
    store.reopen().await;
    store.collect_as_planned(None, HOUR * 20).await;
    store.assert_sound().await;
}

#[tokio::test]
async fn records_that_do_not_follow_from_the_bytes() {
    let Prepared { store, image, signature, .. } = prepared().await;
    let of = |image: &Image| {
        format!("(select max(id) from manifest where digest = '{}')", image.digest())
    };
    let layer = Digest::sha256(b"layer one");
    let of_image = of(&image);
    let (of_signature, subject) = (of(&signature), image.digest());
    let cases = [
        (
            format!(
                "delete from manifest_reference where manifest_id = {of_image} and digest = '{layer}'"
            ),
            "manifest_reference",
        ),
        (
            format!(
                "update manifest_reference set repository_id = 3 - repository_id
                where manifest_id = {of_image} and digest = '{layer}'"
            ),
            "manifest_reference",
        ),
        (
            format!("insert into manifest_reference select {of_image}, '{subject}x', 1"),
            "manifest_reference",
        ),
        (format!("update manifest set subject = null where id = {of_signature}"), "manifest"),
        (format!("update manifest set media_type = 'a/b' where id = {of_image}"), "manifest"),
        (format!("update manifest set size = 1 where id = {of_signature}"), "manifest"),
        (
            format!("update manifest set annotations = '{{\"a\":\"b\"}}' where id = {of_image}"),
            "manifest",
        ),
    ];
    for (damage, table) in cases {
        let sound = store.snapshot().await;
        assert_eq!(store.execute(&damage).await, 1, "{damage}");
        let expected = Expected {
            found: &[FindingKind::WrongReferences],
            changed: &[table],
            ..Expected::default()
        };
        check_damage(&damage, &store, expected).await;
        assert_eq!(sound.differences(&store.snapshot().await), [""; 0], "{damage}");
    }
}

#[tokio::test]
async fn rows_that_are_too_many_or_too_few() {
    use FindingKind::{DanglingTag, ForgottenGarbage, MissingReference, WrongRemoval, WrongTotal};
    let layer = Digest::sha256(b"layer one");
    let blob = format!("(select id from blob where digest = '{layer}')");
    let unknown = Digest::sha256(b"unknown");
    let cases = [
        (format!("insert into tag values (1, 'ghost', '{unknown}', 0)"), DanglingTag, "tag"),
        (format!("insert into tag values (1, 'no tag!', '{unknown}', 0)"), DanglingTag, "tag"),
        ("insert into tag values (1, 'ghost', 'no digest', 0)".to_owned(), DanglingTag, "tag"),
        (
            format!("delete from blob_link where blob_id = {blob} and repository_id = 1"),
            MissingReference,
            "blob_link",
        ),
        (
            format!(
                "insert into removal select storage_key, digest, size, 0 from blob where id = {blob}"
            ),
            WrongRemoval,
            "removal",
        ),
        (
            format!("insert into removal values ('../plura.db', '{unknown}', 1, 0)"),
            WrongRemoval,
            "removal",
        ),
        ("delete from review where kind = 'blob'".to_owned(), ForgottenGarbage, "review"),
        ("update total set value = value + 1 where name = 'blobs'".to_owned(), WrongTotal, "total"),
        ("update total set value = 0 where name = 'blob_bytes'".to_owned(), WrongTotal, "total"),
        (
            "update project set used_bytes = used_bytes + 1 where id = 1".to_owned(),
            WrongTotal,
            "project",
        ),
        ("update project set used_tags = 9 where id = 1".to_owned(), WrongTotal, "project"),
        (
            format!("update project_blob set links = 7 where project_id = 1 and blob_id = {blob}"),
            WrongTotal,
            "project_blob",
        ),
    ];
    let Prepared { store, loose, untagged, .. } = prepared().await;
    let of = |kind: &str, digest: &Digest| {
        format!("delete from review where kind = '{kind}' and digest = '{digest}'")
    };
    let forgotten = [of("link", &loose), of("manifest", &untagged.digest())];
    let forgotten = forgotten.map(|damage| (damage, ForgottenGarbage, "review"));
    for (damage, kind, table) in cases.into_iter().chain(forgotten) {
        assert_eq!(store.execute(&damage).await, 1, "{damage}");
        // What the project uses is counted from tags and links, and is not what it was told then.
        let both = [kind, WrongTotal];
        let counted = matches!(kind, DanglingTag | MissingReference);
        let found = if counted { &both[..] } else { &both[..1] };
        let expected = Expected { found, changed: &[table], ..Expected::default() };
        check_damage(&damage, &store, expected).await;
    }
}

#[tokio::test]
async fn rows_that_point_at_nothing_cannot_be_mended() {
    let Prepared { store, .. } = prepared().await;
    store.execute("insert into blob_link values (999, 1, 0)").await;
    let expected = Expected {
        found: &[FindingKind::Database],
        left: &[FindingKind::Database],
        ..Expected::default()
    };
    check_damage("a link in no repository", &store, expected).await;
}

#[tokio::test]
async fn a_store_that_is_not_mounted_is_no_empty_store() {
    let Prepared { store, .. } = prepared().await;
    fs::rename(store.blobs_path(), store.path().join("elsewhere")).unwrap();
    let before = store.snapshot().await;
    for repair in [false, true] {
        let options = CheckOptions { rehash: false, repair };
        let checked = check(store.path(), store.settings(), options).await;
        assert_refused!(checked, plura_registry::Error::Blobs(_));
    }
    assert_eq!(before.differences(&store.snapshot().await), [""; 0]);
}

#[tokio::test]
async fn check_among_writes_finds_nothing() {
    let store = Store::new(no_grace()).await;
    let (registry, stop) = (store.registry().clone(), tokio::sync::watch::channel(false));
    let (stop, stopped) = stop;
    let writer = tokio::spawn(async move {
        let mut seed = 0;
        while !*stopped.borrow() {
            let image = Image::new(&[&content(seed, 200)]);
            for blob in &image.blobs {
                registry.push_blob(&name("app"), &Digest::sha256(blob), chunk(blob)).await.unwrap();
            }
            put(&registry, "app", format!("t{}", seed % 5), &image.manifest).await.unwrap();
            seed += 1;
            if seed % 10 == 0 {
                let request = plura_registry::CollectRequest {
                    repository: None,
                    dry_run: false,
                    now: now_plus(HOUR),
                };
                registry.collect(request).await.unwrap();
            }
        }
    });
    for _ in 0..15 {
        store.assert_sound().await;
    }
    stop.send(true).unwrap();
    writer.await.unwrap();
    store.assert_sound().await;
}
