//! A certificate in DER, and its chain in PEM.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_trust::{Certificate, Identity, PublicKey, TrustRoot};

fuzz_target!(|input: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(input) {
        assert_eq!(certificate.der, input);
        if let Ok(key) = certificate.public_key() {
            assert_eq!(PublicKey::from_pem(&key.to_pem()).as_ref(), Ok(&key));
            assert!(!key.verifies(b"message", input));
        }
        if let Ok(identity) = Identity::of(&certificate) {
            assert!(!identity.issuer.is_empty() && !identity.subject.is_empty());
            assert!(!identity.subject.chars().any(char::is_control));
        }
    }
    if let Ok(text) = std::str::from_utf8(input) {
        if let Ok(chain) = Certificate::chain_from_pem(text) {
            assert!(!chain.is_empty());
        }
        let _ = PublicKey::from_pem(text);
    }
    let _ = TrustRoot::from_json(input);
});
