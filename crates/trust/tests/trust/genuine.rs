//! What the real services signed.

use plura_oci::Digest;
use plura_trust::{Evidence, PredicateKind, Reason, TrustRoot, Who};

use crate::fixtures::{Case, bundle, identities, identity, key, keys, read};

const GITHUB_LOGIN: &str = "https://github.com/login/oauth";

fn public() -> TrustRoot {
    TrustRoot::sigstore().unwrap()
}

#[test]
fn cosign_3_signs_with_the_public_instance() {
    let signer = identity("person", GITHUB_LOGIN, "w.vollprecht@gmail.com");
    let mut case = Case::new(&identities(vec![signer]), public());
    case.digest = Digest::sha256(&read("genuine/cosign3-blob.txt"));
    let fact = case.accepts(&bundle("genuine/cosign3-blob.sigstore.json"));
    let Who::Identity { certificate_log, .. } = fact.signer else { panic!("another signer") };
    assert_eq!(certificate_log.as_deref(), Some("https://ctfe.sigstore.dev/2022"));
    assert!(fact.logged[0].proved && fact.logged[0].time.is_some());
}

#[test]
fn npm_attests_with_the_public_instance() {
    let subject =
        "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main";
    let ci = identity("ci", "https://token.actions.githubusercontent.com", subject);
    let mut case = Case::new(&identities(vec![ci]), public());
    let signature = bundle("genuine/npm-provenance.sigstore.json");
    case.digest = signature.content.digests()[0];
    let fact = case.accepts(&signature);
    assert_eq!(fact.kind, PredicateKind::Provenance);
    assert_eq!(fact.signed.time.to_string(), "2023-08-18T16:05:35Z");
    let provenance = signature.content.statement().unwrap().provenance().unwrap().unwrap();
    let source = provenance.source.unwrap();
    assert_eq!(source.repository, "https://github.com/sigstore/sigstore-js");
    assert_eq!(source.commit.map(|commit| commit.len()), Some(40));
}

#[test]
fn a_key_of_its_own_in_the_public_log() {
    let mut case = Case::new(&keys(vec![key("own", "genuine/managed-key.pub")]), public());
    case.policy.log = Some(plura_trust::Demand::Required);
    case.digest = Digest::sha256(&read("genuine/managed-key.txt"));
    let fact = case.accepts(&bundle("genuine/managed-key.sigstore.json"));
    assert!(matches!(fact.signed.evidence, Evidence::Log(_) | Evidence::TimestampAuthority(_)));

    // Who does not know the log, and wants one, does not believe it.
    case.root = TrustRoot::default();
    case.refuses(&bundle("genuine/managed-key.sigstore.json"), Reason::UnknownLog);
}

#[test]
fn the_second_version_of_rekor() {
    let root = TrustRoot::from_json(&read("genuine/staging_trusted_root.json")).unwrap();
    let mut case =
        Case::new(&identities(vec![identity("person", GITHUB_LOGIN, "jku@goto.fi")]), root);
    let mut signature = bundle("genuine/rekor2.sigstore.json");
    case.digest = signature.content.digests()[0];
    let fact = case.accepts(&signature);
    assert_eq!(fact.logged[0].time, None);
    assert!(fact.logged[0].proved);
    assert!(matches!(fact.signed.evidence, Evidence::TimestampAuthority(_)));

    // Its entries say no time, so that without a timestamp nothing does.
    signature.timestamps.clear();
    case.refuses(&signature, Reason::NoTime);
}
