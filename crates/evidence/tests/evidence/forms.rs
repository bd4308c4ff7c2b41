//! Every form that tools write is found and verified.

use plura_trust::{Form, PredicateKind, Reason};
use serde_json::json;

use crate::support::{Installation, MANIFEST, Signatory, layer, policy, provenance};

#[tokio::test]
async fn a_signature_counts_in_whichever_form() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    here.trust(&policy("release", &[&release])).await;

    let by_tag = here.image("tagged").await;
    here.attach(by_tag, "sig", &[release.simple_signing(by_tag)]).await;
    let by_referrer = here.image("referred").await;
    let artifact = "application/vnd.dev.cosign.artifact.sig.v1+json";
    here.refer(by_referrer, artifact, release.simple_signing(by_referrer)).await;
    let by_bundle = here.image("bundled").await;
    here.refer_bundle(by_bundle, release.bundle(by_bundle)).await;

    for (digest, form) in [
        (by_tag, Form::SimpleSigning),
        (by_referrer, Form::SimpleSigning),
        (by_bundle, Form::Bundle),
    ] {
        let evidence = here.of(digest).await;
        assert_eq!(evidence.verified, Some(true), "{evidence:?}");
        assert_eq!(evidence.verdicts[0].signers, ["release".to_owned()].into());
        assert_eq!(evidence.signatures[0].form, Some(form));
    }
    let unsigned = here.of(here.image("unsigned").await).await;
    assert_eq!(unsigned.verified, Some(false));
    assert_eq!(unsigned.verdicts[0].reason.as_ref().unwrap().reason, Reason::Unsigned);
}

#[tokio::test]
async fn without_a_policy_nothing_is_said_to_be_verified() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    let image = here.image("1.0").await;
    here.refer_bundle(image, release.bundle(image)).await;
    let evidence = here.of(image).await;
    assert_eq!((evidence.verified, evidence.verdicts.len()), (None, 0));
    assert_eq!(evidence.signatures.len(), 1);
}

#[tokio::test]
async fn statements_say_who_signed_them_and_what_they_contradict() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    here.trust(&policy("release", &[&release])).await;
    let image = here.image("1.0").await;
    let right = provenance(image, "c0ffee");
    let wrong = provenance(image, "decaf");
    let kind = "https://slsa.dev/provenance/v1";
    here.attach(image, "att", &[release.attestation(right, kind)]).await;
    here.refer_bundle(image, release.bundle_of(&wrong)).await;
    let stranger = Signatory::new("stranger");
    here.refer_bundle(image, stranger.bundle_of(&provenance(image, "c0ffee"))).await;

    let evidence = here.of(image).await;
    let told: Vec<_> = evidence
        .statements
        .iter()
        .map(|said| {
            let reasons: Vec<_> = said.contradictions.iter().map(|one| one.reason).collect();
            (said.kind, said.signers.len(), reasons)
        })
        .collect();
    let kind = PredicateKind::Provenance;
    assert_eq!(
        told,
        [(kind, 1, vec![]), (kind, 1, vec![Reason::OtherCommit]), (kind, 0, vec![])],
        "{evidence:?}"
    );
    let built = evidence.statements[0].provenance.as_ref().unwrap();
    assert_eq!(built.source.as_ref().unwrap().commit.as_deref(), Some("c0ffee"));
    // A statement about how it was built is no signature.
    assert_eq!(evidence.verified, Some(false));
}

#[tokio::test]
async fn what_nobody_signed_is_there_and_counts_for_nothing() {
    let here = Installation::new().await;
    let image = here.image("1.0").await;
    let in_toto = "application/vnd.in-toto+json";
    let statement = provenance(image, "c0ffee");
    here.refer(image, in_toto, layer(in_toto, statement.clone())).await;
    let other = here.image("other").await;
    here.refer(image, in_toto, layer(in_toto, provenance(other, "c0ffee"))).await;
    let cyclonedx = "application/vnd.cyclonedx+json";
    here.refer(image, cyclonedx, layer(cyclonedx, b"{}".to_vec())).await;

    // What BuildKit puts beside an image in its index.
    let blob = here.blob(&statement).await;
    let empty = here.blob(b"{}").await;
    let attestation = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": empty, "size": 2 },
        "layers": [{ "mediaType": in_toto, "digest": blob, "size": statement.len() }],
    });
    let attestation = here.put_untagged(&attestation).await;
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            { "mediaType": MANIFEST, "digest": image, "size": 1 },
            { "mediaType": MANIFEST, "digest": attestation, "size": 1, "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": image,
            } },
        ],
    });
    here.put("multi", &index).await;

    let evidence = here.of(image).await;
    let told: Vec<_> = evidence.statements.iter().map(|said| (said.kind, said.signed)).collect();
    assert_eq!(
        told,
        [
            (PredicateKind::Provenance, false),
            (PredicateKind::CycloneDx, false),
            (PredicateKind::Provenance, false),
        ],
        "{evidence:?}"
    );
    assert_eq!(evidence.statements[2].place, format!("{attestation}#0"));
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let here = Installation::new().await;
    let release = Signatory::new("release");
    here.trust(&policy("release", &[&release])).await;
    let image = here.image("1.0").await;
    here.refer_bundle(image, b"{\"mediaType\": 1}".to_vec()).await;
    let notation = "application/vnd.cncf.notary.signature";
    here.refer(image, notation, layer("application/cose", b"\xd2".to_vec())).await;
    let evidence = here.of(image).await;
    let reasons: Vec<_> =
        evidence.signatures.iter().map(|found| found.refusal.as_ref().unwrap().reason).collect();
    assert_eq!(reasons, [Reason::Malformed, Reason::Unsupported]);
    assert_eq!(evidence.verified, Some(false));
}

#[tokio::test]
async fn a_thousand_signatures_do_not_push_out_the_first() {
    let here = Installation::new().await;
    let (release, flood) = (Signatory::new("release"), Signatory::new("flood"));
    here.trust(&policy("release", &[&release])).await;
    let image = here.image("1.0").await;
    here.refer_bundle(image, release.bundle(image)).await;
    let layers: Vec<_> = (0..999)
        .map(|number| {
            let mut layer = flood.simple_signing(image);
            layer.annotations.insert("number".to_owned(), number.to_string());
            layer
        })
        .collect();
    here.attach(image, "sig", &layers).await;
    let evidence = here.of(image).await;
    assert_eq!(evidence.verified, Some(true), "{:?}", evidence.verdicts[0].reason);
    let refusals = &evidence.verdicts[0].refusals;
    assert_eq!(refusals.last().unwrap().what.reason, Reason::TooManySignatures);
    assert!(evidence.signatures.len() <= plura_trust::MAX_SIGNATURES + 1);
}
