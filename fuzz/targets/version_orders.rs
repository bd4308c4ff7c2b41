//! Three versions with line feeds between them: every order is total on those that it takes, says
//! why it does not take the others, and keys are bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_advisories::VersionOrder;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let versions: Vec<&str> = text.split('\n').take(3).collect();
    for order in VersionOrder::ALL {
        let mut keys = Vec::new();
        for version in &versions {
            match order.key(version) {
                Ok(key) => {
                    assert!(key.as_bytes().len() <= 4 * VersionOrder::MAX_LENGTH + 64);
                    keys.push(key);
                }
                // A character of the version may take six in the message.
                Err(error) => assert!(!error.reason.is_empty() && error.to_string().len() < 600),
            }
        }
        for left in &keys {
            for right in &keys {
                assert_eq!(left.cmp(right), right.cmp(left).reverse());
                let begins = right.as_bytes().starts_with(left.as_bytes());
                assert!(left == right || !begins, "{order}: a key goes on behind another's end");
            }
        }
    }
});
