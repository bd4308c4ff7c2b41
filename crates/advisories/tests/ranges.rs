//! Ranges against the evaluation algorithm of the OSV schema, as it is written there.

use plura_advisories::{AdvisorySetBuilder, Package};
use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    // At one version, in this order.
    Introduced,
    Fixed,
    LastAffected,
}

type Events = Vec<(u8, Kind)>;

/// OSV schema, "Evaluation": `IncludedInRanges` and `BeforeLimits`.
fn is_affected(version: u8, events: &Events, limits: &[Option<u8>]) -> bool {
    let mut sorted = events.clone();
    sorted.sort_unstable();
    let mut vulnerable = false;
    for (at, kind) in sorted {
        match kind {
            Kind::Introduced if version >= at => vulnerable = true,
            Kind::Fixed if version >= at => vulnerable = false,
            Kind::LastAffected if version > at => vulnerable = false,
            _ => {}
        }
    }
    let before = |limit: &Option<u8>| limit.is_none_or(|limit| version < limit);
    vulnerable && (limits.is_empty() || limits.iter().any(before))
}

fn version(number: u8) -> String {
    if number == 0 { "0".into() } else { format!("{number}.0.0") }
}

fn record(events: &Events, limits: &[Option<u8>]) -> Value {
    let events = events.iter().map(|(at, kind)| match kind {
        Kind::Introduced => json!({"introduced": version(*at)}),
        Kind::Fixed => json!({"fixed": version(*at)}),
        Kind::LastAffected => json!({"last_affected": version(*at)}),
    });
    let limits = limits.iter().map(|limit| match limit {
        Some(limit) => json!({"limit": version(*limit)}),
        None => json!({"limit": "*"}),
    });
    json!({
        "id": "TEST-1",
        "modified": "2026-01-01T00:00:00Z",
        "affected": [{
            "package": {"ecosystem": "crates.io", "name": "x"},
            "ranges": [{"type": "SEMVER", "events": events.chain(limits).collect::<Vec<_>>()}],
        }],
    })
}

fn events() -> impl Strategy<Value = Events> {
    let kind = prop::sample::select(vec![Kind::Introduced, Kind::Fixed, Kind::LastAffected]);
    prop::collection::vec((0_u8..8, kind), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_range_has_the_versions_that_the_schema_says(
        events in events(),
        limits in prop::collection::vec(prop::option::weighted(0.8, 1_u8..8), 0..3),
    ) {
        let mut builder = AdvisorySetBuilder::default();
        builder.add_json(record(&events, &limits).to_string().as_bytes()).unwrap();
        let set = builder.finish();
        for number in 0..9 {
            let found = set.match_package(&Package::new("crates.io", "x", &version(number)));
            prop_assert!(found.iter().all(plura_advisories::Match::is_certain));
            let expected = is_affected(number, &events, &limits);
            prop_assert_eq!(!found.is_empty(), expected, "{}: {:?} {:?}", number, &events, &limits);
        }
    }
}
