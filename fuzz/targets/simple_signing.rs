//! The annotations of a layer as a JSON object of texts, a line feed, and the layer.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use plura_trust::{Signature, SimpleSigning, annotations};

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (head, layer) = (&input[..end], &input[(end + 1).min(input.len())..]);
    if let Ok(payload) = SimpleSigning::read(layer) {
        assert_eq!(SimpleSigning::read(&payload.to_json()), Ok(payload));
    }
    let Ok(found) = serde_json::from_slice::<BTreeMap<String, String>>(head) else { return };
    if let Ok(signature) = Signature::from_simple_signing(layer, &found) {
        assert!(found.contains_key(annotations::SIGNATURE));
        assert_eq!(signature.content.digests().len(), 1);
        assert!(!signature.bytes.is_empty());
    }
});
