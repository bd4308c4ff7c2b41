//! Notation's signatures: made by its specification, with Python's cryptography.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use plura_oci::Digest;
use plura_trust::{
    Evidence, Form, NotationDocument, PolicyDocument, Reason, Refusal, Signature, TrustPolicy,
    TrustRoot, Who,
};
use serde_json::{Value, json};

use crate::fixtures::{Case, json, keys, read, text, time};

fn document() -> PolicyDocument {
    let subject = [("O", "acme"), ("CN", "release")];
    let authority = NotationDocument {
        name: "acme".to_owned(),
        roots: text("notation/authority.pem"),
        subject: subject.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    };
    PolicyDocument { notation: vec![authority], ..keys(Vec::new()) }
}

fn case() -> Case {
    Case::new(&document(), TrustRoot::default())
}

fn signature(name: &str) -> Signature {
    Signature::from_notation(&read(&format!("notation/{name}.jws.json"))).unwrap()
}

/// An envelope with a part of its header replaced; the signature is that of the other header.
fn with_header(change: impl FnOnce(&mut Value)) -> Result<Signature, Refusal> {
    let mut envelope = json("notation/ps256.jws.json");
    let protected = BASE64_URL_SAFE_NO_PAD.decode(envelope["protected"].as_str().unwrap()).unwrap();
    let mut protected: Value = serde_json::from_slice(&protected).unwrap();
    change(&mut protected);
    envelope["protected"] = json!(BASE64_URL_SAFE_NO_PAD.encode(protected.to_string()));
    Signature::from_notation(envelope.to_string().as_bytes())
}

#[test]
fn signatures_of_an_authority_of_the_policy() {
    for name in ["es256", "ps256"] {
        let fact = case().accepts(&signature(name));
        assert_eq!((fact.form, fact.signed.evidence), (Form::Notation, Evidence::Arrival));
        let Who::Notation { name, subject, .. } = fact.signer else { panic!("another signer") };
        assert_eq!(
            (name.as_str(), subject.as_str()),
            ("acme", "C=DE, CN=release, O=acme, ST=Berlin")
        );
    }
}

#[test]
fn another_digest_and_changed_bytes_are_refused() {
    let mut other = case();
    other.digest = Digest::sha256(b"another");
    other.refuses(&signature("es256"), Reason::OtherDigest);
    let mut changed = signature("es256");
    changed.bytes[7] ^= 1;
    case().refuses(&changed, Reason::TamperedPayload);
    let changed =
        with_header(|header| header["io.cncf.notary.expiry"] = json!("2090-01-01T00:00:00Z"));
    case().refuses(&changed.unwrap(), Reason::TamperedPayload);
    let changed = with_header(|header| header["alg"] = json!("ES256"));
    case().refuses(&changed.unwrap(), Reason::TamperedPayload);
}

#[test]
fn another_authority_or_subject_is_refused() {
    let mut of_stranger = document();
    of_stranger.notation[0].roots = text("openssl/ca.pem");
    Case::new(&of_stranger, TrustRoot::default())
        .refuses(&signature("es256"), Reason::UntrustedCertificate);
    let mut of_another = document();
    of_another.notation[0].subject.insert("CN".to_owned(), "another".to_owned());
    Case::new(&of_another, TrustRoot::default()).refuses(&signature("es256"), Reason::OtherSubject);
    // An identity of Sigstore's is no authority of Notation's.
    Case::of_workflow().refuses(&signature("es256"), Reason::UntrustedCertificate);
    let mut of_everybody = document();
    of_everybody.notation[0].subject = BTreeMap::new();
    assert_eq!(TrustPolicy::new(&of_everybody).unwrap_err().reason, Reason::EmptyIdentity);
}

#[test]
fn times_that_are_over_are_refused() {
    let mut case = case();
    case.now = time("2070-01-01T00:00:00Z");
    case.refuses(&signature("ps256"), Reason::ExpiredSignature);
    case.accepts(&signature("es256"));
    case.arrived = time("2100-01-02T00:00:00Z");
    case.refuses(&signature("es256"), Reason::ExpiredCertificate);
}

#[test]
fn headers_that_must_be_understood_are() {
    let reason = |change: fn(&mut Value)| with_header(change).unwrap_err().reason;
    assert_eq!(reason(|header| header["crit"] = json!([])), Reason::Malformed);
    assert_eq!(reason(|header| header["crit"][0] = json!("b64")), Reason::Unsupported);
    assert_eq!(reason(|header| header["alg"] = json!("none")), Reason::Unsupported);
    assert_eq!(reason(|header| header["alg"] = json!("HS256")), Reason::Unsupported);
    assert_eq!(reason(|header| header["cty"] = json!("text/plain")), Reason::Unsupported);
    let scheme = |header: &mut Value| header["io.cncf.notary.signingScheme"] = json!("other");
    assert_eq!(reason(scheme), Reason::Unsupported);
}
