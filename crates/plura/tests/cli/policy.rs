//! `plura policy` without a server, and `plura reg check`.

use std::fs;

use insta::assert_snapshot;
use plura_testkit::{Blob, Image, Manifest, media_type};
use serde_json::{Value, json};

use crate::{Place, data};

const DOCUMENT: &str = r#"
format = 1

[[tags]]
name = "releases"
repositories = ["apps/**"]
shapes = ["{semver}"]

[gates.production]
[gates.production.non_root]
[gates.production.secrets]
[gates.production.vulnerabilities]

[[channels]]
name = "prod:stable"
repositories = ["apps/**"]
gates = ["production"]
"#;

#[test]
fn a_document_to_begin_with_is_written_once_and_is_valid() {
    let place = Place::empty();
    assert_snapshot!(place.run(&["policy", "init"]), @r"
    exit: 0
    --- stdout
    --- stderr
    wrote `policy.toml`
    hint: change it, ask `plura policy check policy.toml`, and put it in force with `plura policy apply policy.toml --reason TEXT`
    ");
    assert_snapshot!(place.run(&["policy", "init"]), @r"
    exit: 1
    --- stdout
    --- stderr
    error: `policy.toml` is there already

    hint: name another file: `plura policy init FILE`
    ");
    let checked: Value =
        serde_json::from_str(&data(place.plura(&["policy", "check", "policy.toml", "--json"])))
            .expect("JSON");
    assert_eq!(checked["valid"], true);
}

#[test]
fn the_example_is_a_valid_document() {
    let place = Place::empty();
    place.write("example.toml", &data(place.plura(&["policy", "example"])));
    let checked = data(place.plura(&["policy", "check", "example.toml", "--json"]));
    let checked: Value = serde_json::from_str(&checked).expect("JSON");
    assert_eq!(checked["problems"], json!([]));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let place = Place::empty();
    let wrong = DOCUMENT
        .replace("gates = [\"production\"]", "gates = [\"produktion\"]\nsoak = \"soon\"")
        .replace("{semver}", "{semverr}");
    place.write("wrong.toml", &wrong);
    assert_snapshot!(place.run(&["policy", "check", "wrong.toml"]), @r"
    exit: 1
    --- stdout
    --- stderr
    error: `wrong.toml` is not valid
      tags[0].shapes[0]: `{semverr}`; expected letters, digits and `._-+` with `{semver}`, `{gitsha}`, `{date}`, `{number}`, `{word}` or `*` among them, at most 128 characters
      channels[0].soak: `soon`; expected a duration such as `90s`, `15m`, `1h30m`, `7d` or `2w`, of at most 36525 days
      channels[0].gates[0]: `produktion` is not in `gates`; define it there, or correct the name

    hint: `plura policy example` explains every key
    ");
    place.write("unreadable.toml", "format = 1\nchanels = []\n");
    assert_snapshot!(place.run(&["policy", "check", "unreadable.toml"]), @r"
    exit: 1
    --- stdout
    --- stderr
    error: `unreadable.toml` is not valid
      line 2, column 1: unknown field `chanels`, expected one of `format`, `description`, `layout`, `tags`, `base_images`, `windows`, `freezes`, `gates`, `canaries`, `promotion`, `blocks`, `channels`, `pulls`, `retention`; see `plura policy example` for every key

    hint: `plura policy example` explains every key
    ");
    assert_snapshot!(place.run(&["policy", "check", "nowhere.toml"]), @r"
    exit: 2
    --- stdout
    --- stderr
    error: cannot read `nowhere.toml`
      caused by: No such file or directory (os error 2)

    hint: `plura policy init` writes one to begin with
    ");
}

#[test]
fn what_becomes_stricter_and_laxer_is_told() {
    let place = Place::empty();
    place.write("old.toml", DOCUMENT);
    let new = DOCUMENT
        .replace(
            "[gates.production.vulnerabilities]",
            "[gates.production.vulnerabilities]\nhigh = \"any\"\nmedium = 0",
        )
        .replace("[gates.production.secrets]", "");
    place.write("new.toml", &new);
    assert_snapshot!(place.run(&["policy", "diff", "old.toml", "new.toml"]), @r#"
    exit: 0
    --- stdout
    stricter gates.production.vulnerabilities.medium: new: 0
    laxer    gates.production.secrets: gone: {"mode":"enforce"}
    laxer    gates.production.vulnerabilities.high: new: "any"
    --- stderr
    1 stricter, 2 laxer, 0 other
    "#);
    assert_snapshot!(place.run(&["policy", "diff", "old.toml", "old.toml"]), @r"
    exit: 0
    --- stdout
    --- stderr
    nothing changes
    ");
}

#[test]
fn cases_hold_or_say_why_not() {
    let place = Place::empty();
    place.write("policy.toml", DOCUMENT);
    let cases = place.path().join("cases");
    fs::create_dir(&cases).expect("a directory");
    let facts = r#"
[facts]
repository = "apps/web"
[facts.manifest]
configuration = { user = "1000", is_root = false }
secrets = {}
vulnerabilities = [{ id = "CVE-2026-1", severity = "critical", package = "openssl" }]
"#;
    let case = |text: &str| {
        format!("channel = \"prod:stable\"\nat = \"2026-07-01T10:00:00Z\"\n{text}\n{facts}")
    };
    let write = |name: &str, text: &str| fs::write(cases.join(name), text).expect("it is written");
    write(
        "critical.toml",
        &case(
            "description = \"nothing critical\"\nexpect = \"deny\"\n\
             blocking = [\"gates.production.vulnerabilities\"]",
        ),
    );
    assert_snapshot!(place.run(&["policy", "test", "cases"]), @r"
    exit: 0
    --- stdout
    RESULT  CASE           CHANNEL      EXPECTED  DESCRIPTION
    held    critical.toml  prod:stable  deny      nothing critical
    --- stderr
    1 of 1 held
    ");
    write("allowed.toml", &case("expect = \"allow\"\nblocking = [\"gates.production.secrets\"]"));
    let other = json!({
        "channel": "prod:stable", "at": "2026-07-01T10:00:00Z", "expect": "wait",
        "facts": { "repository": "apps/web", "manifest": {
            "configuration": { "is_root": false },
            "secrets": {},
            "vulnerabilities": { "state": "waiting", "value": "being compared" },
        } },
    });
    write("waiting.json", &other.to_string());
    assert_snapshot!(place.run(&["policy", "test", "cases"]), @r"
    exit: 1
    --- stdout
    RESULT  CASE           CHANNEL      EXPECTED  DESCRIPTION
    FAILED  allowed.toml   prod:stable  allow
    held    critical.toml  prod:stable  deny      nothing critical
    held    waiting.json   prod:stable  wait

    allowed.toml
      expected allow, it is deny
      deny  gates.production.vulnerabilities: 1 critical (CVE-2026-1 in openssl); required: critical 0, high 0, medium only with an exception that ends
            fix: remove the packages, or state that they do no harm here (VEX)
      gates.production.secrets does not stand in the way
    --- stderr
    2 of 3 held
    ");
    write("broken.toml", "channel = 1");
    assert_snapshot!(place.run(&["policy", "test", "cases"]), @r"
    exit: 2
    --- stdout
    --- stderr
    error: cannot read `cases/broken.toml`
      caused by: TOML parse error at line 1, column 11
      |
    1 | channel = 1
      |           ^
    invalid type: integer `1`, expected a string
    ");
}

/// An image of one layer, that runs as this user.
fn image(user: &str, file: (&str, &str)) -> Image {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(file.1.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, file.0, file.1.as_bytes()).expect("a path fits");
    let bytes = archive.into_inner().expect("memory has room");
    let layer = Blob { media_type: "application/vnd.oci.image.layer.v1.tar", bytes: bytes.into() };
    let config = json!({
        "os": "linux", "architecture": "amd64", "config": { "User": user },
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    let config =
        Blob { media_type: media_type::CONFIG, bytes: config.to_string().into_bytes().into() };
    let descriptor = |blob: &Blob| json!({ "mediaType": blob.media_type, "digest": blob.digest(), "size": blob.bytes.len() });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::IMAGE,
        "config": descriptor(&config), "layers": [descriptor(&layer)],
    });
    Image { manifest: Manifest::of(media_type::IMAGE, &manifest), blobs: vec![config, layer] }
}

/// Writes an image layout with this image in it.
fn write_layout(place: &Place, name: &str, image: &Image) {
    let root = place.path().join(name);
    let blobs = root.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("directories");
    let write = |digest: &str, bytes: &[u8]| {
        let hex = digest.strip_prefix("sha256:").expect("a SHA-256");
        fs::write(blobs.join(hex), bytes).expect("it is written");
    };
    for blob in &image.blobs {
        write(&blob.digest(), &blob.bytes);
    }
    write(&image.manifest.digest(), &image.manifest.bytes);
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": media_type::IMAGE, "digest": image.manifest.digest(),
        "size": image.manifest.bytes.len(),
        "annotations": { "org.opencontainers.image.ref.name": "1.0.0" },
    }] });
    fs::write(root.join("index.json"), index.to_string()).expect("it is written");
}

#[test]
fn a_layout_is_asked_about_before_it_is_pushed() {
    let place = Place::empty();
    place.write("policy.toml", DOCUMENT);
    let good = image("1000", ("srv/hello", "hello"));
    write_layout(&place, "good", &good);
    let check = |layout: &str, name: &str| {
        place.run(&["reg", "check", layout, "--as", name, "--to", "prod:stable"])
    };
    assert_snapshot!(check("good", "registry.example.com/apps/web:1.0.0"), @r"
    exit: 3
    --- stdout
    apps/web@sha256:d197b9928a3c3e29e436baff3e35f6a26a05d2d035bb78d39eed271e001760d0 may not be in prod:stable yet
    wait  gates.production.vulnerabilities: not known yet: the registry knows it once the image is pushed; required: critical 0, high 0, medium only with an exception that ends
          fix: wait for it; it comes by itself
    allow gates.production.non_root: user 1000; required: another user than root
    allow gates.production.secrets: none that counts; required: no secrets in layers, environment and labels
    --- stderr
    where it comes from, blocks, approvals, checks, windows and freezes are asked when it is promoted
    ");
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF0K8yqJm\n-----END RSA PRIVATE KEY-----\n";
    write_layout(&place, "bad", &image("root", ("root/.ssh/id_rsa", key)));
    assert_snapshot!(check("bad", "apps/web:newest"), @r"
    exit: 1
    --- stdout
    apps/web@sha256:c7e7fd6896e0b221f21888f50df05cb63b2178d09b1058de4f38cbde81aad3f2 may not be in prod:stable
    deny  gates.production.non_root: user root; required: another user than root
          fix: say `USER 65532` in the Dockerfile, or any other number but 0
    deny  gates.production.secrets: 1 by private-key; required: no secrets in layers, environment and labels
          fix: rotate them: whoever can pull the image has them; then build it without them
    wait  gates.production.vulnerabilities: not known yet: the registry knows it once the image is pushed; required: critical 0, high 0, medium only with an exception that ends
          fix: wait for it; it comes by itself
    deny  tags.releases.shapes: the tag `newest`; required: a tag like `{semver}`
          fix: push it under a tag such as `1.4.2`
    --- stderr
    where it comes from, blocks, approvals, checks, windows and freezes are asked when it is promoted
    ");
    assert_snapshot!(check("good", "other/web:1.0.0"), @r"
    exit: 1
    --- stdout
    --- stderr
    error: other/web is not among the repositories of the channel prod:stable
    ");
    assert_snapshot!(check("nowhere", "apps/web:1.0.0"), @r"
    exit: 2
    --- stdout
    --- stderr
    error: cannot read `nowhere`
      caused by: No such file or directory (os error 2)

    hint: name an OCI image layout, as `docker buildx build --output type=oci,dest=FILE` and `skopeo copy ... oci:DIR` write them
    ");
}

#[test]
fn a_layout_in_an_archive_says_the_same() {
    let place = Place::empty();
    place.write("policy.toml", DOCUMENT);
    write_layout(&place, "layout", &image("1000", ("srv/hello", "hello")));
    let file = fs::File::create(place.path().join("layout.tar")).expect("a file");
    let mut archive = tar::Builder::new(file);
    archive.append_dir_all(".", place.path().join("layout")).expect("it is packed");
    archive.finish().expect("it ends");
    let check = |layout: &str| {
        let arguments = ["reg", "check", layout, "--as", "apps/web:1.0.0", "--to", "prod:stable"];
        place.run(&arguments)
    };
    assert_eq!(check("layout"), check("layout.tar"));
}

#[test]
fn what_a_layout_has_must_be_what_its_digests_say() {
    let place = Place::empty();
    place.write("policy.toml", DOCUMENT);
    let image = image("1000", ("srv/hello", "hello"));
    write_layout(&place, "layout", &image);
    let config = image.blobs[0].digest().replace("sha256:", "layout/blobs/sha256/");
    place.write(&config, "{}");
    let arguments = ["reg", "check", "layout", "--as", "apps/web:1.0.0", "--to", "prod:stable"];
    let said = place.run(&arguments);
    assert!(said.contains("exit: 2"), "{said}");
    assert!(said.contains("the layout is damaged"), "{said}");
}
