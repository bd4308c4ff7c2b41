//! Proofs that are carried away, and shown to be true without the log.

use plura_tlog::{
    Checkpoint, Entry, Hash, KeyName, Proof, ProofError, SigningKey, VerifierKey, consistency,
    inclusion,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::logs::{Log, Store, leaves, tree};

const ORIGIN: &str = "registry.example.com/log";

fn record(number: u64) -> Entry {
    Entry::new(&json!({ "kind": "promotion", "number": number })).expect("an entry")
}

struct Signed {
    log: Log,
    checkpoint: String,
    keys: Vec<VerifierKey>,
}

fn signed(size: u64) -> Signed {
    let name: KeyName = ORIGIN.parse().expect("a name");
    let key = SigningKey::generate(name.clone()).expect("a key");
    let mut log = Log::default();
    log.append(&(0..size).map(record).collect::<Vec<_>>());
    let checkpoint =
        Checkpoint::new(&name, size, log.frontier.root()).sign(&[&key]).expect("signed");
    Signed { log, checkpoint, keys: vec![key.verifier().clone()] }
}

#[test]
fn a_proof_needs_no_log() {
    let Signed { log, checkpoint, keys } = signed(300);
    // Whoever fetches first fetches enough.
    let fetched: Store = Proof::resources(257, 300)
        .map(|resource| (resource, log.store[&resource].clone()))
        .collect();
    let proof = Proof::new(&fetched, 257, &checkpoint).expect("a proof");
    let text = serde_json::to_string_pretty(&proof).expect("JSON");
    let read = Proof::from_json(text.as_bytes()).expect("a proof");
    assert_eq!(read, proof);
    let proved = read.verify(ORIGIN, &keys).expect("it is true");
    assert_eq!((proved.entry, proved.index), (&record(257), 257));
    assert_eq!(proved.checkpoint.size(), 300);
    assert_eq!(proved.signers, [ORIGIN.parse().expect("a name")]);
}

#[test]
fn no_part_of_a_proof_can_be_changed() {
    let Signed { log, checkpoint, keys } = signed(300);
    let proof = Proof::new(&log.store, 257, &checkpoint).expect("a proof");
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut value = serde_json::to_value(&proof).expect("JSON");
        change(&mut value);
        let text = value.to_string();
        let verified = Proof::from_json(text.as_bytes())
            .and_then(|proof| proof.verify(ORIGIN, &keys).map(|_| ()));
        assert!(verified.is_err(), "{text}");
    };
    refused(&|proof| proof["entry"]["number"] = json!(258));
    refused(&|proof| proof["entry"]["more"] = json!(1));
    refused(&|proof| proof["index"] = json!(256));
    refused(&|proof| proof["index"] = json!(300));
    refused(&|proof| proof["path"][3] = proof["path"][2].clone());
    refused(&|proof| drop(proof["path"].as_array_mut().expect("a list").pop()));
    refused(&|proof| proof["path"].as_array_mut().expect("a list").push(json!(Hash::default())));
    refused(&|proof| {
        let text = proof["checkpoint"].as_str().expect("a text").replacen("300", "301", 1);
        proof["checkpoint"] = json!(text);
    });
    refused(&|proof| proof["more"] = json!(1));
    assert!(matches!(proof.verify("other", &keys), Err(ProofError::Checkpoint(_))));
    assert!(proof.verify(ORIGIN, &signed(1).keys).is_err());
    let large = vec![b' '; 2_000_000];
    assert!(matches!(Proof::from_json(&large), Err(ProofError::Malformed(_))));
}

#[test]
fn a_log_that_lies_gives_out_no_proofs() {
    let Signed { mut log, checkpoint, .. } = signed(300);
    let other = signed(300).log;
    for bytes in log.store.values_mut() {
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
    }
    assert!(Proof::new(&log.store, 257, &checkpoint).is_err());
    assert!(Proof::new(&other.store, 300, &checkpoint).is_err());
    assert!(Proof::new(&Store::new(), 257, &checkpoint).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_proof_of_one_thing_is_no_proof_of_another(
        size in 2_u64..600,
        index: prop::sample::Index,
        flip: prop::sample::Index,
    ) {
        let all = leaves(size);
        let log = Log::of(size);
        let root = tree(&all);
        let here = index.index(all.len());
        let proof = inclusion(&log.store, here as u64, size).expect("a proof");
        prop_assert!(proof.verify(&all[here], &root));
        let mut other = proof.clone();
        other.index = (proof.index + 1) % size;
        prop_assert!(!other.verify(&all[here], &root) || all[here] == all[usize::try_from(other.index).expect("small")]);
        let mut other = proof.clone();
        let node = flip.get_mut(&mut other.path);
        let mut bytes = *node.as_bytes();
        bytes[31] ^= 128;
        *node = Hash::new(bytes);
        prop_assert!(!other.verify(&all[here], &root));
        let mut other = proof;
        other.path.pop();
        prop_assert!(!other.verify(&all[here], &root));
    }

    #[test]
    fn no_history_is_proved_but_the_true_one(size in 2_u64..600, old: prop::sample::Index) {
        let all = leaves(size);
        let log = Log::of(size);
        let root = tree(&all);
        let old = old.index(all.len() - 1) + 1;
        let proof = consistency(&log.store, old as u64, size).expect("a proof");
        prop_assert!(proof.verify(&tree(&all[..old]), &root));
        let mut forged = all.clone();
        forged[old - 1] = Hash::default();
        prop_assert!(!proof.verify(&tree(&forged[..old]), &root));
        prop_assert!(!proof.verify(&tree(&all[..old]), &tree(&forged)));
        let mut other = proof.clone();
        other.old = proof.new;
        other.new = proof.old;
        prop_assert!(!other.verify(&root, &tree(&all[..old])));
        let mut other = proof;
        other.path.pop();
        prop_assert!(!other.verify(&tree(&all[..old]), &root));
    }
}
