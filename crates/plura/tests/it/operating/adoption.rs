//! Taking over from a real registry:2, with both running on the same files, and going away again.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use plura_testkit::postgres::Postgres;
use plura_testkit::{Client, Image, Manifest, Outcome, Random, Repository, Server, eventually};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use super::{binary, plura, plura_on, plura_with, server, text};

/// Debian's docker-registry, stopped when dropped.
pub(super) struct Other {
    pub(super) directory: TempDir,
    process: Child,
    pub(super) client: Client,
}

impl Other {
    /// One that keeps its files in a directory.
    async fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let root =
            format!("filesystem:\n    rootdirectory: {}", text(&directory.path().join("tree")));
        Self::storing(directory, &root).await
    }

    /// One with this below `storage` in its configuration.
    pub(super) async fn storing(directory: TempDir, storage: &str) -> Self {
        // Port 0 would not tell which it became.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = port.expect("a free port");
        let configuration = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  {storage}\n  delete:\n    enabled: \
             true\nhttp:\n  addr: {address}\n",
        );
        fs::write(directory.path().join("config.yml"), configuration).expect("it is written");
        let mut command = Command::new("docker-registry");
        // Its s3 driver does not start with what some machines set for other tools.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        let process = command
            .arg("serve")
            .arg(directory.path().join("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is installed, see scripts/install-test-tools");
        let client = Client::of(&format!("http://{address}"));
        let other = Self { directory, process, client };
        eventually("the other registry answers", || async {
            other.client.get("/v2/").attempt().await.ok().filter(|answer| answer.status == 200)
        })
        .await;
        other
    }

    /// Ends it; the directory with its configuration stays.
    pub(super) fn stop(mut self) -> TempDir {
        drop(self.process.kill());
        drop(self.process.wait());
        std::mem::replace(&mut self.directory, TempDir::new().expect("a temporary directory"))
    }

    fn tree(&self) -> PathBuf {
        self.directory.path().join("tree")
    }

    fn source(&self) -> String {
        format!("registry:{}", text(&self.tree()))
    }

    /// Every file of the tree with its content.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut pending = vec![self.tree()];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    let content = fs::read(&path).expect("a file");
                    found.push((path, content));
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// What was pushed: a repository, its tags, and what each of them is.
pub(super) struct Pushed {
    pub(super) images: Vec<(&'static str, &'static str, Image)>,
    index: Manifest,
}

pub(super) const INDEXED: &str = "apps/multi";

impl Pushed {
    pub(super) async fn to(client: &Client, random: &mut Random) -> Self {
        let mut images = Vec::new();
        for (repository, tag) in [
            ("web", "latest"),
            ("apps/web", "v1"),
            ("apps/web", "v1.0"),
            ("apps/web/below", "v1"),
            ("apps/docker", "v1"),
        ] {
            let docker = repository == "apps/docker";
            let image = if docker { Image::docker(random) } else { Image::random(random) };
            client.repository(repository).push_image_as(tag, &image).await;
            images.push((repository, tag, image));
        }
        let repository = client.repository(INDEXED);
        let (one, two) = (Image::random(random), Image::random(random));
        for image in [&one, &two] {
            repository.push_image(image).await;
        }
        let index = Manifest::index(&[one.manifest.descriptor(), two.manifest.descriptor()]);
        repository.put_manifest("v1", &index).await.expect(201);
        // What is about it, as registries without the referrers API keep it: in the manifest alone.
        let about = Image::artifact(random, "application/vnd.example.signature").about(&index);
        repository.push_image(&about).await;
        images.extend([(INDEXED, "", one), (INDEXED, "", two), (INDEXED, "", about)]);
        Self { images, index }
    }

    /// Everything pulls by tag and by digest, byte for byte.
    pub(super) async fn check(&self, client: &Client) {
        for (repository, tag, image) in &self.images {
            let repository = client.repository(repository);
            check_image(&repository, tag, image).await;
        }
        let repository = client.repository(INDEXED);
        repository.get_manifest("v1").await.expect(200).expect_body(&self.index.bytes);
        let referrers = repository.referrers(&self.index.digest()).await;
        assert_eq!(referrers.len(), 1, "{referrers:?}");
    }
}

pub(super) async fn check_image(repository: &Repository, tag: &str, image: &Image) {
    let digest = image.digest();
    for reference in [tag, &digest].into_iter().filter(|reference| !reference.is_empty()) {
        let answer = repository.get_manifest(reference).await.expect(200);
        answer
            .expect_header("content-type", &image.manifest.media_type)
            .expect_header("docker-content-digest", &digest)
            .expect_body(&image.manifest.bytes);
    }
    for blob in &image.blobs {
        repository.get_blob(&blob.digest()).await.expect(200).expect_body(&blob.bytes);
        let part = repository.blob(Method::GET, &blob.digest()).header("range", "bytes=1-");
        part.await.expect(206).expect_body(&blob.bytes.slice(1..));
    }
}

fn adopt(source: &str, data: &Path, options: &[&str]) -> Outcome {
    adopt_with(&[], source, data, options)
}

fn adopt_with(
    environment: &[(&str, &str)],
    source: &str,
    data: &Path,
    options: &[&str],
) -> Outcome {
    let arguments = [&["adopt", "--from", source, "--data", text(data)], options].concat();
    plura_with(environment, &arguments)
}

/// Nothing is kept that a push would not keep, and everything goes at once.
pub(super) const AT_ONCE: [(&str, &str); 3] = [
    ("PLURA_COLLECTION__ENABLED", "false"),
    ("PLURA_COLLECTION__GRACE", "0s"),
    ("PLURA_COLLECTION__KEEP_UNTAGGED", "0s"),
];

#[tokio::test]
async fn every_tag_of_a_real_registry_pulls_byte_for_byte() {
    let other = Other::start().await;
    let pushed = Pushed::to(&other.client, &mut Random::printed()).await;
    let before = other.files();
    let data = other.directory.path().join("data");
    let dry = adopt(&other.source(), &data, &["--dry-run", "--json"]).expect(0).json();
    assert!(!data.exists(), "a dry run leaves nothing");
    let report = adopt(&other.source(), &data, &["--verify", "--json"]).expect(0).json();
    assert_eq!(dry["added"], report["added"]);
    assert_eq!((&report["added"]["tags"], &report["findings"]), (&json!(6), &json!([])));
    assert_eq!(report["added"]["manifests"], json!(9));
    let server = Server::builder(binary()).data(&data).start();
    pushed.check(&server.client()).await;
    assert_eq!(
        server.client().catalog().await,
        ["apps/docker", INDEXED, "apps/web", "apps/web/below", "web"]
    );
    // Neither blob was copied, nor was anything changed where they are.
    let blobs = fs::read_dir(data.join("blobs")).expect("the store").count();
    assert_eq!((blobs, other.files()), (0, before));
    pushed.check_other(&other.client).await;
    plura(&["check", "--rehash", "--data", text(&data)]).expect(0).expect_stdout("sound");
}

impl Pushed {
    /// The other registry does not know that anything happened.
    async fn check_other(&self, client: &Client) {
        for (repository, tag, image) in &self.images {
            let reference = if tag.is_empty() { image.digest() } else { (*tag).to_owned() };
            let answer = client.repository(repository).get_manifest(&reference).await.expect(200);
            answer.expect_body(&image.manifest.bytes);
        }
    }
}

#[tokio::test]
async fn adoption_catches_up_while_the_other_registry_goes_on() {
    let other = Other::start().await;
    let random = &mut Random::printed();
    let repository = other.client.repository("apps/web");
    let (old, new) = (Image::random(random), Image::random(random));
    repository.push_image_as("latest", &old).await;
    let data = other.directory.path().join("data");
    adopt(&other.source(), &data, &[]).expect(0).expect_stdout("added 1 repositories");
    repository.push_image_as("latest", &new).await;
    repository.push_image_as("v2", &new).await;
    adopt(&other.source(), &data, &[]).expect(0).expect_stdout("moved 1 tags");
    let again = adopt(&other.source(), &data, &["--json"]).expect(0).json();
    assert_eq!((&again["added"]["tags"], &again["tags_moved"]), (&json!(0), &json!(0)));
    let server = Server::builder(binary()).data(&data).start();
    let adopted = server.client().repository("apps/web");
    check_image(&adopted, "latest", &new).await;
    check_image(&adopted, "v2", &new).await;
    check_image(&adopted, "", &old).await;
    // While the server runs, only a dry run may look.
    adopt(&other.source(), &data, &[]).expect(2).expect_stderr("stop the plura server first");
    adopt(&other.source(), &data, &["--dry-run"]).expect(0).expect_stdout("nothing is lost");
}

#[tokio::test]
async fn collection_leaves_the_tree_alone_until_it_is_handed_over() {
    let other = Other::start().await;
    let random = &mut Random::printed();
    let repository = other.client.repository("apps/web");
    let (gone, kept) = (Image::random(random), Image::random(random));
    repository.push_image_as("gone", &gone).await;
    repository.push_image_as("kept", &kept).await;
    let before = other.files();
    let data = other.directory.path().join("data");
    // Reviews are due by the settings of whoever asks for them.
    let adopt = |options: &[&str]| adopt_with(&AT_ONCE, &other.source(), &data, options);
    for finalise in [false, true] {
        if finalise {
            adopt(&["--finalise"])
                .expect(1)
                .expect_stderr("the tree was not handed over: it was written to");
            adopt(&["--finalise", "--force"]).expect(0);
            adopt(&[]).expect(1).expect_stderr("was handed over");
        } else {
            adopt(&[]).expect(0);
        }
        let mut server = server(&AT_ONCE).data(&data).start();
        let client = server.client();
        client.repository("apps/web").delete_manifest(&gone.digest()).await.expect(202);
        let body = json!({"dry_run": false}).to_string();
        let request = client.post("/v1/registry/gc").header("content-type", "application/json");
        let collected = request.body(body).await.expect(200).json();
        assert_eq!(collected["blobs"], json!(gone.blobs.len()), "{collected}");
        client.repository("apps/web").head_blob(&gone.blobs[0].digest()).await.expect(404);
        check_image(&client.repository("apps/web"), "kept", &kept).await;
        assert!(server.stop().success());
        if finalise {
            let left = other.files();
            assert_eq!(left.len(), before.len() - gone.blobs.len());
            let is_kept = |bytes: &[u8]| left.iter().any(|(_, content)| content == bytes);
            assert!(kept.blobs.iter().all(|blob| is_kept(&blob.bytes)));
            assert!(!gone.blobs.iter().any(|blob| is_kept(&blob.bytes)));
        } else {
            assert_eq!(other.files(), before);
        }
    }
    plura(&["check", "--rehash", "--data", text(&data)]).expect(0).expect_stdout("sound");
}

#[tokio::test]
async fn damage_in_a_real_tree_is_listed_and_exit_1_says_so() {
    let other = Other::start().await;
    let image = Image::random(&mut Random::printed());
    other.client.repository("apps/web").push_image_as("v1", &image).await;
    let layer = image.blobs[1].digest();
    let hex = layer.trim_start_matches("sha256:");
    let data = format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    fs::write(other.tree().join(&data), b"").expect("it is emptied");
    let outcome = adopt(&other.source(), &other.directory.path().join("data"), &[]).expect(1);
    outcome.expect_stdout("LOST").expect_stdout("missing_blob").expect_stdout(&data);
}

#[tokio::test]
async fn the_configuration_of_the_other_registry_names_the_tree() {
    let other = Other::start().await;
    let image = Image::random(&mut Random::printed());
    other.client.repository("apps/web").push_image_as("v1", &image).await;
    let configuration = other.directory.path().join("config.yml");
    let data = other.directory.path().join("data");
    let source = format!("registry-config:{}", text(&configuration));
    adopt(&source, &data, &[]).expect(0).expect_stdout("added 1 repositories, 1 manifests, 1 tags");
    plura(&["config", "import", text(&configuration)])
        .expect(0)
        .expect_stdout(&format!("plura adopt --from {}", other.source()));
}

#[tokio::test]
async fn a_dry_run_tells_what_a_run_would_with_the_metadata_on_a_server() {
    let database = Postgres::shared().empty_database();
    let url = database.url();
    let environment = [("PLURA_DATABASE__URL", url.as_str())];
    let other = Other::start().await;
    let data = other.directory.path().join("data");
    let adopt = |options: &[&str]| {
        let options = [&["--json"], options].concat();
        adopt_with(&environment, &other.source(), &data, &options).expect(0).json()
    };
    let random = &mut Random::printed();
    let repository = other.client.repository("apps/web");
    for (images, moved) in [(1, 0), (1, 1), (0, 0)] {
        for tag in ["latest", "v2"].iter().take(images) {
            repository.push_image_as(tag, &Image::random(random)).await;
        }
        let dry = adopt(&["--dry-run"]);
        assert_eq!(
            (&dry["added"]["manifests"], &dry["tags_moved"]),
            (&json!(images), &json!(moved))
        );
        assert_eq!(dry, adopt(&["--dry-run"]), "nothing was written");
        assert_eq!(dry, adopt(&[]));
    }
}

#[test]
fn sources_that_cannot_be_adopted_say_why() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = directory.path().join("data");
    adopt("registry:s3://images/old", &data, &[])
        .expect(2)
        .expect_stderr("hint: set `storage.backend = \"s3\"` and `storage.s3.bucket = \"images\"`");
    adopt("oci-layout:s3://images/zot", &data, &[]).expect(2).expect_stderr("stores in it");
    adopt("zot:/srv", &data, &[]).expect(2).expect_stderr("expected `registry:DIRECTORY`");
    let source = format!("registry:{}", text(directory.path()));
    adopt(&source, &data, &[]).expect(2).expect_stderr("is no storage tree of registry:2");
}

/// skopeo reads what `export` wrote, and a registry takes it back from there.
#[tokio::test]
async fn exported_layouts_are_read_by_others() {
    let server = Server::start(binary());
    let random = &mut Random::printed();
    let repository = server.client().repository("apps/web");
    let image = Image::random(random);
    repository.push_image_as("v1", &image).await;
    let directory = TempDir::new().expect("a temporary directory");
    let layout = directory.path().join("layout");
    plura_on(&server, &["export", "apps/web:v1", "--to", text(&layout)])
        .expect(0)
        .expect_stdout(text(&layout));
    let skopeo = |arguments: &[&str]| {
        let output = Command::new("skopeo").args(arguments).output().expect("skopeo is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let from = format!("oci:{}:v1", text(&layout));
    assert_eq!(skopeo(&["inspect", "--raw", &from]), image.manifest.bytes);
    let to = format!("docker://{}/apps/copy:v1", server.client().authority());
    skopeo(&["copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", &from, &to]);
    check_image(&server.client().repository("apps/copy"), "v1", &image).await;
    plura_on(&server, &["export", "apps/none", "--to", text(&layout)])
        .expect(2)
        .expect_stderr("does not exist");
}
