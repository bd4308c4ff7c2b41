//! Whether a manifest may come before what it names: `PLURA_REGISTRY__SPARSE`.

use plura_testkit::{Image, Manifest, Repository};

use super::Plura;

struct Parts {
    plura: Plura,
    repository: Repository,
    /// Its blobs are there, it is not.
    image: Image,
    /// Its first blob (the configuration) is missing.
    without_config: Image,
    /// Its last blob (a layer) is missing.
    without_layer: Image,
    /// Its child is missing.
    index: Manifest,
}

async fn parts(mode: &str) -> Parts {
    let mut plura = Plura::with(&[("PLURA_REGISTRY__SPARSE", mode)]);
    let repository = plura.repository("sparse");
    let mut image = || Image::random(&mut plura.random);
    let (image, without_config, without_layer) = (image(), image(), image());
    repository.push_blobs(&image.blobs).await;
    repository.push_blobs(&without_config.blobs[1..]).await;
    repository.push_blobs(&without_layer.blobs[..2]).await;
    let index = Manifest::index(&[image.manifest.descriptor()]);
    Parts { plura, repository, image, without_config, without_layer, index }
}

impl Parts {
    async fn check_accepted(&self, manifest: &Manifest) {
        for reference in [manifest.digest(), "latest".to_owned()] {
            self.repository.put_manifest(&reference, manifest).await.expect(201);
            let get = self.repository.get_manifest(&reference).await.expect(200);
            get.expect_body(&manifest.bytes);
        }
    }

    /// Refused, and the answer names what is missing.
    async fn check_refused(&self, manifest: &Manifest, missing: &str) {
        for reference in [manifest.digest(), "refused".to_owned()] {
            let refused = self.repository.put_manifest(&reference, manifest).await;
            let refused = refused.expect_error_of(&[404, 400], &["MANIFEST_BLOB_UNKNOWN"]);
            let body = String::from_utf8_lossy(&refused.body).into_owned();
            assert!(body.contains(missing), "{missing} is not named: {body}");
            self.repository.head_manifest(&reference).await.expect(404);
        }
    }
}

#[tokio::test]
async fn none_wants_everything_first() {
    let parts = parts("none").await;
    parts
        .check_refused(&parts.without_config.manifest, &parts.without_config.blobs[0].digest())
        .await;
    parts
        .check_refused(&parts.without_layer.manifest, &parts.without_layer.blobs[2].digest())
        .await;
    parts.check_refused(&parts.index, &parts.image.digest()).await;
    parts.check_accepted(&parts.image.manifest).await;
    parts.check_accepted(&parts.index).await;
    // What came late is as good as what came first.
    parts.repository.push_blobs(&parts.without_layer.blobs).await;
    parts.check_accepted(&parts.without_layer.manifest).await;
}

#[tokio::test]
async fn index_lets_only_children_of_an_index_come_later() {
    let parts = parts("index").await;
    parts
        .check_refused(&parts.without_config.manifest, &parts.without_config.blobs[0].digest())
        .await;
    parts
        .check_refused(&parts.without_layer.manifest, &parts.without_layer.blobs[2].digest())
        .await;
    parts.check_accepted(&parts.index).await;
    parts.repository.head_manifest(&parts.image.digest()).await.expect(404);
    parts.check_accepted(&parts.image.manifest).await;
}

#[tokio::test]
async fn all_lets_everything_come_later() {
    let parts = parts("all").await;
    for manifest in [&parts.without_config.manifest, &parts.without_layer.manifest, &parts.index] {
        parts.check_accepted(manifest).await;
    }
    parts.repository.head_blob(&parts.without_layer.blobs[2].digest()).await.expect(404);
    parts.repository.push_blobs(&parts.without_layer.blobs).await;
    parts.repository.head_blob(&parts.without_layer.blobs[2].digest()).await.expect(200);
}

#[tokio::test]
async fn a_blob_in_another_repository_is_still_missing_here() {
    let mut parts = parts("none").await;
    let elsewhere = parts.plura.repository("elsewhere");
    elsewhere.push_blobs(&parts.without_layer.blobs).await;
    parts
        .check_refused(&parts.without_layer.manifest, &parts.without_layer.blobs[2].digest())
        .await;
    elsewhere.push_image(&parts.image).await;
    parts.check_refused(&parts.index, &parts.image.digest()).await;
}

#[tokio::test]
async fn a_subject_may_come_later_in_every_mode() {
    for mode in ["none", "index", "all"] {
        let parts = parts(mode).await;
        let about = Image { manifest: parts.image.manifest.clone(), blobs: Vec::new() };
        let about = about.about(&parts.without_layer.manifest);
        parts.check_accepted(&about.manifest).await;
    }
}
