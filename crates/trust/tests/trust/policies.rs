//! What a policy may say, and what it takes to meet one.

use plura_oci::Digest;
use plura_trust::{
    IdentityDocument, PolicyDocument, PrivateKey, Reason, Refusal, Signature, SimpleSigning,
    TrustPolicy, TrustRoot, annotations, simple_signing_layer,
};

use crate::fixtures::{
    Case, bundle, cosign_policy, image, key, keys, mock_root, simple_signing, time, workflow_policy,
};

#[track_caller]
fn refused(change: impl FnOnce(&mut PolicyDocument), expected: Reason) -> Refusal {
    let mut document = workflow_policy();
    document.keys = cosign_policy().keys;
    change(&mut document);
    let refusal = TrustPolicy::new(&document).expect_err("it was taken");
    assert_eq!(refusal.reason, expected, "{refusal:?}");
    refusal
}

#[test]
fn an_identity_that_is_everybody_is_refused() {
    refused(|document| document.identities[0].subject = None, Reason::EmptyIdentity);
    refused(|document| document.identities[0].subject = Some(String::new()), Reason::EmptyIdentity);
    refused(|document| document.identities[0].issuer = None, Reason::EmptyIdentity);
    refused(|document| document.identities[0] = IdentityDocument::default(), Reason::InvalidPolicy);
    let everybody = |document: &mut PolicyDocument| {
        document.identities[0].subject = None;
        document.identities[0].subject_pattern = Some("^.*$".to_owned());
    };
    refused(everybody, Reason::EmptyIdentity);
}

#[test]
fn a_pattern_that_is_not_anchored_is_refused() {
    let pattern = |document: &mut PolicyDocument| {
        document.identities[0].subject = None;
        document.identities[0].subject_pattern = Some("https://github.com/acme/".to_owned());
    };
    let refusal = refused(pattern, Reason::UnanchoredPattern);
    assert!(refusal.fix.contains('^'), "{refusal:?}");
}

#[test]
fn a_policy_that_cannot_be_met_is_refused() {
    refused(|document| document.required = Some(3), Reason::InvalidPolicy);
    refused(|document| document.required = Some(0), Reason::InvalidPolicy);
    refused(|document| document.repositories.clear(), Reason::InvalidPolicy);
    refused(|document| document.name.clear(), Reason::InvalidPolicy);
    refused(|document| document.keys[0].pem = "no key".to_owned(), Reason::Malformed);
    refused(|document| document.keys[0].name = " ".to_owned(), Reason::InvalidPolicy);
    let backwards = |document: &mut PolicyDocument| {
        document.keys[0].start = Some(time("2027-01-01T00:00:00Z"));
        document.keys[0].end = Some(time("2026-01-01T00:00:00Z"));
    };
    refused(backwards, Reason::InvalidPolicy);
    let unknown = |document: &mut PolicyDocument| {
        document.identities[0].extensions.insert("colour".to_owned(), "red".to_owned());
    };
    let refusal = refused(unknown, Reason::InvalidPolicy);
    assert!(refusal.required.contains("build-trigger"), "{refusal:?}");
}

#[test]
fn one_key_with_two_holders_would_count_twice() {
    refused(
        |document| document.keys.push(key("another", "cosign/cosign.pub")),
        Reason::InvalidPolicy,
    );
}

#[test]
fn a_policy_in_json_is_read_strictly() {
    let json = serde_json::to_string(&workflow_policy()).unwrap();
    let policy = TrustPolicy::from_json(json.as_bytes()).unwrap();
    assert_eq!(policy.source, TrustPolicy::new(&workflow_policy()).unwrap().source);
    let twice = json.replacen('{', r#"{"required":1,"required":1,"#, 1);
    let refusal = TrustPolicy::from_json(twice.as_bytes()).unwrap_err();
    assert_eq!(refusal.reason, Reason::DuplicatedKey);
    let unknown = json.replacen('{', r#"{"requried":2,"#, 1);
    assert_eq!(TrustPolicy::from_json(unknown.as_bytes()).unwrap_err().reason, Reason::Malformed);
}

#[test]
fn a_policy_is_for_its_repositories() {
    let document =
        PolicyDocument { repositories: vec!["apps/*".into(), "base".into()], ..cosign_policy() };
    let policy = TrustPolicy::new(&document).unwrap();
    for (name, covered) in [("apps/web", true), ("base", true), ("apps/web/x", false), ("b", false)]
    {
        assert_eq!(policy.covers(&name.parse().unwrap()), covered, "{name}");
    }
}

fn signed_by(key: &PrivateKey) -> Signature {
    let payload = SimpleSigning {
        digest: image(),
        reference: "registry.example.com/app".to_owned(),
        annotations: std::collections::BTreeMap::new(),
    };
    let layer = simple_signing_layer(&payload, &key.sign(&payload.to_json()).unwrap());
    Signature::from_simple_signing(&layer.bytes, &layer.annotations).unwrap()
}

#[test]
fn two_of_three_are_two_different_signers() {
    let pairs: Vec<_> = (0..4).map(|_| PrivateKey::generate().unwrap()).collect();
    // The first signer has two keys, for two regions.
    let names = ["one", "one", "two", "three"];
    let documents = pairs.iter().zip(names).map(|(pair, name)| {
        let mut document = key(name, "cosign/cosign.pub");
        document.pem = pair.public_key().to_pem();
        document
    });
    let document = PolicyDocument { required: Some(2), ..keys(documents.collect()) };
    let case = Case::new(&document, TrustRoot::default());
    let judge = |by: &[usize]| case.judge(by.iter().map(|n| Ok(signed_by(&pairs[*n]))).collect());

    assert!(judge(&[0, 2]).verified);
    assert!(judge(&[3, 1, 0]).verified);
    for too_few in [&[0][..], &[0, 0], &[0, 1]] {
        let verdict = judge(too_few);
        let reason = verdict.reason.unwrap();
        assert_eq!(reason.reason, Reason::TooFewSigners);
        assert!(reason.observed.contains("one"), "{reason:?}");
        assert_eq!(verdict.signers.len(), 1);
    }
    assert_eq!(judge(&[]).reason.unwrap().reason, Reason::Unsigned);
}

#[test]
fn what_was_attested_is_no_signature() {
    let attestation = || bundle("cosign/attestation.sigstore.json");
    let verdict = Case::of_key().judge(vec![Ok(attestation())]);
    assert_eq!(verdict.reason.unwrap().reason, Reason::TooFewSigners);

    let mut document = cosign_policy();
    document.attestations.insert("https://slsa.dev/provenance/v0.2".to_owned());
    let case = Case::new(&document, TrustRoot::default());
    let verdict = case.judge(vec![Ok(simple_signing())]);
    assert_eq!(verdict.reason.unwrap().reason, Reason::MissingAttestation);
    assert!(case.judge(vec![Ok(simple_signing()), Ok(attestation())]).verified);
}

#[test]
fn a_refused_signature_does_not_hide_a_good_one() {
    let wrong = Err(Refusal::new(Reason::Malformed, "something else"));
    let verdict = Case::of_key().judge(vec![wrong, Ok(simple_signing())]);
    assert!(verdict.verified && verdict.reason.is_none());
    assert_eq!(verdict.refusals[0].place, "layer 0");
    assert_eq!(verdict.facts[0].place, "layer 1");
}

#[test]
fn a_verdict_is_kept_with_its_inputs_and_inherited_by_children() {
    let case = Case::new(&workflow_policy(), mock_root());
    let verdict = case.judge(vec![Ok(bundle("keyless/signature.sigstore.json"))]);
    assert!(verdict.verified);
    assert_eq!(verdict.inputs.policy, case.policy.source);
    assert_eq!(verdict.inputs.root, case.root.source);
    let kept = serde_json::to_string(&verdict).unwrap();
    assert_eq!(serde_json::from_str::<plura_trust::Verdict>(&kept).unwrap(), verdict);

    let child = Digest::sha256(b"a child");
    let inherited = verdict.inherited_by(child);
    assert_eq!((inherited.digest, inherited.inherited_from), (child, Some(image())));
    let grandchild = inherited.inherited_by(Digest::sha256(b"a child of it"));
    assert_eq!(grandchild.inherited_from, Some(image()));
}

#[test]
fn the_embedded_trust_root_is_that_of_the_public_instance() {
    let root = TrustRoot::sigstore().unwrap();
    assert_eq!((root.authorities.len(), root.certificate_logs.len()), (2, 2));
    assert!(root.logs.iter().any(|log| log.name == "https://rekor.sigstore.dev"));
    assert_eq!(root.timestamp_authorities.len(), 1);
    assert_eq!(annotations::SIGNATURE, "dev.cosignproject.cosign/signature");
}
