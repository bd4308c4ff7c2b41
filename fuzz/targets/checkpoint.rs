//! A checkpoint, a note or a key: what is read is printed as it was, and nothing is believed but what
//! the key of the seeds signed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use plura_tlog::{Checkpoint, KeyName, Note, SigningKey, VerifierKey};

const ORIGIN: &str = "PeterNeumann";

/// The key of the tests of Go's `sumdb/note`, and what it signed in the seeds.
static KEYS: LazyLock<[VerifierKey; 1]> = LazyLock::new(|| {
    ["PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().expect("a key")]
});
static SIGNED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let seeds = [
        include_bytes!("../seeds/checkpoint/01").as_slice(),
        include_bytes!("../seeds/checkpoint/02"),
    ];
    seeds.iter().map(|seed| Note::from_bytes(seed).expect("a note").text().to_owned()).collect()
});

fuzz_target!(|input: &[u8]| {
    if let Ok(note) = Note::from_bytes(input) {
        assert_eq!(note.to_string().as_bytes(), input);
        if note.verify(&*KEYS).is_ok() {
            assert!(SIGNED.iter().any(|text| text == note.text()), "{note}");
        }
    }
    if let Ok((checkpoint, signers)) = Checkpoint::open(input, ORIGIN, &*KEYS) {
        assert_eq!((checkpoint.origin(), signers.len()), (ORIGIN, 1));
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(checkpoint) = Checkpoint::from_text(text) {
        assert_eq!(checkpoint.to_text(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = SigningKey::from_text(text) {
        assert_eq!(*key.to_text(), text);
    }
    if let Ok(name) = text.parse::<KeyName>() {
        assert_eq!(name.as_str(), text);
    }
});
