//! How commands show images.

use insta::assert_snapshot;
use plura_testkit::{Image, Random, digest};
use serde_json::json;

use super::Place;
use super::content::{Multi, about, chart, config, config_of, image_of, layer, web};

#[tokio::test]
async fn an_image_is_shown() {
    let place = Place::start();
    let image = web("amd64");
    place.repository.push_image_as("1.0.0", &image).await.expect(201);
    let shown = place.run("inspect NAME:1.0.0").expect(0);
    assert_eq!(shown.stderr, "");
    assert_snapshot!(shown.stdout.replace(&image.digest(), "DIGEST"));
    assert_eq!(
        place.run("inspect NAME:1.0.0 --json").expect(0).json(),
        place.inspect("1.0.0").await
    );
    assert_snapshot!(place.run("layers NAME:1.0.0").expect(0).stdout);
    assert_snapshot!(place.run("history NAME:1.0.0").expect(0).stdout);
    let whole = place.run("history NAME:1.0.0 --no-trunc").expect(0);
    whole.expect_stdout(&image.blobs[2].digest()).expect_stdout("buildkit.dockerfile.v0");
    let history = place.run("history NAME:1.0.0 --json").expect(0).json();
    assert_eq!(history, place.inspect("1.0.0").await["history"]);
    // Container clients want the server in front of the name.
    let host = place.server.base().replace("http://", "");
    place.run(&format!("inspect {host}/NAME:1.0.0 --quiet")).expect(0);
    let other = place.run("inspect localhost:1/NAME:1.0.0").expect(2);
    other.expect_stderr("hint: name the server with `--server URL`");
}

#[tokio::test]
async fn an_index_is_shown_and_a_platform_must_be_chosen_where_it_matters() {
    let place = Place::start();
    let multi = Multi::push(&place.repository, "1.0.0").await;
    let shown = place.run("inspect NAME:1.0.0").expect(0).stdout;
    assert_snapshot!(shown);
    for command in ["history", "layers", "manifest --config"] {
        let refused = place.run(&format!("{command} NAME:1.0.0")).expect(2);
        assert_eq!(refused.stdout, "", "{refused}");
        refused.expect_stderr("hint: ask for one of them: `--platform linux/amd64`");
        place.run(&format!("{command} NAME:1.0.0 --platform linux/arm64")).expect(0);
    }
    let manifest = place.run("manifest NAME:1.0.0").expect(0);
    assert_eq!(digest(manifest.stdout.as_bytes()), multi.index.digest());
    let config = place.run("manifest NAME:1.0.0 --config --platform linux/arm64").expect(0);
    assert_eq!(digest(config.stdout.as_bytes()), multi.arm64.blobs[0].digest());
    let pretty = place.run("manifest NAME:1.0.0 --pretty").expect(0);
    assert_eq!(pretty.json(), multi.index.json());
    place.run("inspect NAME:1.0.0 --platform windows/amd64").expect(1).expect_stderr("hint:");
    place.run("inspect NAME:1.0.0 --platform windows").expect(2).expect_stderr("linux/arm/v7");
}

#[tokio::test]
async fn what_belongs_to_an_image_is_drawn() {
    let (place, mut random) = (Place::start(), Random::printed());
    let multi = Multi::push(&place.repository, "1.0.0").await;
    let bundle = about(&mut random, "application/vnd.dev.sigstore.bundle.v0.3+json", &multi.index);
    place.repository.push_image(&bundle).await;
    let legacy = Image::artifact(&mut random, "application/x");
    let tag = format!("{}.sig", multi.index.digest().replace(':', "-"));
    place.repository.push_image_as(&tag, &legacy).await.expect(201);
    let shown = place.run("tree NAME:1.0.0").expect(0).stdout;
    let shown = shown.replace(&bundle.digest(), "BUNDLE").replace(&legacy.digest(), "LEGACY");
    assert_snapshot!(shown);
}

#[tokio::test]
async fn two_images_are_shown_side_by_side() {
    let place = Place::start();
    let older = web("amd64");
    let mut changed = config("amd64");
    changed["config"]["User"] = json!("root");
    changed["config"]["Env"] = json!(["PATH=/bin", "NEW=1"]);
    let newer = image_of(config_of(changed.to_string()), &[layer('a', 3000), layer('c', 700)]);
    place.repository.push_image_as("1.0.0", &older).await.expect(201);
    place.repository.push_image_as("1.1.0", &newer).await.expect(201);
    assert_snapshot!(place.run("diff NAME:1.0.0 NAME:1.1.0").expect(0).stdout);
    let same = place.run("diff NAME:1.0.0 NAME:1.0.0").expect(0);
    same.expect_stdout("They are one and the same.");
    let json = place.run("diff NAME:1.0.0 NAME:1.1.0 --json").expect(0).json();
    assert_eq!(json["layers"]["common"], 1);
}

#[tokio::test]
async fn what_is_no_image_says_what_it_is() {
    let place = Place::start();
    place.repository.push_image_as("1.0.0", &chart()).await.expect(201);
    place.run("inspect NAME:1.0.0").expect(0).expect_stdout("artifact: Helm chart");
    let refused = place.run("history NAME:1.0.0").expect(1);
    assert_snapshot!(refused.stderr, @r"
    error: apps/search/web:1.0.0 is no image but a Helm chart (application/vnd.cncf.helm.config.v1+json)

    hint: `plura image inspect apps/search/web:1.0.0` shows what it is
    ");
    let unknown = place.run("inspect NAME:1.0.1").expect(1);
    assert_snapshot!(unknown.stderr, @r"
    error: the server answered 404 Not Found: apps/search/web has no tag 1.0.1

    hint: there is 1.0.0
    ");
    place.run("inspect Apps/Web").expect(2).expect_stderr("no name of a repository");
    place.run("inspect NAME@sha256:x").expect(2);
}

/// Whoever may push decides what is shown to those who look.
#[tokio::test]
async fn an_image_cannot_write_on_the_terminal() {
    let place = Place::start();
    let evil = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\r\n";
    let config = json!({"created": evil, "author": evil, "os": evil, "architecture": evil,
        evil: evil, "config": {"User": evil, "Cmd": [evil], "Env": [evil], "Labels": {evil: evil}},
        "history": [{"created_by": evil, "created": evil, "comment": evil}],
        "rootfs": {"diff_ids": [evil]}});
    let image = image_of(config_of(config.to_string()), &[layer('a', 10)]);
    let image = image.with("annotations", json!({evil: evil}));
    place.repository.push_image_as("1.0.0", &image).await.expect(201);
    let other = web("amd64").with("annotations", json!({evil: "b"}));
    place.repository.push_image_as("2.0.0", &other).await.expect(201);
    let commands =
        ["inspect", "history", "history --no-trunc", "layers", "tree", "diff NAME:2.0.0"];
    for command in commands {
        for form in ["", " --json"] {
            let shown = place.run(&format!("{command} NAME:1.0.0{form}")).expect(0);
            let moves = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            for text in [&shown.stdout, &shown.stderr] {
                assert!(!text.contains(moves), "{command}{form}: {text:?}");
            }
        }
    }
}
