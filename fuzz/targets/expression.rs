//! Any text, as an expression about an image: it is refused, or it is said whether it is true. Nothing
//! panics, and nothing takes long.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use plura_policy::{
    Governance, GovernanceDocument,
    document::ChannelDocument,
    facts::ImageFacts,
    gate::{GatesDocument, PredicateDocument},
};

const FACTS: &str = include_str!("../facts/image.json");

fuzz_target!(|text: &str| {
    let predicate = PredicateDocument { expression: text.to_owned(), ..Default::default() };
    let predicates = [("any".to_owned(), predicate)].into();
    let gates = [("any".to_owned(), GatesDocument { predicates, ..Default::default() })].into();
    let channel =
        ChannelDocument { name: "any".into(), gates: vec!["any".into()], ..Default::default() };
    let document = GovernanceDocument { gates, channels: vec![channel], ..Default::default() };
    let Ok(governance) = Governance::new(document) else { return };
    let facts: ImageFacts = serde_json::from_str(FACTS).expect("the facts are facts");
    let now = Timestamp::from_second(1_793_000_000).expect("a time");
    let name = "any".parse().expect("a channel");
    let decision = governance.decide(&facts, &name, now).expect("there is the channel");
    assert!(decision.to_string().len() < 100_000);
});
