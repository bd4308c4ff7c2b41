//! What is in images: read from their layers, each once, kept, and told.

use plura_testkit::{Image, S3, S3Request, Server, eventually, media_type};
use serde_json::{Value, json};

use super::{
    Place, binary,
    content::{Multi, chart},
    layers::{debian, image, layer_of, npm, truncated},
};

/// A server that reads nothing by itself.
fn unread() -> Place {
    Place::on(Server::builder(binary()).env("PLURA_CONTENTS__READ", "false").start())
}

async fn push(place: &Place, tag: &str, image: &Image) {
    place.repository.push_image_as(tag, image).await.expect(201);
}

async fn facts(place: &Place, reference: &str) -> Value {
    place.ask("/contents", reference, None).await.expect(200).json()["images"][0].clone()
}

/// The packages of an image, each as `kind name version`.
async fn packages(place: &Place, reference: &str) -> Vec<String> {
    let list = place.ask("/packages", reference, None).await.expect(200).json();
    let word = |package: &Value, field: &str| package[field].as_str().expect("a text").to_owned();
    let words = |p: &Value| [word(p, "kind"), word(p, "name"), word(p, "version")].join(" ");
    list["packages"].as_array().expect("a list").iter().map(words).collect()
}

/// A figure of the server.
async fn figure(place: &Place, name: &str) -> u64 {
    let text = place.server.client().get("/metrics").await.expect(200);
    let text = String::from_utf8_lossy(&text.body).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("plura_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}

/// Returns when the server has read all images that it was asked to.
async fn read(place: &Place, layers: u64) {
    eventually("all images are read", || async {
        let waiting = figure(place, "contents_waiting").await;
        let read = figure(place, "contents_layers_read").await;
        (waiting == 0 && read >= layers).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_in_an_image_is_told_at_once() {
    let place = unread();
    let web = image("web", &[debian(), npm("left-pad", "1.3.0")]);
    push(&place, "1.0.0", &web).await;
    let facts = facts(&place, "1.0.0").await;
    assert_eq!(facts["digest"], web.digest());
    assert_eq!(facts["platform"], "linux/amd64");
    assert_eq!(facts["os"]["id"], "debian");
    assert_eq!(facts["packages_by_kind"], json!({"deb": 2, "npm": 1}));
    assert_eq!(facts["configuration"]["runs_as_root"], true);
    assert_eq!(facts["configuration"]["ports"], json!(["8080/tcp"]));
    assert_eq!(facts["configuration"]["environment"][1]["environment_specific"], true);
    assert_eq!(facts["problems"], json!([]));
    assert_eq!(
        packages(&place, "1.0.0").await,
        ["deb libc6 2.36-9+deb12u4", "deb tar 1.34+dfsg-1.2", "npm left-pad 1.3.0"]
    );
    let some = place.server.client().get("/api/v1/images/packages");
    let some = some.query("repository", &place.repository.name).query("reference", "1.0.0");
    let some = some.query("kind", "deb").query("name", "tar").await.expect(200).json();
    assert_eq!(some["packages"].as_array().unwrap().len(), 1);
    assert_eq!(some["packages"][0]["layer"], web.blobs[1].digest());
    let purl = "pkg:deb/debian/tar@1.34%2Bdfsg-1.2?arch=amd64&distro=debian-12";
    assert_eq!(some["packages"][0]["purl"], purl);
}

#[tokio::test]
async fn upper_layers_hide_what_is_below_and_each_is_read_once() {
    let place = Place::start();
    let without = layer_of(&[("srv/node_modules/.wh.left-pad", "")]);
    let (base, pad) = (debian(), npm("left-pad", "1.3.0"));
    push(&place, "with", &image("with", &[base.clone(), pad.clone()])).await;
    push(&place, "without", &image("without", &[base.clone(), pad.clone(), without])).await;
    push(&place, "other", &image("other", &[base, npm("lodash", "4.17.21")])).await;
    read(&place, 4).await;
    assert_eq!(packages(&place, "with").await.len(), 3);
    let debs = ["deb libc6 2.36-9+deb12u4", "deb tar 1.34+dfsg-1.2"];
    assert_eq!(packages(&place, "without").await, debs);
    assert_eq!(packages(&place, "other").await[2], "npm lodash 4.17.21");
    assert_eq!(figure(&place, "contents_layers_read").await, 4);
    assert!(figure(&place, "contents_read_bytes").await > 4 * 1024);
}

#[tokio::test]
async fn a_layer_that_cannot_be_read_is_a_problem_of_its_image_alone() {
    let place = Place::start();
    push(&place, "bad", &image("bad", &[debian(), truncated()])).await;
    push(&place, "good", &image("good", &[debian()])).await;
    read(&place, 2).await;
    let bad = facts(&place, "bad").await;
    let problem = bad["problems"][0].as_str().unwrap();
    assert!(problem.contains("the layer is damaged"), "{problem}");
    assert_eq!(bad["packages"], 2, "the other layers count");
    assert_eq!(facts(&place, "good").await["problems"], json!([]));
    assert_eq!(figure(&place, "contents_unreadable_layers").await, 1);
    // It stays so until somebody wants to know it again.
    facts(&place, "bad").await;
    assert_eq!(figure(&place, "contents_layers_read").await, 2);
    let again = place.run("facts NAME:bad --again").expect(0);
    assert!(again.stderr.contains("the layer is damaged"), "{}", again.stderr);
    read(&place, 4).await;
    assert_eq!(figure(&place, "contents_unreadable_layers").await, 2);
}

#[tokio::test]
async fn layers_in_a_bucket_are_read_as_they_come_from_it() {
    let store = S3::start();
    let place = Place::start_on(&store);
    let large = "x".repeat(3 << 20);
    let big = layer_of(&[
        ("srv/large.txt", &large),
        ("srv/node_modules/last/package.json", r#"{"name": "last", "version": "1.0.0"}"#),
    ]);
    push(&place, "1.0.0", &image("web", &[debian(), big])).await;
    store.take_requests();
    assert_eq!(packages(&place, "1.0.0").await[2], "npm last 1.0.0");
    assert_eq!(store.take_requests(), vec![S3Request::Get; 3], "configuration and two layers");
    assert_eq!(packages(&place, "1.0.0").await.len(), 3);
    assert_eq!(store.take_requests(), []);
}

#[tokio::test]
async fn what_is_no_image_has_no_contents() {
    let place = Place::start();
    push(&place, "chart", &chart()).await;
    let message = place.ask("/contents", "chart", None).await.expect(409).error_message();
    assert_eq!(
        message,
        "it is no image but a Helm chart (application/vnd.cncf.helm.config.v1+json)"
    );
    place.ask("/packages", "nothing", None).await.expect(404);
    let multi = Multi::push(&place.repository, "multi").await;
    let all = place.ask("/contents", "multi", None).await.expect(200).json();
    let platforms: Vec<_> =
        all["images"].as_array().unwrap().iter().map(|image| image["platform"].clone()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(all["images"][1]["digest"], multi.arm64.digest());
    place.ask("/sbom", "multi", None).await.expect(400);
    place.ask("/sbom", "multi", Some("linux/arm64")).await.expect(200);
}

#[tokio::test]
async fn sboms_list_what_was_found() {
    let place = unread();
    push(&place, "1.0.0", &image("web", &[debian(), npm("left-pad", "1.3.0")])).await;
    let sbom = place.ask("/sbom", "1.0.0", None).await.expect(200);
    assert_eq!(sbom.header("content-type"), "application/vnd.cyclonedx+json");
    let sbom = sbom.json();
    assert_eq!((&sbom["bomFormat"], &sbom["specVersion"]), (&json!("CycloneDX"), &json!("1.6")));
    // The operating system is one of them.
    assert_eq!(sbom["components"].as_array().unwrap().len(), 4);
    let spdx = place.run("sbom NAME:1.0.0 --format spdx").expect(0).json();
    assert_eq!(spdx["spdxVersion"], "SPDX-2.3");
    assert_eq!(spdx["packages"].as_array().unwrap().len(), 4);
    assert_eq!(place.run("sbom NAME:1.0.0 --format spdx").expect(0).json(), spdx);
    place.run("sbom NAME:1.0.0 --output sbom.json").expect(0);
    let written = std::fs::read(place.server.data().join("sbom.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), sbom);
}

#[tokio::test]
async fn an_sbom_that_came_with_an_image_is_compared() {
    let place = unread();
    let web = image("web", &[npm("left-pad", "1.3.0"), npm("lodash", "4.17.21")]);
    push(&place, "1.0.0", &web).await;
    place.run("sbom NAME:1.0.0 --compare").expect(0);
    let foreign = json!({
        "bomFormat": "CycloneDX",
        "components": [
            {"type": "library", "name": "left-pad", "version": "1.2.0", "purl": "pkg:npm/left-pad@1.2.0"},
            {"type": "library", "name": "lodash", "version": "4.17.21", "purl": "pkg:npm/lodash@4.17.21"},
            {"type": "library", "name": "gone", "version": "1.0.0", "purl": "pkg:npm/gone@1.0.0"},
        ],
    });
    let mut random = plura_testkit::Random::printed();
    let mut referrer = Image::artifact(&mut random, "application/vnd.cyclonedx+json");
    referrer.blobs[1].bytes = foreign.to_string().into();
    referrer.blobs[1].media_type = "application/vnd.cyclonedx+json";
    let layer = referrer.blobs[1].descriptor(plura_testkit::Algorithm::Sha256);
    let referrer = referrer.with("layers", json!([layer])).about(&web.manifest);
    place.repository.push_image(&referrer).await;
    let compared = place.run("sbom NAME:1.0.0 --compare --json").expect(1).json();
    assert_eq!(compared[0]["same"], 1);
    assert_eq!(compared[0]["only_in_sbom"], json!(["npm/gone@1.0.0"]));
    assert_eq!(compared[0]["versions"][0]["in_image"], json!(["1.3.0"]));
}

#[tokio::test]
async fn an_sbom_is_pushed_beside_each_image_once() {
    let server = Server::builder(binary()).env("PLURA_CONTENTS__ATTACH_SBOM", "spdx").start();
    let place = Place::on(server);
    let web = image("web", &[debian()]);
    push(&place, "1.0.0", &web).await;
    let referrers = eventually("the SBOM is there", || async {
        let found = place.repository.referrers(&web.digest()).await;
        (!found.is_empty()).then_some(found)
    })
    .await;
    assert_eq!(referrers[0]["artifactType"], "application/spdx+json");
    place.run("facts NAME:1.0.0 --again").expect(0);
    push(&place, "1.0.1", &image("next", &[debian()])).await;
    read(&place, 2).await;
    assert_eq!(place.repository.referrers(&web.digest()).await.len(), 1);
    // What plura says itself is no second opinion.
    let compared = place.run("sbom NAME:1.0.0 --compare --json").expect(0).json();
    assert_eq!(compared, json!([]));
}

#[tokio::test]
async fn an_image_stands_on_the_one_with_the_most_of_its_layers() {
    let place = Place::start();
    let base = place.server.client().repository("base/debian");
    let runtime = place.server.client().repository("base/node");
    let (bottom, node) = (debian(), npm("npm", "10.0.0"));
    let first = image("debian", std::slice::from_ref(&bottom));
    base.push_image_as("12", &first).await.expect(201);
    let second = image("node", &[bottom.clone(), node.clone()]);
    runtime.push_image_as("22", &second).await.expect(201);
    let web = image("web", &[bottom, node, npm("left-pad", "1.3.0")]);
    push(&place, "1.0.0", &web).await;
    read(&place, 3).await;
    let report = place.ask("/base", "1.0.0", None).await.expect(200).json();
    assert_eq!(report["found"]["digest"], second.digest());
    assert_eq!(report["found"]["places"], json!(["base/node:22"]));
    assert_eq!((&report["found"]["layers"], &report["declared"]), (&json!(2), &Value::Null));
    let on = place.server.client().get("/api/v1/bases/images").query("digest", &first.digest());
    let on = on.await.expect(200).json();
    let on: Vec<_> = on["images"].as_array().unwrap().iter().map(|i| &i["places"][0]).collect();
    assert_eq!(on.len(), 2);
    assert!(on.contains(&&json!("base/node:22")) && on.contains(&&json!("apps/search/web:1.0.0")));
    let index = plura_testkit::Manifest::index(&[first.manifest.descriptor()]);
    base.put_manifest("latest", &index).await.expect(201);
    let on = place.server.client().get("/api/v1/bases/images").query("digest", &index.digest());
    assert_eq!(on.await.expect(200).json()["images"].as_array().unwrap().len(), 2);
    let shown = place.run("base NAME:1.0.0 --images").expect(0);
    assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), ("", "there are no images on it\n"));
    let shown = place.run("base NAME:1.0.0").expect(0).stdout;
    assert!(shown.contains("which is      base/node:22\n"), "{shown}");
}

#[tokio::test]
async fn a_declared_base_is_known_to_be_old_when_its_tag_has_moved() {
    let place = Place::start();
    let base = place.server.client().repository("base/debian");
    let old = image("debian", &[debian()]);
    base.push_image_as("12", &old).await.expect(201);
    let web = image("web", &[npm("left-pad", "1.3.0")]).with(
        "annotations",
        json!({
            "org.opencontainers.image.base.name": "registry.example/base/debian:12",
            "org.opencontainers.image.base.digest": old.digest(),
        }),
    );
    push(&place, "1.0.0", &web).await;
    let report = place.ask("/base", "1.0.0", None).await.expect(200).json();
    assert_eq!(report["found"]["digest"], old.digest());
    assert_eq!(report["newer"], Value::Null);
    let new = image("debian, patched", &[debian()]);
    base.push_image_as("12", &new).await.expect(201);
    let report = place.ask("/base", "1.0.0", None).await.expect(200).json();
    let newer = &report["newer"];
    assert_eq!(
        (&newer["name"], &newer["digest"]),
        (&json!("base/debian:12"), &json!(new.digest()))
    );
    assert!(newer["since"].is_string());
    assert_eq!(report["found"]["tagged"], false);
}

#[tokio::test]
async fn what_came_after_a_base_is_known_without_a_declaration() {
    let place = Place::start();
    let base = place.server.client().repository("base/debian");
    let old = image("debian", &[debian()]);
    base.push_image_as("12.5", &old).await.expect(201);
    let index = plura_testkit::Manifest::index(&[old.manifest.descriptor()]);
    base.put_manifest("12-multi", &index).await.expect(201);
    push(&place, "1.0.0", &image("web", &[debian(), npm("left-pad", "1.3.0")])).await;
    read(&place, 2).await;
    let newer =
        async || place.ask("/base", "1.0.0", None).await.expect(200).json()["newer"].clone();
    assert_eq!(newer().await, Value::Null);

    // A later release of the same line, and since when there is one.
    let [next, last] = ["1", "2"].map(|version| image(version, &[debian(), npm("apt", version)]));
    for (tag, later) in [("13.0", &last), ("12.6", &next), ("12.10", &last)] {
        base.push_image_as(tag, later).await.expect(201);
    }
    let found = newer().await;
    assert_eq!(found["name"], "base/debian:12.10");
    assert_eq!(found["digest"], last.digest());

    // A tag that was its name says more than what is named alike; the narrowest says most.
    base.put_manifest("12-multi", &last.manifest).await.expect(201);
    assert_eq!(newer().await["name"], "base/debian:12-multi");
    base.put_manifest("12.5", &next.manifest).await.expect(201);
    let found = newer().await;
    assert_eq!(
        (&found["name"], &found["digest"]),
        (&json!("base/debian:12.5"), &json!(next.digest()))
    );
}

#[tokio::test]
async fn what_was_there_before_is_read_and_a_restart_goes_on() {
    let mut place = unread();
    push(&place, "1.0.0", &image("web", &[debian()])).await;
    push(&place, "1.0.1", &image("next", &[npm("left-pad", "1.3.0")])).await;
    assert_eq!(figure(&place, "contents_waiting").await, 2);
    place.server.stop();
    place.server.start_again_with(&[("PLURA_CONTENTS__READ", "true")]);
    place.repository = place.server.client().repository(&place.repository.name);
    read(&place, 2).await;
    assert_eq!(packages(&place, "1.0.1").await, ["npm left-pad 1.3.0"]);
    assert_eq!(figure(&place, "contents_layers_read").await, 2);
}

#[tokio::test]
async fn secrets_are_told_of_and_never_shown() {
    let place = Place::start();
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx5ZOX7B1Yc3sQn4uUQyq0rW6s1m2\n\
               nN3pT9vKq8zJxwRrY7dLbGfHaEoViCkPuSMtWq5XyZ0A\n-----END RSA PRIVATE KEY-----\n";
    push(&place, "1.0.0", &image("web", &[layer_of(&[("root/.ssh/id_rsa", key)])])).await;
    read(&place, 1).await;
    let facts = facts(&place, "1.0.0").await;
    assert_eq!(facts["secrets"][0]["rule"], "private-key");
    assert_eq!(facts["secrets"][0]["path"], "root/.ssh/id_rsa");
    assert!(!facts.to_string().contains("MIIEowIBAAKCAQEA"));
    let audit = place.server.client().get("/api/v1/audit").query("action", "contents.secrets");
    let audit = audit.await.expect(200).json();
    assert_eq!(audit["entries"][0]["detail"]["rules"], json!({"private-key": 1}));
}

#[tokio::test]
async fn a_manifest_that_goes_takes_what_was_known_with_it() {
    let place = Place::start();
    let web = image("web", &[npm("left-pad", "1.3.0")]);
    push(&place, "1.0.0", &web).await;
    let other = place.server.client().repository("other/web");
    other.push_image_as("1.0.0", &web).await.expect(201);
    read(&place, 1).await;
    place.repository.delete_manifest(&web.digest()).await.expect(202);
    place.ask("/packages", "1.0.0", None).await.expect(404);
    let kept = place.server.client().get("/api/v1/images/packages");
    let kept = kept.query("repository", &other.name).query("reference", "1.0.0");
    assert_eq!(kept.await.expect(200).json()["packages"].as_array().unwrap().len(), 1);
    other.delete_manifest(&web.digest()).await.expect(202);
    push(&place, "1.0.0", &web).await;
    // The layer is still there, and so is what was read from it.
    assert_eq!(packages(&place, "1.0.0").await, ["npm left-pad 1.3.0"]);
    assert_eq!(figure(&place, "contents_layers_read").await, 1);
    assert_eq!(web.manifest.media_type, media_type::IMAGE);
}
