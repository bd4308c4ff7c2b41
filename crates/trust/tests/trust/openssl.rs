//! Keys and schemes that cosign does not make; certificates and timestamps of an authority.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use plura_trust::{
    Authority, Certificate, Demand, Evidence, KeyKind, PublicKey, Reason, Signature, TrustRoot,
    Validity, annotations as names,
};

use crate::fixtures::{Case, identities, identity, key, keys, read, text, time};

fn signature(of: &str) -> (String, String) {
    (names::SIGNATURE.to_owned(), BASE64_STANDARD.encode(read(&format!("openssl/{of}.sig"))))
}

fn signed(annotations: impl IntoIterator<Item = (String, String)>) -> Signature {
    let annotations = BTreeMap::from_iter(annotations);
    Signature::from_simple_signing(&read("openssl/payload"), &annotations).unwrap()
}

#[test]
fn keys_of_every_kind_verify() {
    for (file, kind, signatures) in [
        ("p384", KeyKind::EcdsaP384, &["p384-sha256", "p384-sha384"][..]),
        ("ed25519", KeyKind::Ed25519, &["ed25519"]),
        ("rsa", KeyKind::Rsa, &["rsa-pkcs1", "rsa-pss"]),
    ] {
        let pem = format!("openssl/{file}.pub");
        assert_eq!(PublicKey::from_pem(&text(&pem)).unwrap().kind(), kind);
        assert_eq!(PublicKey::from_pem(&text(&pem)).unwrap().to_pem(), text(&pem));
        let case = Case::new(&keys(vec![key("release", &pem)]), TrustRoot::default());
        for name in signatures {
            case.accepts(&signed([signature(name)]));
        }
        case.refuses(&signed([signature("signer")]), Reason::OtherKey);
    }
}

#[test]
fn a_key_that_is_too_short_is_none() {
    let refusal = PublicKey::from_pem(&text("openssl/rsa1024.pub")).unwrap_err();
    assert_eq!(refusal.reason, Reason::Unsupported);
}

/// The signature by a certificate, with a timestamp as cosign stores it.
fn certified(of: &str) -> Signature {
    let response = BASE64_STANDARD.encode(read(&format!("openssl/{of}.tsr")));
    signed([
        signature(of),
        (names::CERTIFICATE.to_owned(), text(&format!("openssl/{of}.pem"))),
        (names::TIMESTAMP.to_owned(), format!(r#"{{"SignedRFC3161Timestamp":"{response}"}}"#)),
    ])
}

fn authority() -> Authority {
    Authority {
        name: "https://ca.example.com".to_owned(),
        chain: Certificate::chain_from_pem(&text("openssl/ca.pem")).unwrap(),
        valid: Validity::default(),
    }
}

fn case() -> Case {
    let root = TrustRoot {
        authorities: vec![authority()],
        timestamp_authorities: vec![authority()],
        ..TrustRoot::default()
    };
    let release = identity("release", "https://issuer.example.com", "release@example.com");
    let mut case = Case::new(&identities(vec![release]), root).without_log();
    case.policy.certificate_log = Demand::Optional;
    case
}

#[test]
fn a_certificate_and_a_timestamp_of_an_authority() {
    let fact = case().accepts(&certified("signer"));
    assert_eq!(fact.signer.name(), "release");
    let by = Evidence::TimestampAuthority("https://ca.example.com".to_owned());
    assert_eq!(fact.signed.evidence, by);
    assert!(fact.signed.time > time("2026-01-01T00:00:00Z"));
}

#[test]
fn a_certificate_of_a_stranger_is_refused() {
    case().refuses(&certified("forged"), Reason::UntrustedCertificate);
}

#[test]
fn a_certificate_for_something_else_is_refused() {
    let refusal = case().refuses(&certified("server"), Reason::UntrustedCertificate);
    assert!(refusal.observed.contains("RequiredEku"), "{refusal:?}");
}

#[test]
fn the_chain_comes_from_the_root_and_not_with_the_signature() {
    let mut forged = certified("forged");
    let plura_trust::Signer::Certificate { chain } = &mut forged.signer else { panic!("no chain") };
    chain.extend(Certificate::chain_from_pem(&text("openssl/stranger.pem")).unwrap());
    case().refuses(&forged, Reason::UntrustedCertificate);
}

#[test]
fn a_timestamp_of_another_signature_is_refused() {
    let mut signature = certified("signer");
    signature.timestamps = certified("server").timestamps;
    case().refuses(&signature, Reason::InvalidTimestamp);
}

#[test]
fn a_timestamp_with_one_bit_changed_is_refused() {
    let signature = certified("signer");
    let length = signature.timestamps[0].len();
    for at in 0..length {
        let mut changed = signature.clone();
        changed.timestamps[0][at] ^= 1;
        match case().verify(&changed) {
            Err(refusal) => assert_eq!(refusal.reason, Reason::InvalidTimestamp, "byte {at}"),
            // What nothing depends on: the versions, the list of digests, and the algorithm's name
            // beside a signature of a key that has one only.
            Ok(fact) => assert_eq!(fact, case().accepts(&signature), "byte {at}"),
        }
    }
}

#[test]
fn a_timestamp_of_a_stranger_is_refused() {
    let mut case = case();
    case.root.timestamp_authorities[0].chain =
        Certificate::chain_from_pem(&text("openssl/stranger.pem")).unwrap();
    case.refuses(&certified("signer"), Reason::InvalidTimestamp);
}

#[test]
fn an_authority_out_of_service_is_none() {
    let ended = Validity { start: None, end: Some(time("2020-01-01T00:00:00Z")) };
    let mut of_timestamps = case();
    of_timestamps.root.timestamp_authorities[0].valid = ended;
    of_timestamps.refuses(&certified("signer"), Reason::InvalidTimestamp);
    let mut of_certificates = case();
    of_certificates.root.authorities[0].valid = ended;
    of_certificates.refuses(&certified("signer"), Reason::UntrustedCertificate);
}

#[test]
fn a_certificate_without_a_proved_time_is_refused() {
    let mut signature = certified("signer");
    signature.timestamps.clear();
    case().refuses(&signature, Reason::NoTime);
}

#[test]
fn a_time_that_has_not_come_is_refused() {
    let mut case = case();
    case.now = time("2026-01-01T00:00:00Z");
    case.refuses(&certified("signer"), Reason::FutureTime);
}

#[test]
fn a_certificate_that_must_be_logged_and_is_not_is_refused() {
    let mut case = case();
    case.policy.certificate_log = Demand::Required;
    case.refuses(&certified("signer"), Reason::NoCertificateTimestamp);
}
