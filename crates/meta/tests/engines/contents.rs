//! What is kept of images, on both engines.

use plura_meta::{
    Connection, Db, RepositoryId, Timestamp, Tx, blob,
    contents::{
        base,
        image::{self, ChainedLayer, Kept, NewImage},
        layer::{self, StoredLayer},
        package::{self, NewPackage, PackageId},
        review, walk,
    },
    manifest::{self, NewManifest},
    repository, tag,
};
use plura_oci::{Digest, Tag, media_types};

use crate::both;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const READER: i64 = 3;

fn digest(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}

/// What a manifest of an image looks like.
fn pushed(text: &str) -> NewManifest {
    NewManifest {
        digest: digest(text),
        media_type: media_types::OCI_MANIFEST.to_owned(),
        artifact_type: Some(media_types::OCI_CONFIG.to_owned()),
        subject: None,
        annotations: "{}".to_owned(),
        references: Vec::new(),
        bytes: text.as_bytes().to_vec(),
    }
}

async fn push(db: &Db, name: &str, manifests: Vec<NewManifest>) -> RepositoryId {
    let name = name.parse().unwrap();
    let work = async move |tx: &mut Tx| {
        let id = repository::find_or_create(tx, &name, NOW).await?;
        for manifest in manifests {
            manifest::insert(tx, id, &manifest, NOW).await?;
        }
        Ok::<_, plura_meta::Error>(id)
    };
    db.write(move |tx| Box::pin(async move { work(tx).await })).await.unwrap()
}

fn new_package(name: &str) -> NewPackage {
    NewPackage {
        identity: format!(r#"{{"kind":"npm","name":"{name}"}}"#),
        ecosystem: "npm".to_owned(),
        name: name.to_owned(),
        version: "1 \"ä\\".to_owned(),
        document: format!(r#"{{"name":"{name}"}}"#),
    }
}

async fn intern(db: &Db, names: &[&str]) -> Vec<PackageId> {
    let new: Vec<NewPackage> = names.iter().map(|name| new_package(name)).collect();
    let identities: Vec<String> = new.iter().map(|new| new.identity.clone()).collect();
    let work = async move |tx: &mut Tx| package::intern(tx, &new).await;
    db.write(move |tx| Box::pin(async move { work(tx).await })).await.unwrap();
    let identities: Vec<&str> = identities.iter().map(String::as_str).collect();
    let found = package::find(&mut db.read().await.unwrap(), &identities).await.unwrap();
    assert_eq!(found.len(), names.len());
    found.into_iter().map(|(id, _)| id).collect()
}

/// An image with these layers, whose chains are their names put together.
fn new_image(text: &str, layers: &[&str]) -> NewImage {
    let chain = |place: usize| digest(&layers[..=place].concat());
    let layers = layers.iter().enumerate();
    NewImage {
        digest: digest(text),
        basis: READER.to_string(),
        problem: None,
        base_digest: None,
        base_name: None,
        created_at: Some(NOW),
        read_at: NOW,
        document: vec![0, 1, 255],
        layers: layers
            .map(|(place, layer)| ChainedLayer { digest: digest(layer), chain: chain(place) })
            .collect(),
    }
}

async fn keep(db: &Db, new: NewImage, packages: Vec<PackageId>) -> Kept {
    let work = async move |tx: &mut Tx| image::keep(tx, &new, &packages).await;
    db.write(move |tx| Box::pin(async move { work(tx).await })).await.unwrap()
}

async fn delete(db: &Db, repository: RepositoryId, text: &str) {
    let digest = digest(text);
    let work = async move |tx: &mut Tx| manifest::delete(tx, repository, &digest).await;
    let deleted = db.write(move |tx| Box::pin(async move { work(tx).await })).await.unwrap();
    assert!(deleted.is_some());
}

async fn forget_reviews(tx: &mut Tx) -> Result<(), plura_meta::Error> {
    for review in review::take(tx, NOW, NOW, 10).await? {
        review::finish(tx, &review).await?;
    }
    Ok(())
}

async fn known(connection: &mut Connection, names: &[&str]) -> usize {
    let identities: Vec<String> = names.iter().map(|name| new_package(name).identity).collect();
    let identities: Vec<&str> = identities.iter().map(String::as_str).collect();
    package::find(connection, &identities).await.unwrap().len()
}

#[tokio::test]
async fn an_image_goes_with_its_last_manifest_and_its_packages_with_their_last_image() {
    for (engine, db, _keep) in both().await {
        let one = push(&db, "a/one", vec![pushed("x"), pushed("y")]).await;
        let two = push(&db, "a/two", vec![pushed("x")]).await;
        let both = intern(&db, &["shared", "own"]).await;
        let shared = intern(&db, &["shared"]).await;
        assert_eq!(keep(&db, new_image("x", &["l"]), both).await, Kept::First, "{engine}");
        assert_eq!(keep(&db, new_image("y", &["l"]), shared.clone()).await, Kept::First);
        let again = new_image("y", &["l", "m"]);
        assert_eq!(keep(&db, again, shared.clone()).await, Kept::Again, "{engine}");
        let mut connection = db.read().await.unwrap();
        let stored = image::find(&mut connection, &digest("y")).await.unwrap().unwrap();
        assert_eq!((&*stored.basis, &*stored.document), ("3", &[0, 1, 255][..]), "{engine}");
        assert_eq!(base::chains(&mut connection, &digest("y")).await.unwrap().len(), 2);
        drop(connection);
        delete(&db, one, "x").await;
        let mut connection = db.read().await.unwrap();
        assert!(image::find(&mut connection, &digest("x")).await.unwrap().is_some(), "{engine}");
        drop(connection);
        delete(&db, two, "x").await;
        let mut connection = db.read().await.unwrap();
        assert!(image::find(&mut connection, &digest("x")).await.unwrap().is_none(), "{engine}");
        assert_eq!(known(&mut connection, &["shared", "own"]).await, 1, "{engine}");
        assert_eq!(review::count_waiting(&mut connection).await.unwrap(), 1, "{engine}");
        drop(connection);
        assert_eq!(keep(&db, new_image("x", &["l"]), shared.clone()).await, Kept::Gone);
        delete(&db, one, "y").await;
        push(&db, "a/one", vec![pushed("y")]).await;
        let gone = keep(&db, new_image("y", &["l"]), shared).await;
        assert_eq!(gone, Kept::PackagesGone, "{engine}");
        db.close().await;
    }
}

#[tokio::test]
async fn bases_are_found_by_their_layers_from_below_and_from_above() {
    for (engine, db, _keep) in both().await {
        let id = push(&db, "a/x", ["base", "node", "web", "other"].map(pushed).to_vec()).await;
        for (name, layers) in [
            ("base", &["1"][..]),
            ("node", &["1", "2"]),
            ("web", &["1", "2", "3"]),
            ("other", &["2"]),
        ] {
            keep(&db, new_image(name, layers), Vec::new()).await;
        }
        let tag: Tag = "12".parse().unwrap();
        let work = async move |tx: &mut Tx| tag::set(tx, id, &tag, &digest("base"), NOW).await;
        db.write(move |tx| Box::pin(async move { work(tx).await })).await.unwrap();
        let mut connection = db.read().await.unwrap();
        let chains = base::chains(&mut connection, &digest("web")).await.unwrap();
        let found = base::of_chains(&mut connection, &chains[..2], 10).await.unwrap();
        let mut found: Vec<Digest> = found.iter().map(|base| base.digest).collect();
        found.sort_unstable();
        let mut expected = [digest("base"), digest("node")];
        expected.sort_unstable();
        assert_eq!(found, expected, "{engine}");
        let on = base::standing_on(&mut connection, &[digest("base")], None, 10).await.unwrap();
        let mut expected = [digest("node"), digest("web")];
        expected.sort_unstable_by_key(ToString::to_string);
        assert_eq!(on, expected, "{engine}");
        let behind = base::standing_on(&mut connection, &[digest("base")], Some(&on[0]), 10).await;
        assert_eq!(behind.unwrap(), on[1..], "{engine}");
        let places = base::places(&mut connection, &[digest("base")], 10).await.unwrap();
        assert_eq!(places.len(), 1, "{engine}");
        assert_eq!(places[0].tag.as_deref(), Some("12"), "{engine}");
        drop(connection);
        db.close().await;
    }
}

#[tokio::test]
async fn the_walk_asks_for_what_nobody_or_an_older_reader_read_once() {
    for (engine, db, _keep) in both().await {
        let mut manifests: Vec<NewManifest> = ["a", "b", "c", "d"].map(pushed).to_vec();
        manifests[2].artifact_type = Some("application/vnd.example".to_owned());
        push(&db, "a/x", manifests).await;
        keep(&db, new_image("a", &[]), Vec::new()).await;
        keep(&db, NewImage { basis: "2".into(), ..new_image("b", &[]) }, Vec::new()).await;
        // As it is where nobody asked when they were pushed.
        db.write(|tx| Box::pin(async move { forget_reviews(tx).await })).await.unwrap();
        let mut steps = 0;
        loop {
            let mut connection = db.read().await.unwrap();
            if walk::is_over(&mut connection, READER).await.unwrap() {
                break;
            }
            drop(connection);
            steps += 1;
            let step = async |tx: &mut Tx| walk::step(tx, READER, 3).await;
            db.write(move |tx| Box::pin(async move { step(tx).await })).await.unwrap();
        }
        assert_eq!(steps, 3, "{engine}");
        let mut connection = db.read().await.unwrap();
        assert!(walk::is_over(&mut connection, READER - 1).await.unwrap(), "{engine}");
        assert!(!walk::is_over(&mut connection, READER + 1).await.unwrap(), "{engine}");
        let waiting = review::waiting(&mut connection, NOW, 10).await.unwrap();
        let mut waiting: Vec<Digest> = waiting.iter().map(|review| review.digest).collect();
        waiting.sort_unstable();
        let mut expected = [digest("b"), digest("d")];
        expected.sort_unstable();
        assert_eq!(waiting, expected, "{engine}");
        drop(connection);
        db.close().await;
    }
}

#[tokio::test]
async fn what_was_read_from_a_layer_goes_with_its_blob() {
    for (engine, db, _keep) in both().await {
        let one = StoredLayer { reader: READER, document: None, problem: Some("damaged".into()) };
        let kept = one.clone();
        let work = async move |tx: &mut Tx| {
            layer::keep(tx, &digest("gone"), &kept, NOW).await?;
            let blob = blob::find_or_create(tx, &digest("l"), 1, "key", NOW).await?;
            layer::keep(tx, &blob.digest, &kept, NOW).await?;
            layer::outdate(tx, [&digest("l")]).await?;
            let outdated = layer::find(tx, &digest("l")).await?;
            layer::keep(tx, &blob.digest, &kept, NOW).await?;
            let found = layer::find(tx, &digest("l")).await?;
            blob::delete(tx, &blob).await?;
            let after = layer::find(tx, &digest("l")).await?;
            let gone = layer::find(tx, &digest("gone")).await?;
            Ok::<_, plura_meta::Error>((outdated, found, after, gone))
        };
        let seen = db.write(move |tx| Box::pin(async move { work(tx).await })).await.unwrap();
        let outdated = StoredLayer { reader: 0, ..one.clone() };
        assert_eq!(seen, (Some(outdated), Some(one), None, None), "{engine}");
        db.close().await;
    }
}
