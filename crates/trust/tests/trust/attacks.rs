//! Every way to deceive that is known, each refused with a reason of its own.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use plura_oci::Digest;
use plura_trust::{
    Demand, MAX_SIGNATURES, PrivateKey, PublicKey, Reason, Refusal, Signature, TrustRoot,
    annotations as names, statement_to_be_signed,
};
use serde_json::{Value, json};

use crate::{
    fixtures::{
        Case, ISSUER, WORKFLOW, annotations, bundle, cosign_policy, identities, identity, image,
        json, key, keys, mock_root, now, read, simple_signing, text, time, workflow_policy,
    },
    log::{Log, base64, body},
};

const SIGNATURE: &str = "keyless/signature.sigstore.json";
const ENTRIES: &str = "/verificationMaterial/tlogEntries";

/// A bundle with a part of it replaced.
fn changed(name: &str, pointer: &str, value: Value) -> Result<Signature, Refusal> {
    let mut bundle = json(name);
    // protobuf leaves out what is zero, so that only what holds it must be there.
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    match bundle.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}")) {
        Value::Array(elements) => elements[last.parse::<usize>().unwrap()] = value,
        parent => parent[last] = value,
    }
    Signature::from_bundle(bundle.to_string().as_bytes())
}

fn part(name: &str, pointer: &str) -> Value {
    json(name).pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).clone()
}

fn bytes(name: &str, pointer: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(part(name, pointer).as_str().unwrap()).unwrap()
}

/// cosign's signature, with a log entry.
fn logged(entry: (String, String)) -> Signature {
    let mut annotations = annotations("cosign/sig.manifest.json");
    annotations.extend([entry]);
    Signature::from_simple_signing(&read("cosign/sig.layer"), &annotations).unwrap()
}

fn certificate_pem() -> String {
    let der = bytes(SIGNATURE, "/verificationMaterial/certificate/rawBytes");
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(&der))
}

#[test]
fn another_digest() {
    let mut case = Case::of_key();
    case.digest = Digest::sha256(b"another");
    let refusal = case.refuses(&simple_signing(), Reason::OtherDigest);
    assert!(refusal.observed.contains(&image().to_string()), "{refusal:?}");
    case.refuses(&bundle("cosign/attestation.sigstore.json"), Reason::OtherDigest);
    case.refuses(&bundle("cosign/blob.sigstore.json"), Reason::OtherDigest);
    Case::of_workflow().refuses(&bundle("keyless/another.sigstore.json"), Reason::OtherDigest);
}

#[test]
fn a_child_for_its_index() {
    let mut case = Case::of_key();
    case.digest = Digest::sha256(b"the index");
    case.children = vec![Digest::sha256(b"another child"), image()];
    case.refuses(&simple_signing(), Reason::ChildDigest);
    case.refuses(&bundle("cosign/attestation.sigstore.json"), Reason::ChildDigest);
}

#[test]
fn another_key() {
    let case = Case::new(&keys(vec![key("release", "openssl/p384.pub")]), TrustRoot::default());
    case.refuses(&simple_signing(), Reason::OtherKey);
    case.refuses(&bundle("cosign/attestation.sigstore.json"), Reason::OtherKey);
    case.refuses(&bundle("cosign/blob.sigstore.json"), Reason::OtherKey);
}

#[test]
fn a_key_that_comes_with_the_signature() {
    let (log, attacker) = (Log::new(), PrivateKey::generate().unwrap());
    let payload = read("cosign/sig.layer");
    let signature = attacker.sign(&payload).unwrap();
    let entry = body(&payload, &signature, &attacker.public_key().to_pem());
    let annotations = BTreeMap::from([
        (names::SIGNATURE.to_owned(), base64(&signature)),
        log.annotation(&entry, time("2026-01-01T00:00:00Z")),
    ]);
    let signature = Signature::from_simple_signing(&payload, &annotations).unwrap();
    let root = TrustRoot { logs: vec![log.trusted()], ..TrustRoot::default() };
    Case::new(&cosign_policy(), root).refuses(&signature, Reason::BroughtKey);
}

#[test]
fn a_certificate_where_keys_are_trusted() {
    Case::new(&cosign_policy(), mock_root()).refuses(&bundle(SIGNATURE), Reason::BroughtKey);
}

#[test]
fn a_log_entry_that_names_another_key_for_the_same_signature() {
    let (log, attacker) = (Log::new(), PrivateKey::generate().unwrap());
    let (payload, signature) = (read("cosign/sig.layer"), simple_signing().bytes);
    let entry = body(&payload, &signature, &attacker.public_key().to_pem());
    let signature = logged(log.annotation(&entry, time("2026-01-01T00:00:00Z")));
    let root = TrustRoot { logs: vec![log.trusted()], ..TrustRoot::default() };
    Case::new(&cosign_policy(), root).refuses(&signature, Reason::BroughtKey);
}

#[test]
fn a_log_entry_that_is_right_is_believed() {
    let log = Log::new();
    let entry =
        body(&read("cosign/sig.layer"), &simple_signing().bytes, &text("cosign/cosign.pub"));
    let signature = logged(log.annotation(&entry, time("2026-01-01T00:00:00Z")));
    let root = TrustRoot { logs: vec![log.trusted()], ..TrustRoot::default() };
    let mut case = Case::new(&cosign_policy(), root);
    case.policy.log = Some(Demand::Required);
    let fact = case.accepts(&signature);
    assert_eq!(fact.signed.time, time("2026-01-01T00:00:00Z"));

    // Without the entry, with one of a log that nobody knows, and with one that was promised for
    // another time.
    case.refuses(&simple_signing(), Reason::NoLogEntry);
    let unknown = Log::new().annotation(&entry, time("2026-01-01T00:00:00Z"));
    case.refuses(&logged(unknown), Reason::UnknownLog);
    let (name, annotation) = log.annotation(&entry, time("2026-01-01T00:00:00Z"));
    let later = annotation.replace("1767225600", "1767225601");
    assert_ne!(annotation, later);
    case.refuses(&logged((name, later)), Reason::InvalidLogEntry);
}

#[test]
fn a_log_entry_of_another_signature() {
    for entries in ["keyless/another.sigstore.json", "keyless/stranger.sigstore.json"] {
        let foreign = changed(SIGNATURE, ENTRIES, part(entries, ENTRIES)).unwrap();
        Case::of_workflow().refuses(&foreign, Reason::ForeignLogEntry);
        Case::of_workflow().without_log().refuses(&foreign, Reason::ForeignLogEntry);
    }
}

#[test]
fn a_log_entry_that_was_taken_away() {
    let stripped = changed(SIGNATURE, ENTRIES, json!([])).unwrap();
    Case::of_workflow().refuses(&stripped, Reason::NoLogEntry);
    Case::of_workflow().without_log().refuses(&stripped, Reason::NoTime);
}

#[test]
fn a_log_entry_without_promise_and_proof() {
    for (part, proof) in [("inclusionProof", Value::Null), ("inclusionProof", json!({}))] {
        let pointer = format!("{ENTRIES}/0/{part}");
        let refusal = changed(SIGNATURE, &pointer, proof).unwrap_err();
        assert_eq!(refusal.reason, Reason::InvalidLogEntry);
    }
}

#[test]
fn a_log_entry_whose_evidence_was_changed() {
    for (pointer, value) in [
        ("inclusionPromise/signedEntryTimestamp", json!(base64(b"nothing"))),
        ("integratedTime", json!("1767225600")),
        ("logIndex", json!("1")),
        ("inclusionProof/treeSize", json!("2")),
        ("inclusionProof/logIndex", json!("1")),
        ("inclusionProof/rootHash", json!(base64(&[0; 32]))),
        ("inclusionProof/hashes", json!([base64(&[0; 32])])),
    ] {
        let changed = changed(SIGNATURE, &format!("{ENTRIES}/0/{pointer}"), value).unwrap();
        Case::of_workflow().refuses(&changed, Reason::InvalidLogEntry);
    }
    let pointer = format!("{ENTRIES}/0/inclusionProof/checkpoint/envelope");
    let checkpoint = part(SIGNATURE, &pointer);
    let other = checkpoint.as_str().unwrap().replace("\n1\n", "\n2\n");
    let changed = changed(SIGNATURE, &pointer, json!(other)).unwrap();
    Case::of_workflow().refuses(&changed, Reason::InvalidLogEntry);
}

#[test]
fn a_certificate_that_belongs_to_another_signature() {
    let attacker = PrivateKey::generate().unwrap();
    let payload = bytes(SIGNATURE, "/dsseEnvelope/payload");
    let signature = attacker.sign(&statement_to_be_signed(&payload)).unwrap();
    let replayed =
        changed(SIGNATURE, "/dsseEnvelope/signatures/0/sig", json!(base64(&signature))).unwrap();
    Case::of_workflow().refuses(&replayed, Reason::ReplayedCertificate);

    // The certificate of one signature on another, with that one's own log entry.
    let certificate = "/verificationMaterial/certificate";
    let other = part("keyless/stranger.sigstore.json", certificate);
    let replayed = changed(SIGNATURE, certificate, other).unwrap();
    Case::of_workflow().refuses(&replayed, Reason::ReplayedCertificate);
}

/// The mocks' certificates hold for ten minutes. Whoever finds the key afterwards can sign, but a log
/// tells the time.
#[test]
fn a_certificate_that_had_expired() {
    let log = Log::new();
    let mut case = Case::of_workflow();
    case.root.logs = vec![log.trusted()];
    let message = statement_to_be_signed(&bytes(SIGNATURE, "/dsseEnvelope/payload"));
    let signature = bytes(SIGNATURE, "/dsseEnvelope/signatures/0/sig");
    let entry = body(&message, &signature, &certificate_pem());
    let signed = Case::of_workflow().accepts(&bundle(SIGNATURE)).signed.time;
    let at = |minutes: i64| {
        let time = signed + jiff::SignedDuration::from_mins(minutes);
        changed(SIGNATURE, ENTRIES, json!([log.entry(&entry, time)])).unwrap()
    };
    assert_eq!(case.accepts(&at(5)).signed.time, signed + jiff::SignedDuration::from_mins(5));
    let refusal = case.refuses(&at(11), Reason::ExpiredCertificate);
    assert!(refusal.required.starts_with("between "), "{refusal:?}");
    case.refuses(&at(-1), Reason::ExpiredCertificate);
    case.refuses(&at(60 * 24 * 365 * 60), Reason::FutureTime);
}

#[test]
fn another_identity() {
    let stranger = bundle("keyless/stranger.sigstore.json");
    let refusal = Case::of_workflow().refuses(&stranger, Reason::OtherSubject);
    assert!(refusal.observed.contains("https://github.com/evil/web"), "{refusal:?}");
    assert!(refusal.required.contains(WORKFLOW), "{refusal:?}");
    let elsewhere = identities(vec![identity("ci", "https://gitlab.com", WORKFLOW)]);
    Case::new(&elsewhere, mock_root()).refuses(&bundle(SIGNATURE), Reason::OtherIssuer);
    let prefix = identities(vec![identity("ci", ISSUER, &WORKFLOW[..WORKFLOW.len() - 1])]);
    Case::new(&prefix, mock_root()).refuses(&bundle(SIGNATURE), Reason::OtherSubject);
}

#[test]
fn another_authority() {
    let case = Case::new(
        &workflow_policy(),
        TrustRoot { logs: mock_root().logs, ..TrustRoot::sigstore().unwrap() },
    );
    case.refuses(&bundle(SIGNATURE), Reason::UntrustedCertificate);
}

#[test]
fn a_payload_that_was_changed() {
    // A statement that says the same, in other bytes.
    let payload = [&bytes(SIGNATURE, "/dsseEnvelope/payload")[..], b" "].concat();
    let tampered = changed(SIGNATURE, "/dsseEnvelope/payload", json!(base64(&payload))).unwrap();
    Case::of_workflow().refuses(&tampered, Reason::TamperedPayload);

    let by_key = "cosign/attestation.sigstore.json";
    let payload = [&bytes(by_key, "/dsseEnvelope/payload")[..], b" "].concat();
    let tampered = changed(by_key, "/dsseEnvelope/payload", json!(base64(&payload))).unwrap();
    Case::of_key().refuses(&tampered, Reason::TamperedPayload);

    // Nothing tells whose signature this was; it is nobody's whom the policy trusts.
    let payload = [&read("cosign/sig.layer")[..], b" "].concat();
    let annotations = annotations("cosign/sig.manifest.json");
    let tampered = Signature::from_simple_signing(&payload, &annotations).unwrap();
    Case::of_key().refuses(&tampered, Reason::OtherKey);
    // A log entry does tell.
    let entry = body(&payload, &simple_signing().bytes, &text("cosign/cosign.pub"));
    let mut with_entry = annotations;
    with_entry.extend([Log::new().annotation(&entry, time("2026-01-01T00:00:00Z"))]);
    let tampered = Signature::from_simple_signing(&payload, &with_entry).unwrap();
    Case::of_key().refuses(&tampered, Reason::TamperedPayload);
}

#[test]
fn keys_of_objects_that_occur_twice() {
    let text = String::from_utf8(read(SIGNATURE)).unwrap();
    let twice = text.replacen('{', r#"{"mediaType":"x","#, 1);
    assert_eq!(Signature::from_bundle(twice.as_bytes()).unwrap_err().reason, Reason::DuplicatedKey);

    let payload = bytes(SIGNATURE, "/dsseEnvelope/payload");
    let twice = String::from_utf8(payload).unwrap().replacen('{', r#"{"subject":[],"#, 1);
    let refusal =
        changed(SIGNATURE, "/dsseEnvelope/payload", json!(base64(twice.as_bytes()))).unwrap_err();
    assert_eq!(refusal.reason, Reason::DuplicatedKey);

    let payload = String::from_utf8(read("cosign/sig.layer")).unwrap();
    let twice = payload.replacen(r#""image":{"#, r#""image":{"docker-manifest-digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","#, 1);
    let annotations = annotations("cosign/sig.manifest.json");
    let refusal = Signature::from_simple_signing(twice.as_bytes(), &annotations).unwrap_err();
    assert_eq!(refusal.reason, Reason::DuplicatedKey);

    // Two spellings of one key are no way around.
    let twice = payload.replacen(r#""image":{"#, r#""image":{"Docker-manifest-digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","#, 1);
    assert!(Signature::from_simple_signing(twice.as_bytes(), &annotations).is_err());
}

#[test]
fn input_that_is_too_large_or_too_deep() {
    let annotations = annotations("cosign/sig.manifest.json");
    let large = vec![b' '; 200 * 1024];
    let refusal = Signature::from_simple_signing(&large, &annotations).unwrap_err();
    assert_eq!(refusal.reason, Reason::TooLarge);
    let deep = "[".repeat(100_000);
    let refusal = Signature::from_simple_signing(deep.as_bytes(), &annotations).unwrap_err();
    assert_eq!(refusal.reason, Reason::TooDeep);
    assert_eq!(Signature::from_bundle(deep.as_bytes()).unwrap_err().reason, Reason::TooDeep);
    let statement = format!(r#"{{"_type":"x","predicate":{}"#, "[".repeat(10_000));
    let refusal = changed(SIGNATURE, "/dsseEnvelope/payload", json!(base64(statement.as_bytes())));
    assert_eq!(refusal.unwrap_err().reason, Reason::TooDeep);
}

#[test]
fn several_signatures_in_one_bundle() {
    let one = part(SIGNATURE, "/dsseEnvelope/signatures/0");
    let several = changed(SIGNATURE, "/dsseEnvelope/signatures", json!([one, one]));
    assert_eq!(several.unwrap_err().reason, Reason::Malformed);
    let none = changed(SIGNATURE, "/dsseEnvelope/signatures", json!([]));
    assert_eq!(none.unwrap_err().reason, Reason::Unsigned);
}

#[test]
fn a_thousand_signatures_on_one_digest() {
    let wrong = || Err(Refusal::new(Reason::Malformed, "something else"));
    let mut signatures: Vec<Result<Signature, Refusal>> = (0..1000).map(|_| wrong()).collect();
    let verdict = Case::of_key().judge(signatures.clone());
    assert_eq!(verdict.refusals.len(), MAX_SIGNATURES + 1);
    assert_eq!(verdict.reason.unwrap().reason, Reason::TooManySignatures);

    // Who was there first stays; who comes behind the limit is not looked at.
    signatures[999] = Ok(simple_signing());
    assert!(!Case::of_key().judge(signatures.clone()).verified);
    signatures[0] = Ok(simple_signing());
    let verdict = Case::of_key().judge(signatures);
    assert!(verdict.verified);
    assert_eq!(verdict.refusals.last().unwrap().what.reason, Reason::TooManySignatures);
}

#[test]
fn one_bit_of_a_signature() {
    let signature = bundle(SIGNATURE);
    for at in (0..signature.bytes.len()).step_by(7) {
        let mut changed = signature.clone();
        changed.bytes[at] ^= 1;
        assert!(Case::of_workflow().verify(&changed).is_err(), "byte {at}");
    }
    let certificate = bytes(SIGNATURE, "/verificationMaterial/certificate/rawBytes");
    for at in (0..certificate.len()).step_by(7) {
        let mut changed_certificate = certificate.clone();
        changed_certificate[at] ^= 1;
        let pointer = "/verificationMaterial/certificate/rawBytes";
        let changed = changed(SIGNATURE, pointer, json!(base64(&changed_certificate)));
        let result = changed.and_then(|signature| Case::of_workflow().verify(&signature));
        assert!(result.is_err(), "byte {at}");
    }
}

#[test]
fn a_key_after_its_time() {
    let mut document = cosign_policy();
    document.keys[0].end = Some(time("2030-01-01T00:00:00Z"));
    let mut case = Case::new(&document, TrustRoot::default());
    case.refuses(&simple_signing(), Reason::ExpiredKey);
    case.arrived = time("2029-12-31T00:00:00Z");
    case.accepts(&simple_signing());
    assert_eq!(case.now, now());
}

/// As `cosign sign --key --certificate` does it.
#[test]
fn a_trusted_key_is_trusted_whatever_certificate_comes_with_it() {
    let der = bytes(SIGNATURE, "/verificationMaterial/certificate/rawBytes");
    let key = plura_trust::Certificate::from_der(&der).unwrap().public_key().unwrap();
    assert_eq!(PublicKey::from_spki(key.spki()).unwrap(), key);
    let mut document = cosign_policy();
    document.keys[0].pem = key.to_pem();
    let fact = Case::new(&document, mock_root()).accepts(&bundle(SIGNATURE));
    assert!(matches!(fact.signer, plura_trust::Who::Key { .. }));
    let foreign = part("keyless/another.sigstore.json", ENTRIES);
    let foreign = changed(SIGNATURE, ENTRIES, foreign).unwrap();
    Case::new(&document, mock_root()).refuses(&foreign, Reason::ForeignLogEntry);
}
