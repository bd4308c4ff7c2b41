use std::collections::BTreeMap;

use bytes::Bytes;
use plura_tlog::{Checkpoint, Entry, Frontier, KeyName, Proof, SigningKey};
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
    let trusted = Trusted { key: key.cloned(), log: Vec::new() };
    verify_bundle(bytes, &trusted).unwrap_err().to_string()
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
        let trusted = Trusted { key: trusted.cloned(), log: Vec::new() };
        let verified = verify_bundle(&first, &trusted).unwrap();
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
        if let Ok(verified) = verify_bundle(&changed, &Trusted::default()) {
            // What stands between files, such as padding, means nothing.
            assert_eq!(verified, verify_bundle(&whole, &Trusted::default()).unwrap(), "byte {at}");
        }
    }
    for cut in [0, 100, 512, whole.len() / 2] {
        verify_bundle(&whole[..cut], &Trusted::default()).unwrap_err();
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
    assert_eq!(verify_bundle(&written(given, &key), &Trusted::default()).unwrap().decisions, []);
}

/// A log of three entries, of which the first and the last are about the image.
fn log(collected: &mut Collected) -> SigningKey {
    let origin: KeyName = "log.example".parse().unwrap();
    let key = SigningKey::generate(origin.clone()).unwrap();
    let kinds = ["promotion.finished", "exception.granted", "block.created"];
    let entry =
        |kind| Entry::new(&json!({ "at": 1_700_000_000_000_i64, "kind": kind, "subject": "s" }));
    let entries: Vec<Entry> = kinds.map(|kind| entry(kind).unwrap()).into();
    let (tree, writes) = Frontier::default().append(&entries).unwrap();
    let tiles: BTreeMap<_, _> =
        writes.into_iter().map(|write| (write.resource, write.bytes)).collect();
    let checkpoint = Checkpoint::new(&origin, 3, tree.root()).sign(&[&key]).unwrap();
    for index in [0, 2] {
        let proof = Proof::new(&tiles, index, &checkpoint).unwrap();
        collected.files.insert(log::proof_path(index), json_of(&proof).into());
    }
    let line = format!("{}\n", key.verifier());
    collected.files.insert(log::LOG_KEYS.to_owned(), line.into());
    collected.log = Some(LogIndex {
        origin: Some(origin.to_string()),
        size: 3,
        entries: vec![0, 2],
        pending: vec![3],
        more: false,
    });
    key
}

/// What is found in a file that the installation itself signed, of which the log was changed before.
#[track_caller]
fn assert_found(change: impl FnOnce(&mut Collected), expected: &str) {
    let key = PrivateKey::generate().unwrap();
    let mut given = given(&key);
    log(&mut given.collected);
    change(&mut given.collected);
    let found = problem(&written(given, &key), Some(key.public_key()));
    assert!(found.contains(expected), "{found}");
}

fn change_proof(collected: &mut Collected, index: u64, change: impl FnOnce(&mut Value)) {
    let file = collected.files.get_mut(&log::proof_path(index)).unwrap();
    let mut proof: Value = serde_json::from_slice(file).unwrap();
    change(&mut proof);
    *file = json_of(&proof).into();
}

#[test]
fn what_the_log_has_is_proved() {
    let key = PrivateKey::generate().unwrap();
    let mut given = given(&key);
    let log_key = log(&mut given.collected);
    let whole = written(given, &key);
    for keys in [Vec::new(), vec![log_key.verifier().clone()]] {
        let trusted = Trusted { key: None, log: keys };
        let proved = verify_bundle(&whole, &trusted).unwrap().log.unwrap();
        assert_eq!((proved.origin.as_deref(), proved.size), (Some("log.example"), 3));
        let told: Vec<_> = proved.entries.iter().map(|one| (one.index, &*one.kind)).collect();
        assert_eq!(told, [(0, "promotion.finished"), (2, "block.created")]);
        assert_eq!(proved.pending, [3]);
    }
    let other = SigningKey::generate("log.example".parse().unwrap()).unwrap();
    let trusted = Trusted { key: None, log: vec![other.verifier().clone()] };
    let found = verify_bundle(&whole, &trusted).unwrap_err().to_string();
    assert!(found.contains("log/0.json: none of the keys that are trusted signed"), "{found}");
}

#[test]
fn whatever_is_changed_of_the_log_is_found_even_if_the_installation_signed_it() {
    const LEADS_ELSEWHERE: &str = "the proof does not lead from the entry to the root";
    assert_found(
        |it| change_proof(it, 2, |proof| proof["entry"]["kind"] = "block.lifted".into()),
        &format!("log/2.json: {LEADS_ELSEWHERE}"),
    );
    assert_found(
        |it| {
            change_proof(it, 0, |proof| {
                proof["path"].as_array_mut().unwrap().swap(0, 1);
            });
        },
        &format!("log/0.json: {LEADS_ELSEWHERE}"),
    );
    assert_found(
        |it| {
            let other = it.files[&log::proof_path(2)].clone();
            it.files.insert(log::proof_path(0), other);
        },
        "log/0.json: it proves another entry",
    );
    assert_found(|it| drop(it.files.remove("log/0.json")), "log/0.json: it is missing");
    assert_found(|it| drop(it.files.remove(log::LOG_KEYS)), "log/keys: it is missing");
    assert_found(
        |it| drop(it.files.insert("log/7.json".to_owned(), Bytes::from_static(b"{}"))),
        "log/7.json: evidence.json names no such entry",
    );
    assert_found(|it| it.log.as_mut().unwrap().size = 2, "it is of another head of the log");
    assert_found(
        |it| it.log.as_mut().unwrap().origin = Some("other.example".to_owned()),
        "log/0.json: ",
    );
    assert_found(
        |it| drop(it.files.insert(log::proof_path(0), Bytes::from_static(b"[]"))),
        "log/0.json: the proof cannot be read",
    );
}
