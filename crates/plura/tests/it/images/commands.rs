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
    let names = [
        (image.digest(), "IMAGE"),
        (image.blobs[1].digest(), "FIRST"),
        (image.blobs[2].digest(), "SECOND"),
    ];
    assert_snapshot!(named(&shown.stdout, &names), @r#"
    image       apps/search/web:1.0.0
    digest      IMAGE
    kind        image
    media type  application/vnd.oci.image.manifest.v1+json
    platform    linux/amd64
    created     2026-01-02T03:04:05.678Z
    author      Alice
    size        4.3KiB in 2 layers
    tags        1.0.0

    configuration:
      user          1000
      entrypoint    /usr/bin/tini --
      command       serve "all of it"
      directory     /srv
      ports         8080/tcp
      volumes       /data
      stop signal   SIGQUIT
      health check  CMD true

    environment:
      PATH=/usr/bin
      ARCH=amd64

    labels:
      arch                               amd64
      org.opencontainers.image.revision  abc
    "#);
    assert_eq!(
        place.run("inspect NAME:1.0.0 --json").expect(0).json(),
        place.inspect("1.0.0").await
    );
    let layers = place.run("layers NAME:1.0.0").expect(0).stdout;
    assert_snapshot!(named(&layers, &names), @r"
    DIGEST                                                                   SIZE    TOTAL   DIFF ID              MEDIA TYPE
    FIRST  2.9KiB  2.9KiB  sha256:111111111111  application/vnd.oci.image.layer.v1.tar+gzip
    SECOND  500B    3.4KiB  sha256:222222222222  application/vnd.oci.image.layer.v1.tar+gzip
    ");
    let history = place.run("history NAME:1.0.0").expect(0).stdout;
    assert_snapshot!(named(&history, &names), @r"
    CREATED               LAYER                SIZE    CREATED BY
    2026-01-01T00:00:00Z  FIRST...  2.9KiB  ADD file:x in /
    2026-01-02T03:04:05Z  empty                -       ENV ARCH=x
    2026-01-02T03:04:05Z  SECOND...  500B    RUN make install # buildkit
    ");
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
    let names = names_of(&multi);
    assert_snapshot!(named(&shown, &names), @r#"
    image       apps/search/web:1.0.0
    digest      INDEX
    kind        index
    media type  application/vnd.oci.image.index.v1+json
    size        8.8KiB in 3 children
    tags        1.0.0

    children:
      PLATFORM                    DIGEST                                                                   SIZE    LAYERS  CREATED
      linux/amd64                 AMD64  4.3KiB  2       2026-01-02T03:04:05Z
      linux/arm64/v8              ARM64  4.3KiB  2       2026-01-02T03:04:05Z
      attestation of linux/amd64  STATEMENT  212B    1       -

    configuration, alike in all images:
      user          1000
      entrypoint    /usr/bin/tini --
      command       serve "all of it"
      directory     /srv
      ports         8080/tcp
      volumes       /data
      stop signal   SIGQUIT
      health check  CMD true

    environment, alike in all images:
      PATH=/usr/bin

    labels, alike in all images:
      org.opencontainers.image.revision  abc
    "#);
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
    let mut names = names_of(&multi);
    names.extend([(bundle.digest(), "BUNDLE"), (legacy.digest(), "LEGACY"), (tag, "TAG.sig")]);
    assert_snapshot!(named(&shown, &names), @r"
    apps/search/web:1.0.0  index  INDEX
    ├── linux/amd64 image  AMD64  4.3KiB  2026-01-02T03:04:05Z
    │   └── in-toto attestation (application/vnd.in-toto+json)  STATEMENT  212B
    ├── linux/arm64/v8 image  ARM64  4.3KiB  2026-01-02T03:04:05Z
    ├── Sigstore bundle (application/vnd.dev.sigstore.bundle.v0.3+json)  BUNDLE  102B
    └── cosign signatures (application/x) [TAG.sig]  LEGACY  102B
    ");
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
    let names = [
        (older.digest(), "OLDER"),
        (newer.digest(), "NEWER"),
        (older.blobs[2].digest(), "SECOND"),
        (newer.blobs[2].digest(), "THIRD"),
    ];
    let shown = place.run("diff NAME:1.0.0 NAME:1.1.0").expect(0).stdout;
    assert_snapshot!(named(&shown, &names), @r"
    -  apps/search/web:1.0.0  linux/amd64  OLDER  4.3KiB  2026-01-02T03:04:05Z
    +  apps/search/web:1.1.0  linux/amd64  NEWER  4.5KiB  2026-01-02T03:04:05Z

    size:
      +191B

    configuration:
      -  user  1000
      +  user  root

    environment:
      -  ARCH  amd64
      +  NEW   1
      -  PATH  /usr/bin
      +  PATH  /bin

    layers (1 in common):
      -  SECOND  500B
      +  THIRD  700B

    history (2 in common):
      -  SECOND...  RUN make install # buildkit
      +  THIRD...  RUN make install # buildkit
    ");
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

/// Text with names for digests, whole or short.
fn named(text: &str, names: &[(String, &str)]) -> String {
    const SHORT: usize = "sha256:".len() + 12;
    let text =
        names.iter().fold(text.to_owned(), |text, (digest, name)| text.replace(digest, name));
    let short = |text: String, (digest, name): &(String, &str)| {
        text.replace(&digest[..SHORT], &format!("{name}..."))
    };
    names.iter().fold(text, short)
}

fn names_of(multi: &Multi) -> Vec<(String, &'static str)> {
    vec![
        (multi.index.digest(), "INDEX"),
        (multi.amd64.digest(), "AMD64"),
        (multi.arm64.digest(), "ARM64"),
        (multi.attestation.digest(), "STATEMENT"),
    ]
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
