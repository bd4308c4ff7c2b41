//! Signatures of identities, as Sigstore's libraries make them for CI jobs: no key, a certificate that was
//! valid for minutes, and a log that saw it.

use std::path::Path;

use plura_testkit::{Manifest, Publication, Server, UpdateRepository, media_type};
use serde_json::json;

use super::{REPOSITORY, Workbench};

const IMAGE: &[u8] = include_bytes!("../../../../trust/tests/fixtures/cosign/image.json");
const SIGNATURE: &[u8] =
    include_bytes!("../../../../trust/tests/fixtures/keyless/signature.sigstore.json");
const STRANGER: &[u8] =
    include_bytes!("../../../../trust/tests/fixtures/keyless/stranger.sigstore.json");
const UNLOGGED: &[u8] =
    include_bytes!("../../../../trust/tests/fixtures/keyless/unlogged.sigstore.json");
/// What vouches for those who made them.
const ROOT: &str = include_str!("../../../../trust/tests/fixtures/keyless/trusted_root.json");

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
const WORKFLOW: &str = "https://github.com/acme/web/.github/workflows/release.yml@refs/heads/main";

/// A server with the image, whose layers nobody has.
async fn start() -> Workbench {
    let server = Server::builder(Path::new(env!("CARGO_BIN_EXE_plura")));
    let bench = Workbench::at(server.env("PLURA_REGISTRY__SPARSE", "all").start());
    let repository = bench.server.client().repository(REPOSITORY);
    let image: serde_json::Value = serde_json::from_slice(IMAGE).expect("the image is JSON");
    let kind = image["mediaType"].as_str().expect("it says what it is");
    repository.put_bytes("1", kind, IMAGE).await.expect(201);
    bench
}

/// Attaches a bundle to the image, as cosign 3 and npm do.
async fn attach(bench: &Workbench, bundle: &[u8]) {
    let repository = bench.server.client().repository(REPOSITORY);
    let (layer, config) = (repository.push_bytes(bundle).await, repository.push_bytes(b"{}").await);
    let subject = repository.head_manifest("1").await;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::IMAGE, "artifactType": BUNDLE,
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2 },
        "layers": [{ "mediaType": BUNDLE, "digest": layer, "size": bundle.len() }],
        "subject": {
            "mediaType": media_type::IMAGE, "digest": subject.header("docker-content-digest"),
            "size": IMAGE.len(),
        },
    });
    let manifest = Manifest::of(media_type::IMAGE, &manifest);
    repository.put_manifest(&manifest.digest(), &manifest).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_counts_once_its_root_is_trusted() {
    let bench = start().await;
    let verify = format!("verify {REPOSITORY}:1");
    let set = "trust policy set ci --repositories apps/** --identity release";
    bench.run(&format!("{set} --issuer {ISSUER} --subject {WORKFLOW}")).expect(0);
    bench.run(&verify).expect(1).expect_stdout("it has no signature");
    attach(&bench, SIGNATURE).await;
    // Nobody whom plura knows by itself vouches for it.
    bench.run(&format!("{verify} --explain")).expect(1).expect_stdout("does not count");

    let publisher = UpdateRepository::new();
    publisher.publish(&Publication::of(1, ROOT));
    bench.write("first.json", &publisher.first_root());
    let mirror = publisher.path().display();
    let update = format!("trust root update --mirror {mirror} --first-root first.json");
    bench.run(&update).expect(0);
    let verified = bench.run(&verify).expect(0);
    verified.expect_stdout("ci: signed by release").expect_stdout(WORKFLOW);

    // Verified is what is verified now: with the root goes what it vouched for.
    bench.run("trust root reset").expect(0);
    bench.run(&verify).expect(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_else_was_vouched_for_does_not_count() {
    let bench = start().await;
    bench.write("root.json", ROOT);
    bench.run("trust root set root.json").expect(0);
    let verify = format!("verify {REPOSITORY}:1 --issuer {ISSUER}");
    for bundle in [STRANGER, UNLOGGED] {
        attach(&bench, bundle).await;
    }
    bench.run(&format!("{verify} --subject {WORKFLOW} --explain")).expect(1);
    attach(&bench, SIGNATURE).await;
    bench.run(&format!("{verify} --subject {WORKFLOW}")).expect(0);
    for (subject, status) in [
        ("--subject-pattern ^https://github\\.com/acme/web/.*$", 0),
        ("--subject-pattern ^https://github\\.com/acme/webs/.*$", 1),
        ("--subject https://github.com/acme/web", 1),
    ] {
        bench.run(&format!("{verify} {subject}")).expect(status);
    }
    let other = verify.replace(ISSUER, "https://gitlab.com");
    bench.run(&format!("{other} --subject {WORKFLOW}")).expect(1);
}
