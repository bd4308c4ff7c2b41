//! A proof: whatever is in it, it proves only the entry that the seed's checkpoint has; and an entry has
//! one way to be written.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use plura_tlog::{Consistency, EMPTY_ROOT, Entry, Inclusion, Proof, VerifierKey};

static KEYS: LazyLock<[VerifierKey; 1]> = LazyLock::new(|| {
    ["PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().expect("a key")]
});
static PROVED: LazyLock<Proof> =
    LazyLock::new(|| Proof::from_json(include_bytes!("../seeds/log_proof/01")).expect("a proof"));

fuzz_target!(|input: &[u8]| {
    if let Ok(entry) = Entry::from_bytes(input) {
        assert_eq!(entry.as_bytes(), input);
    }
    if let Ok(proof) = Proof::from_json(input) {
        if let Ok(proved) = proof.verify("PeterNeumann", &*KEYS) {
            assert_eq!((proved.entry, proved.index), (&PROVED.entry, PROVED.index));
        }
        let written = serde_json::to_vec(&proof).expect("JSON");
        assert_eq!(Proof::from_json(&written).expect("what is written is read"), proof);
    }
    if let Ok(proof) = serde_json::from_slice::<Inclusion>(input) {
        assert!(!proof.verify(&EMPTY_ROOT, &EMPTY_ROOT) || proof.size == 1);
    }
    if let Ok(proof) = serde_json::from_slice::<Consistency>(input) {
        assert!(
            !proof.verify(&EMPTY_ROOT, &EMPTY_ROOT) || proof.old == proof.new || proof.old == 0
        );
    }
});
