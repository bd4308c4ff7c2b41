//! A Sigstore bundle, or a Notation envelope. Whatever is believed of one that was changed is about the digest that was asked
//! for, and by the signer that is trusted.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use plura_oci::Digest;
use plura_trust::{Question, Signature, TrustPolicy, TrustRoot, verify};

static ROOT: LazyLock<TrustRoot> = LazyLock::new(|| {
    let root = include_bytes!("../../crates/trust/tests/fixtures/keyless/trusted_root.json");
    TrustRoot::from_json(root).expect("the fixture is a trust root")
});

/// Of the mocks' workflow, of cosign's key, and of an authority of Notation's.
static POLICY: LazyLock<TrustPolicy> = LazyLock::new(|| {
    let key = include_str!("../../crates/trust/tests/fixtures/cosign/cosign.pub");
    let policy = serde_json::json!({
        "name": "release",
        "repositories": ["**"],
        "keys": [{ "name": "key", "pem": key }],
        "identities": [{
            "name": "workflow",
            "issuer": "https://token.actions.githubusercontent.com",
            "subject_pattern": r"^https://github\.com/acme/.*$",
        }],
        "notation": [{
            "name": "authority",
            "roots": include_str!("../../crates/trust/tests/fixtures/notation/authority.pem"),
            "subject": { "O": "acme" },
        }],
    });
    TrustPolicy::from_json(policy.to_string().as_bytes()).expect("the policy can be met")
});

static IMAGE: LazyLock<Digest> = LazyLock::new(|| {
    Digest::sha256(include_bytes!("../../crates/trust/tests/fixtures/cosign/image.json"))
});

/// However long what it is about.
const LONGEST_MESSAGE: usize = 4000;

fuzz_target!(|input: &[u8]| {
    let read = Signature::from_notation(input).or_else(|_| Signature::from_bundle(input));
    let signature = match read {
        Ok(signature) => signature,
        Err(refusal) => return assert!(refusal.to_string().len() < LONGEST_MESSAGE, "{refusal}"),
    };
    let now = jiff::Timestamp::from_second(2_800_000_000).expect("a time");
    let question = Question { digest: &IMAGE, children: &[], policy: &POLICY, root: &ROOT, now };
    match verify(&signature, now, &question) {
        Ok(fact) => {
            assert!(signature.content.is_about(&IMAGE));
            assert!(["key", "workflow", "authority"].contains(&fact.signer.name()));
            assert!(fact.signed.time <= now);
        }
        Err(refusal) => assert!(refusal.to_string().len() < LONGEST_MESSAGE, "{refusal}"),
    }
});
