//! What the API tells about images.

use plura_testkit::{Image, Random, S3, S3Request, assert_json_contains};
use serde_json::{Value, json};

use super::Place;
use super::content::{Multi, about, attestation, chart, config, config_of, image_of, layer, web};

#[tokio::test]
async fn an_image_is_told_whole() {
    let place = Place::start();
    let image = web("amd64");
    place.repository.push_image_as("1.0.0", &image).await.expect(201);
    place.repository.push_image_as("latest", &image).await.expect(201);
    let told = place.inspect("1.0.0").await;
    let sizes = image.blobs.iter().map(|blob| blob.bytes.len()).sum::<usize>();
    let (first, second) = (image.blobs[1].digest(), image.blobs[2].digest());
    assert_json_contains(
        &told,
        &json!({
            "repository": "apps/search/web", "reference": "1.0.0", "kind": "image",
            "digest": image.digest(), "index": null, "artifact_type": null,
            "manifest_size": image.manifest.bytes.len(), "content_size": sizes,
            "platform": "linux/amd64", "author": "Alice", "created": "2026-01-02T03:04:05.678Z",
            "problems": [], "subject": null, "tags": ["1.0.0", "latest"], "more_tags": false,
            "config": {
                "user": "1000", "entrypoint": ["/usr/bin/tini", "--"],
                "command": ["serve", "all of it"], "environment": ["PATH=/usr/bin", "ARCH=amd64"],
                "working_directory": "/srv", "exposed_ports": ["8080/tcp"], "volumes": ["/data"],
                "labels": {"org.opencontainers.image.revision": "abc", "arch": "amd64"},
                "stop_signal": "SIGQUIT", "health_check": {"Test": ["CMD", "true"]},
                "other": {"Hostname": "builder"}, "beside": {"moby.buildkit.x": "kept"},
            },
            "config_blob": {"digest": image.blobs[0].digest()},
        }),
    );
    let layers = told["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 2);
    assert_json_contains(
        &layers[1],
        &json!({"digest": second, "size": 500, "cumulative_size": 3500,
            "diff_id": format!("sha256:{}", "2".repeat(64))}),
    );
    let history = told["history"].as_array().expect("a history");
    let made: Vec<_> = history.iter().map(|step| &step["layer"]).collect();
    assert_eq!(made, [&json!(first), &Value::Null, &json!(second)]);
    assert_eq!(history[1]["empty_layer"], true);
    assert_eq!(history[2]["comment"], "buildkit.dockerfile.v0");
}

#[tokio::test]
async fn an_index_is_told_with_its_children_and_one_of_them_by_its_platform() {
    let place = Place::start();
    let multi = Multi::push(&place.repository, "1.0.0").await;
    let told = place.inspect("1.0.0").await;
    let children = told["children"].as_array().expect("children");
    let platforms: Vec<_> = children.iter().map(|child| &child["platform"]).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64/v8", "unknown/unknown"]);
    assert_eq!(children[2]["kind"], "attestation");
    assert_eq!(children[2]["attests"], multi.amd64.digest());
    assert_json_contains(&children[0], &json!({"layers": 2, "seen": true, "attests": null}));
    assert_json_contains(
        &told["in_common"],
        &json!({"user": "1000", "environment": ["PATH=/usr/bin"],
            "labels": {"org.opencontainers.image.revision": "abc"}}),
    );
    assert_json_contains(&told, &json!({"kind": "index", "config": null, "platform": null}));
    for platform in ["linux/arm64", "linux/arm64/v8", "linux/aarch64"] {
        let told = place.ask("", "1.0.0", Some(platform)).await.expect(200).json();
        assert_json_contains(
            &told,
            &json!({"digest": multi.arm64.digest(), "index": multi.index.digest(),
                "kind": "image", "platform": "linux/arm64"}),
        );
    }
    let refused = place.ask("", "1.0.0", Some("windows/amd64")).await;
    let refused = refused.expect_error(404, "NOT_FOUND");
    let message = refused.error_message();
    assert!(message.contains("there is linux/amd64, linux/arm64/v8"), "{message}");
    place.ask("", "1.0.0", Some("linux")).await.expect_error(400, "INVALID");
    // An image that is for one platform alone may be asked for by it.
    let single = multi.amd64.digest();
    place.ask("", &single, Some("linux/amd64")).await.expect(200);
    place.ask("", &single, Some("linux/arm64")).await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn what_is_about_an_image_is_counted_and_drawn() {
    const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let (place, mut random) = (Place::start(), Random::printed());
    let repository = &place.repository;
    let multi = Multi::push(repository, "1.0.0").await;
    let signatures =
        [about(&mut random, BUNDLE, &multi.index), about(&mut random, BUNDLE, &multi.index)];
    let sbom = about(&mut random, "application/spdx+json", &multi.index);
    let on_child = about(&mut random, BUNDLE, &multi.arm64.manifest);
    let on_sbom = about(&mut random, BUNDLE, &sbom.manifest);
    for image in signatures.iter().chain([&sbom, &on_child, &on_sbom]) {
        repository.push_image(image).await;
    }
    let legacy = Image::artifact(&mut random, "application/x");
    let tag = format!("{}.sig", multi.index.digest().replace(':', "-"));
    repository.push_image_as(&tag, &legacy).await.expect(201);

    let told = place.inspect("1.0.0").await;
    assert_eq!(
        told["referrers"],
        json!([
            {"artifact_type": "application/spdx+json", "description": "SPDX SBOM", "count": 1},
            {"artifact_type": BUNDLE, "description": "Sigstore bundle", "count": 2},
        ])
    );
    let attached =
        json!([{"tag": tag, "description": "cosign signatures", "digest": legacy.digest()}]);
    assert_eq!(told["attached"], attached);

    let tree = place.ask("/tree", "1.0.0", None).await.expect(200).json();
    assert_eq!(tree["more"], false);
    let root = &tree["root"];
    assert_eq!((&root["relation"], &root["kind"]), (&json!("root"), &json!("index")));
    let found = |parent: &Value, digest: &str| -> Value {
        let nodes = parent["nodes"].as_array().expect("nodes");
        let found = nodes.iter().find(|node| node["digest"] == digest);
        found.unwrap_or_else(|| panic!("{digest} is missing in {parent}")).clone()
    };
    assert_eq!(root["nodes"].as_array().expect("nodes").len(), 6, "{root}");
    let amd64 = found(root, &multi.amd64.digest());
    assert_eq!(found(&amd64, &multi.attestation.digest())["relation"], "attestation");
    let arm64 = found(root, &multi.arm64.digest());
    assert_json_contains(&arm64, &json!({"platform": "linux/arm64/v8", "relation": "child"}));
    assert_eq!(found(&arm64, &on_child.digest())["relation"], "referrer");
    let sbom = found(root, &sbom.digest());
    assert_eq!(found(&sbom, &on_sbom.digest())["artifact_type"], BUNDLE);
    let legacy = found(root, &legacy.digest());
    assert_json_contains(&legacy, &json!({"relation": "tag", "tag": tag}));
}

#[tokio::test]
async fn an_artifact_is_told_as_what_it_is() {
    let (place, mut random) = (Place::start(), Random::printed());
    place.repository.push_image_as("chart", &chart()).await.expect(201);
    place.repository.push_image_as("statement", &attestation()).await.expect(201);
    let bare = Image::artifact(&mut random, "application/vnd.example");
    place.repository.push_image_as("bare", &bare).await.expect(201);
    let told = place.inspect("chart").await;
    assert_json_contains(
        &told,
        &json!({"kind": "artifact", "description": "Helm chart", "config": null, "history": [],
            "artifact_type": "application/vnd.cncf.helm.config.v1+json", "problems": []}),
    );
    assert_eq!(told["layers"][0]["diff_id"], Value::Null);
    assert_eq!(place.inspect("statement").await["kind"], "attestation");
    let told = place.inspect("bare").await;
    assert_json_contains(
        &told,
        &json!({"kind": "artifact", "description": null, "artifact_type": "application/vnd.example"}),
    );
    let diff = place.ask("/diff", "chart", None).await;
    diff.expect_error(400, "INVALID");
    let refused = diff_of(&place, "chart", "bare").await.expect_error(409, "CONFLICT");
    let message = refused.error_message();
    assert!(message.contains("no image but a Helm chart"), "{message}");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_hides_nothing_else() {
    let place = Place::start();
    let layers = [layer('a', 10)];
    let strange = json!({"created": 7, "config": {"Env": "A=b", "Labels": {"x": 1}, "User": null},
        "history": [{"created_by": "a"}, {"created_by": "b"}], "rootfs": {"diff_ids": []}});
    let large = format!("{{\"x\":\"{}\"}}", "y".repeat(5 << 20));
    for (tag, config, problem) in [
        ("broken", "{\"created\": ".to_owned(), "no JSON object: line 1"),
        ("list", "[]".to_owned(), "no JSON object"),
        ("strange", strange.to_string(), "`Env` is of the wrong type"),
        ("large", large, "more than is read"),
    ] {
        let image = image_of(config_of(config), &layers);
        place.repository.push_image_as(tag, &image).await.expect(201);
        let told = place.inspect(tag).await;
        let problems = told["problems"].to_string();
        assert!(problems.contains(problem), "{tag}: {problems}");
        assert_eq!(told["layers"].as_array().map(Vec::len), Some(1), "{tag}");
        assert_eq!(told["digest"], image.digest());
        place.ask("/tree", tag, None).await.expect(200);
    }
    let problems = place.inspect("strange").await["problems"].to_string();
    assert!(problems.contains("its history is of 2 layers, and it has 1"), "{problems}");
    place.ask("/config", "large", None).await.expect_error(409, "CONFLICT");
    place.ask("/config", "broken", None).await.expect(200).expect_body(b"{\"created\": ");
}

#[tokio::test]
async fn manifests_and_configurations_are_given_byte_for_byte() {
    let place = Place::start();
    let multi = Multi::push(&place.repository, "1.0.0").await;
    let index = place.ask("/manifest", "1.0.0", None).await.expect(200);
    let index = index.expect_body(&multi.index.bytes);
    assert_eq!(index.header("docker-content-digest"), multi.index.digest());
    // What is in it anybody wrote: it is no page of this site.
    assert_eq!(index.header("content-type"), "application/octet-stream");
    assert_eq!(index.header("x-content-type-options"), "nosniff");
    let arm64 = place.ask("/manifest", "1.0.0", Some("linux/arm64")).await.expect(200);
    arm64.expect_body(&multi.arm64.manifest.bytes);
    let config = place.ask("/config", "1.0.0", Some("linux/arm64")).await.expect(200);
    let config = config.expect_body(&multi.arm64.blobs[0].bytes);
    assert_eq!(config.header("docker-content-digest"), multi.arm64.blobs[0].digest());
    let which = place.ask("/config", "1.0.0", None).await.expect_error(400, "INVALID");
    let fix = &which.json()["errors"][0]["detail"]["fix"];
    assert_eq!(fix, "ask for one of them: `--platform linux/amd64`");
}

#[tokio::test]
async fn what_is_not_there_is_answered_with_what_is() {
    let place = Place::start();
    for tag in ["1.0.0", "1.0.1", "latest", "nightly"] {
        place.repository.push_image_as(tag, &web("amd64")).await.expect(201);
    }
    for (typed, meant) in [("1.0.2", "1.0.0, 1.0.1"), ("lates", "latest"), ("v1.0.1", "1.0.1")] {
        let unknown = place.ask("", typed, None).await.expect_error(404, "NOT_FOUND");
        let message = unknown.error_message();
        assert_eq!(message, format!("apps/search/web has no tag {typed}"));
        let fix = unknown.json()["errors"][0]["detail"]["fix"].to_string();
        assert!(fix.contains(&format!("there is {meant}")), "{typed}: {fix}");
    }
    let digest = format!("sha256:{}", "0".repeat(64));
    for part in ["", "/tree", "/manifest", "/config"] {
        place.ask(part, &digest, None).await.expect_error(404, "NOT_FOUND");
    }
    let client = place.server.client();
    let elsewhere = "/api/v1/images?repository=apps/other&reference=latest";
    client.get(elsewhere).await.expect_error(404, "NOT_FOUND");
    for wrong in [
        "",
        "?repository=apps/web",
        "?reference=latest",
        "?repository=Apps&reference=latest",
        "?repository=apps/web&reference=a%20b",
        "?repository=apps/web&reference=latest&platforms=linux/amd64",
        "?repository=apps/web&repository=apps/web&reference=latest",
    ] {
        client.get(&format!("/api/v1/images{wrong}")).await.expect_error(400, "INVALID");
    }
}

#[tokio::test]
async fn two_images_are_compared() {
    let place = Place::start();
    let older = web("amd64");
    let mut changed = config("amd64");
    changed["config"]["User"] = json!("root");
    changed["config"]["Env"] = json!(["PATH=/bin", "NEW=1"]);
    changed["history"][2]["created_by"] = json!("RUN make all");
    let newer = image_of(config_of(changed.to_string()), &[layer('a', 3000), layer('c', 700)]);
    place.repository.push_image_as("1.0.0", &older).await.expect(201);
    place.repository.push_image_as("1.1.0", &newer).await.expect(201);
    let diff = diff_of(&place, "1.0.0", "1.1.0").await.expect(200).json();
    let config_growth =
        newer.blobs[0].bytes.len().cast_signed() - older.blobs[0].bytes.len().cast_signed();
    assert_json_contains(
        &diff,
        &json!({
            "same": false,
            "from": {"digest": older.digest(), "platform": "linux/amd64", "reference": "1.0.0"},
            "to": {"digest": newer.digest()},
            "size_difference": 200 + config_growth,
            "fields": [{"field": "user", "from": "1000", "to": "root"}],
            "environment": [
                {"name": "ARCH", "from": "amd64", "to": null},
                {"name": "NEW", "from": null, "to": "1"},
                {"name": "PATH", "from": "/usr/bin", "to": "/bin"},
            ],
            "labels": [],
            "problems": [],
        }),
    );
    let count = |list: &str, part: &str| diff[list][part].as_array().map(Vec::len);
    assert_eq!(diff["layers"]["common"], 1);
    assert_eq!((count("layers", "removed"), count("layers", "added")), (Some(1), Some(1)));
    assert_eq!(diff["history"]["common"], 2);
    assert_eq!(diff["history"]["added"][0]["created_by"], "RUN make all");
    let same = diff_of(&place, "1.0.0", &older.digest()).await.expect(200).json();
    assert_json_contains(&same, &json!({"same": true, "size_difference": 0, "fields": []}));
    Multi::push(&place.repository, "multi").await;
    let which = diff_of(&place, "1.0.0", "multi").await.expect_error(400, "INVALID");
    assert!(which.error_message().contains("for several platforms"), "{}", which.describe());
}

#[tokio::test]
async fn looking_keeps_nothing_and_a_missing_child_is_no_reason_not_to_look() {
    let place = Place::start();
    let multi = Multi::push(&place.repository, "1.0.0").await;
    place.repository.delete_manifest(&multi.arm64.digest()).await.expect(202);
    let told = place.inspect("1.0.0").await;
    let seen: Vec<_> =
        told["children"].as_array().expect("children").iter().map(|c| &c["seen"]).collect();
    assert_eq!(seen, [&json!(true), &json!(false), &json!(true)]);
    let gone = place.ask("", "1.0.0", Some("linux/arm64")).await.expect_error(404, "NOT_FOUND");
    assert!(gone.error_message().contains(&multi.arm64.digest()), "{}", gone.describe());
    let tree = place.ask("/tree", "1.0.0", None).await.expect(200).json();
    assert_eq!(tree["root"]["nodes"][1]["present"], false);
}

/// The object store is asked for configurations and nothing else, and no client is sent to it.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_in_a_bucket_is_told_by_one_request_for_its_configuration() {
    let store = S3::start();
    let place = Place::start_on(&store);
    let multi = Multi::push(&place.repository, "1.0.0").await;
    for (part, reference, requests) in [
        ("", multi.amd64.digest(), 1),
        ("/config", multi.amd64.digest(), 1),
        ("/manifest", multi.amd64.digest(), 0),
        ("", "1.0.0".to_owned(), 2),
        ("/tree", "1.0.0".to_owned(), 2),
    ] {
        store.take_requests();
        let told = place.ask(part, &reference, None).await.expect(200);
        let asked = store.take_requests();
        assert_eq!(asked, vec![S3Request::Get; requests], "{part} {reference}");
        if part == "/config" {
            told.expect_body(&multi.amd64.blobs[0].bytes);
        }
    }
}

async fn diff_of(place: &Place, from: &str, to: &str) -> plura_testkit::Answer {
    let request = place.server.client().get("/api/v1/images/diff");
    let request = request.query("repository", &place.repository.name);
    request.query("reference", from).query("to_reference", to).await
}
