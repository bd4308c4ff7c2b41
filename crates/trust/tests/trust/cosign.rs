//! What cosign 2.5 signs with a key.

use plura_trust::{Content, Evidence, Form, PredicateKind, PrivateKey, Signature, Who};

use crate::fixtures::{Case, annotations, bundle, image, json, read, simple_signing, text};

#[test]
fn a_signature_of_a_tag() {
    let signature = simple_signing();
    let fact = Case::of_key().accepts(&signature);
    assert_eq!((fact.form, fact.kind), (Form::SimpleSigning, PredicateKind::Signature));
    assert_eq!(fact.signer.name(), "release");
    assert_eq!(fact.signed.evidence, Evidence::Arrival);
    let Content::Simple { payload, .. } = &*signature.content else { panic!("another content") };
    assert_eq!(payload.annotations["build"], "42");
    assert_eq!(payload.digest, image());
}

#[test]
fn an_attestation_of_a_tag() {
    let annotations = annotations("cosign/att.manifest.json");
    let signatures = Signature::from_attestation(&read("cosign/att.layer"), &annotations).unwrap();
    assert_eq!(signatures.len(), 1);
    let fact = Case::of_key().accepts(&signatures[0]);
    assert_eq!((fact.form, fact.kind), (Form::Attestation, PredicateKind::Provenance));
    assert_eq!(fact.predicate_type.as_deref(), Some("https://slsa.dev/provenance/v0.2"));

    let statement = signatures[0].content.statement().unwrap();
    let provenance = statement.provenance().unwrap().unwrap();
    assert_eq!(provenance.builder, "https://example.com/builder");
    assert_eq!(provenance.build_type, "https://example.com/type");
    let source = provenance.source.unwrap();
    assert_eq!(source.repository, "https://github.com/acme/web");
    assert_eq!(source.commit.as_deref(), Some("6c6f6e67"));
    assert_eq!(source.reference.as_deref(), Some("refs/heads/main"));
    assert_eq!(provenance.parameters["release"], true);
    assert_eq!(provenance.invocation.as_deref(), Some("https://example.com/runs/7"));
}

#[test]
fn bundles_with_a_key() {
    let attestation = bundle("cosign/attestation.sigstore.json");
    let fact = Case::of_key().accepts(&attestation);
    assert_eq!((fact.form, fact.kind), (Form::Bundle, PredicateKind::Provenance));
    let blob = Case::of_key().accepts(&bundle("cosign/blob.sigstore.json"));
    assert_eq!((blob.form, blob.kind), (Form::Bundle, PredicateKind::Signature));
}

#[test]
fn a_key_that_cosign_encrypted_is_read() {
    let key = PrivateKey::from_pem(&text("cosign/cosign.key"), Some(b"plura")).unwrap();
    assert_eq!(key.public_key().to_pem(), text("cosign/cosign.pub"));
    for password in [None, Some(&b"other"[..])] {
        let refusal = PrivateKey::from_pem(&text("cosign/cosign.key"), password).unwrap_err();
        assert!(refusal.required.contains("password"), "{refusal:?}");
    }
}

#[test]
fn the_hint_of_a_bundle_is_the_fingerprint_that_plura_writes() {
    let wire = json("cosign/attestation.sigstore.json");
    let key = PrivateKey::from_pem(&text("cosign/cosign.key"), Some(b"plura")).unwrap();
    let ours: serde_json::Value =
        serde_json::from_slice(&plura_trust::bundle(b"{}", b"", key.public_key())).unwrap();
    let hint = "/verificationMaterial/publicKey/hint";
    assert_eq!(wire.pointer(hint), ours.pointer(hint));
}

#[test]
fn whose_key_it_is_does_not_show_in_debug_output() {
    let key = PrivateKey::generate().unwrap();
    assert!(format!("{key:?}").starts_with("PrivateKey { public: sha256:"));
    let Who::Key { fingerprint, .. } = Case::of_key().accepts(&simple_signing()).signer else {
        panic!("another signer")
    };
    let cosign = PrivateKey::from_pem(&text("cosign/cosign.key"), Some(b"plura")).unwrap();
    assert_eq!(fingerprint, cosign.public_key().fingerprint());
}
