//! Who refers to a manifest: signatures, inventories, attestations (specification, "Listing
//! Referrers").

use plura_testkit::{Algorithm, Image, Manifest, Repository, assert_json, media_type};
use serde_json::{Value, json};

use super::Plura;

const SIGNATURE: &str = "application/vnd.example.signature+json";
const INVENTORY: &str = "application/vnd.example.sbom.v1";

/// A repository with an image.
async fn subject(plura: &mut Plura) -> (Repository, Image) {
    let repository = plura.repository("referrers");
    let image = Image::random(&mut plura.random);
    repository.push_image_as("latest", &image).await;
    (repository, image)
}

/// An artifact about this manifest, pushed; the answer confirms the subject.
async fn push_about(
    plura: &mut Plura,
    repository: &Repository,
    subject: &Manifest,
    artifact_type: &str,
) -> Image {
    let artifact = Image::artifact(&mut plura.random, artifact_type).about(subject);
    let pushed = repository.push_image_as(&artifact.digest(), &artifact).await;
    pushed.expect_header("oci-subject", &subject.digest());
    artifact
}

fn digests(entries: &[Value]) -> Vec<String> {
    let mut digests: Vec<String> = entries
        .iter()
        .map(|entry| entry["digest"].as_str().expect("a digest").to_owned())
        .collect();
    digests.sort();
    digests
}

/// The referrers of this digest are exactly these.
async fn check(repository: &Repository, digest: &str, expected: &[&Image]) {
    let mut expected: Vec<String> = expected.iter().map(|image| image.digest()).collect();
    expected.sort();
    assert_eq!(digests(&repository.referrers(digest).await), expected);
}

#[tokio::test]
async fn the_answer_is_an_index_of_descriptors() {
    let mut plura = Plura::start();
    let (repository, image) = subject(&mut plura).await;
    let annotations = json!({"org.example.a": "b", "é": "\u{1f980}"});
    let artifact = Image::artifact(&mut plura.random, SIGNATURE)
        .about(&image.manifest)
        .with("annotations", annotations.clone());
    repository.push_image(&artifact).await;
    let answer = plura.client.get(&repository.path(&format!("referrers/{}", image.digest())));
    let answer = answer.await.expect(200).expect_header("content-type", media_type::INDEX);
    assert_json(
        &answer.expect_no_header("oci-filters-applied").json(),
        &json!({
            "schemaVersion": 2,
            "mediaType": media_type::INDEX,
            "manifests": [{
                "mediaType": media_type::IMAGE,
                "digest": artifact.digest(),
                "size": artifact.manifest.bytes.len(),
                "artifactType": SIGNATURE,
                "annotations": annotations,
            }],
        }),
    );
}

#[tokio::test]
async fn what_has_no_referrers_has_an_empty_index() {
    let mut plura = Plura::start();
    let (repository, image) = subject(&mut plura).await;
    let unused = plura.repository("unused");
    for algorithm in Algorithm::ALL {
        let unknown = algorithm.digest(&plura.random.bytes(8));
        for (repository, digest) in
            [(&repository, image.digest()), (&repository, unknown.clone()), (&unused, unknown)]
        {
            let answer = plura.client.get(&repository.path(&format!("referrers/{digest}"))).await;
            let answer = answer.expect(200).expect_header("content-type", media_type::INDEX);
            let empty =
                json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": []});
            assert_json(&answer.json(), &empty);
        }
    }
}

#[tokio::test]
async fn the_type_of_an_artifact_is_that_of_its_configuration_if_it_has_no_other() {
    let mut plura = Plura::start();
    let (repository, image) = subject(&mut plura).await;
    let about = |image_about: Image| image_about.about(&image.manifest);
    let plain = about(Image::random(&mut plura.random));
    let helm = Image::random(&mut plura.random);
    let mut config = helm.blobs[0].descriptor(Algorithm::Sha256);
    config["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
    let helm = about(helm.with("config", config));
    let docker = about(Image::docker(&mut plura.random));
    let index = Manifest::index(&[plain.manifest.descriptor()])
        .with("subject", image.manifest.descriptor());
    let typed = index.with("artifactType", json!(INVENTORY));
    for image in [&plain, &helm, &docker] {
        repository.push_image(image).await;
    }
    for manifest in [&index, &typed] {
        let put = repository.put_manifest(&manifest.digest(), manifest).await.expect(201);
        put.expect_header("oci-subject", &image.digest());
    }
    let entries = repository.referrers(&image.digest()).await;
    assert_eq!(entries.len(), 5);
    let entry = |digest: String| entries.iter().find(|entry| entry["digest"] == digest.as_str());
    for (digest, kind, artifact_type) in [
        (plain.digest(), media_type::IMAGE, json!(media_type::CONFIG)),
        (helm.digest(), media_type::IMAGE, json!("application/vnd.cncf.helm.config.v1+json")),
        (
            docker.digest(),
            media_type::DOCKER_IMAGE,
            json!("application/vnd.docker.container.image.v1+json"),
        ),
        (typed.digest(), media_type::INDEX, json!(INVENTORY)),
    ] {
        let entry = entry(digest).unwrap();
        assert_eq!((&entry["mediaType"], &entry["artifactType"]), (&json!(kind), &artifact_type));
    }
    // An index has no configuration to take a type from.
    let artifact_type = &entry(index.digest()).unwrap()["artifactType"];
    assert!(artifact_type.is_null() || artifact_type == "", "{artifact_type}");
}

#[tokio::test]
async fn a_filter_gives_only_that_type_and_says_so() {
    let mut plura = Plura::start();
    let (repository, image) = subject(&mut plura).await;
    let mut signatures = Vec::new();
    for _ in 0..3 {
        signatures.push(push_about(&mut plura, &repository, &image.manifest, SIGNATURE).await);
        push_about(&mut plura, &repository, &image.manifest, INVENTORY).await;
    }
    let path = repository.path(&format!("referrers/{}", image.digest()));
    // People write the plus of `+json` as it is, and libraries escape it.
    let escaped = SIGNATURE.replace('+', "%2B").replace('/', "%2F");
    for value in [SIGNATURE, &escaped] {
        let answer = plura.client.get(&format!("{path}?artifactType={value}")).await.expect(200);
        let answer = answer.expect_header("oci-filters-applied", "artifactType");
        let found = digests(answer.json()["manifests"].as_array().unwrap());
        let mut expected: Vec<String> = signatures.iter().map(Image::digest).collect();
        expected.sort();
        assert_eq!(found, expected);
    }
    let none = plura.client.get(&path).query("artifactType", "application/nothing").await;
    let none = none.expect(200).expect_header("oci-filters-applied", "artifactType");
    assert_eq!(none.json()["manifests"], json!([]));
    assert_eq!(repository.referrers(&image.digest()).await.len(), 6);
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let mut plura = Plura::start();
    let (repository, image) = subject(&mut plura).await;
    let mut all = Vec::new();
    for place in 0..7 {
        let kind = if place % 2 == 0 { SIGNATURE } else { INVENTORY };
        all.push(push_about(&mut plura, &repository, &image.manifest, kind).await);
    }
    let path = repository.path(&format!("referrers/{}", image.digest()));
    for (query, sizes) in [
        ("?n=3".to_owned(), &[3, 3, 1][..]),
        ("?n=7".to_owned(), &[7][..]),
        (format!("?n=3&artifactType={SIGNATURE}"), &[3, 1][..]),
    ] {
        let pages = plura.client.pages(&format!("{path}{query}")).await;
        let filtered = query.contains("artifactType");
        let mut found = Vec::new();
        for page in &pages {
            assert_eq!(page.header("content-type"), media_type::INDEX);
            assert_eq!(page.header_if_any("oci-filters-applied").is_some(), filtered, "{query}");
            found.push(page.json()["manifests"].as_array().unwrap().clone());
        }
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{query}");
        let mut unique = digests(&found.concat());
        unique.dedup();
        assert_eq!(unique.len(), sizes.iter().sum::<usize>(), "{query}");
    }
    check(&repository, &image.digest(), &all.iter().collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn referrers_may_come_before_their_subject() {
    let mut plura = Plura::start();
    let repository = plura.repository("early");
    let image = Image::random(&mut plura.random);
    let early = push_about(&mut plura, &repository, &image.manifest, SIGNATURE).await;
    check(&repository, &image.digest(), &[&early]).await;
    repository.head_manifest(&image.digest()).await.expect(404);
    repository.push_image(&image).await;
    let late = push_about(&mut plura, &repository, &image.manifest, SIGNATURE).await;
    check(&repository, &image.digest(), &[&early, &late]).await;
}

#[tokio::test]
async fn a_subject_may_be_named_by_sha512() {
    let mut plura = Plura::start();
    let repository = plura.repository("sha512");
    let image = Image::random(&mut plura.random);
    repository.push_blobs(&image.blobs).await;
    let digest = image.manifest.digest_by(Algorithm::Sha512);
    repository.put_manifest(&digest, &image.manifest).await.expect(201);
    let descriptor = image.manifest.descriptor_by(Algorithm::Sha512);
    let artifact = Image::artifact(&mut plura.random, SIGNATURE).with("subject", descriptor);
    let pushed = repository.push_image_as(&artifact.digest(), &artifact).await;
    pushed.expect_header("oci-subject", &digest);
    check(&repository, &digest, &[&artifact]).await;
}

#[tokio::test]
async fn a_referrer_may_itself_be_referred_to() {
    let mut plura = Plura::start();
    let (repository, image) = subject(&mut plura).await;
    let inventory = push_about(&mut plura, &repository, &image.manifest, INVENTORY).await;
    let signature = push_about(&mut plura, &repository, &inventory.manifest, SIGNATURE).await;
    check(&repository, &image.digest(), &[&inventory]).await;
    check(&repository, &inventory.digest(), &[&signature]).await;
    // Pushed under a tag it is still a referrer, once.
    repository.put_manifest("signature", &signature.manifest).await.expect(201);
    check(&repository, &inventory.digest(), &[&signature]).await;
}

#[tokio::test]
async fn a_deleted_referrer_is_no_longer_listed() {
    let mut plura = Plura::start();
    let (repository, image) = subject(&mut plura).await;
    let one = push_about(&mut plura, &repository, &image.manifest, SIGNATURE).await;
    let two = push_about(&mut plura, &repository, &image.manifest, INVENTORY).await;
    repository.delete_manifest(&one.digest()).await.expect(202);
    check(&repository, &image.digest(), &[&two]).await;
    repository.push_image(&one).await;
    check(&repository, &image.digest(), &[&one, &two]).await;
}

#[tokio::test]
async fn a_tag_taken_from_a_referrer_does_not_take_the_referrer() {
    let mut plura = Plura::start();
    let (repository, image) = subject(&mut plura).await;
    let signature = push_about(&mut plura, &repository, &image.manifest, SIGNATURE).await;
    repository.put_manifest("signature", &signature.manifest).await.expect(201);
    repository.delete_manifest("signature").await.expect(202);
    check(&repository, &image.digest(), &[&signature]).await;
}

#[tokio::test]
async fn referrers_belong_to_their_repository() {
    let mut plura = Plura::start();
    let (repository, image) = subject(&mut plura).await;
    let other = plura.repository("other");
    other.push_image(&image).await;
    push_about(&mut plura, &repository, &image.manifest, SIGNATURE).await;
    check(&other, &image.digest(), &[]).await;
}

#[tokio::test]
async fn a_manifest_without_a_subject_confirms_none() {
    let mut plura = Plura::start();
    let repository = plura.repository("none");
    let image = Image::random(&mut plura.random);
    let pushed = repository.push_image_as("latest", &image).await;
    pushed.expect_no_header("oci-subject");
}

/// The tag under which clients of older registries keep the list (specification, "Referrers Tag
/// Schema"): the algorithm cut to 32 characters, the hash to 64.
fn fallback_tag(subject: &str) -> String {
    let (algorithm, hex) = subject.split_once(':').expect("a digest");
    format!("{algorithm}-{}", &hex[..64])
}

#[tokio::test]
async fn the_list_an_old_client_keeps_in_a_tag_is_part_of_the_answer() {
    let mut plura = Plura::start();
    for algorithm in Algorithm::ALL {
        let (repository, image) = subject(&mut plura).await;
        let subject_digest = image.manifest.digest_by(algorithm);
        repository.put_manifest(&subject_digest, &image.manifest).await.expect(201);
        let about =
            |artifact: Image| artifact.with("subject", image.manifest.descriptor_by(algorithm));
        let known = about(Image::artifact(&mut plura.random, SIGNATURE));
        // As an old client pushed it to a registry that did not know subjects: found by tag only.
        let old = Image::artifact(&mut plura.random, INVENTORY);
        for artifact in [&known, &old] {
            repository.push_image(artifact).await;
        }
        let mut entry = old.manifest.descriptor();
        entry["artifactType"] = json!(INVENTORY);
        entry["annotations"] = json!({"kept": "yes"});
        let list = Manifest::index(&[known.manifest.descriptor(), entry.clone()]);
        repository.put_manifest(&fallback_tag(&subject_digest), &list).await.expect(201);

        check(&repository, &subject_digest, &[&known, &old]).await;
        let entries = repository.referrers(&subject_digest).await;
        let found = entries.iter().find(|found| found["digest"] == entry["digest"]).unwrap();
        assert_json(found, &entry);
        let path = repository.path(&format!("referrers/{subject_digest}"));
        let filtered = plura.client.get(&path).query("artifactType", INVENTORY).await.expect(200);
        assert_eq!(digests(filtered.json()["manifests"].as_array().unwrap()), [old.digest()]);

        repository.delete_manifest(&fallback_tag(&subject_digest)).await.expect(202);
        check(&repository, &subject_digest, &[&known]).await;
    }
}

/// Each answer is put together by several questions to the database, which has few connections.
#[tokio::test]
async fn many_ask_at_once_and_all_are_answered() {
    let mut plura = Plura::start();
    let (repository, image) = subject(&mut plura).await;
    push_about(&mut plura, &repository, &image.manifest, SIGNATURE).await;
    let digest = image.digest();
    for _ in 0..20 {
        let asked = (0..32).map(|_| repository.referrers(&digest));
        for found in futures_util::future::join_all(asked).await {
            assert_eq!(found.len(), 1, "{found:#?}");
        }
    }
}
