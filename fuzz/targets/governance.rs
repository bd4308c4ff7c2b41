//! Any text, as a document that governs: what is wrong with it is told within bounds; what is read is
//! read back from what it is written as, and decides about any image in any channel at any time.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use plura_policy::{
    Governance, GovernanceDocument, change, document::DocumentError, facts::ImageFacts,
    gate::Effect, pull::Purpose,
};

const FACTS: &str = include_str!("../facts/image.json");

fuzz_target!(|text: &str| {
    let json = GovernanceDocument::from_json(text.as_bytes());
    let Ok(document) = GovernanceDocument::from_toml(text).or(json).map_err(check_error) else {
        return;
    };
    let again = GovernanceDocument::from_toml(&document.to_toml()).expect("it was written here");
    assert_eq!(again.digest(), document.digest());
    assert!(change::compare(&document, &again).is_empty());
    let nothing = GovernanceDocument::default();
    let _ = change::compare(&nothing, &document).to_string();
    let Ok(governance) = Governance::new(document).map_err(check_error) else { return };
    let facts: ImageFacts = serde_json::from_str(FACTS).expect("the facts are facts");
    for seconds in [0, 1_793_000_000, 253_402_207_200] {
        let now = Timestamp::from_second(seconds).expect("a time");
        for name in governance.channels.keys() {
            let Ok(decision) = governance.decide(&facts, name, now) else { continue };
            assert!(decision.until.is_none_or(|until| until > now), "{decision}");
            let blocking = decision.blocking().count();
            assert_eq!(blocking == 0, decision.effect == Effect::Allow, "{decision}");
        }
        let _ = governance.decide_pull(&facts, Purpose::Pull { tag: None }, now).to_string();
    }
});

fn check_error(error: DocumentError) {
    assert!((1..=100).contains(&error.problems.len()), "{}", error.problems.len());
}
