//! A DSSE envelope: what was read is written and read as the same.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use plura_trust::{Envelope, Signature};

fuzz_target!(|input: &[u8]| {
    let Ok(envelope) = Envelope::read(input) else { return };
    assert!(!envelope.signatures.is_empty());
    assert_eq!(Envelope::read(&envelope.to_json()).as_ref(), Ok(&envelope));
    let signed = envelope.signed_bytes();
    assert!(signed.starts_with(b"DSSEv1 ") && signed.ends_with(&envelope.payload));
    if let Ok(signatures) = Signature::from_attestation(input, &BTreeMap::new()) {
        assert_eq!(signatures.len(), envelope.signatures.len());
    }
});
