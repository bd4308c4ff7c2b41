//! What is in images, through the public API of the registry and of contents.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use plura_contents::{Contents, ImageContents, ImageQuery, SbomFormat, Settings};
use plura_oci::{Digest, Page, Reference, RepositoryName};
use plura_registry::{Chunk, PutManifest, Registry, Sparse};
use serde_json::{Value, json};
use tempfile::TempDir;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An installation whose images are read when a test says so.
struct Installation {
    registry: Registry,
    contents: Contents,
    directory: TempDir,
}

impl Installation {
    async fn new() -> Self {
        Self::with(plura_registry::Settings::default(), Settings::default()).await
    }

    async fn with(settings: plura_registry::Settings, contents: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::open(directory.path(), settings).await.unwrap();
        let contents = Contents::new(registry.clone(), contents);
        Self { registry, contents, directory }
    }

    async fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        let chunk = Chunk::from(Bytes::copy_from_slice(bytes));
        self.registry.push_blob(&repository(), &digest, chunk).await.unwrap();
        digest
    }

    /// Pushes an image of layers that may be there or not.
    async fn put(&self, tag: &str, layers: &[&[u8]]) -> Digest {
        let config = json!({ "os": "linux", "config": { "Labels": { "name": tag } } }).to_string();
        self.blob(config.as_bytes()).await;
        let descriptor = |media_type: &str, bytes: &[u8]| -> Value {
            json!({ "mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len() })
        };
        let layers: Vec<Value> = layers.iter().map(|layer| descriptor(LAYER, layer)).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, config.as_bytes()),
            "layers": layers,
        });
        let put = PutManifest {
            repository: repository(),
            reference: tag.parse().unwrap(),
            tags: Vec::new(),
            content_type: None,
            bytes: manifest.to_string().into(),
        };
        self.registry.put_manifest(put).await.unwrap().digest
    }

    async fn push(&self, tag: &str, layers: &[&[u8]]) -> Digest {
        for layer in layers {
            self.blob(layer).await;
        }
        self.put(tag, layers).await
    }

    async fn of(&self, tag: &str) -> ImageContents {
        self.contents.of(&query(tag)).await.unwrap()
    }

    /// Does all that is asked for.
    async fn work(&self) {
        while self.contents.work().await.unwrap() {}
        assert_eq!(self.contents.waiting().await.unwrap(), 0);
    }

    /// Where the bytes of a blob are.
    fn file(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let within = self.directory.path().join("blobs/sha256").join(&hex[..2]);
        let found =
            |path: &Path| path.file_name().is_some_and(|n| n.to_string_lossy().contains(&hex));
        let paths = fs::read_dir(within).unwrap().map(|entry| entry.unwrap().path());
        paths.into_iter().find(|path| found(path)).unwrap()
    }
}

fn repository() -> RepositoryName {
    "apps/web".parse().unwrap()
}

fn query(tag: &str) -> ImageQuery {
    let reference: Reference = tag.parse().unwrap();
    ImageQuery { repository: repository(), reference, platform: None }
}

fn layer(files: &[(String, String)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

/// A layer with packages of npm, from one number to another.
fn npm(numbers: std::ops::Range<u32>) -> Vec<u8> {
    let file = |number| {
        let manifest = json!({ "name": format!("package-{number}"), "version": "1.0.0" });
        (format!("srv/node_modules/package-{number}/package.json"), manifest.to_string())
    };
    layer(&numbers.map(file).collect::<Vec<_>>())
}

#[tokio::test]
async fn bytes_that_are_damaged_are_a_problem_until_they_are_mended() {
    let place = Installation::new().await;
    let bytes = npm(0..2);
    place.push("1.0.0", &[&bytes]).await;
    let file = place.file(&Digest::sha256(&bytes));
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "nobody else has the directory")]
    permissions.set_readonly(false);
    fs::set_permissions(&file, permissions).unwrap();
    // A number in a name: it would be read, were it not for the digest.
    let mut damaged = bytes.clone();
    let at = damaged.windows(12).position(|window| window == b"\"package-0\",").unwrap();
    damaged[at + 9] = b'7';
    fs::write(&file, &damaged).unwrap();
    let contents = place.of("1.0.0").await;
    assert!(contents.problems[0].contains("the stored content is damaged"), "{contents:?}");
    assert_eq!(contents.packages, 0);
    fs::write(&file, &bytes).unwrap();
    let contents = place.of("1.0.0").await;
    assert_eq!((contents.packages, contents.problems.len()), (2, 0));
}

#[tokio::test]
async fn a_layer_that_comes_later_is_read_then() {
    let settings =
        plura_registry::Settings { sparse: Sparse::All, ..plura_registry::Settings::default() };
    let place = Installation::with(settings, Settings::default()).await;
    let bytes = npm(0..2);
    place.put("1.0.0", &[&bytes]).await;
    place.work().await;
    let contents = place.of("1.0.0").await;
    assert!(contents.problems[0].contains("it is not in this repository"), "{contents:?}");
    place.blob(&bytes).await;
    assert_eq!(place.of("1.0.0").await.packages, 2);
}

#[tokio::test]
async fn what_was_read_is_not_read_again_by_who_comes_later() {
    let place = Installation::new().await;
    let (first, second) = (npm(0..1500), npm(1000..2500));
    place.push("1.0.0", &[&first]).await;
    place.push("1.1.0", &[&first, &second]).await;
    place.work().await;
    assert_eq!(place.contents.counts().layers, 2);
    let later = Contents::new(place.registry.clone(), Settings::default());
    assert_eq!(later.of(&query("1.0.0")).await.unwrap().packages, 1500);
    assert_eq!(later.of(&query("1.1.0")).await.unwrap().packages, 2500);
    assert_eq!(later.counts().layers, 0);
    assert_eq!(later.read_again(&query("1.1.0")).await.unwrap(), 1);
    while later.work().await.unwrap() {}
    assert_eq!(later.counts().layers, 2);
    assert_eq!(later.of(&query("1.1.0")).await.unwrap().packages, 2500);
}

#[tokio::test]
async fn those_who_ask_at_once_wait_for_one_reading() {
    let place = Installation::new().await;
    place.push("1.0.0", &[&npm(0..300)]).await;
    let asking = query("1.0.0");
    let all = futures_util::future::join_all((0..8).map(|_| place.contents.of(&asking))).await;
    assert!(all.iter().all(|contents| contents.as_ref().unwrap().packages == 300));
    assert_eq!(place.contents.counts().layers, 1);
}

#[tokio::test]
async fn each_reading_attaches_one_sbom_to_an_image_and_none_to_that() {
    let settings = Settings { attach_sbom: Some(SbomFormat::CycloneDx) };
    let place = Installation::with(plura_registry::Settings::default(), settings).await;
    let digest = place.push("1.0.0", &[&npm(0..2)]).await;
    let referrers = async || {
        let page = Page::default();
        place.registry.referrers(&repository(), &digest, None, &page).await.unwrap().descriptors
    };
    place.work().await;
    let attached = referrers().await;
    assert_eq!(attached[0].artifact_type.as_deref(), Some("application/vnd.cyclonedx+json"));
    place.contents.read_again(&query("1.0.0")).await.unwrap();
    place.work().await;
    assert_eq!(referrers().await, attached);
    let page = Page::default();
    let none = place.registry.referrers(&repository(), &attached[0].digest, None, &page).await;
    assert_eq!(none.unwrap().descriptors, []);
}
