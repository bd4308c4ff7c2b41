//! What sigstore-js signs as an identity, with mocks of Fulcio, Rekor and a timestamp authority.

use plura_trust::{Demand, Evidence, PredicateKind, Pushed, Reason, Who, cross_check};

use crate::fixtures::{Case, ISSUER, WORKFLOW, bundle, identity, workflow_policy};

#[test]
fn a_signature_of_an_identity() {
    let fact = Case::of_workflow().accepts(&bundle("keyless/signature.sigstore.json"));
    assert_eq!(fact.kind, PredicateKind::Signature);
    assert_eq!(fact.signed.evidence, Evidence::Log("https://rekor.example.com".to_owned()));
    assert_eq!(fact.logged.len(), 1);
    assert!(fact.logged[0].proved, "with a proof");
    let Who::Identity { name, identity, certificate_log, .. } = fact.signer else {
        panic!("another signer")
    };
    assert_eq!(name, "ci");
    assert_eq!((identity.issuer.as_str(), identity.subject.as_str()), (ISSUER, WORKFLOW));
    assert_eq!(identity.extensions["source-repository-uri"], "https://github.com/acme/web");
    assert_eq!(identity.extensions["source-repository-identifier"], "7");
    assert_eq!(certificate_log.as_deref(), Some("https://ctfe.example.com"));
}

#[test]
fn a_signature_over_the_manifest_itself() {
    let fact = Case::of_workflow().accepts(&bundle("keyless/message.sigstore.json"));
    assert_eq!(fact.kind, PredicateKind::Signature);
    assert_eq!(fact.predicate_type, None);
}

#[test]
fn provenance_agrees_with_the_identity_that_signed_it() {
    let signature = bundle("keyless/provenance.sigstore.json");
    let fact = Case::of_workflow().accepts(&signature);
    let Who::Identity { identity, .. } = fact.signer else { panic!("another signer") };
    let statement = signature.content.statement().unwrap();
    let provenance = statement.provenance().unwrap().unwrap();
    assert_eq!(provenance.builder, WORKFLOW);
    assert_eq!(provenance.source.as_ref().unwrap().reference.as_deref(), Some("refs/heads/main"));
    let commit = provenance.source.as_ref().unwrap().commit.clone();
    let pushed = Pushed { revision: commit.as_deref(), run: Some("42"), ..Pushed::default() };
    assert_eq!(cross_check(&provenance, Some(&identity), &pushed), []);
    let other = Pushed { revision: Some("beef"), ..Pushed::default() };
    assert_eq!(cross_check(&provenance, Some(&identity), &other)[0].reason, Reason::OtherCommit);
}

#[test]
fn a_timestamp_proves_the_time_without_a_log() {
    let case = Case::of_workflow().without_log();
    let fact = case.accepts(&bundle("keyless/unlogged.sigstore.json"));
    let by = Evidence::TimestampAuthority("https://timestamp.example.com".to_owned());
    assert_eq!(fact.signed.evidence, by);
    Case::of_workflow().refuses(&bundle("keyless/unlogged.sigstore.json"), Reason::NoLogEntry);
}

#[test]
fn extensions_of_the_certificate_count() {
    let with = |name: &str, value: &str| {
        let mut document = workflow_policy();
        document.identities[0].extensions.insert(name.to_owned(), value.to_owned());
        Case::new(&document, crate::fixtures::mock_root())
    };
    let signature = bundle("keyless/signature.sigstore.json");
    with("runner-environment", "github-hosted").accepts(&signature);
    let refusal =
        with("runner-environment", "self-hosted").refuses(&signature, Reason::OtherExtension);
    assert!(refusal.observed.contains("github-hosted"), "{refusal:?}");
    with("deployment-environment", "production").refuses(&signature, Reason::OtherExtension);
}

#[test]
fn patterns_of_identities_count() {
    let with = |subject: &str| {
        let mut document = workflow_policy();
        document.identities[0].subject = None;
        document.identities[0].subject_pattern = Some(subject.to_owned());
        Case::new(&document, crate::fixtures::mock_root())
    };
    let signature = bundle("keyless/signature.sigstore.json");
    with(r"^https://github\.com/acme/[^/]+/\.github/workflows/release\.yml@refs/heads/main$")
        .accepts(&signature);
    with(r"^https://github\.com/acme/web$").refuses(&signature, Reason::OtherSubject);
}

#[test]
fn the_nearest_identity_says_why() {
    let mut document = workflow_policy();
    document.identities = vec![
        identity("elsewhere", "https://gitlab.com", WORKFLOW),
        identity("near", ISSUER, "https://github.com/acme/api"),
    ];
    let case = Case::new(&document, crate::fixtures::mock_root());
    let refusal = case.refuses(&bundle("keyless/signature.sigstore.json"), Reason::OtherSubject);
    assert!(refusal.required.contains("near"), "{refusal:?}");
}

#[test]
fn a_certificate_that_no_trusted_log_promised_is_refused() {
    let mut case = Case::of_workflow();
    case.root.certificate_logs.clear();
    let signature = bundle("keyless/signature.sigstore.json");
    case.refuses(&signature, Reason::InvalidCertificateTimestamp);
    case.policy.certificate_log = Demand::Optional;
    case.accepts(&signature);
}
