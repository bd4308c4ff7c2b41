use bytes::Bytes;
use plura_trust::{
    PrivateKey, PublicKey, bundle, predicate_types, statement, statement_to_be_signed,
};
use serde_json::value::RawValue;

use super::*;

struct Given {
    collected: Collected,
    image: Digest,
}

/// All but the signature, which is another one each time.
fn unsigned(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    use std::io::Read as _;

    let mut archive = tar::Archive::new(bytes);
    let files = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.header().as_bytes().to_vec(), content)
    });
    let is_signature = |(header, _): &(Vec<u8>, Vec<u8>)| header.starts_with(SIGNATURE.as_bytes());
    files.filter(|file| !is_signature(file)).collect()
}

fn add(collected: &mut Collected, bytes: &[u8]) -> Digest {
    let digest = Digest::sha256(bytes);
    collected.files.insert(blob_path(&digest), Bytes::copy_from_slice(bytes));
    digest
}

/// An image with a summary that the key signed.
fn given(key: &PrivateKey) -> Given {
    let mut collected = Collected::default();
    let config = add(&mut collected, b"{\"os\":\"linux\"}");
    let image = json!({"schemaVersion": 2, "config": {"digest": config}, "layers": []});
    let image = add(&mut collected, image.to_string().as_bytes());
    let predicate = json!({
        "verificationResult": "PASSED",
        "timeVerified": "2026-11-20T03:00:00Z",
        "https://plura.dev/decision/v1": { "channel": "prod:stable" },
    });
    let predicate = RawValue::from_string(predicate.to_string()).unwrap();
    let kind = predicate_types::VERIFICATION_SUMMARY;
    let statement = statement("r.example/a", &image, kind, &predicate);
    let signature = key.sign(&statement_to_be_signed(&statement)).unwrap();
    let signed = add(&mut collected, &bundle(&statement, &signature, key.public_key()));
    let empty = add(&mut collected, b"{}");
    let referrer = json!({
        "schemaVersion": 2,
        "config": {"digest": empty},
        "layers": [{"digest": signed}],
        "subject": {"digest": image},
    });
    add(&mut collected, referrer.to_string().as_bytes());
    let pem = key.public_key().to_pem();
    collected.files.insert(KEY.to_owned(), Bytes::from(pem));
    collected.files.insert("reports/facts.json".to_owned(), Bytes::from_static(b"{}"));
    Given { collected, image }
}

fn written(given: Given, key: &PrivateKey) -> Vec<u8> {
    write("apps/a".parse().unwrap(), given.image, given.collected, key).unwrap()
}

fn problem(bytes: &[u8], key: Option<&PublicKey>) -> String {
    verify_bundle(bytes, key).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_verified_and_always_the_same() {
    let key = PrivateKey::generate().unwrap();
    let one = given(&key);
    let (image, files) =
        (one.image, Collected { files: one.collected.files.clone(), ..Collected::default() });
    let first = written(one, &key);
    let second = written(Given { collected: files, image }, &key);
    assert_eq!(unsigned(&first), unsigned(&second));
    for trusted in [None, Some(key.public_key())] {
        let verified = verify_bundle(&first, trusted).unwrap();
        assert_eq!(verified.digest, image);
        assert_eq!(verified.decisions.len(), 1);
        assert_eq!(verified.decisions[0].channel, "prod:stable");
        assert_eq!(verified.decisions[0].result, "PASSED");
    }
    let other = PrivateKey::generate().unwrap();
    assert!(problem(&first, Some(other.public_key())).contains("another installation"));
}

#[test]
fn every_changed_byte_is_noticed() {
    let key = PrivateKey::generate().unwrap();
    let whole = written(given(&key), &key);
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        if let Ok(verified) = verify_bundle(&changed, None) {
            // What stands between files, such as padding, means nothing.
            assert_eq!(verified, verify_bundle(&whole, None).unwrap(), "byte {at}");
        }
    }
    for cut in [0, 100, 512, whole.len() / 2] {
        verify_bundle(&whole[..cut], None).unwrap_err();
    }
}

#[test]
fn what_is_missing_or_called_otherwise_is_told() {
    let key = PrivateKey::generate().unwrap();
    let without = |path: &str| {
        let mut given = given(&key);
        given.collected.files.remove(path).unwrap();
        problem(&written(given, &key), None)
    };
    assert!(without(KEY).contains("keys/attestation.pem: it is missing"));
    let image = given(&key).image;
    assert!(without(&blob_path(&image)).contains("the image is missing"));
    let empty = Digest::sha256(b"{}");
    assert!(without(&blob_path(&empty)).contains("its configuration is missing"));
    let mut wrong = given(&key);
    wrong.collected.files.insert(blob_path(&Digest::sha256(b"a")), Bytes::from_static(b"b"));
    assert!(problem(&written(wrong, &key), None).contains("its name is not its digest"));
}

#[test]
fn summaries_of_others_are_no_decisions() {
    let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    let mut given = given(&other);
    given.collected.files.insert(KEY.to_owned(), Bytes::from(key.public_key().to_pem()));
    assert_eq!(verify_bundle(&written(given, &key), None).unwrap().decisions, []);
}
