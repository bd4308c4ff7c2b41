//! A damaged database file: `check` says so, and a server gives errors, no panics and no wrong bytes.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use plura_oci::Page;
use plura_registry::{CheckOptions, CollectRequest, Error, FindingKind, Registry};
use tempfile::TempDir;

use crate::{model::seeds, support::*};

type Damage<'d> = &'d dyn Fn(&fs::File);

async fn prepared() -> (Store, Vec<Image>) {
    let mut store = Store::in_file(settings()).await;
    let images: Vec<Image> = (0..12).map(|seed| Image::new(&[&content(seed, 300)])).collect();
    for (number, image) in images.iter().enumerate() {
        store.push_image(["app", "other"][number % 2], format!("t{number}"), image).await;
    }
    store.close().await;
    (store, images)
}

/// The installation again, in another directory.
fn copy(store: &Store) -> TempDir {
    let target = temporary();
    for (file, bytes) in files(store.path()) {
        let path = target.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::create_dir_all(target.path().join("uploads")).unwrap();
    target
}

fn database(directory: &Path) -> PathBuf {
    plura_registry::database_path(directory)
}

async fn findings(directory: &Path, repair: bool) -> Vec<FindingKind> {
    let options = CheckOptions { rehash: true, repair };
    kinds(&check(directory, &settings(), options).await.expect("damage is a finding, no failure"))
}

#[tokio::test]
async fn damage_to_the_structure_is_a_finding_and_repair_leaves_it_alone() {
    let (store, _) = prepared().await;
    let length = fs::metadata(database(store.path())).unwrap().len();
    let cases: [(&str, Damage<'_>); 5] = [
        ("no header", &|file| file.write_all_at(&[0; 100], 0).unwrap()),
        ("another header", &|file| file.write_all_at(b"something else", 0).unwrap()),
        ("half of it", &|file| file.set_len(length / 2).unwrap()),
        ("a page less", &|file| file.set_len(length - 4096).unwrap()),
        ("zeroed pages", &|file| {
            for page in 2..length / 4096 {
                file.write_all_at(&[0; 64], page * 4096).unwrap();
            }
        }),
    ];
    for (damage, apply) in cases {
        let copy = copy(&store);
        apply(&fs::OpenOptions::new().write(true).open(database(copy.path())).unwrap());
        let before = fs::read(database(copy.path())).unwrap();
        for repair in [false, true] {
            let found = findings(copy.path(), repair).await;
            assert!(!found.is_empty(), "{damage}: nothing was found");
            assert!(found.iter().all(|kind| *kind == FindingKind::Database), "{damage}: {found:?}");
        }
        assert_eq!(fs::read(database(copy.path())).unwrap(), before, "{damage}");
        if let Ok(registry) = Registry::open(copy.path(), settings()).await {
            let asked = registry.manifest(&name("app"), &reference("t0")).await;
            assert_refused!(asked, Error::Metadata(_));
        }
    }
}

#[tokio::test]
async fn flipped_bytes_never_panic_and_never_give_wrong_content() {
    let (store, images) = prepared().await;
    let mut noticed = 0;
    let seeds = seeds(40);
    for seed in &seeds {
        eprintln!("flip seed {seed}");
        let copy = copy(&store);
        let mut random = Random::new(*seed);
        let mut bytes = fs::read(database(copy.path())).unwrap();
        for _ in 0..=random.below(20) {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        fs::write(database(copy.path()), &bytes).unwrap();
        noticed += usize::from(!findings(copy.path(), false).await.is_empty());
        use_everything(copy.path(), &images).await;
    }
    eprintln!("{noticed} of {} were noticed", seeds.len());
}

/// Errors are fine here; `pull` compares every digest.
async fn use_everything(directory: &Path, images: &[Image]) {
    let Ok(registry) = Registry::open(directory, settings()).await else { return };
    for (number, image) in images.iter().enumerate() {
        let repository = ["app", "other"][number % 2];
        let _by_tag = pull(&registry, repository, format!("t{number}")).await;
        let _by_digest = pull(&registry, repository, image.digest()).await;
    }
    for repository in ["app", "other"] {
        let _tags = registry.tags(&name(repository), &Page::default()).await;
        let _again = put(&registry, repository, "again", &images[0].manifest).await;
        let blob = &images[1].blobs[0];
        let digest = plura_oci::Digest::sha256(blob);
        let _pushed = registry.push_blob(&name(repository), &digest, chunk(blob)).await;
        let _deleted = registry.delete_manifest(&name(repository), &reference("t2")).await;
    }
    for later in [HOUR * 2, HOUR * 20, HOUR * 40] {
        for dry_run in [true, false] {
            let request = CollectRequest { repository: None, dry_run, now: now_plus(later) };
            let _collected = registry.collect(request).await;
        }
    }
    let _totals = registry.totals().await;
    registry.close().await;
}
